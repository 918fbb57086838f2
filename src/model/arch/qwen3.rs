//! Qwen3: Llama with normalised queries and keys; windows in the later blocks.

use super::family::{Family, Head, biases, window_if_used, windows};
use super::gguf_names::Keys;
use super::{Architecture, ConfigError, ConfigReader, Source, names};
use crate::model::checkpoint::gguf::Metadata;
use crate::model::{Affine, DecoderConfig, ParamId, QkNorm};

pub(super) struct Qwen3;

const FAMILY: Family =
    Family { name: "qwen3", n_kv_heads: Some(32), head: Head::Default(128), n_ctx: 32_768, ..Family::LLAMA };

impl Architecture for Qwen3 {
    fn name(&self) -> &'static str {
        FAMILY.name
    }

    fn gguf_name(&self) -> Option<&'static str> {
        Some("qwen3")
    }

    fn config(&self, reader: &ConfigReader<'_>) -> Result<DecoderConfig, ConfigError> {
        let mut cfg = DecoderConfig { attn_bias: biases(reader, "attention_bias", false)?, ..FAMILY.read(reader)? };
        cfg.attention.qk_norm = QkNorm::Shared(Affine::Gain);
        let window = window_if_used(reader)?;
        let n_full = reader.count_or("max_window_layers", 28)?;
        windows(reader, &mut cfg, window, |layer| layer >= n_full)?;
        Ok(cfg)
    }

    fn source(&self, id: ParamId, _: &DecoderConfig) -> Option<Source> {
        names::llama(id)
    }

    fn gguf_config(&self, meta: &Metadata) -> Option<Result<DecoderConfig, ConfigError>> {
        Some(Keys::new(self, meta).config(&[]).map(normalised))
    }
}

/// With a norm on each head's queries and keys.
const fn normalised(mut cfg: DecoderConfig) -> DecoderConfig {
    cfg.attention.qk_norm = QkNorm::Shared(Affine::Gain);
    cfg
}
