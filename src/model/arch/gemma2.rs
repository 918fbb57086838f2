//! Gemma 2: norms before and after each sublayer, soft caps, a window on every second block.

use super::family::{Family, Head, biases, windows};
use super::gguf_names::Keys;
use super::{Architecture, ConfigError, ConfigReader, Source, names};
use crate::model::checkpoint::gguf::Metadata;
use crate::model::{Activation, DecoderConfig, Mlp, NormPlacement, Param, ParamId};

pub(super) struct Gemma2;

const FAMILY: Family = Family {
    name: "gemma2",
    n_kv_heads: Some(4),
    head: Head::Default(256),
    n_ctx: 8192,
    tied: true,
    activation: ("hidden_activation", "gelu_pytorch_tanh"),
    ..Family::LLAMA
};

impl Architecture for Gemma2 {
    fn name(&self) -> &'static str {
        FAMILY.name
    }

    fn gguf_name(&self) -> Option<&'static str> {
        Some("gemma2")
    }

    fn config(&self, reader: &ConfigReader<'_>) -> Result<DecoderConfig, ConfigError> {
        reader.refuse_if_set("use_bidirectional_attention")?;
        let mut cfg = DecoderConfig { attn_bias: biases(reader, "attention_bias", false)?, ..FAMILY.read(reader)? };
        cfg.placement = NormPlacement::Sandwich;
        cfg.embedding.scale = (cfg.d_model as f64).sqrt();
        cfg.attention.softcap = reader.optional_number("attn_logit_softcapping", Some(50.0))?;
        cfg.logits.softcap = reader.optional_number("final_logit_softcapping", Some(30.0))?;
        let width = reader.positive_or("query_pre_attn_scalar", 256.0)?;
        for layer in &mut cfg.layers {
            layer.scale = 1.0 / width.sqrt();
        }
        let window = reader.optional_size("sliding_window", Some(4096))?;
        windows(reader, &mut cfg, window, |layer| layer % 2 == 0)?;
        Ok(cfg)
    }

    fn source(&self, id: ParamId, _: &DecoderConfig) -> Option<Source> {
        sandwich(id)
    }

    fn gguf_config(&self, meta: &Metadata) -> Option<Result<DecoderConfig, ConfigError>> {
        Some(gguf_config(&Keys::new(self, meta)))
    }
}

// the converter has added the one to the gains
fn gguf_config(keys: &Keys<'_>) -> Result<DecoderConfig, ConfigError> {
    let mut cfg = keys.config(&["attn_logit_softcapping", "final_logit_softcapping", "attention.sliding_window"])?;
    cfg.placement = NormPlacement::Sandwich;
    cfg.mlp = Mlp::Gated(Activation::GeluTanh);
    cfg.embedding.scale = (cfg.d_model as f64).sqrt();
    cfg.attention.softcap = Some(keys.nonzero("attn_logit_softcapping")?.unwrap_or(50.0));
    cfg.logits.softcap = Some(keys.nonzero("final_logit_softcapping")?.unwrap_or(30.0));
    let window = keys.window(Some(4096))?;
    let local = keys.local_layers(cfg.n_layers, 2)?;
    // the 27B model, of 46 blocks, divides by the width of all heads instead of one
    let width = if cfg.n_layers == 46 { cfg.d_model / cfg.n_heads } else { cfg.d_head };
    for (axes, local) in cfg.layers.iter_mut().zip(local) {
        axes.scale = 1.0 / (width as f64).sqrt();
        axes.window = window.filter(|_| local);
    }
    Ok(cfg)
}

/// Names of checkpoints with norms before and after each sublayer, whose gains are stored less one.
fn sandwich(id: ParamId) -> Option<Source> {
    let name = match id.param {
        Param::Ln1PostGain => "post_attention_layernorm.weight",
        Param::Ln2Gain => "pre_feedforward_layernorm.weight",
        Param::Ln2PostGain => "post_feedforward_layernorm.weight",
        _ => return names::plus_one(id, names::llama(id)),
    };
    names::plus_one(id, Some(names::in_model(id, name)))
}
