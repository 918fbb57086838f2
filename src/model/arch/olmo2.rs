//! `OLMo 2`: Llama with norms after each sublayer instead of before, and jointly normalised queries and keys.

use super::family::{Family, biases};
use super::gguf_names::Keys;
use super::{Architecture, ConfigError, ConfigReader, Source, gguf_rope, names};
use crate::model::checkpoint::gguf::Metadata;
use crate::model::{DecoderConfig, NormPlacement, Param, ParamId, QkNorm};

pub(super) struct Olmo2;

const FAMILY: Family = Family { name: "olmo2", eps: ("rms_norm_eps", 1e-5), ..Family::LLAMA };

impl Architecture for Olmo2 {
    fn name(&self) -> &'static str {
        FAMILY.name
    }

    fn gguf_name(&self) -> Option<&'static str> {
        Some("olmo2")
    }

    fn config(&self, reader: &ConfigReader<'_>) -> Result<DecoderConfig, ConfigError> {
        let mut cfg = DecoderConfig {
            placement: NormPlacement::Post,
            attn_bias: biases(reader, "attention_bias", false)?,
            ..FAMILY.read(reader)?
        };
        cfg.attention.qk_norm = QkNorm::Joint;
        Ok(cfg)
    }

    fn source(&self, id: ParamId, _: &DecoderConfig) -> Option<Source> {
        let name = match id.param {
            Param::Ln1PostGain => "post_attention_layernorm.weight",
            Param::Ln2PostGain => "post_feedforward_layernorm.weight",
            _ => return names::llama(id),
        };
        Some(names::in_model(id, name))
    }

    fn gguf_config(&self, meta: &Metadata) -> Option<Result<DecoderConfig, ConfigError>> {
        Some(gguf_config(&Keys::new(self, meta)))
    }
}

/// Files of `OLMo 3` are these with a window on three of four blocks, which rotate without scaling.
fn gguf_config(keys: &Keys<'_>) -> Result<DecoderConfig, ConfigError> {
    let mut cfg = DecoderConfig { placement: NormPlacement::Post, ..keys.config(&["attention.sliding_window"])? };
    cfg.attention.qk_norm = QkNorm::Joint;
    if let Some(window) = keys.window(None)? {
        let local = keys.local_layers(cfg.n_layers, 4)?;
        for (axes, local) in cfg.layers.iter_mut().zip(local) {
            axes.window = Some(window).filter(|_| local);
        }
        gguf_rope::rotate_locally(&mut cfg, None);
    }
    Ok(cfg)
}
