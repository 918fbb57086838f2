//! Stops a running forward pass at its next sublayer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use candle_core::Tensor;

use super::{Error, Result, Tap};
use crate::hook::{HookPoint, Site};

/// A flag that several threads share; once set, every forward pass it taps returns [`Error::Cancelled`].
#[derive(Debug, Clone, Default)]
pub struct CancelToken(Arc<AtomicBool>);

impl CancelToken {
    /// Asks the work that holds a clone of this token to stop.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether [`cancel`](Self::cancel) was called.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// `Err(Error::Cancelled)` once cancelled: for loops between forward passes.
    pub fn check(&self) -> Result<()> {
        if self.is_cancelled() { Err(Error::Cancelled) } else { Ok(()) }
    }
}

impl Tap for CancelToken {
    fn wants(&self, at: HookPoint) -> bool {
        matches!(at.site(), Site::AttnOut | Site::MlpOut)
    }

    fn visit(&mut self, _: HookPoint, x: Tensor) -> Result<Tensor> {
        self.check()?;
        Ok(x)
    }
}
