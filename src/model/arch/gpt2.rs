//! GPT-2: learned positions, layer norm, fused q, k, v stored `[in, out]`.

use serde_json::json;

use super::{Architecture, ConfigError, ConfigReader, Source, View};
use crate::model::checkpoint::gguf::Metadata;
use crate::model::{Bias, DecoderConfig, Mlp, Norm, Param, ParamId, Positions, Residual, Unembed};

pub(super) struct Gpt2;

impl Architecture for Gpt2 {
    fn name(&self) -> &'static str {
        "gpt2"
    }

    fn config(&self, reader: &ConfigReader<'_>) -> Result<DecoderConfig, ConfigError> {
        reader.require("scale_attn_weights", &json!(true))?;
        reader.require("scale_attn_by_inverse_layer_idx", &json!(false))?;
        reader.require("add_cross_attention", &json!(false))?;
        let (d_model, n_heads) = (reader.size("n_embd")?, reader.size("n_head")?);
        Ok(DecoderConfig {
            architecture: self.name().into(),
            n_layers: reader.size("n_layer")?,
            d_model,
            n_heads,
            n_kv_heads: n_heads,
            d_head: d_model / n_heads,
            d_mlp: reader.size_or("n_inner", Some(4 * d_model))?,
            d_vocab: reader.size("vocab_size")?,
            n_ctx: reader.size("n_positions")?,
            norm: Norm::Layer { eps: reader.number_or("layer_norm_epsilon", 1e-5)? },
            positions: Positions::Learned,
            mlp: Mlp::Plain(reader.activation("activation_function", "gelu_new")?),
            residual: Residual::Serial,
            unembed: if reader.bool_or("tie_word_embeddings", true)? { Unembed::Tied } else { Unembed::Own },
            attn_bias: Bias::All,
            mlp_bias: Bias::All,
        })
    }

    fn prefix(&self) -> &'static str {
        "transformer."
    }

    fn source(&self, id: ParamId) -> Source {
        let (name, view) = match id.param {
            Param::Embed => ("wte.weight", View::Whole),
            Param::PosEmbed => ("wpe.weight", View::Whole),
            Param::LnFinalGain => ("ln_f.weight", View::Whole),
            Param::LnFinalBias => ("ln_f.bias", View::Whole),
            Param::Unembed => return Source::whole("lm_head.weight".into()),
            Param::Ln1Gain => ("ln_1.weight", View::Whole),
            Param::Ln1Bias => ("ln_1.bias", View::Whole),
            Param::Ln2Gain => ("ln_2.weight", View::Whole),
            Param::Ln2Bias => ("ln_2.bias", View::Whole),
            Param::Q => ("attn.c_attn.weight", View::TransposedThird(0)),
            Param::K => ("attn.c_attn.weight", View::TransposedThird(1)),
            Param::V => ("attn.c_attn.weight", View::TransposedThird(2)),
            Param::QBias => ("attn.c_attn.bias", View::Third(0)),
            Param::KBias => ("attn.c_attn.bias", View::Third(1)),
            Param::VBias => ("attn.c_attn.bias", View::Third(2)),
            Param::O => ("attn.c_proj.weight", View::Transposed),
            Param::OBias => ("attn.c_proj.bias", View::Whole),
            Param::In => ("mlp.c_fc.weight", View::Transposed),
            Param::InBias => ("mlp.c_fc.bias", View::Whole),
            Param::Out => ("mlp.c_proj.weight", View::Transposed),
            Param::OutBias => ("mlp.c_proj.bias", View::Whole),
            Param::Gate | Param::GateBias => ("absent", View::Whole),
        };
        let tensor = match id.layer {
            Some(layer) => format!("transformer.h.{layer}.{name}"),
            None => format!("transformer.{name}"),
        };
        Source { tensor, view }
    }

    fn ignores(&self, tensor: &str) -> bool {
        tensor.ends_with(".attn.bias") || tensor.ends_with(".attn.masked_bias") || tensor == "lm_head.weight"
    }

    fn gguf_config(&self, _: &Metadata) -> Option<Result<DecoderConfig, ConfigError>> {
        None
    }

    fn gguf_source(&self, _: ParamId) -> Option<Source> {
        None
    }
}
