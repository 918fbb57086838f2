//! Qwen2 and Qwen2.5: Llama with biases on queries, keys and values; windows in the later blocks.

use super::family::{Family, window_if_used, windows};
use super::gguf_names::Keys;
use super::{Architecture, ConfigError, ConfigReader, Source, names};
use crate::model::checkpoint::gguf::Metadata;
use crate::model::{Bias, DecoderConfig, ParamId};

pub(super) struct Qwen2;

const FAMILY: Family = Family { name: "qwen2", n_kv_heads: Some(32), n_ctx: 32_768, ..Family::LLAMA };

impl Architecture for Qwen2 {
    fn name(&self) -> &'static str {
        FAMILY.name
    }

    fn gguf_name(&self) -> Option<&'static str> {
        Some("qwen2")
    }

    fn config(&self, reader: &ConfigReader<'_>) -> Result<DecoderConfig, ConfigError> {
        let mut cfg = DecoderConfig { attn_bias: Bias::In, ..FAMILY.read(reader)? };
        let window = window_if_used(reader)?;
        let n_full = reader.count_or("max_window_layers", 28)?;
        windows(reader, &mut cfg, window, |layer| layer >= n_full)?;
        Ok(cfg)
    }

    fn source(&self, id: ParamId, _: &DecoderConfig) -> Option<Source> {
        names::llama(id)
    }

    fn gguf_config(&self, meta: &Metadata) -> Option<Result<DecoderConfig, ConfigError>> {
        Some(Keys::new(self, meta).config(&[]))
    }
}
