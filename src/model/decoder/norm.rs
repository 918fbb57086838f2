//! Normalisation: the fused operation, or its parts where a tap wants them.

use candle_core::{D, Tensor};
use candle_nn::ops;

use super::{Kernels, Parameters, backward};
use crate::hook::HookPoint;
use crate::model::tap::tapped;
use crate::model::{DecoderConfig, Norm, Param, ParamId, Result, Tap};

pub(super) struct Normalise {
    norm: Norm,
    gain: Tensor,
    bias: Option<Tensor>,
    kernels: Kernels,
}

impl Normalise {
    pub(super) fn new(
        cfg: &DecoderConfig,
        layer: Option<usize>,
        [gain, bias]: [Param; 2],
        params: &mut dyn Parameters,
        kernels: Kernels,
    ) -> Result<Self> {
        let mut get = |param| params.dense(ParamId { layer, param });
        let gain = get(gain)?;
        let bias = match cfg.norm {
            Norm::Layer { .. } => Some(get(bias)?),
            Norm::Rms { .. } => None,
        };
        Ok(Self { norm: cfg.norm, gain, bias, kernels })
    }

    /// Normalises `x` `[.., d_model]`; `at` names the scale's and the normalised value's hook.
    ///
    /// A tap that only looks changes no bit: the result is then still the fused operation's.
    pub(super) fn forward(&self, x: &Tensor, at: [HookPoint; 2], tap: &mut dyn Tap) -> Result<Tensor> {
        if !at.iter().any(|&at| tap.wants(at)) {
            return self.apply(x);
        }
        let (centred, scale) = self.parts(x)?;
        let tapped_scale = tapped(tap, at[0], scale.clone())?;
        let normalized = centred.broadcast_div(&tapped_scale)?;
        let tapped_normalized = tapped(tap, at[1], normalized.clone())?;
        if tapped_scale.id() == scale.id() && tapped_normalized.id() == normalized.id() {
            return self.apply(x);
        }
        self.affine(&tapped_normalized)
    }

    /// Normalises `x` `[.., d_model]` without hooks.
    pub(super) fn apply(&self, x: &Tensor) -> Result<Tensor> {
        if self.kernels == Kernels::Differentiable {
            if let Norm::Rms { eps } = self.norm {
                return Ok(backward::rms_norm(x, &self.gain, eps)?);
            }
            let (centred, scale) = self.parts(x)?;
            return self.affine(&centred.broadcast_div(&scale)?);
        }
        let x = x.contiguous()?;
        #[expect(clippy::cast_possible_truncation, reason = "eps is a small constant; the fused operations take f32")]
        Ok(match (self.norm, &self.bias) {
            (Norm::Layer { eps }, Some(bias)) => ops::layer_norm(&x, &self.gain, bias, eps as f32)?,
            (Norm::Rms { eps } | Norm::Layer { eps }, _) => ops::rms_norm(&x, &self.gain, eps as f32)?,
        })
    }

    /// What is divided, `[.., d_model]`, and what it is divided by, `[.., 1]`.
    fn parts(&self, x: &Tensor) -> Result<(Tensor, Tensor)> {
        let (centred, eps) = match self.norm {
            Norm::Rms { eps } => (x.clone(), eps),
            Norm::Layer { eps } => (x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?, eps),
        };
        let scale = (centred.sqr()?.mean_keepdim(D::Minus1)? + eps)?.sqrt()?;
        Ok((centred, scale))
    }

    fn affine(&self, normalized: &Tensor) -> Result<Tensor> {
        let scaled = normalized.broadcast_mul(&self.gain)?;
        Ok(match &self.bias {
            Some(bias) => scaled.broadcast_add(bias)?,
            None => scaled,
        })
    }
}
