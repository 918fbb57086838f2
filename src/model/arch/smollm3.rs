//! `SmolLM3`: Llama without positions in every fourth block.

use super::family::{Family, biases, windows};
use super::gguf_names::Keys;
use super::{Architecture, ConfigError, ConfigReader, Source, gguf_names, names};
use crate::model::checkpoint::gguf::Metadata;
use crate::model::{DecoderConfig, LayerRope, ParamId};

pub(super) struct SmolLm3;

const FAMILY: Family =
    Family { name: "smollm3", n_kv_heads: Some(4), n_ctx: 32_768, tied: true, theta: 2e6, ..Family::LLAMA };

impl Architecture for SmolLm3 {
    fn name(&self) -> &'static str {
        FAMILY.name
    }

    fn gguf_name(&self) -> Option<&'static str> {
        Some("smollm3")
    }

    fn config(&self, reader: &ConfigReader<'_>) -> Result<DecoderConfig, ConfigError> {
        let mut cfg = DecoderConfig {
            attn_bias: biases(reader, "attention_bias", false)?,
            mlp_bias: biases(reader, "mlp_bias", false)?,
            ..FAMILY.read(reader)?
        };
        let rotates = rotating_layers(reader, cfg.n_layers)?;
        let window = reader.optional_size("sliding_window", None)?;
        let uses = reader.bool_or("use_sliding_window", false)?;
        windows(reader, &mut cfg, window, |layer| uses && !rotates[layer])?;
        for (layer, rotates) in cfg.layers.iter_mut().zip(rotates) {
            layer.rope = if rotates { LayerRope::Main } else { LayerRope::None };
        }
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

/// llama.cpp leaves out the positions of every fourth block; the file has no word for it.
fn gguf_config(keys: &Keys<'_>) -> Result<DecoderConfig, ConfigError> {
    let mut cfg = keys.config(&[])?;
    for layer in cfg.layers.iter_mut().skip(3).step_by(4) {
        layer.rope = LayerRope::None;
    }
    Ok(cfg)
}

/// `no_rope_layers`, whose ones mark the blocks that do rotate.
fn rotating_layers(reader: &ConfigReader<'_>, n_layers: usize) -> Result<Vec<bool>, ConfigError> {
    const FIELD: &str = "no_rope_layers";
    let Some(marks) = reader.sizes(FIELD)? else {
        let interval = reader.size_or("no_rope_layer_interval", Some(4))?;
        return Ok((0..n_layers).map(|layer| !(layer + 1).is_multiple_of(interval)).collect());
    };
    if marks.len() != n_layers {
        return Err(ConfigError::unsupported(
            FIELD,
            format!("{} entries long", marks.len()),
            format!("{n_layers} entries"),
        ));
    }
    Ok(marks.into_iter().map(|mark| mark != 0).collect())
}
