//! Gemma: Llama with scaled embeddings and gains stored as what is added to one.

use super::family::{Family, Head, biases};
use super::gguf_names::Keys;
use super::{Architecture, ConfigError, ConfigReader, Source, names};
use crate::model::checkpoint::gguf::Metadata;
use crate::model::{Activation, DecoderConfig, Mlp, ParamId};

pub(super) struct Gemma;

const FAMILY: Family = Family {
    name: "gemma",
    n_kv_heads: Some(16),
    head: Head::Default(256),
    n_ctx: 8192,
    tied: true,
    activation: ("hidden_act", "gelu_pytorch_tanh"),
    ..Family::LLAMA
};

impl Architecture for Gemma {
    fn name(&self) -> &'static str {
        FAMILY.name
    }

    fn gguf_name(&self) -> Option<&'static str> {
        Some("gemma")
    }

    fn config(&self, reader: &ConfigReader<'_>) -> Result<DecoderConfig, ConfigError> {
        reader.refuse_if_set("use_bidirectional_attention")?;
        let mut cfg = DecoderConfig { attn_bias: biases(reader, "attention_bias", false)?, ..FAMILY.read(reader)? };
        // its first configurations said gelu and meant the approximation, and so does the reference
        if cfg.mlp == Mlp::Gated(Activation::Gelu) {
            cfg.mlp = Mlp::Gated(Activation::GeluTanh);
        }
        cfg.embedding.scale = (cfg.d_model as f64).sqrt();
        Ok(cfg)
    }

    fn source(&self, id: ParamId, _: &DecoderConfig) -> Option<Source> {
        names::plus_one(id, names::llama(id))
    }

    fn gguf_config(&self, meta: &Metadata) -> Option<Result<DecoderConfig, ConfigError>> {
        Some(gguf_config(&Keys::new(self, meta)))
    }
}

// the converter has added the one to the gains
fn gguf_config(keys: &Keys<'_>) -> Result<DecoderConfig, ConfigError> {
    let mut cfg = keys.config(&[])?;
    cfg.mlp = Mlp::Gated(Activation::GeluTanh);
    cfg.embedding.scale = (cfg.d_model as f64).sqrt();
    Ok(cfg)
}
