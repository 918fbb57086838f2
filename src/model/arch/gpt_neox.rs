//! GPT-NeoX: Pythia; parallel blocks, partial rotary positions, q, k, v fused head by head.

use super::{Architecture, ConfigError, ConfigReader, Source, View};
use crate::model::checkpoint::gguf::Metadata;
use crate::model::{Bias, DecoderConfig, Mlp, Norm, Param, ParamId, Positions, Residual, Rope, Unembed};

pub(super) struct GptNeoX;

impl Architecture for GptNeoX {
    fn name(&self) -> &'static str {
        "gpt_neox"
    }

    fn config(&self, reader: &ConfigReader<'_>) -> Result<DecoderConfig, ConfigError> {
        let (d_model, n_heads) = (reader.size("hidden_size")?, reader.size("num_attention_heads")?);
        let d_head = d_model / n_heads;
        let (theta, scaling) = reader.rope("rotary_emb_base")?;
        let fraction = reader.rotary_fraction("rotary_pct", 0.25)?;
        if !(0.0..=1.0).contains(&fraction) {
            return Err(ConfigError::unsupported("rotary_pct", fraction, "a share between 0 and 1"));
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the share is between 0 and 1")]
        let n_rot = (d_head as f64 * fraction) as usize;
        let bias = |on: bool| if on { Bias::All } else { Bias::None };
        Ok(DecoderConfig {
            architecture: self.name().into(),
            n_layers: reader.size("num_hidden_layers")?,
            d_model,
            n_heads,
            n_kv_heads: n_heads,
            d_head,
            d_mlp: reader.size("intermediate_size")?,
            d_vocab: reader.size("vocab_size")?,
            n_ctx: reader.size_or("max_position_embeddings", Some(2048))?,
            norm: Norm::Layer { eps: reader.number_or("layer_norm_eps", 1e-5)? },
            positions: Positions::Rotary(Rope { theta, n_rot, scaling }),
            mlp: Mlp::Plain(reader.activation("hidden_act", "gelu")?),
            residual: if reader.bool_or("use_parallel_residual", true)? {
                Residual::Parallel
            } else {
                Residual::Serial
            },
            unembed: if reader.bool_or("tie_word_embeddings", false)? { Unembed::Tied } else { Unembed::Own },
            attn_bias: bias(reader.bool_or("attention_bias", true)?),
            mlp_bias: Bias::All,
        })
    }

    fn prefix(&self) -> &'static str {
        "gpt_neox."
    }

    fn source(&self, id: ParamId) -> Source {
        let (name, view) = match id.param {
            Param::Embed => ("embed_in.weight", View::Whole),
            Param::LnFinalGain => ("final_layer_norm.weight", View::Whole),
            Param::LnFinalBias => ("final_layer_norm.bias", View::Whole),
            Param::Unembed => return Source::whole("embed_out.weight".into()),
            Param::Ln1Gain => ("input_layernorm.weight", View::Whole),
            Param::Ln1Bias => ("input_layernorm.bias", View::Whole),
            Param::Ln2Gain => ("post_attention_layernorm.weight", View::Whole),
            Param::Ln2Bias => ("post_attention_layernorm.bias", View::Whole),
            Param::Q => ("attention.query_key_value.weight", View::HeadThird(0)),
            Param::K => ("attention.query_key_value.weight", View::HeadThird(1)),
            Param::V => ("attention.query_key_value.weight", View::HeadThird(2)),
            Param::QBias => ("attention.query_key_value.bias", View::HeadThird(0)),
            Param::KBias => ("attention.query_key_value.bias", View::HeadThird(1)),
            Param::VBias => ("attention.query_key_value.bias", View::HeadThird(2)),
            Param::O => ("attention.dense.weight", View::Whole),
            Param::OBias => ("attention.dense.bias", View::Whole),
            Param::In => ("mlp.dense_h_to_4h.weight", View::Whole),
            Param::InBias => ("mlp.dense_h_to_4h.bias", View::Whole),
            Param::Out => ("mlp.dense_4h_to_h.weight", View::Whole),
            Param::OutBias => ("mlp.dense_4h_to_h.bias", View::Whole),
            Param::PosEmbed | Param::Gate | Param::GateBias => ("absent", View::Whole),
        };
        let tensor = match id.layer {
            Some(layer) => format!("gpt_neox.layers.{layer}.{name}"),
            None => format!("gpt_neox.{name}"),
        };
        Source { tensor, view }
    }

    fn also_named(&self, tensor: &str) -> Option<&'static str> {
        // transformers 5 writes the head under its common name
        (tensor == "embed_out.weight").then_some("lm_head.weight")
    }

    fn ignores(&self, tensor: &str) -> bool {
        let masks = [".attention.bias", ".attention.masked_bias", "rotary_emb.inv_freq"];
        masks.iter().any(|mask| tensor.ends_with(mask)) || tensor == "embed_out.weight"
    }

    fn gguf_config(&self, _: &Metadata) -> Option<Result<DecoderConfig, ConfigError>> {
        None
    }

    fn gguf_source(&self, _: ParamId) -> Option<Source> {
        None
    }
}
