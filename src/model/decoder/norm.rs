//! Normalisation: the fused operation, or its parts where a tap wants them.

use candle_core::{D, DType, Tensor};
use candle_nn::ops;

use super::strands::held;
use super::stream::Stream;
use super::{Kernels, Parameters, backward};
use crate::hook::HookPoint;
use crate::model::dtype::widened;
use crate::model::kernel::Isa;
use crate::model::kernel::norm::{self, Centring};
use crate::model::tap::tapped;
use crate::model::{Affine, DecoderConfig, Norm, Param, ParamId, Result, Tap};

pub(super) struct Normalise {
    norm: Norm,
    gain: Option<Tensor>,
    bias: Option<Tensor>,
    kernels: Kernels,
}

impl Normalise {
    /// A norm of the decoder's kind in a block, or the model's own.
    pub(super) fn new(
        cfg: &DecoderConfig,
        layer: Option<usize>,
        [gain, bias]: [Param; 2],
        params: &mut dyn Parameters,
        kernels: Kernels,
    ) -> Result<Self> {
        let get = |wanted, param| Some(ParamId { layer, param }).filter(|_| wanted);
        let gain = get(cfg.affine != Affine::None, gain).map(|id| params.dense(id)).transpose()?;
        let bias = get(cfg.affine == Affine::GainBias, bias).map(|id| params.dense(id)).transpose()?;
        Ok(Self { norm: cfg.norm, gain, bias, kernels })
    }

    /// A norm with these parameters.
    pub(super) const fn of(norm: Norm, gain: Option<Tensor>, bias: Option<Tensor>, kernels: Kernels) -> Self {
        Self { norm, gain, bias, kernels }
    }

    /// What it multiplies with, `[d_model]`.
    pub(super) const fn gain(&self) -> Option<&Tensor> {
        self.gain.as_ref()
    }

    /// What it adds, `[d_model]`.
    pub(super) const fn bias(&self) -> Option<&Tensor> {
        self.bias.as_ref()
    }

    /// Whether it takes the mean away.
    pub(super) const fn centres(&self) -> bool {
        matches!(self.norm, Norm::Layer { .. })
    }

    /// Normalises `x` `[.., d_model]`; `at` names the scale's and the normalised value's hook.
    ///
    /// A tap that only looks changes no bit: the result is then still the fused operation's.
    pub(super) fn forward(&self, x: &Tensor, at: [HookPoint; 2], tap: &mut dyn Tap) -> Result<Tensor> {
        if !at.iter().any(|&at| tap.wants(at)) {
            return self.apply(x);
        }
        let [scale, normalized] = self.seen(x)?;
        let tapped_scale = tapped(tap, at[0], scale.clone())?;
        let normalized = if tapped_scale.id() == scale.id() {
            normalized
        } else {
            self.parts(&widened(x)?)?.0.broadcast_div(&tapped_scale)?
        };
        let tapped_normalized = tapped(tap, at[1], normalized.clone())?;
        if tapped_scale.id() == scale.id() && tapped_normalized.id() == normalized.id() {
            return self.apply(x);
        }
        Ok(self.affine(&tapped_normalized)?.to_dtype(x.dtype())?)
    }

    /// A stream, whole, `[.., d_model]`, and what [`forward`](Self::forward) makes of it.
    pub(super) fn read(&self, stream: Stream, at: [HookPoint; 2], tap: &mut dyn Tap) -> Result<[Tensor; 2]> {
        match stream {
            Stream::Sum(x, added) if !at.iter().any(|&at| tap.wants(at)) => self.add_and_apply(x, added),
            Stream::Sum(..) | Stream::Whole(_) => {
                let x = stream.whole()?;
                let normed = self.forward(&x, at, tap)?;
                Ok([x, normed])
            }
        }
    }

    /// `x + added`, and the same normalised.
    fn add_and_apply(&self, x: Tensor, added: Tensor) -> Result<[Tensor; 2]> {
        let are_alike = x.shape() == added.shape() && x.dtype() == added.dtype();
        let Some(isa) = self.kernel_for(&x).filter(|_| are_alike) else {
            let sum = (x + added)?;
            let normed = self.apply(&sum)?;
            return Ok([sum, normed]);
        };
        let (x, added) = (x.contiguous()?, added.contiguous()?);
        let (terms, width) = ((held(&x), held(&added)), x.dim(D::Minus1)?);
        let (first, second) = (terms.0.floats()?, terms.1.floats()?);
        let [sum, normed] = self.by_kernel(|norm| norm::add_and_normalise([first, second], width, norm, isa))?;
        let tensor = |values| Tensor::from_vec(values, x.shape(), x.device());
        Ok([tensor(sum)?, tensor(normed)?])
    }

