//! Mistral: Llama with a window on every block.

use super::family::Family;
use super::{Architecture, ConfigError, ConfigReader, Source, names};
use crate::model::{DecoderConfig, ParamId};

pub(super) struct Mistral;

const FAMILY: Family = Family { name: "mistral", n_kv_heads: Some(8), n_ctx: 131_072, ..Family::LLAMA };

impl Architecture for Mistral {
    fn name(&self) -> &'static str {
        FAMILY.name
    }

    fn config(&self, reader: &ConfigReader<'_>) -> Result<DecoderConfig, ConfigError> {
        let mut cfg = FAMILY.read(reader)?;
        let window = reader.optional_size("sliding_window", Some(4096))?;
        match reader.layer_types(cfg.n_layers)? {
            // the reference gives every block the window, whatever is listed here
            Some(types) if types.iter().any(|&local| local != window.is_some()) => {
                let found = "not the same for every layer as sliding_window says";
                return Err(ConfigError::unsupported("layer_types", found, "one kind of layer"));
            }
            Some(_) | None => {}
        }
        for layer in &mut cfg.layers {
            layer.window = window;
        }
        Ok(cfg)
    }

    fn source(&self, id: ParamId, _: &DecoderConfig) -> Option<Source> {
        names::llama(id)
    }
}
