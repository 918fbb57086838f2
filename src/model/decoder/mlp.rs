//! The MLP, plain or gated.

use candle_core::{DType, Tensor};

use super::block::Step;
use super::{Kernels, Linear, Parameters, backward, gate};
use crate::hook::Site;
use crate::model::{Activation, DecoderConfig, Mlp, Param, ParamId, Result};

pub(super) struct MlpLayer {
    activation: Activation,
    kernels: Kernels,
    gate: Option<Linear>,
    w_in: Linear,
    w_out: Linear,
}

impl MlpLayer {
    pub(super) fn new(
        cfg: &DecoderConfig,
        layer: usize,
        params: &mut dyn Parameters,
        kernels: Kernels,
    ) -> Result<Self> {
        let (reads, writes) = (cfg.mlp_bias.reads(), cfg.mlp_bias.writes());
        let mut linear = |weight, bias, has_bias: bool| {
            let bias = has_bias.then_some(ParamId::block(layer, bias));
            params.linear(ParamId::block(layer, weight), bias)
        };
        let gate = match cfg.mlp {
            Mlp::Gated(_) => Some(linear(Param::Gate, Param::GateBias, reads)?),
            Mlp::Plain(_) => None,
        };
        let w_in = linear(Param::In, Param::InBias, reads)?;
        let w_out = linear(Param::Out, Param::OutBias, writes)?;
        Ok(Self { activation: cfg.mlp.activation(), kernels, gate, w_in, w_out })
    }

    /// The output projection.
    pub(super) const fn output(&self) -> &Linear {
        &self.w_out
    }

    /// `x` and the result: `[batch, pos, d_model]`.
    pub(super) fn forward(&self, x: &Tensor, step: &mut Step<'_>) -> Result<Tensor> {
        let post = match &self.gate {
            Some(gate) => {
                let [pre, linear] = Linear::forward_all([gate, &self.w_in], x)?;
                let pre = step.tap(Site::MlpPre, pre)?; // [batch, pos, d_mlp]
                let linear = step.tap(Site::MlpPreLinear, linear)?;
                gated(self.activation, self.kernels, &pre, &linear)?
            }
            None => {
                let pre = step.tap(Site::MlpPre, self.w_in.forward(x)?)?;
                activate(self.activation, &pre)?
            }
        };
        let post = step.tap(Site::MlpPost, post)?;
        self.w_out.forward(&post)
    }
}

/// `act(pre) * linear`.
pub(super) fn gated(activation: Activation, kernels: Kernels, pre: &Tensor, linear: &Tensor) -> Result<Tensor> {
    Ok(match (kernels, activation) {
        (Kernels::Differentiable, Activation::Silu) => backward::swiglu(pre, linear)?,
        (Kernels::Fused, Activation::Silu) if pre.dtype() == DType::F32 => gate::swiglu(pre, linear)?,
        _ => (activate(activation, pre)? * linear)?,
    })
}

fn activate(activation: Activation, x: &Tensor) -> Result<Tensor> {
    Ok(match activation {
        Activation::Silu => x.silu()?,
        Activation::Gelu => x.gelu_erf()?,
        Activation::GeluTanh => x.gelu()?,
        Activation::QuickGelu => (candle_nn::ops::sigmoid(&(x * 1.702)?)? * x)?,
        Activation::Relu => x.relu()?,
        Activation::Relu2 => x.relu()?.sqr()?,
    })
}
