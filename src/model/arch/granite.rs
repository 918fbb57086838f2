//! Granite: Llama with four factors.

use super::family::{Family, biases};
use super::gguf_names::Keys;
use super::{Architecture, ConfigError, ConfigReader, Source, gguf_names, names};
use crate::model::checkpoint::gguf::Metadata;
use crate::model::{DecoderConfig, LayerRope, ParamId};

pub(super) struct Granite;

const FAMILY: Family = Family { name: "granite", ..Family::LLAMA };

impl Architecture for Granite {
    fn name(&self) -> &'static str {
        FAMILY.name
    }

    fn gguf_name(&self) -> Option<&'static str> {
        Some("granite")
    }

    fn config(&self, reader: &ConfigReader<'_>) -> Result<DecoderConfig, ConfigError> {
        let mut cfg = DecoderConfig {
            attn_bias: biases(reader, "attention_bias", false)?,
            mlp_bias: biases(reader, "mlp_bias", false)?,
            residual_scale: reader.number_or("residual_multiplier", 1.0)?,
            ..FAMILY.read(reader)?
        };
        cfg.embedding.scale = reader.number_or("embedding_multiplier", 1.0)?;
        cfg.logits.scale = 1.0 / reader.positive_or("logits_scaling", 1.0)?;
        let scale = reader.number_or("attention_multiplier", 1.0)?;
        for layer in &mut cfg.layers {
            layer.scale = scale;
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

fn gguf_config(keys: &Keys<'_>) -> Result<DecoderConfig, ConfigError> {
    let mut cfg = keys.config(&["attention.scale", "embedding_scale", "logit_scale", "residual_scale"])?;
    cfg.embedding.scale = keys.nonzero("embedding_scale")?.unwrap_or(1.0);
    cfg.residual_scale = keys.nonzero("residual_scale")?.unwrap_or(1.0);
    cfg.logits.scale = 1.0 / keys.nonzero("logit_scale")?.unwrap_or(1.0);
    let scale = keys.nonzero("attention.scale")?;
    // this key says whether there are positions at all
    let rotates = keys.flag("rope.scaling.finetuned").unwrap_or(true);
    for layer in &mut cfg.layers {
        layer.scale = scale.unwrap_or(layer.scale);
        layer.rope = if rotates { LayerRope::Main } else { LayerRope::None };
    }
    Ok(cfg)
}
