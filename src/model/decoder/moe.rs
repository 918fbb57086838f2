//! A mixture of experts: a router sends each token to a few gated MLPs (Shazeer et al. 2017).

use candle_core::{D, DType, Tensor};
use candle_nn::ops;

use super::block::Step;
use super::mlp::gated;
use super::{Kernels, Linear, Parameters};
use crate::hook::Site;
use crate::model::dtype::widened;
use crate::model::{Activation, DecoderConfig, ExpertWeights, Experts, Param, ParamId, Result};

pub(super) struct Mixture {
    axes: Experts,
    router: Linear,
    experts: Vec<Expert>,
    shared: Option<(Linear, Expert)>,
}

struct Expert {
    activation: Activation,
    kernels: Kernels,
    gate: Linear,
    w_in: Linear,
    w_out: Linear,
}

impl Expert {
    /// `x` and the result: `[token, d_model]`.
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let post = gated(self.activation, self.kernels, &self.gate.forward(x)?, &self.w_in.forward(x)?)?;
        self.w_out.forward(&post)
    }
}

impl Mixture {
    pub(super) fn new(
        cfg: &DecoderConfig,
        axes: Experts,
        layer: usize,
        params: &mut dyn Parameters,
        kernels: Kernels,
    ) -> Result<Self> {
        let activation = cfg.mlp.activation();
        let mut linear = |param| params.linear(ParamId::block(layer, param), None);
        let mut expert = |[gate, w_in, w_out]: [Param; 3]| -> Result<Expert> {
            let (gate, w_in, w_out) = (linear(gate)?, linear(w_in)?, linear(w_out)?);
            Ok(Expert { activation, kernels, gate, w_in, w_out })
        };
        let numbers = (0..axes.n).filter_map(|number| u16::try_from(number).ok());
        let experts = numbers
            .map(|n| expert([Param::ExpertGate(n), Param::ExpertIn(n), Param::ExpertOut(n)]))
            .collect::<Result<_>>()?;
        let shared = axes.d_shared.map(|_| expert([Param::SharedGate, Param::SharedIn, Param::SharedOut]));
        let shared = shared.transpose()?;
        let router = linear(Param::Router)?;
        let shared = shared.map(|expert| Ok::<_, crate::model::Error>((linear(Param::SharedRouter)?, expert)));
        Ok(Self { axes, router, experts, shared: shared.transpose()? })
    }

    /// `x` and the result: `[batch, pos, d_model]`.
    pub(super) fn forward(&self, x: &Tensor, step: &mut Step<'_>) -> Result<Tensor> {
        let logits = step.tap(Site::RouterLogits, self.router.forward(x)?)?; // [batch, pos, expert]
        let flat = x.flatten_to(1)?; // [token, d_model]
        let weights = self.weights(&logits.flatten_to(1)?)?; // [token, expert]
        let mut sum = self.routed(&flat, &weights)?;
        if let Some((router, expert)) = &self.shared {
            let share = ops::sigmoid(&router.forward(&flat)?)?; // [token, 1]
            sum = (sum + expert.forward(&flat)?.broadcast_mul(&share)?)?;
        }
        Ok(sum.reshape(x.shape())?)
    }

    /// The weight of each expert for each token, 0 for those it is not sent to: `[token, expert]`.
    fn weights(&self, logits: &Tensor) -> Result<Tensor> {
        let probs = ops::softmax(&widened(logits)?, D::Minus1)?;
        let chosen = chosen(&probs.to_dtype(DType::F32)?.to_vec2()?, self.axes.n_active);
        let kept = (&probs * Tensor::new(chosen, probs.device())?.to_dtype(probs.dtype())?)?;
        let weights = match self.axes.weights {
            ExpertWeights::Probability => kept,
            ExpertWeights::Renormalised => kept.broadcast_div(&kept.sum_keepdim(D::Minus1)?)?,
        };
        Ok(weights.to_dtype(logits.dtype())?)
    }

    /// The weighted sum of the experts, each of which sees only its own tokens: `[token, d_model]`.
    fn routed(&self, x: &Tensor, weights: &Tensor) -> Result<Tensor> {
        let mut sum = x.zeros_like()?;
        for (number, expert) in self.experts.iter().enumerate() {
            let weight = weights.narrow(1, number, 1)?.contiguous()?; // [token, 1]
            let tokens: Vec<u32> = (0..)
                .zip(weight.flatten_all()?.to_dtype(DType::F32)?.to_vec1::<f32>()?)
                .filter_map(|(token, weight)| (weight != 0.0).then_some(token))
                .collect();
            if tokens.is_empty() {
                continue;
            }
            let rows = Tensor::new(tokens, x.device())?;
            let out = expert.forward(&x.index_select(&rows, 0)?)?;
            sum = sum.index_add(&rows, &out.broadcast_mul(&weight.index_select(&rows, 0)?)?, 0)?;
        }
        Ok(sum)
    }
}

/// 1 for the `n` most probable experts of each token, 0 for the rest; of equals the first.
fn chosen(probs: &[Vec<f32>], n: usize) -> Vec<Vec<f32>> {
    let of_token = |row: &Vec<f32>| {
        let mut order: Vec<usize> = (0..row.len()).collect();
        order.sort_by(|&a, &b| row[b].total_cmp(&row[a]));
        let mut mask = vec![0.0; row.len()];
        for expert in order.into_iter().take(n) {
            mask[expert] = 1.0;
        }
        mask
    };
    probs.iter().map(of_token).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_probable_experts_are_chosen() {
        assert_eq!(chosen(&[vec![0.1, 0.4, 0.3, 0.2], vec![0.25; 4]], 2), [[0., 1., 1., 0.], [1., 1., 0., 0.]]);
    }
}
