//! Llama: also `SmolLM2`, `TinyLlama`, Llama 2 and 3.

use super::family::{Family, biases};
use super::{Architecture, ConfigError, ConfigReader, Source, gguf_names, names};
use crate::model::checkpoint::gguf::Metadata;
use crate::model::{DecoderConfig, ParamId};

pub(super) struct Llama;

impl Architecture for Llama {
    fn name(&self) -> &'static str {
        "llama"
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
        Some(gguf_names::Keys::new(meta, self.name()).config())
    }

    fn gguf_source(&self, id: ParamId, _: &DecoderConfig) -> Option<Source> {
        gguf_names::interleaved(id)
    }
}
