//! The MLP, plain or gated.

use candle_core::Tensor;

use super::block::Step;
use super::{Kernels, Linear, Parameters, backward};
use crate::hook::Site;
use crate::model::{Activation, Bias, DecoderConfig, Mlp, Param, ParamId, Result};

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
        let mut linear = |weight, bias| {
            let bias = (cfg.mlp_bias == Bias::All).then_some(ParamId::block(layer, bias));
            params.linear(ParamId::block(layer, weight), bias)
        };
        let gate = match cfg.mlp {
            Mlp::Gated(_) => Some(linear(Param::Gate, Param::GateBias)?),
            Mlp::Plain(_) => None,
        };
        let w_in = linear(Param::In, Param::InBias)?;
        let w_out = linear(Param::Out, Param::OutBias)?;
        Ok(Self { activation: cfg.mlp.activation(), kernels, gate, w_in, w_out })
    }

    /// `x` and the result: `[batch, pos, d_model]`.
    pub(super) fn forward(&self, x: &Tensor, step: &mut Step<'_>) -> Result<Tensor> {
        let post = match &self.gate {
            Some(gate) => {
                let pre = step.tap(Site::MlpPre, gate.forward(x)?)?; // [batch, pos, d_mlp]
                let linear = step.tap(Site::MlpPreLinear, self.w_in.forward(x)?)?;
                match (self.kernels, self.activation) {
                    (Kernels::Differentiable, Activation::Silu) => backward::swiglu(&pre, &linear)?,
                    _ => (self.activate(&pre)? * linear)?,
                }
            }
            None => {
                let pre = step.tap(Site::MlpPre, self.w_in.forward(x)?)?;
                self.activate(&pre)?
            }
        };
        let post = step.tap(Site::MlpPost, post)?;
        self.w_out.forward(&post)
    }

    fn activate(&self, x: &Tensor) -> Result<Tensor> {
        Ok(match self.activation {
            Activation::Silu => x.silu()?,
            Activation::Gelu => x.gelu_erf()?,
            Activation::GeluTanh => x.gelu()?,
            Activation::Relu => x.relu()?,
        })
    }
}
