//! Rotary positions (Su et al. 2021, arXiv:2104.09864).

use candle_core::{D, DType, Device, Tensor};
use candle_nn::rotary_emb;

use super::strands::held;
use super::{Kernels, backward};
use crate::model::dtype::widened;
use crate::model::kernel::Isa;
use crate::model::kernel::rope::{self, Heads, Pairs};
use crate::model::{LayerRope, Pairing, Positions, Result, Rope, RopeScaling};

/// The rotations of a model: of most blocks, and of those with a window.
pub(super) struct Rotations {
    main: Option<Rotation>,
    local: Option<Rotation>,
}

/// Their angles in one forward pass.
pub(super) struct AllAngles {
    main: Option<Angles>,
    local: Option<Angles>,
}

impl Rotations {
    /// Rotations that are computed in `dtype`.
    pub(super) fn new(positions: &Positions, dtype: DType, kernels: Kernels) -> Self {
        let rotation = |rope: &Rope| Rotation { rope: rope.clone(), dtype, kernels };
        match positions {
            Positions::Rotary { main, local } => {
                Self { main: Some(rotation(main)), local: local.as_ref().map(rotation) }
            }
            Positions::None | Positions::Learned | Positions::Alibi(_) => Self { main: None, local: None },
        }
    }

    /// Angles of these positions, in sequences of which the longest has `len` positions.
    pub(super) fn angles(&self, positions: impl Iterator<Item = usize>, len: usize) -> Result<AllAngles> {
        let positions: Vec<f32> = positions.map(|pos| pos as f32).collect();
        let angles = |rotation: &Option<Rotation>| rotation.as_ref().map(|it| it.angles(&positions, len)).transpose();
        Ok(AllAngles { main: angles(&self.main)?, local: angles(&self.local)? })
    }
}

impl AllAngles {
    /// Those of one kind of block.
    pub(super) const fn of(&self, rope: LayerRope) -> Option<&Angles> {
        match rope {
            LayerRope::Main => self.main.as_ref(),
            LayerRope::Local => self.local.as_ref(),
            LayerRope::None => None,
        }
    }
}

struct Rotation {
    rope: Rope,
    dtype: DType,
    kernels: Kernels,
}

/// Cosines and sines of some positions, `[pos, n_rot / 2]`.
pub(super) struct Angles {
    cos: Tensor,
    sin: Tensor,
    n_rot: usize,
    pairing: Pairing,
    kernels: Kernels,
}

impl Rotation {
    fn angles(&self, positions: &[f32], len: usize) -> Result<Angles> {
        let positions = Tensor::new(positions, &Device::Cpu)?.unsqueeze(1)?.to_dtype(self.dtype)?;
        let inv_freq = inv_freq(&self.rope, len);
        let inv_freq = Tensor::new(inv_freq.as_slice(), &Device::Cpu)?.to_dtype(self.dtype)?.unsqueeze(0)?;
        let angles = positions.matmul(&inv_freq)?;
        let factor = attention_factor(&self.rope.scaling);
        let (cos, sin) = ((angles.cos()? * factor)?, (angles.sin()? * factor)?);
        Ok(Angles { cos, sin, n_rot: self.rope.n_rot, pairing: self.rope.pairing, kernels: self.kernels })
    }
}

/// What cosines and sines are multiplied by.
const fn attention_factor(scaling: &RopeScaling) -> f64 {
    match scaling {
        RopeScaling::Yarn { attention_factor, .. } | RopeScaling::LongRope { attention_factor, .. } => {
            *attention_factor
        }
        _ => 1.0,
    }
}

/// `theta^(-2i / n_rot)` in radians per position, scaled for longer contexts as the model asks. Two kinds of scaling
/// depend on the length of the sequence, of all its positions: then a cached run differs from an uncached one where
/// it crosses the original context, in the reference as well as here.
#[expect(clippy::cast_possible_truncation, reason = "frequencies are f32 in every reference implementation")]
fn inv_freq(rope: &Rope, len: usize) -> Vec<f32> {
    let theta = match rope.scaling {
        RopeScaling::Dynamic { factor, original_n_ctx } if len as f64 > original_n_ctx => {
            let n = rope.n_rot as f64;
            rope.theta * (factor * len as f64 / original_n_ctx - (factor - 1.0)).powf(n / (n - 2.0))
        }
        _ => rope.theta,
    };
    let base = (0..rope.n_rot / 2).map(|i| 1.0 / theta.powf(2.0 * i as f64 / rope.n_rot as f64));
    base.enumerate().map(|(i, freq)| scaled(&rope.scaling, (i, freq), len) as f32).collect()
}

