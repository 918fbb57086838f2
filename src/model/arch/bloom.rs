//! BLOOM: a norm on the embeddings, linear position biases, q, k, v fused head by head.

use serde_json::json;

use super::family::tied;
use super::gguf_names::Keys;
use super::view::Qkv;
use super::{Architecture, ConfigError, ConfigReader, Source, View, names};
use crate::model::checkpoint::gguf::Metadata;
use crate::model::{
    Activation, Affine, Alibi, Bias, DecoderConfig, EmbedNorm, Embedding, Mlp, Norm, NormPlacement, Param, ParamId,
    Positions, Sizes,
};

pub(super) struct Bloom;

impl Architecture for Bloom {
    fn name(&self) -> &'static str {
        "bloom"
    }

    fn gguf_name(&self) -> Option<&'static str> {
        Some("bloom")
    }

    fn config(&self, reader: &ConfigReader<'_>) -> Result<DecoderConfig, ConfigError> {
        let is_carried = reader.bool_or("apply_residual_connection_post_layernorm", false)?;
        reader.require("slow_but_exact", &json!(false))?;
        let either = |name, other| if reader.get(name).is_some() { reader.size(name) } else { reader.size(other) };
        let (d_model, n_heads) = (either("n_embed", "hidden_size")?, either("n_head", "num_attention_heads")?);
        let sizes = Sizes {
            n_layers: either("n_layer", "num_hidden_layers")?,
            d_model,
            n_heads,
            n_kv_heads: n_heads,
            d_head: d_model / n_heads,
            d_mlp: 4 * d_model,
            d_vocab: reader.size("vocab_size")?,
            n_ctx: reader.size_or("seq_length", Some(2048))?,
        };
        Ok(DecoderConfig {
            embedding: Embedding { scale: 1.0, norm: EmbedNorm::Own, width: None },
            placement: if is_carried { NormPlacement::Carried } else { NormPlacement::Pre },
            norm: Norm::Layer { eps: reader.number_or("layer_norm_epsilon", 1e-5)? },
            affine: Affine::GainBias,
            positions: Positions::Alibi(Alibi::AfterScaling),
            mlp: Mlp::Plain(Activation::GeluTanh),
            unembed: tied(reader, true)?,
            attn_bias: Bias::All,
            mlp_bias: Bias::All,
            ..DecoderConfig::plain(self.name(), sizes)
        })
    }

    fn prefix(&self) -> &'static str {
        "transformer."
    }

    fn source(&self, id: ParamId, _: &DecoderConfig) -> Option<Source> {
        const WEIGHT: &str = "self_attention.query_key_value.weight";
        const BIAS: &str = "self_attention.query_key_value.bias";
        let (name, view) = match id.param {
            Param::Embed => ("word_embeddings.weight", View::Whole),
            Param::EmbedNormGain => ("word_embeddings_layernorm.weight", View::Whole),
            Param::EmbedNormBias => ("word_embeddings_layernorm.bias", View::Whole),
            Param::LnFinalGain => ("ln_f.weight", View::Whole),
            Param::LnFinalBias => ("ln_f.bias", View::Whole),
            Param::Unembed => return Some(Source::whole("lm_head.weight".into())),
            Param::Ln1Gain => ("input_layernorm.weight", View::Whole),
            Param::Ln1Bias => ("input_layernorm.bias", View::Whole),
            Param::Ln2Gain => ("post_attention_layernorm.weight", View::Whole),
            Param::Ln2Bias => ("post_attention_layernorm.bias", View::Whole),
            Param::Q => (WEIGHT, View::Grouped(Qkv::Q)),
            Param::K => (WEIGHT, View::Grouped(Qkv::K)),
            Param::V => (WEIGHT, View::Grouped(Qkv::V)),
            Param::QBias => (BIAS, View::Grouped(Qkv::Q)),
            Param::KBias => (BIAS, View::Grouped(Qkv::K)),
            Param::VBias => (BIAS, View::Grouped(Qkv::V)),
            Param::O => ("self_attention.dense.weight", View::Whole),
            Param::OBias => ("self_attention.dense.bias", View::Whole),
            Param::In => ("mlp.dense_h_to_4h.weight", View::Whole),
            Param::InBias => ("mlp.dense_h_to_4h.bias", View::Whole),
            Param::Out => ("mlp.dense_4h_to_h.weight", View::Whole),
            Param::OutBias => ("mlp.dense_4h_to_h.bias", View::Whole),
            _ => return None,
        };
        Some(names::tensor(id, "transformer.", "h.", name).viewed(view))
    }

    fn gguf_config(&self, meta: &Metadata) -> Option<Result<DecoderConfig, ConfigError>> {
        Some(gguf_config(&Keys::new(self, meta)))
    }
}

fn gguf_config(keys: &Keys<'_>) -> Result<DecoderConfig, ConfigError> {
    let mut cfg = keys.config(&["attention.max_alibi_bias"])?;
    keys.require("attention.max_alibi_bias", &[0.0, 8.0])?;
    cfg.embedding.norm = EmbedNorm::Own;
    cfg.positions = Positions::Alibi(Alibi::AfterScaling);
    Ok(cfg)
}
