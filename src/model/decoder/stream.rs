//! The residual stream between two sublayers.
//!
//! What the last sublayer wrote is added where the stream is read next: by the norm on its way, or before someone looks.

use candle_core::Tensor;

use crate::model::Result;

/// The residual stream, `[batch, pos, d_model]`.
pub(super) enum Stream {
    Whole(Tensor),
    /// The stream, and what is still to be added to it.
    Sum(Tensor, Tensor),
}

impl Stream {
    /// With everything added.
    pub(super) fn whole(self) -> Result<Tensor> {
        match self {
            Self::Whole(x) => Ok(x),
            Self::Sum(x, added) => Ok((x + added)?),
        }
    }
}
