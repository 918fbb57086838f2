//! Llama: also `SmolLM2`, `TinyLlama`, Llama 2 and 3.

use super::family::{Family, biases};
use super::gguf_names::Keys;
use super::{Architecture, ConfigError, ConfigReader, Source, gguf_names, names};
use crate::model::checkpoint::gguf::Metadata;
use crate::model::{DecoderConfig, ExpertWeights, Experts, ParamId};

pub(super) struct Llama;

impl Architecture for Llama {
    fn name(&self) -> &'static str {
        "llama"
    }

    fn gguf_name(&self) -> Option<&'static str> {
        Some("llama")
    }

    fn config(&self, reader: &ConfigReader<'_>) -> Result<DecoderConfig, ConfigError> {
        Ok(DecoderConfig {
            attn_bias: biases(reader, "attention_bias", false)?,
            mlp_bias: biases(reader, "mlp_bias", false)?,
            ..Family::LLAMA.read(reader)?
        })
    }

    fn source(&self, id: ParamId, _: &DecoderConfig) -> Option<Source> {
        names::llama(id)
    }

    fn gguf_config(&self, meta: &Metadata) -> Option<Result<DecoderConfig, ConfigError>> {
        Some(gguf_config(&Keys::new(self, meta)))
    }

    fn gguf_source(&self, id: ParamId, _: &DecoderConfig) -> Option<Source> {
        gguf_names::interleaved(id)
    }
}

/// Mixtral's files are Llama's with experts.
fn gguf_config(keys: &Keys<'_>) -> Result<DecoderConfig, ConfigError> {
    let mut cfg = keys.config(&["expert_count"])?;
    if keys.nonzero("expert_count")?.is_some() {
        let (n, n_active) = keys.expert_counts()?;
        let (d_expert, weights) = (cfg.d_mlp, ExpertWeights::Renormalised);
        keys.experts(&mut cfg, Experts { n, n_active, d_expert, weights, d_shared: None })?;
    }
    Ok(cfg)
}
