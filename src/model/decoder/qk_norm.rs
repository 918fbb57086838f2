//! Normalisation of queries and keys before their scores are computed.

use candle_core::Tensor;

use super::norm::Normalise;
use super::{Kernels, Parameters};
use crate::model::{Affine, DecoderConfig, Param, ParamId, QkNorm, Result};

/// The norm of the queries or that of the keys.
pub(super) struct HeadNorm {
    kind: QkNorm,
    norm: Normalise,
    /// The gain of each head on its own, `[head, d_head]`.
    gains: Option<Tensor>,
}

impl HeadNorm {
    /// The norm whose gain and bias these are, if the decoder has one.
    pub(super) fn new(
        cfg: &DecoderConfig,
        layer: usize,
        [gain, bias]: [Param; 2],
        params: &mut dyn Parameters,
        kernels: Kernels,
    ) -> Result<Option<Self>> {
        let kind = cfg.attention.qk_norm;
        let mut get = |param| params.dense(ParamId::block(layer, param));
        let (gains, gain, bias) = match kind {
            QkNorm::None => return Ok(None),
            QkNorm::PerHead => (Some(get(gain)?), None, None),
            QkNorm::Joint | QkNorm::Shared(Affine::Gain) => (None, Some(get(gain)?), None),
            QkNorm::Shared(Affine::GainBias) => (None, Some(get(gain)?), Some(get(bias)?)),
            QkNorm::Shared(Affine::None) => (None, None, None),
        };
        Ok(Some(Self { kind, norm: Normalise::of(cfg.norm, gain, bias, kernels), gains }))
    }

    /// `x` and the result: `[batch, pos, head, d_head]`.
    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        if self.kind == QkNorm::Joint {
            return Ok(self.norm.apply(&x.flatten_from(2)?)?.reshape(x.shape())?);
        }
        let normed = self.norm.apply(x)?;
        Ok(match &self.gains {
            Some(gains) => normed.broadcast_mul(gains)?,
            None => normed,
        })
    }
}
