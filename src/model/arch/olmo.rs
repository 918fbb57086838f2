//! `OLMo`: Llama with layer norms that learn nothing, and projections that may be cut off.

use super::family::{Family, biases};
use super::gguf_names::Keys;
use super::{Architecture, ConfigError, ConfigReader, Source, gguf_names, names};
use crate::model::checkpoint::gguf::Metadata;
use crate::model::{Affine, DecoderConfig, Norm, ParamId};

pub(super) struct Olmo;

const FAMILY: Family = Family { name: "olmo", ..Family::LLAMA };

impl Architecture for Olmo {
    fn name(&self) -> &'static str {
        FAMILY.name
    }

    fn gguf_name(&self) -> Option<&'static str> {
        Some("olmo")
    }

    fn config(&self, reader: &ConfigReader<'_>) -> Result<DecoderConfig, ConfigError> {
        let mut cfg = DecoderConfig {
            norm: Norm::Layer { eps: 1e-5 },
            affine: Affine::None,
            attn_bias: biases(reader, "attention_bias", false)?,
            ..FAMILY.read(reader)?
        };
        cfg.attention.clip = reader.optional_number("clip_qkv", None)?;
        Ok(cfg)
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

fn gguf_config(keys: &Keys<'_>) -> Result<DecoderConfig, ConfigError> {
    let mut cfg = keys.config(&["attention.clamp_kqv"])?;
    cfg.attention.clip = keys.nonzero("attention.clamp_kqv")?;
    Ok(cfg)
}
