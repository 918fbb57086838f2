//! GPT-2: learned positions, layer norm, fused q, k, v stored `[in, out]`.

use serde_json::json;

use super::family::tied;
use super::gguf_names::Keys;
use super::{Architecture, ConfigError, ConfigReader, Source, View, names};
use crate::model::checkpoint::gguf::Metadata;
use crate::model::{Affine, Bias, DecoderConfig, Mlp, Norm, Param, ParamId, Positions, Sizes};

pub(super) struct Gpt2;

impl Architecture for Gpt2 {
    fn name(&self) -> &'static str {
        "gpt2"
    }

    fn gguf_name(&self) -> Option<&'static str> {
        Some("gpt2")
    }

    fn config(&self, reader: &ConfigReader<'_>) -> Result<DecoderConfig, ConfigError> {
        reader.require("add_cross_attention", &json!(false))?;
        let (d_model, n_heads) = (reader.size("n_embd")?, reader.size("n_head")?);
        let sizes = Sizes {
            n_layers: reader.size("n_layer")?,
            d_model,
            n_heads,
            n_kv_heads: n_heads,
            d_head: d_model / n_heads,
            d_mlp: reader.size_or("n_inner", Some(4 * d_model))?,
            d_vocab: reader.size("vocab_size")?,
            n_ctx: reader.size("n_positions")?,
        };
        let mut cfg = DecoderConfig {
            norm: Norm::Layer { eps: reader.number_or("layer_norm_epsilon", 1e-5)? },
            affine: Affine::GainBias,
            positions: Positions::Learned,
            mlp: Mlp::Plain(reader.activation("activation_function", "gelu_new")?),
            unembed: tied(reader, true)?,
            attn_bias: Bias::All,
            mlp_bias: Bias::All,
            ..DecoderConfig::plain(self.name(), sizes)
        };
        let is_scaled = reader.bool_or("scale_attn_weights", true)?;
        let is_graded = reader.bool_or("scale_attn_by_inverse_layer_idx", false)?;
        for (layer, axes) in cfg.layers.iter_mut().enumerate() {
            let scale = if is_scaled { axes.scale } else { 1.0 };
            axes.scale = if is_graded { scale / (layer + 1) as f64 } else { scale };
        }
        Ok(cfg)
    }

    fn prefix(&self) -> &'static str {
        "transformer."
    }

    fn source(&self, id: ParamId, cfg: &DecoderConfig) -> Option<Source> {
        let (d_q, of) = (cfg.n_heads * cfg.d_head, 3 * cfg.n_heads * cfg.d_head);
        let weight = |part: usize| ("attn.c_attn.weight", View::TransposedRows { first: part * d_q, of });
        let bias = |part: usize| ("attn.c_attn.bias", View::Rows { first: part * d_q, of });
        let (name, view) = match id.param {
            Param::Embed => ("wte.weight", View::Whole),
            Param::PosEmbed => ("wpe.weight", View::Whole),
            Param::LnFinalGain => ("ln_f.weight", View::Whole),
            Param::LnFinalBias => ("ln_f.bias", View::Whole),
            Param::Unembed => return Some(Source::whole("lm_head.weight".into())),
            Param::Ln1Gain => ("ln_1.weight", View::Whole),
            Param::Ln1Bias => ("ln_1.bias", View::Whole),
            Param::Ln2Gain => ("ln_2.weight", View::Whole),
            Param::Ln2Bias => ("ln_2.bias", View::Whole),
            Param::Q => weight(0),
            Param::K => weight(1),
            Param::V => weight(2),
            Param::QBias => bias(0),
            Param::KBias => bias(1),
            Param::VBias => bias(2),
            Param::O => ("attn.c_proj.weight", View::Transposed),
            Param::OBias => ("attn.c_proj.bias", View::Whole),
            Param::In => ("mlp.c_fc.weight", View::Transposed),
            Param::InBias => ("mlp.c_fc.bias", View::Whole),
            Param::Out => ("mlp.c_proj.weight", View::Transposed),
            Param::OutBias => ("mlp.c_proj.bias", View::Whole),
            _ => return None,
        };
        Some(names::tensor(id, "transformer.", "h.", name).viewed(view))
    }

    fn ignores(&self, tensor: &str) -> bool {
        tensor.ends_with(".attn.bias") || tensor.ends_with(".attn.masked_bias") || tensor == "lm_head.weight"
    }

    fn gguf_config(&self, meta: &Metadata) -> Option<Result<DecoderConfig, ConfigError>> {
        Some(gguf_config(&Keys::new(self, meta)))
    }
}

fn gguf_config(keys: &Keys<'_>) -> Result<DecoderConfig, ConfigError> {
    Ok(DecoderConfig { positions: Positions::Learned, ..keys.config(&[])? })
}
