//! WHAT WAS SEEN: the activations of one forward pass, under their hook names.
//!
//! A [`TracePlan`] says what to keep and what that costs before anything runs; a [`Recorder`] keeps it; a [`Trace`]
//! is what lenses read. Nothing here draws conclusions.

mod attribution_patching;
mod gradient;
mod plan;
mod record;
mod store;

use std::collections::BTreeMap;

use candle_core::Tensor;

pub use self::attribution_patching::{PatchEstimates, estimate_patches};
pub use self::gradient::{Gradients, Metric, Quantity};
pub use self::plan::TracePlan;
pub use self::record::Recorder;
pub use self::store::{StoreError, save};
use crate::hook::{Error as HookError, HookPoint};
use crate::model::logits::read_rows;
use crate::model::{CausalLm, Result, Tap, ids_tensor};

/// The recorded activations of one prompt.
#[derive(Debug, Clone)]
pub struct Trace {
    /// The tokens.
    pub ids: Vec<u32>,
    /// Activations by hook, in f32 and without the batch axis.
    pub activations: BTreeMap<HookPoint, Tensor>,
    /// Next-token logits at every position, `[pos, d_vocab]`.
    pub logits: Tensor,
}

/// A trace that lacks something, or holds something that is not a number.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// The hook was not recorded.
    #[error("hook `{at}` was not recorded")]
    NotRecorded {
        /// The hook.
        at: HookPoint,
    },
    /// A NaN: the model file is damaged or its arithmetic overflowed.
    #[error("`{at}` contains a value that is not a number")]
    NotANumber {
        /// The hook, or `logits`.
        at: String,
    },
    /// The hook does not exist.
    #[error(transparent)]
    Hook(#[from] HookError),
    /// The model could not be run.
    #[error(transparent)]
    Model(#[from] crate::model::Error),
    /// A tensor operation failed.
    #[error("a tensor operation failed")]
    Tensor(#[from] candle_core::Error),
}

impl Trace {
    /// Runs `ids` through the model without a cache and keeps what `plan` asks for.
    ///
    /// `tap` sees every hook before the recorder does: a cancel token, or interventions.
    pub fn record(lm: &dyn CausalLm, ids: &[u32], plan: &TracePlan, tap: &mut dyn Tap) -> Result<Self> {
        let mut recorder = Recorder::new(plan);
        let hidden = lm.forward(&ids_tensor(ids)?, &mut lm.new_cache(), &mut (tap, &mut recorder))?;
        let logits = lm.logits(&hidden)?.squeeze(0)?;
        Ok(Self { ids: ids.to_vec(), activations: recorder.into_activations(), logits })
    }

    /// A recorded activation.
    pub fn get(&self, at: HookPoint) -> Result<&Tensor, TraceError> {
        self.activations.get(&at).ok_or(TraceError::NotRecorded { at })
    }

    /// Next-token logits after `position`, `[d_vocab]`.
    pub fn logits_at(&self, position: usize) -> Result<Vec<f32>, TraceError> {
        Ok(self.logits.get(position)?.to_vec1()?)
    }

    /// Finds the first place where a NaN was born. Infinities are only allowed in masked scores.
    pub fn check_finite(&self) -> Result<(), TraceError> {
        let logits = std::iter::once(("logits".to_owned(), &self.logits));
        let hooks = self.activations.iter().map(|(at, tensor)| (at.to_string(), tensor));
        for (at, tensor) in hooks.chain(logits) {
            let n_rows = tensor.dims().split_last().map_or(1, |(_, rows)| rows.iter().product());
            let is_damaged = |_, row: &[f32]| row.iter().fold(false, |any, x| any | x.is_nan());
            if read_rows(tensor, n_rows, is_damaged)?.contains(&true) {
                return Err(TraceError::NotANumber { at });
            }
        }
        Ok(())
    }
}