/// A frequency and its place, scaled.
fn scaled(scaling: &RopeScaling, (i, freq): (usize, f64), len: usize) -> f64 {
    match scaling {
        RopeScaling::Default | RopeScaling::Dynamic { .. } => freq,
        RopeScaling::Linear { factor } => freq / factor,
        RopeScaling::Divisors(divisors) => freq / f64::from(divisors[i]),
        RopeScaling::LongRope { short, long, original_n_ctx, .. } => {
            freq / if len > *original_n_ctx { long[i] } else { short[i] }
        }
        RopeScaling::Llama3 { factor, low_freq_factor, high_freq_factor, original_n_ctx } => {
            let turns = original_n_ctx * freq / std::f64::consts::TAU;
            let smooth = ((turns - low_freq_factor) / (high_freq_factor - low_freq_factor)).clamp(0.0, 1.0);
            (1.0 - smooth) * freq / factor + smooth * freq
        }
        RopeScaling::Yarn { factor, ramp: (first, last), .. } => {
            let ramp = ((i as f64 - first) / (last - first)).clamp(0.0, 1.0);
            freq * (ramp / factor + 1.0 - ramp)
        }
    }
}

impl Angles {
    /// Rotates the first `n_rot` dimensions of `x` `[batch, pos, head, d_head]`.
    pub(super) fn rotate(&self, x: &Tensor) -> Result<Tensor> {
        let dtype = x.dtype();
        if let Some(isa) = Isa::best().filter(|_| self.kernels == Kernels::Fused && dtype == DType::F32) {
            return self.turn(x, isa);
        }
        Ok(self.rotate_widened(&widened(x)?)?.to_dtype(dtype)?)
    }

    fn turn(&self, x: &Tensor, isa: Isa) -> Result<Tensor> {
        let (_, _, n_heads, d_head) = x.dims4()?;
        let x = x.contiguous()?;
        let (cos, sin) = (self.cos.contiguous()?, self.sin.contiguous()?);
        let (values, cos, sin) = (held(&x), held(&cos), held(&sin));
        let pairs = match self.pairing {
            Pairing::Halves => Pairs::Halves,
            Pairing::Neighbours => Pairs::Neighbours,
        };
        let (cos, sin, n) = (cos.floats()?, sin.floats()?, self.n_rot / 2);
        let turned = rope::turn(Heads { x: values.floats()?, n_heads, d_head, pairs, cos, sin, n }, isa);
        Ok(Tensor::from_vec(turned, x.shape(), x.device())?)
    }

    fn rotate_widened(&self, x: &Tensor) -> Result<Tensor> {
        let d_head = x.dim(D::Minus1)?;
        if d_head == self.n_rot {
            return self.rotate_all(x);
        }
        let rotated = self.rotate_all(&x.narrow(D::Minus1, 0, self.n_rot)?)?;
        let rest = x.narrow(D::Minus1, self.n_rot, d_head - self.n_rot)?;
        Ok(Tensor::cat(&[rotated, rest], D::Minus1)?)
    }

    fn rotate_all(&self, x: &Tensor) -> Result<Tensor> {
        match (self.pairing, self.kernels) {
            (Pairing::Halves, Kernels::Fused) => Ok(rotary_emb::rope_thd(&x.contiguous()?, &self.cos, &self.sin)?),
            (Pairing::Halves, Kernels::Differentiable) => Ok(backward::rotate(x, &self.cos, &self.sin)?),
            (Pairing::Neighbours, _) => self.rotate_neighbours(x),
        }
    }

