//! Rotary positions (Su et al. 2021, arXiv:2104.09864).

use candle_core::{D, Device, Tensor};
use candle_nn::rotary_emb;

use super::{Kernels, backward};
use crate::model::{Result, Rope, RopeScaling};

/// The frequencies of a model's rotation.
pub(super) struct Rotation {
    n_rot: usize,
    /// Radians per position, `[n_rot / 2]`.
    inv_freq: Vec<f32>,
    device: Device,
    kernels: Kernels,
}

/// Cosines and sines of some positions, `[pos, n_rot / 2]`.
pub(super) struct Angles {
    cos: Tensor,
    sin: Tensor,
    n_rot: usize,
    kernels: Kernels,
}

impl Rotation {
    pub(super) fn new(rope: &Rope, device: &Device, kernels: Kernels) -> Result<Self> {
        Ok(Self { n_rot: rope.n_rot, inv_freq: inv_freq(rope), device: device.clone(), kernels })
    }

    /// Angles of positions `start..start + n_pos`.
    pub(super) fn angles(&self, start: usize, n_pos: usize) -> Result<Angles> {
        let positions: Vec<f32> = (start..start + n_pos).map(|pos| pos as f32).collect();
        let positions = Tensor::from_vec(positions, (n_pos, 1), &self.device)?;
        let inv_freq = Tensor::new(self.inv_freq.as_slice(), &self.device)?.unsqueeze(0)?;
        let angles = positions.matmul(&inv_freq)?;
        Ok(Angles { cos: angles.cos()?, sin: angles.sin()?, n_rot: self.n_rot, kernels: self.kernels })
    }
}

/// `theta^(-2i / n_rot)`, scaled for longer contexts as the model asks.
#[expect(clippy::cast_possible_truncation, reason = "frequencies are f32 in every reference implementation")]
fn inv_freq(rope: &Rope) -> Vec<f32> {
    let base = (0..rope.n_rot / 2).map(|i| 1.0 / rope.theta.powf(2.0 * i as f64 / rope.n_rot as f64));
    let scaled = base.enumerate().map(|(i, freq)| match &rope.scaling {
        RopeScaling::Default => freq,
        RopeScaling::Linear { factor } => freq / factor,
        RopeScaling::Divisors(divisors) => freq / f64::from(divisors[i]),
        RopeScaling::Llama3 { factor, low_freq_factor, high_freq_factor, original_n_ctx } => {
            let turns = original_n_ctx * freq / std::f64::consts::TAU;
            let smooth = ((turns - low_freq_factor) / (high_freq_factor - low_freq_factor)).clamp(0.0, 1.0);
            (1.0 - smooth) * freq / factor + smooth * freq
        }
    });
    scaled.map(|freq| freq as f32).collect()
}

impl Angles {
    /// Rotates the first `n_rot` dimensions of `x` `[batch, pos, head, d_head]`.
    pub(super) fn rotate(&self, x: &Tensor) -> Result<Tensor> {
        let d_head = x.dim(D::Minus1)?;
        if d_head == self.n_rot {
            return self.rotate_all(x);
        }
        let rotated = self.rotate_all(&x.narrow(D::Minus1, 0, self.n_rot)?)?;
        let rest = x.narrow(D::Minus1, self.n_rot, d_head - self.n_rot)?;
        Ok(Tensor::cat(&[rotated, rest], D::Minus1)?)
    }

    fn rotate_all(&self, x: &Tensor) -> Result<Tensor> {
        if self.kernels == Kernels::Fused {
            return Ok(rotary_emb::rope_thd(&x.contiguous()?, &self.cos, &self.sin)?);
        }
        Ok(backward::rotate(x, &self.cos, &self.sin)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rope(scaling: RopeScaling) -> Rope {
        Rope { theta: 10_000.0, n_rot: 4, scaling }
    }

    #[test]
    fn frequencies_of_a_hand_worked_case() {
        assert_eq!(inv_freq(&rope(RopeScaling::Default)), [1.0, 0.01]);
        assert_eq!(inv_freq(&rope(RopeScaling::Linear { factor: 4.0 })), [0.25, 0.0025]);
        assert_eq!(inv_freq(&rope(RopeScaling::Divisors(vec![1.0, 2.0]))), [1.0, 0.005]);
    }

    #[test]
    fn both_kernels_rotate_alike() {
        let device = Device::Cpu;
        let x = Tensor::arange(0f32, 48.0, &device).unwrap().reshape((1, 3, 2, 8)).unwrap();
        let rotate = |kernels| {
            let rotation = Rotation::new(&rope(RopeScaling::Default), &device, kernels).unwrap();
            rotation.angles(5, 3).unwrap().rotate(&x).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap()
        };
        let (fused, plain) = (rotate(Kernels::Fused), rotate(Kernels::Differentiable));
        for (a, b) in fused.iter().zip(&plain) {
            assert!((a - b).abs() < 1e-5, "{a} {b}");
        }
        assert_ne!(fused, x.flatten_all().unwrap().to_vec1::<f32>().unwrap());
    }
}
