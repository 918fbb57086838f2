//! Gemma: Llama with scaled embeddings and gains stored as what is added to one.

use super::family::{Family, Head, biases};
use super::{Architecture, ConfigError, ConfigReader, Source, gguf_names, names};
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
        let config = gguf_names::Keys::new(meta, self.name()).config();
        Some(config.map(|mut cfg| {
            cfg.mlp = Mlp::Gated(Activation::GeluTanh);
            cfg.embedding.scale = (cfg.d_model as f64).sqrt();
            cfg
        }))
    }

    // the converter has added the one to the gains
    fn gguf_source(&self, id: ParamId, _: &DecoderConfig) -> Option<Source> {
        gguf_names::source(id)
    }
}
