//! Gradients at hooks: how a quantity of the logits at one position changes with the activations before it.

use std::collections::BTreeMap;

use candle_core::{D, Tensor, Var};

use super::{TraceError, TracePlan};
use crate::hook::HookPoint;
use crate::model::decoder::Differentiable;
use crate::model::{CausalLm as _, Result, Tap};

/// What is differentiated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    /// The position whose logits it is computed from, 0-based.
    pub position: usize,
    /// How it is computed from them.
    pub quantity: Quantity,
}

/// A number that is computed from the logits at one position. They are the model's own: scaled and soft-capped, if it
/// does so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantity {
    /// A token's logit.
    Logit(u32),
    /// The natural logarithm of a token's probability.
    Logprob(u32),
    /// The first token's logit minus the second's, which is the logarithm of the ratio of their probabilities.
    Difference(u32, u32),
}

impl Quantity {
    /// Its value for each row of `logits` `[batch, d_vocab]`: `[batch]`.
    fn of(self, logits: &Tensor) -> Result<Tensor> {
        let at = |token: u32| logits.narrow(1, token as usize, 1)?.squeeze(1);
        Ok(match self {
            Self::Logit(token) => at(token)?,
            Self::Logprob(token) => (at(token)? - logits.log_sum_exp(D::Minus1)?)?,
            Self::Difference(token, versus) => (at(token)? - at(versus)?)?,
        })
    }
}

impl Metric {
    /// Its value for each sequence, given what the forward pass of all positions returned, `[batch, pos, d_model]`.
    pub fn of(self, lm: &dyn crate::model::CausalLm, hidden: &Tensor) -> Result<Tensor> {
        let logits = lm.logits(&hidden.narrow(1, self.position, 1)?)?.squeeze(1)?;
        self.quantity.of(&logits)
    }
}

/// A metric, and its gradient with respect to activations, from one forward and one backward pass.
///
/// All tensors keep their batch axis: `[batch, ..]`, with the axes of the hook behind it.
#[derive(Debug, Clone)]
pub struct Gradients {
    /// The metric of each sequence.
    pub values: Vec<f64>,
    activations: BTreeMap<HookPoint, Tensor>,
    slopes: BTreeMap<HookPoint, Tensor>,
}

impl Gradients {
    /// Runs `ids` `[batch, pos]` without a cache and goes back to every hook of `plan`.
    ///
    /// `tap` sees every hook first; what it puts there is what is differentiated with respect to.
    pub fn record(
        lm: &Differentiable,
        ids: &Tensor,
        metric: Metric,
        plan: &TracePlan,
        tap: &mut dyn Tap,
    ) -> Result<Self> {
        let lm = lm.decoder();
        let mut probes = Probes { plan, activations: BTreeMap::new(), zeros: BTreeMap::new() };
        let hidden = lm.forward(ids, &mut lm.new_cache(), &mut (tap, &mut probes))?;
        let values = metric.of(lm, &hidden)?;
        let grads = values.sum_all()?.backward()?;
        // a hook that the metric does not depend on has no gradient, which is one of zero
        let gradient = |(at, zero): (&HookPoint, &Var)| match grads.get(zero.as_tensor()) {
            Some(gradient) => Ok((*at, gradient.clone())),
            None => Ok((*at, zero.zeros_like()?)),
        };
        let slopes = probes.zeros.iter().map(gradient).collect::<Result<_>>()?;
        let values = values.to_vec1::<f32>()?.into_iter().map(f64::from).collect();
        Ok(Self { values, activations: probes.activations, slopes })
    }

    /// The gradient at a hook, `[batch, ..]`.
    pub fn gradient(&self, at: HookPoint) -> Result<&Tensor, TraceError> {
        self.slopes.get(&at).ok_or(TraceError::NotRecorded { at })
    }

    /// The activation at a hook, `[batch, ..]`.
    pub fn activation(&self, at: HookPoint) -> Result<&Tensor, TraceError> {
        self.activations.get(&at).ok_or(TraceError::NotRecorded { at })
    }
}

/// Adds a zero at every hook of a plan. candle keeps the gradients of variables only, and a variable in the place of
/// an activation would cut the way to earlier hooks; one that is added does not.
struct Probes<'a> {
    plan: &'a TracePlan,
    activations: BTreeMap<HookPoint, Tensor>,
    zeros: BTreeMap<HookPoint, Var>,
}

impl Tap for Probes<'_> {
    fn wants(&self, at: HookPoint) -> bool {
        self.plan.contains(at)
    }

    fn visit(&mut self, at: HookPoint, x: Tensor) -> Result<Tensor> {
        let zero = Var::zeros(x.shape(), x.dtype(), x.device())?;
        let probed = (&x + zero.as_tensor())?;
        self.activations.insert(at, x.detach());
        self.zeros.insert(at, zero);
        Ok(probed)
    }
}
