//! Falcon, old and new: few key/value heads, parallel or serial blocks, rotary positions or linear biases.

use super::family::{Family, Head, biases, tied};
use super::gguf_names::Keys;
use super::view::Qkv;
use super::{Architecture, ConfigError, ConfigReader, Source, View, gguf_names, names};
use crate::model::checkpoint::gguf::Metadata;
use crate::model::{Activation, Affine, Alibi, DecoderConfig, Mlp, Norm, Param, ParamId, Positions, Residual, Sizes};

pub(super) struct Falcon;

const FAMILY: Family = Family { name: "falcon", head: Head::Equal, ..Family::LLAMA };

impl Architecture for Falcon {
    fn name(&self) -> &'static str {
        FAMILY.name
    }

    fn gguf_name(&self) -> Option<&'static str> {
        Some("falcon")
    }

    fn config(&self, reader: &ConfigReader<'_>) -> Result<DecoderConfig, ConfigError> {
        let sizes = sizes(reader)?;
        let bias = biases(reader, "bias", false)?;
        let positions = if reader.bool_or("alibi", false)? {
            Positions::Alibi(Alibi::BeforeScaling)
        } else {
            Positions::rotary(FAMILY.rope(reader, &sizes)?)
        };
        Ok(DecoderConfig {
            norm: Norm::Layer { eps: reader.number_or("layer_norm_epsilon", 1e-5)? },
            affine: Affine::GainBias,
            positions,
            mlp: Mlp::Plain(reader.activation("activation", "gelu")?),
            residual: residual(reader)?,
            unembed: tied(reader, true)?,
            attn_bias: bias,
            mlp_bias: bias,
            ..DecoderConfig::plain(self.name(), sizes)
        })
    }

    fn prefix(&self) -> &'static str {
        "transformer."
    }

    fn source(&self, id: ParamId, cfg: &DecoderConfig) -> Option<Source> {
        const WEIGHT: &str = "self_attention.query_key_value.weight";
        const BIAS: &str = "self_attention.query_key_value.bias";
        let has_two = cfg.residual == Residual::Parallel;
        let (name, view) = match id.param {
            Param::Embed => ("word_embeddings.weight", View::Whole),
            Param::LnFinalGain => ("ln_f.weight", View::Whole),
            Param::LnFinalBias => ("ln_f.bias", View::Whole),
            Param::Unembed => return Some(Source::whole("lm_head.weight".into())),
            Param::Ln1Gain if has_two => ("ln_attn.weight", View::Whole),
            Param::Ln1Bias if has_two => ("ln_attn.bias", View::Whole),
            Param::Ln2Gain if has_two => ("ln_mlp.weight", View::Whole),
            Param::Ln2Bias if has_two => ("ln_mlp.bias", View::Whole),
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

    fn gguf_source(&self, id: ParamId, cfg: &DecoderConfig) -> Option<Source> {
        let has_two = cfg.residual == Residual::Parallel;
        let name = match id.param {
            Param::Ln1Gain if has_two => "attn_norm_2.weight",
            Param::Ln1Bias if has_two => "attn_norm_2.bias",
            Param::Ln2Gain => "attn_norm.weight",
            Param::Ln2Bias => "attn_norm.bias",
            _ => return gguf_names::source(id),
        };
        Some(gguf_names::tensor(id, name))
    }
}

/// llama.cpp knows the parallel blocks only. It approximates GELU, which the original does not.
fn gguf_config(keys: &Keys<'_>) -> Result<DecoderConfig, ConfigError> {
    let has_two = keys.has("attn_norm_2.weight");
    Ok(DecoderConfig {
        residual: if has_two { Residual::Parallel } else { Residual::SharedNorm },
        mlp: Mlp::Plain(Activation::Gelu),
        ..keys.config(&[])?
    })
}

fn sizes(reader: &ConfigReader<'_>) -> Result<Sizes, ConfigError> {
    let width = if reader.get("n_embed").is_some() { "n_embed" } else { "hidden_size" };
    let (d_model, n_heads) = (reader.size(width)?, reader.size("num_attention_heads")?);
    let n_kv_heads = if reader.bool_or("new_decoder_architecture", false)? {
        reader.size_or("num_kv_heads", Some(n_heads))?
    } else if reader.bool_or("multi_query", true)? {
        1
    } else {
        n_heads
    };
    Ok(Sizes {
        n_layers: reader.size("num_hidden_layers")?,
        d_model,
        n_heads,
        n_kv_heads,
        d_head: d_model / n_heads,
        d_mlp: reader.size_or("ffn_hidden_size", Some(4 * d_model))?,
        d_vocab: reader.size("vocab_size")?,
        n_ctx: reader.size_or("max_position_embeddings", Some(2048))?,
    })
}

fn residual(reader: &ConfigReader<'_>) -> Result<Residual, ConfigError> {
    let is_new = reader.bool_or("new_decoder_architecture", false)?;
    let is_parallel = reader.bool_or("parallel_attn", true)?;
    if is_new && !is_parallel {
        return Err(ConfigError::unsupported("parallel_attn", false, "true with new_decoder_architecture"));
    }
    let n_norms = reader.size_or("num_ln_in_parallel_attn", Some(if is_new { 2 } else { 1 }))?;
    Ok(match (is_parallel, n_norms) {
        (false, _) => Residual::Serial,
        (true, 2) if is_new => Residual::Parallel,
        (true, 1) => Residual::SharedNorm,
        (true, n) => {
            return Err(ConfigError::unsupported("num_ln_in_parallel_attn", n, "1, or 2 in the new architecture"));
        }
    })
}
