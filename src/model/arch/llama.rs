//! Llama: also `SmolLM2`, `TinyLlama`, Llama 2 and 3.

use serde_json::json;

use super::{Architecture, ConfigError, ConfigReader, Source, View};
use crate::model::checkpoint::gguf::Metadata;
use crate::model::{Bias, DecoderConfig, Mlp, Norm, Param, ParamId, Positions, Residual, Rope, RopeScaling, Unembed};

pub(super) struct Llama;

impl Architecture for Llama {
    fn name(&self) -> &'static str {
        "llama"
    }

    fn config(&self, reader: &ConfigReader<'_>) -> Result<DecoderConfig, ConfigError> {
        reader.require("pretraining_tp", &json!(1))?;
        let (d_model, n_heads) = (reader.size("hidden_size")?, reader.size("num_attention_heads")?);
        let d_head = reader.size_or("head_dim", Some(d_model / n_heads))?;
        let (theta, scaling) = reader.rope("rope_theta")?;
        let bias = |on: bool| if on { Bias::All } else { Bias::None };
        Ok(DecoderConfig {
            architecture: self.name().into(),
            n_layers: reader.size("num_hidden_layers")?,
            d_model,
            n_heads,
            n_kv_heads: reader.size_or("num_key_value_heads", Some(n_heads))?,
            d_head,
            d_mlp: reader.size("intermediate_size")?,
            d_vocab: reader.size("vocab_size")?,
            n_ctx: reader.size_or("max_position_embeddings", Some(2048))?,
            norm: Norm::Rms { eps: reader.number_or("rms_norm_eps", 1e-6)? },
            positions: Positions::Rotary(Rope { theta, n_rot: d_head, scaling }),
            mlp: Mlp::Gated(reader.activation("hidden_act", "silu")?),
            residual: Residual::Serial,
            unembed: if reader.bool_or("tie_word_embeddings", false)? { Unembed::Tied } else { Unembed::Own },
            attn_bias: bias(reader.bool_or("attention_bias", false)?),
            mlp_bias: bias(reader.bool_or("mlp_bias", false)?),
        })
    }

    fn prefix(&self) -> &'static str {
        "model."
    }

    fn source(&self, id: ParamId) -> Source {
        let name = match id.param {
            Param::Embed => "embed_tokens.weight",
            Param::LnFinalGain => "norm.weight",
            Param::Unembed => return Source::whole("lm_head.weight".into()),
            Param::Ln1Gain => "input_layernorm.weight",
            Param::Ln2Gain => "post_attention_layernorm.weight",
            Param::Q => "self_attn.q_proj.weight",
            Param::QBias => "self_attn.q_proj.bias",
            Param::K => "self_attn.k_proj.weight",
            Param::KBias => "self_attn.k_proj.bias",
            Param::V => "self_attn.v_proj.weight",
            Param::VBias => "self_attn.v_proj.bias",
            Param::O => "self_attn.o_proj.weight",
            Param::OBias => "self_attn.o_proj.bias",
            Param::Gate => "mlp.gate_proj.weight",
            Param::GateBias => "mlp.gate_proj.bias",
            Param::In => "mlp.up_proj.weight",
            Param::InBias => "mlp.up_proj.bias",
            Param::Out => "mlp.down_proj.weight",
            Param::OutBias => "mlp.down_proj.bias",
            Param::PosEmbed | Param::Ln1Bias | Param::Ln2Bias | Param::LnFinalBias => "absent",
        };
        Source::whole(match id.layer {
            Some(layer) => format!("model.layers.{layer}.{name}"),
            None => format!("model.{name}"),
        })
    }

    fn ignores(&self, tensor: &str) -> bool {
        tensor.ends_with("rotary_emb.inv_freq") || tensor == "lm_head.weight"
    }

    fn gguf_config(&self, meta: &Metadata) -> Option<Result<DecoderConfig, ConfigError>> {
        Some(gguf_config(meta))
    }

    fn gguf_source(&self, id: ParamId) -> Option<Source> {
        let name = match id.param {
            Param::Embed => "token_embd.weight",
            Param::LnFinalGain => "output_norm.weight",
            Param::Unembed => "output.weight",
            Param::Ln1Gain => "attn_norm.weight",
            Param::Ln2Gain => "ffn_norm.weight",
            Param::Q => "attn_q.weight",
            Param::K => "attn_k.weight",
            Param::V => "attn_v.weight",
            Param::O => "attn_output.weight",
            Param::Gate => "ffn_gate.weight",
            Param::In => "ffn_up.weight",
            Param::Out => "ffn_down.weight",
            _ => return None,
        };
        let tensor = match id.layer {
            Some(layer) => format!("blk.{layer}.{name}"),
            None => name.to_owned(),
        };
        Some(match id.param {
            Param::Q | Param::K => Source { tensor, view: View::Uninterleaved },
            _ => Source::whole(tensor),
        })
    }
}

/// Metadata as llama.cpp's converter writes it.
fn gguf_config(meta: &Metadata) -> Result<DecoderConfig, ConfigError> {
    let (d_model, n_heads) = (meta.size("llama.embedding_length")?, meta.size("llama.attention.head_count")?);
    let d_head = meta.size_or("llama.attention.key_length", Some(d_model / n_heads))?;
    let n_rot = meta.size_or("llama.rope.dimension_count", Some(d_head))?;
    if meta.size_or("llama.expert_count", Some(1))? > 1 {
        return Err(ConfigError::unsupported("llama.expert_count", meta.size("llama.expert_count")?, "no experts"));
    }
    let scaling = match (meta.text("llama.rope.scaling.type"), meta.rope_divisors()?) {
        (_, Some(divisors)) => RopeScaling::Divisors(divisors),
        (None | Some("none"), None) => RopeScaling::Default,
        (Some("linear"), None) => RopeScaling::Linear { factor: meta.number_or("llama.rope.scaling.factor", 1.0)? },
        (Some(other), None) => {
            return Err(ConfigError::unsupported("llama.rope.scaling.type", other, "none or linear"));
        }
    };
    Ok(DecoderConfig {
        architecture: "llama".into(),
        n_layers: meta.size("llama.block_count")?,
        d_model,
        n_heads,
        n_kv_heads: meta.size_or("llama.attention.head_count_kv", Some(n_heads))?,
        d_head,
        d_mlp: meta.size("llama.feed_forward_length")?,
        d_vocab: meta.rows("token_embd.weight")?,
        n_ctx: meta.size("llama.context_length")?,
        norm: Norm::Rms { eps: meta.number_or("llama.attention.layer_norm_rms_epsilon", 1e-5)? },
        positions: Positions::Rotary(Rope { theta: meta.number_or("llama.rope.freq_base", 10_000.0)?, n_rot, scaling }),
        mlp: Mlp::Gated(crate::model::Activation::Silu),
        residual: Residual::Serial,
        unembed: if meta.has_tensor("output.weight") { Unembed::Own } else { Unembed::Tied },
        attn_bias: Bias::None,
        mlp_bias: Bias::None,
    })
}
