//! Command-R: parallel blocks behind one layer norm without a bias, rotation of neighbours, scaled logits.

use super::family::{Family, biases};
use super::gguf_names::Keys;
use super::{Architecture, ConfigError, ConfigReader, Source, gguf_rope, names};
use crate::model::checkpoint::gguf::Metadata;
use crate::model::{DecoderConfig, Norm, Pairing, ParamId, QkNorm, Residual};

pub(super) struct Cohere;

const FAMILY: Family = Family {
    name: "cohere",
    n_ctx: 8192,
    eps: ("layer_norm_eps", 1e-5),
    tied: true,
    theta: 500_000.0,
    pairing: Pairing::Neighbours,
    ..Family::LLAMA
};

impl Architecture for Cohere {
    fn name(&self) -> &'static str {
        FAMILY.name
    }

    fn gguf_name(&self) -> Option<&'static str> {
        Some("command-r")
    }

    fn config(&self, reader: &ConfigReader<'_>) -> Result<DecoderConfig, ConfigError> {
        let base = FAMILY.read(reader)?;
        let mut cfg = DecoderConfig {
            norm: Norm::Layer { eps: base.norm.eps() },
            residual: Residual::SharedNorm,
            attn_bias: biases(reader, "attention_bias", false)?,
            ..base
        };
        cfg.logits.scale = reader.number_or("logit_scale", 0.0625)?;
        if reader.bool_or("use_qk_norm", false)? {
            cfg.attention.qk_norm = QkNorm::PerHead;
        }
        Ok(cfg)
    }

    fn source(&self, id: ParamId, _: &DecoderConfig) -> Option<Source> {
        names::llama(id)
    }

    fn gguf_config(&self, meta: &Metadata) -> Option<Result<DecoderConfig, ConfigError>> {
        Some(gguf_config(&Keys::new(self, meta)))
    }
}

fn gguf_config(keys: &Keys<'_>) -> Result<DecoderConfig, ConfigError> {
    let mut cfg = DecoderConfig { residual: Residual::SharedNorm, ..keys.config(&["logit_scale"])? };
    cfg.logits.scale = keys.nonzero("logit_scale")?.unwrap_or(1.0);
    if keys.has("attn_q_norm.weight") {
        cfg.attention.qk_norm = QkNorm::PerHead;
    }
    gguf_rope::pair_neighbours(&mut cfg);
    Ok(cfg)
}
