//! The pattern of each head, handed on while the model runs: no pattern is kept.

use candle_core::{DType, Tensor};

use crate::hook::{HookPoint, Site};
use crate::model::{Result, Tap};

/// Takes the pattern of one head, `[query][key]`.
pub type TakePattern<'a> = dyn FnMut(&[Vec<f32>]) + 'a;

/// Hands on the pattern of every head, layer by layer.
pub struct EachPattern<'a, 'b> {
    take: &'a mut TakePattern<'b>,
}

impl<'a, 'b> EachPattern<'a, 'b> {
    /// Hands them on to `take`.
    pub fn to(take: &'a mut TakePattern<'b>) -> Self {
        Self { take }
    }
}

impl Tap for EachPattern<'_, '_> {
    fn wants(&self, at: HookPoint) -> bool {
        at.site() == Site::Pattern
    }

    fn visit(&mut self, _: HookPoint, x: Tensor) -> Result<Tensor> {
        let heads = x.squeeze(0)?; // [head, query, key]
        for head in 0..heads.dim(0)? {
            (self.take)(&heads.get(head)?.to_dtype(DType::F32)?.to_vec2::<f32>()?);
        }
        Ok(x)
    }
}
