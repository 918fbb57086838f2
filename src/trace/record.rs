//! The tap that keeps what a plan asks for.

use std::collections::BTreeMap;

use candle_core::{DType, Tensor};

use super::TracePlan;
use crate::hook::HookPoint;
use crate::model::{Result, Tap};

/// Keeps the tensors of a plan's hooks; changes no bit of the forward pass.
pub struct Recorder<'a> {
    plan: &'a TracePlan,
    activations: BTreeMap<HookPoint, Tensor>,
}

impl<'a> Recorder<'a> {
    /// A recorder of one forward pass.
    pub const fn new(plan: &'a TracePlan) -> Self {
        Self { plan, activations: BTreeMap::new() }
    }

    /// What was kept, in f32 and without the batch axis.
    pub fn into_activations(self) -> BTreeMap<HookPoint, Tensor> {
        self.activations
    }
}

impl Tap for Recorder<'_> {
    fn wants(&self, at: HookPoint) -> bool {
        self.plan.contains(at)
    }

    fn visit(&mut self, at: HookPoint, x: Tensor) -> Result<Tensor> {
        self.activations.insert(at, x.squeeze(0)?.to_dtype(DType::F32)?);
        Ok(x)
    }
}
