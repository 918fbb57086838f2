//! `OLMo 2`: Llama with norms after each sublayer instead of before, and jointly normalised queries and keys.

use super::family::{Family, biases};
use super::{Architecture, ConfigError, ConfigReader, Source, gguf_names, names};
use crate::model::checkpoint::gguf::Metadata;
use crate::model::{DecoderConfig, NormPlacement, Param, ParamId, QkNorm};

pub(super) struct Olmo2;

const FAMILY: Family = Family { name: "olmo2", eps: ("rms_norm_eps", 1e-5), ..Family::LLAMA };

impl Architecture for Olmo2 {
    fn name(&self) -> &'static str {
        FAMILY.name
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
        let config = gguf_names::Keys::new(meta, self.name()).config();
        Some(config.map(|mut cfg| {
            cfg.attention.qk_norm = QkNorm::Joint;
            DecoderConfig { placement: NormPlacement::Post, ..cfg }
        }))
    }

    fn gguf_source(&self, id: ParamId, _: &DecoderConfig) -> Option<Source> {
        gguf_names::source(id)
    }
}
