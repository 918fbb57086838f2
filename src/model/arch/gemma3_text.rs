//! Gemma 3, the language model: Gemma 2 with normalised queries and keys, and two rotations instead of soft caps.

use serde_json::Value;

use super::family::{Family, Head, biases, windows};
use super::gguf_names::Keys;
use super::rope::RopeSection;
use super::{Architecture, ConfigError, ConfigReader, Source, gguf_rope, names};
use crate::model::checkpoint::gguf::Metadata;
use crate::model::{
    Activation, Affine, DecoderConfig, LayerRope, Mlp, NormPlacement, Pairing, Param, ParamId, Positions, QkNorm, Rope,
};

pub(super) struct Gemma3Text;

const FAMILY: Family = Family {
    name: "gemma3_text",
    n_kv_heads: Some(4),
    head: Head::Default(256),
    n_ctx: 131_072,
    tied: true,
    activation: ("hidden_activation", "gelu_pytorch_tanh"),
    ..Family::LLAMA
};

impl Architecture for Gemma3Text {
    fn name(&self) -> &'static str {
        FAMILY.name
    }

    fn gguf_name(&self) -> Option<&'static str> {
        Some("gemma3")
    }

    fn config(&self, reader: &ConfigReader<'_>) -> Result<DecoderConfig, ConfigError> {
        reader.refuse_if_set("use_bidirectional_attention")?;
        let mut cfg = DecoderConfig {
            attn_bias: biases(reader, "attention_bias", false)?,
            placement: NormPlacement::Sandwich,
            ..FAMILY.read_without_positions(reader)?
        };
        cfg.embedding.scale = (cfg.d_model as f64).sqrt();
        cfg.attention.qk_norm = QkNorm::Shared(Affine::Gain);
        cfg.logits.softcap = reader.optional_number("final_logit_softcapping", None)?;
        let window = reader.optional_size("sliding_window", Some(4096))?;
        let pattern = reader.size_or("sliding_window_pattern", Some(6))?;
        windows(reader, &mut cfg, window, |layer| !(layer + 1).is_multiple_of(pattern))?;
        let width = reader.positive_or("query_pre_attn_scalar", 256.0)?;
        for layer in &mut cfg.layers {
            layer.scale = 1.0 / width.sqrt();
            layer.rope = if layer.window.is_some() { LayerRope::Local } else { LayerRope::Main };
        }
        cfg.positions = positions(reader, &cfg)?;
        Ok(cfg)
    }

    fn source(&self, id: ParamId, _: &DecoderConfig) -> Option<Source> {
        let name = match id.param {
            Param::Ln1PostGain => "post_attention_layernorm.weight",
            Param::Ln2Gain => "pre_feedforward_layernorm.weight",
            Param::Ln2PostGain => "post_feedforward_layernorm.weight",
            _ => return names::plus_one(id, names::llama(id)),
        };
        names::plus_one(id, Some(names::in_model(id, name)))
    }

    fn gguf_config(&self, meta: &Metadata) -> Option<Result<DecoderConfig, ConfigError>> {
        Some(gguf_config(&Keys::new(self, meta)))
    }
}

// the converter has added the one to the gains
fn gguf_config(keys: &Keys<'_>) -> Result<DecoderConfig, ConfigError> {
    let mut cfg = keys.config(&["final_logit_softcapping", "attention.sliding_window"])?;
    cfg.placement = NormPlacement::Sandwich;
    cfg.mlp = Mlp::Gated(Activation::GeluTanh);
    cfg.embedding.scale = (cfg.d_model as f64).sqrt();
    cfg.attention.qk_norm = QkNorm::Shared(Affine::Gain);
    cfg.logits.softcap = keys.nonzero("final_logit_softcapping")?;
    let window = keys.window(None)?;
    let local = keys.local_layers(cfg.n_layers, 6)?;
    // the 27B model, of 62 blocks, divides by the width of all heads instead of one
    let width = if cfg.n_layers == 62 { cfg.d_model / cfg.n_heads } else { cfg.d_head };
    for (axes, local) in cfg.layers.iter_mut().zip(local) {
        axes.scale = 1.0 / (width as f64).sqrt();
        axes.window = window.filter(|_| local);
    }
    if window.is_some() {
        gguf_rope::rotate_locally(&mut cfg, keys.nonzero("rope.freq_base_swa")?.or(Some(10_000.0)));
    }
    Ok(cfg)
}

/// One rotation for blocks that see everything, another for those with a window: nested by kind of layer in newer
/// configurations, side by side in older ones.
fn positions(reader: &ConfigReader<'_>, cfg: &DecoderConfig) -> Result<Positions, ConfigError> {
    const SHARE: &str = "partial_rotary_factor";
    let nested = |kind: &str| reader.get("rope_parameters").and_then(|all| all.get(kind));
    let rope = |section: &RopeSection<'_>, default: f64| {
        section.require_whole()?;
        let theta = section.theta(default)?;
        let scaling = section.scaling(theta, cfg.d_head, cfg.n_ctx)?;
        Ok::<_, ConfigError>(Rope { theta, n_rot: cfg.d_head, pairing: Pairing::Halves, scaling })
    };
    let main = match nested("full_attention") {
        Some(of_kind) => RopeSection::new(reader, ("rope_parameters.full_attention", of_kind), "rope_theta", SHARE),
        None => reader.rope_section("rope_theta", SHARE),
    };
    let of_kind = nested("sliding_attention").unwrap_or(&Value::Null);
    let field = "rope_parameters.sliding_attention";
    let local = RopeSection::new(reader, (field, of_kind), "rope_local_base_freq", SHARE);
    Ok(Positions::Rotary { main: rope(&main, 1e6)?, local: Some(rope(&local, 1e4)?) })
}
