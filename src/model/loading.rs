//! How a model is loaded: what is asked for, who watches, and what stops it.

use std::sync::{Mutex, PoisonError};

use super::checkpoint::Arithmetic;
use super::decoder::Kernels;
use super::load::LoadError;
use super::{CancelToken, Dtype};

/// What of loading is open to choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LoadOptions {
    /// What is done with quantised weights.
    pub arithmetic: Arithmetic,
    /// Whether gradients flow.
    pub kernels: Kernels,
    /// What weights and activations are computed in.
    pub dtype: Dtype,
    /// Bytes that the weights may take; without it, what is free.
    pub max_memory: Option<u64>,
}

impl From<Arithmetic> for LoadOptions {
    fn from(arithmetic: Arithmetic) -> Self {
        Self { arithmetic, ..Self::default() }
    }
}

impl From<Dtype> for LoadOptions {
    fn from(dtype: Dtype) -> Self {
        Self { dtype, ..Self::default() }
    }
}

impl From<Kernels> for LoadOptions {
    fn from(kernels: Kernels) -> Self {
        Self { kernels, ..Self::default() }
    }
}

/// One act of loading.
pub struct Loading<'a> {
    /// What is asked for.
    pub options: LoadOptions,
    /// Stops it before the next tensor.
    pub cancel: CancelToken,
    /// Told the bytes of the file that were read and all of them, after every tensor; must return soon.
    pub progress: &'a (dyn Fn(u64, u64) + Sync),
}

impl Loading<'_> {
    /// Nobody watches, and nothing stops it.
    pub fn unwatched(options: impl Into<LoadOptions>) -> Self {
        Self { options: options.into(), cancel: CancelToken::default(), progress: &|_, _| () }
    }

    /// [`LoadError::Cancelled`] once it is to stop.
    pub(super) fn check(&self) -> Result<(), LoadError> {
        if self.cancel.is_cancelled() { Err(LoadError::Cancelled) } else { Ok(()) }
    }
}

/// Adds up what several threads have read.
pub(super) struct Meter<'a> {
    loading: &'a Loading<'a>,
    total: u64,
    done: Mutex<u64>,
}

impl<'a> Meter<'a> {
    /// A meter that ends at `total`.
    pub(super) const fn new(loading: &'a Loading<'a>, total: u64) -> Self {
        Self { loading, total, done: Mutex::new(0) }
    }

    /// So many bytes more were read. The lock is held while it is told, so that what is told only grows.
    pub(super) fn add(&self, bytes: u64) {
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        *done += bytes;
        (self.loading.progress)(*done, self.total);
    }
}
