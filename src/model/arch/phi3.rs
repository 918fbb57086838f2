//! Phi-3 and Phi-4: Llama with fused projections, long rotary positions, and a window on every block.

use super::family::{Family, Head, Share};
use super::gguf_names::Keys;
use super::{Architecture, ConfigError, ConfigReader, Source, View, gguf_names, names};
use crate::model::checkpoint::gguf::Metadata;
use crate::model::{Activation, DecoderConfig, Mlp, Pairing, Param, ParamId, Positions, Rope, RopeScaling};

pub(super) struct Phi3;

const FAMILY: Family = Family {
    name: "phi3",
    head: Head::Field,
    n_ctx: 4096,
    eps: ("rms_norm_eps", 1e-5),
    share: Share::Partial(1.0),
    ..Family::LLAMA
};

impl Architecture for Phi3 {
    fn name(&self) -> &'static str {
        FAMILY.name
    }

    fn gguf_name(&self) -> Option<&'static str> {
        Some("phi3")
    }

    fn config(&self, reader: &ConfigReader<'_>) -> Result<DecoderConfig, ConfigError> {
        let mut cfg = FAMILY.read_without_positions(reader)?;
        cfg.positions = Positions::rotary(rope(reader, &cfg)?);
        let window = reader.optional_size("sliding_window", None)?;
        for layer in &mut cfg.layers {
            layer.window = window;
        }
        Ok(cfg)
    }

    fn source(&self, id: ParamId, cfg: &DecoderConfig) -> Option<Source> {
        let (d_q, d_kv) = (cfg.n_heads * cfg.d_head, cfg.n_kv_heads * cfg.d_head);
        let qkv = |first| (("self_attn.qkv_proj.weight"), View::Rows { first, of: d_q + 2 * d_kv });
        let mlp = |first| (("mlp.gate_up_proj.weight"), View::Rows { first, of: 2 * cfg.d_mlp });
        let (name, view) = match id.param {
            Param::Q => qkv(0),
            Param::K => qkv(d_q),
            Param::V => qkv(d_q + d_kv),
            Param::Gate => mlp(0),
            Param::In => mlp(cfg.d_mlp),
            _ => return names::llama(id),
        };
        Some(names::in_model(id, name).viewed(view))
    }

    fn gguf_config(&self, meta: &Metadata) -> Option<Result<DecoderConfig, ConfigError>> {
        Some(gguf_config(&Keys::new(self, meta)))
    }

    fn gguf_source(&self, id: ParamId, cfg: &DecoderConfig) -> Option<Source> {
        gguf_names::fused_gate(id, cfg)
    }
}

/// llama.cpp reads the window and does not apply it; the model was trained with it.
fn gguf_config(keys: &Keys<'_>) -> Result<DecoderConfig, ConfigError> {
    let mut cfg = keys.config(&["attention.sliding_window"])?;
    cfg.mlp = Mlp::Gated(Activation::Silu);
    let window = keys.window(None)?;
    for layer in &mut cfg.layers {
        layer.window = window;
    }
    Ok(cfg)
}

/// This family calls `LongRoPE` also `su` and `yarn`, and has the context before scaling outside the section.
fn rope(reader: &ConfigReader<'_>, cfg: &DecoderConfig) -> Result<Rope, ConfigError> {
    let section = reader.rope_section("rope_theta", "partial_rotary_factor");
    let n_rot = section.n_rot(cfg.d_head, 1.0)?;
    let theta = section.theta(FAMILY.theta)?;
    let original = reader.size_or("original_max_position_embeddings", Some(4096))?;
    let scaling = match section.kind() {
        Some("default") | None => RopeScaling::Default,
        Some("longrope" | "su" | "yarn") => section.longrope(n_rot, cfg.n_ctx, original)?,
        Some(other) => return Err(ConfigError::unsupported("rope_scaling.type", other, "default or longrope")),
    };
    Ok(Rope { theta, n_rot, pairing: Pairing::Halves, scaling })
}
