//! Reads how positions rotate from a GGUF file: metadata, and tensors of divisors.

use super::ConfigError;
use super::gguf_names::Keys;
use super::rope::{yarn_dimension, yarn_ramp};
use crate::model::{DecoderConfig, LayerRope, Pairing, Positions, Rope, RopeScaling, Sizes};

const FREQS: &str = "rope_freqs.weight";
const LONG: &str = "rope_factors_long.weight";
const SHORT: &str = "rope_factors_short.weight";

/// What cosines and sines are multiplied by.
const ATTENTION: &str = "rope.scaling.attn_factor";

/// Tensors that hold no parameter, but divisors of frequencies.
pub(super) const TENSORS: &[&str] = &[FREQS, LONG, SHORT];

/// The rotation of most blocks, of halves.
pub(super) fn rope(keys: &Keys<'_>, sizes: &Sizes) -> Result<Rope, ConfigError> {
    let n_rot = keys.size_or("rope.dimension_count", Some(sizes.d_head))?;
    let theta = keys.number("rope.freq_base")?.unwrap_or(10_000.0);
    let mut rope = Rope { theta, n_rot, pairing: Pairing::Halves, scaling: RopeScaling::Default };
    rope.scaling = scaling(keys, &rope, sizes.n_ctx)?;
    Ok(rope)
}

fn scaling(keys: &Keys<'_>, rope: &Rope, n_ctx: usize) -> Result<RopeScaling, ConfigError> {
    const KIND: &str = "rope.scaling.type";
    keys.require("rope.scaling.alpha", &[0.0])?;
    let kind_key = keys.key(KIND);
    let kind = keys.meta.text(&kind_key).unwrap_or("linear");
    let factor = match kind {
        "none" | "longrope" => 1.0,
        "linear" | "yarn" => linear_factor(keys)?,
        other => return Err(keys.refuse(KIND, other, "none, linear, yarn or longrope")),
    };
    let (freqs, long, short) = (keys.meta.divisors(FREQS)?, keys.meta.divisors(LONG)?, keys.meta.divisors(SHORT)?);
    let one_factor = (factor - 1.0).abs() < 1e-9;
    let attention_factor = keys.number(ATTENTION)?.unwrap_or(1.0);
    if long.is_none() && kind != "yarn" {
        keys.require(ATTENTION, &[1.0])?;
    }
    match (kind, freqs, long, short) {
        ("yarn", None, None, None) => yarn(keys, rope, (factor, n_ctx)),
        ("linear" | "none", Some(divisors), None, None) => {
            #[expect(clippy::cast_possible_truncation, reason = "the file's divisors and factor are f32")]
            let divisors = divisors.into_iter().map(|divisor| (f64::from(divisor) * factor) as f32).collect();
            Ok(RopeScaling::Divisors(divisors))
        }
        ("linear" | "none", None, None, None) if one_factor => Ok(RopeScaling::Default),
        ("linear", None, None, None) => Ok(RopeScaling::Linear { factor }),
        ("longrope" | "linear" | "none", None, Some(long), Some(short)) if one_factor => Ok(RopeScaling::LongRope {
            short: short.into_iter().map(f64::from).collect(),
            long: long.into_iter().map(f64::from).collect(),
            original_n_ctx: keys.size_or("rope.scaling.original_context_length", Some(n_ctx))?,
            attention_factor,
        }),
        (kind, ..) => {
            let expected = "one that the divisors in the file go with";
            Err(ConfigError::unsupported(&kind_key, kind, expected))
        }
    }
}

/// What frequencies are divided by; old files have another key for it.
fn linear_factor(keys: &Keys<'_>) -> Result<f64, ConfigError> {
    let factor = match keys.number("rope.scaling.factor")? {
        Some(factor) => factor,
        None => keys.number("rope.scale_linear")?.unwrap_or(0.0),
    };
    Ok(if factor == 0.0 { 1.0 } else { factor })
}

/// As llama.cpp computes it, which has no use for the attention factor of a configuration.
fn yarn(keys: &Keys<'_>, rope: &Rope, (factor, n_ctx): (f64, usize)) -> Result<RopeScaling, ConfigError> {
    keys.require("rope.scaling.yarn_ext_factor", &[1.0, -1.0])?;
    keys.require("rope.scaling.yarn_attn_factor", &[1.0])?;
    let original = keys.size_or("rope.scaling.original_context_length", Some(n_ctx))? as f64;
    let beta = |key, default| Ok::<_, ConfigError>(keys.nonzero(key)?.unwrap_or(default));
    let dimension = |turns| yarn_dimension(turns, (rope.theta, rope.n_rot), original);
    let first = dimension(beta("rope.scaling.yarn_beta_fast", 32.0)?).floor();
    let last = dimension(beta("rope.scaling.yarn_beta_slow", 1.0)?).ceil();
    let grown = |mscale: f64| if factor <= 1.0 { 1.0 } else { 0.1 * mscale * factor.ln() + 1.0 };
    let all_dim = keys.nonzero("rope.scaling.yarn_log_multiplier")?.map_or(1.0, grown);
    let attention_factor = grown(1.0) / all_dim * keys.number(ATTENTION)?.unwrap_or(1.0);
    Ok(RopeScaling::Yarn { factor, ramp: yarn_ramp(first, last, rope.n_rot), attention_factor })
}

/// Rotates neighbours instead of halves.
pub(super) fn pair_neighbours(cfg: &mut DecoderConfig) {
    if let Positions::Rotary { main, .. } = &mut cfg.positions {
        main.pairing = Pairing::Neighbours;
    }
}

/// Gives the blocks with a window a rotation without scaling, from this base or from that of the others.
pub(super) fn rotate_locally(cfg: &mut DecoderConfig, theta: Option<f64>) {
    let Positions::Rotary { main, local } = &mut cfg.positions else { return };
    let theta = theta.unwrap_or(main.theta);
    *local = Some(Rope { theta, scaling: RopeScaling::Default, ..main.clone() });
    for layer in &mut cfg.layers {
        layer.rope = if layer.window.is_some() { LayerRope::Local } else { LayerRope::Main };
    }
}