    /// Normalises the last axis of `x` without hooks.
    pub(super) fn apply(&self, x: &Tensor) -> Result<Tensor> {
        if let Some(isa) = self.kernel_for(x) {
            let x = x.contiguous()?;
            let (values, width) = (held(&x), x.dim(D::Minus1)?);
            let values = values.floats()?;
            let normed = self.by_kernel(|norm| norm::normalise(values, width, norm, isa))?;
            return Ok(Tensor::from_vec(normed, x.shape(), x.device())?);
        }
        match self.kernels {
            Kernels::Differentiable => self.apply_differentiable(x),
            Kernels::Fused if x.dtype() == DType::F32 => self.apply_fused(&x.contiguous()?),
            Kernels::Fused => {
                let (centred, scale) = self.parts(&widened(x)?)?;
                Ok(self.affine(&centred.broadcast_div(&scale)?)?.to_dtype(x.dtype())?)
            }
        }
    }

    fn apply_differentiable(&self, x: &Tensor) -> Result<Tensor> {
        match (self.norm, &self.gain) {
            (Norm::Rms { eps }, Some(gain)) => Ok(backward::rms_norm(x, gain, eps)?),
            _ => {
                let (centred, scale) = self.parts(x)?;
                self.affine(&centred.broadcast_div(&scale)?)
            }
        }
    }

    /// candle's own.
    #[expect(clippy::cast_possible_truncation, reason = "eps is a small constant; the fused operations take f32")]
    fn apply_fused(&self, x: &Tensor) -> Result<Tensor> {
        let constant = |given: &Option<Tensor>, value: f64| match given {
            Some(given) => Ok(given.clone()),
            None => Tensor::full(value as f32, x.dim(D::Minus1)?, x.device())?.to_dtype(DType::F32),
        };
        let gain = constant(&self.gain, 1.0)?;
        Ok(match self.norm {
            Norm::Layer { eps } => ops::layer_norm(x, &gain, &constant(&self.bias, 0.0)?, eps as f32)?,
            Norm::Rms { eps } => ops::rms_norm(x, &gain, eps as f32)?,
        })
    }

    /// The instructions by which our own kernel normalises `x`, if it does.
    fn kernel_for(&self, x: &Tensor) -> Option<Isa> {
        let is_ours = self.kernels == Kernels::Fused && x.dtype() == DType::F32 && x.device().is_cpu();
        Isa::best().filter(|_| is_ours)
    }

    #[expect(clippy::cast_possible_truncation, reason = "eps is a small constant")]
    fn by_kernel<R>(&self, work: impl FnOnce(norm::Norm<'_>) -> R) -> Result<R> {
        let (gain, bias) = (self.gain.as_ref().map(held), self.bias.as_ref().map(held));
        let gain = gain.as_ref().map(|gain| gain.floats()).transpose()?;
        let bias = bias.as_ref().map(|bias| bias.floats()).transpose()?;
        let centres = if self.centres() { Centring::Mean } else { Centring::None };
        Ok(work(norm::Norm { centres, eps: self.norm.eps() as f32, gain, bias }))
    }

    /// What `x` is divided by, `[.., 1]`, and `x` normalised before gain and bias, `[.., d_model]`; both in f32 at least.
    fn seen(&self, x: &Tensor) -> Result<[Tensor; 2]> {
        let Some(isa) = self.kernel_for(x) else {
            let (centred, scale) = self.parts(&widened(x)?)?;
            let normalized = centred.broadcast_div(&scale)?;
            return Ok([scale, normalized]);
        };
        let x = x.contiguous()?;
        let (values, width) = (held(&x), x.dim(D::Minus1)?);
        let values = values.floats()?;
        let (scales, normalized) = self.by_kernel(|norm| {
            let plain = norm::Norm { gain: None, bias: None, ..norm };
            (norm::scales(values, width, plain, isa), norm::normalise(values, width, plain, isa))
        })?;
        let mut shape = x.dims().to_vec();
        shape.pop();
        shape.push(1);
        Ok([Tensor::from_vec(scales, shape, x.device())?, Tensor::from_vec(normalized, x.shape(), x.device())?])
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
        let scaled = match &self.gain {
            Some(gain) => normalized.broadcast_mul(&gain.to_dtype(normalized.dtype())?)?,
            None => normalized.clone(),
        };
        Ok(match &self.bias {
            Some(bias) => scaled.broadcast_add(&bias.to_dtype(scaled.dtype())?)?,
            None => scaled,
        })
    }
}