    /// Brings neighbours into two halves, rotates those, and brings them back.
    fn rotate_neighbours(&self, x: &Tensor) -> Result<Tensor> {
        let (batch, n_pos, n_heads, n_rot) = x.dims4()?;
        let (pairs, halves) = ((batch, n_pos, n_heads, n_rot / 2, 2), (batch, n_pos, n_heads, 2, n_rot / 2));
        let split = x.contiguous()?.reshape(pairs)?.transpose(3, 4)?.contiguous()?.reshape(x.shape())?;
        let halved = Self {
            cos: self.cos.clone(),
            sin: self.sin.clone(),
            n_rot: self.n_rot,
            pairing: Pairing::Halves,
            kernels: self.kernels,
        };
        let turned = halved.rotate_all(&split)?;
        Ok(turned.reshape(halves)?.transpose(3, 4)?.contiguous()?.reshape(x.shape())?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rope(scaling: RopeScaling) -> Rope {
        Rope { theta: 10_000.0, n_rot: 4, pairing: Pairing::Halves, scaling }
    }

    #[test]
    fn frequencies_of_a_hand_worked_case() {
        let freq = |scaling| inv_freq(&rope(scaling), 8);
        assert_eq!(freq(RopeScaling::Default), [1.0, 0.01]);
        assert_eq!(freq(RopeScaling::Linear { factor: 4.0 }), [0.25, 0.0025]);
        assert_eq!(freq(RopeScaling::Divisors(vec![1.0, 2.0])), [1.0, 0.005]);
        // base 10000 * (2 * 8 / 4 - 1)^2 = 90000
        assert_eq!(freq(RopeScaling::Dynamic { factor: 2.0, original_n_ctx: 4.0 }), [1.0, 1.0 / 300.0]);
        assert_eq!(freq(RopeScaling::Dynamic { factor: 2.0, original_n_ctx: 8.0 }), [1.0, 0.01]);
        let yarn = RopeScaling::Yarn { factor: 4.0, ramp: (0.0, 1.0), attention_factor: 1.0 };
        assert_eq!(freq(yarn), [1.0, 0.0025]);
        let long = |original_n_ctx| {
            let (short, long) = (vec![1.0, 2.0], vec![4.0, 5.0]);
            freq(RopeScaling::LongRope { short, long, original_n_ctx, attention_factor: 1.0 })
        };
        assert_eq!((long(8), long(7)), (vec![1.0, 0.005], vec![0.25, 0.002]));
    }

    fn rotated(pairing: Pairing, kernels: Kernels, x: &Tensor) -> Vec<f32> {
        let positions = Positions::rotary(Rope { pairing, ..rope(RopeScaling::Default) });
        let angles = Rotations::new(&positions, DType::F32, kernels).angles(5..8, 8).unwrap();
        angles.of(LayerRope::Main).unwrap().rotate(x).unwrap().flatten_all().unwrap().to_vec1().unwrap()
    }

    #[test]
    fn both_kernels_rotate_alike() {
        let x = Tensor::arange(0f32, 48.0, &Device::Cpu).unwrap().reshape((1, 3, 2, 8)).unwrap();
        for pairing in [Pairing::Halves, Pairing::Neighbours] {
            let (fused, plain) = (rotated(pairing, Kernels::Fused, &x), rotated(pairing, Kernels::Differentiable, &x));
            for (a, b) in fused.iter().zip(&plain) {
                assert!((a - b).abs() < 1e-5, "{a} {b}");
            }
            assert_ne!(fused, x.flatten_all().unwrap().to_vec1::<f32>().unwrap());
        }
    }

    #[test]
    fn neighbours_are_rotated_together() {
        // position 5, frequencies 1 and 0.01: (1, 0) turns by 5 radians, (0, 1) by 0.05
        let x = Tensor::new(&[[[[1f32, 0., 0., 1.]]]], &Device::Cpu).unwrap().broadcast_as((1, 3, 1, 4)).unwrap();
        let first = &rotated(Pairing::Neighbours, Kernels::Fused, &x)[..4];
        let expected = [5f32.cos(), 5f32.sin(), -0.05f32.sin(), 0.05f32.cos()];
        assert!(first.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{first:?}");
    }
}
