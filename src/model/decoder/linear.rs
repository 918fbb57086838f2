//! A matrix to multiply with, dense or still quantised.

use std::sync::Arc;

use candle_core::quantized::{QMatMul, QTensor};
use candle_core::{Module, Tensor};

use super::backward;
use crate::model::Result;

/// `x W^T + b`, with `W` `[out, in]`; a clone shares the numbers.
#[derive(Clone)]
pub struct Linear {
    weight: Weight,
    bias: Option<Tensor>,
}

#[derive(Clone)]
enum Weight {
    Dense(Tensor),
    /// candle's quantised product: it rounds the activations as well (`--fast` only).
    Quantised(QMatMul),
}

impl Linear {
    /// A dense matrix `[out, in]` and an optional bias `[out]`.
    pub(crate) const fn dense(weight: Tensor, bias: Option<Tensor>) -> Self {
        Self { weight: Weight::Dense(weight), bias }
    }

    /// A quantised matrix `[out, in]` and an optional bias `[out]`.
    pub(crate) fn quantised(weight: Arc<QTensor>, bias: Option<Tensor>) -> Result<Self> {
        Ok(Self { weight: Weight::Quantised(QMatMul::from_arc(weight)?), bias })
    }

    /// Whether gradients flow through it.
    pub(super) const fn is_differentiable(&self) -> bool {
        matches!(self.weight, Weight::Dense(_))
    }

    /// `x` `[.., in]` to `[.., out]`.
    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let product = match &self.weight {
            Weight::Quantised(weight) => weight.forward(x)?,
            Weight::Dense(weight) => {
                let mut shape = x.dims().to_vec();
                let rows = x.elem_count() / shape[shape.len() - 1];
                let flat = x.reshape((rows, ()))?;
                // candle's backward pass of a product copies the transpose, and computes the gradient of a weight that
                // nobody trains
                let flat = match (weight.is_variable(), flat.track_op()) {
                    (true, _) => backward::linear(&flat, weight)?,
                    (false, true) => backward::frozen_linear(&flat, weight)?,
                    (false, false) => flat.matmul(&weight.t()?)?,
                };
                if let Some(last) = shape.last_mut() {
                    *last = weight.dim(0)?;
                }
                flat.reshape(shape)?
            }
        };
        Ok(match &self.bias {
            Some(bias) => product.broadcast_add(bias)?,
            None => product,
        })
    }

    /// `W` `[out, in]` in f32.
    pub(super) fn dequantised(&self) -> Result<Tensor> {
        Ok(match &self.weight {
            Weight::Dense(weight) => weight.clone(),
            Weight::Quantised(QMatMul::QTensor(weight)) => weight.dequantize(&weight.device())?,
            Weight::Quantised(QMatMul::Tensor(weight) | QMatMul::TensorF16(weight)) => weight.clone(),
        })
    }

    /// `b` `[out]`.
    pub(super) const fn bias(&self) -> Option<&Tensor> {
        self.bias.as_ref()
    }

    /// Rows of `W`: `[ids, in]`.
    pub(super) fn rows(&self, ids: &[u32]) -> Result<Tensor> {
        let weight = self.dequantised()?;
        Ok(weight.index_select(&Tensor::new(ids, weight.device())?, 0)?)
    }

    /// Directions of the input, `[n, in]`, for directions of the output, `[n, out]`: their product with `W`.
    pub(super) fn pull_back(&self, directions: &Tensor) -> Result<Tensor> {
        Ok(directions.matmul(&self.dequantised()?)?)
    }

    /// What each head's part of the input contributes: `z` `[batch, pos, head, d_head]` to
    /// `[batch, pos, head, out]`, without the bias.
    pub(super) fn per_head(&self, z: &Tensor) -> Result<Tensor> {
        let (batch, n_pos, n_heads, d_head) = z.dims4()?;
        let weight = self.dequantised()?;
        let out = weight.dim(0)?;
        // [out, head * d_head] -> [head, d_head, out]
        let by_head = weight.t()?.reshape((n_heads, d_head, out))?;
        let z = z.reshape((batch * n_pos, n_heads, d_head))?.transpose(0, 1)?.contiguous()?;
        let result = z.matmul(&by_head)?.transpose(0, 1)?; // [batch * pos, head, out]
        Ok(result.reshape((batch, n_pos, n_heads, out))?)
    }

    /// Adds up heads that a tap has replaced: `result` `[batch, pos, head, out]` to `[batch, pos, out]`.
    pub(super) fn sum_heads(&self, result: &Tensor) -> Result<Tensor> {
        let sum = result.sum(2)?;
        Ok(match &self.bias {
            Some(bias) => sum.broadcast_add(bias)?,
            None => sum,
        })
    }
}
