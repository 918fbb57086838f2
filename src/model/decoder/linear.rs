//! A matrix to multiply with, dense or as its file stores it.

use std::ops::Range;
use std::sync::Arc;

use candle_core::quantized::QMatMul;
use candle_core::{DType, Device, Module, Tensor};

use super::product::product;
use super::stored::packed_rows;
use super::{Stored, backward, packed};
use crate::model::Result;
use crate::model::kernel::{Input, Isa, Matrix};

/// `x W^T + b`, with `W` `[out, in]`; a clone shares the numbers.
#[derive(Clone)]
pub struct Linear {
    weight: Weight,
    bias: Option<Tensor>,
}

#[derive(Clone)]
enum Weight {
    Dense(Tensor),
    /// By our own kernels.
    Packed(Arc<Matrix>, Input),
    /// candle's quantised product: it rounds the activations as well (`--fast` only).
    Quantised(QMatMul),
    /// Becomes numbers for each product, some rows after the other.
    OnDemand(Stored),
}

impl Linear {
    /// A dense matrix `[out, in]` and an optional bias `[out]`.
    pub(crate) const fn dense(weight: Tensor, bias: Option<Tensor>) -> Self {
        Self { weight: Weight::Dense(weight), bias }
    }

    /// A matrix `[out, in]` that kernels read, and an optional bias `[out]` in f32.
    pub(crate) const fn packed(weight: Arc<Matrix>, input: Input, bias: Option<Tensor>) -> Self {
        Self { weight: Weight::Packed(weight, input), bias }
    }

    /// A quantised matrix `[out, in]` that is multiplied as it is, and an optional bias `[out]`.
    pub(crate) fn quantised(weight: &Stored, bias: Option<Tensor>) -> Result<Self> {
        Ok(Self { weight: Weight::Quantised(QMatMul::from_arc(weight.tensor().clone())?), bias })
    }

    /// A matrix `[out, in]` that is dequantised whenever it is used, and an optional bias `[out]`.
    pub(crate) const fn on_demand(weight: Stored, bias: Option<Tensor>) -> Self {
        Self { weight: Weight::OnDemand(weight), bias }
    }

    /// Whether gradients flow through it.
    pub(super) fn is_differentiable(&self) -> bool {
        match &self.weight {
            Weight::Quantised(_) => false,
            Weight::Packed(matrix, input) => !matrix.rounds(*input),
            Weight::Dense(_) | Weight::OnDemand(_) => true,
        }
    }

    /// Whether a row gets the same bits however many are beside it.
    pub(super) const fn is_packed(&self) -> bool {
        matches!(self.weight, Weight::Packed(..))
    }

    /// The matrix, bias and form of the input, if our own kernels multiply with it.
    pub(super) fn as_packed(&self) -> Option<packed::Part<'_>> {
        match &self.weight {
            Weight::Packed(matrix, input) => Some((matrix, self.bias.as_ref(), *input)),
            Weight::Dense(_) | Weight::Quantised(_) | Weight::OnDemand(_) => None,
        }
    }

    /// `x` `[.., in]` to `[.., out]` of each, at once where kernels can.
    pub(super) fn forward_all<const N: usize>(these: [&Self; N], x: &Tensor) -> Result<[Tensor; N]> {
        let all: Vec<_> = these.iter().filter_map(|one| one.as_packed()).collect();
        if all.len() < N || x.track_op() || !packed::are_alike(&all) {
            let each: Vec<Tensor> = these.into_iter().map(|one| one.forward(x)).collect::<Result<_>>()?;
            return Ok(in_array(each));
        }
        Ok(in_array(packed::multiply(x, &all)?))
    }

    /// `x` `[.., in]` to `[.., out]`.
    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let product = match &self.weight {
            Weight::Packed(weight, input) if !x.track_op() => {
                let [product] = in_array(packed::multiply(x, &[(weight, self.bias.as_ref(), *input)])?);
                return Ok(product);
            }
            Weight::Packed(weight, input) => by_rows(x, |x| packed::differentiable(x, weight, *input))?,
            Weight::Quantised(weight) => weight.forward(x)?,
            Weight::Dense(weight) => by_rows(x, |x| dense(x, weight))?,
            Weight::OnDemand(weight) if x.track_op() => by_rows(x, |x| differentiable_on_demand(x, weight))?,
            Weight::OnDemand(weight) => by_rows(x, |x| on_demand(x, weight, BLOCK_BYTES))?,
        };
        Ok(match &self.bias {
            Some(bias) => product.broadcast_add(bias)?,
            None => product,
        })
    }

    /// `W` `[out, in]` in f32.
    pub(super) fn dequantised(&self) -> Result<Tensor> {
        let weight = match &self.weight {
            Weight::Dense(weight) => weight.clone(),
            Weight::Packed(weight, _) => packed::dense(weight)?,
            Weight::Quantised(QMatMul::QTensor(weight)) => weight.dequantize(&weight.device())?,
            Weight::Quantised(QMatMul::Tensor(weight) | QMatMul::TensorF16(weight)) => weight.clone(),
            Weight::OnDemand(weight) => weight.dense()?,
        };
        Ok(weight.to_dtype(DType::F32)?)
    }

    /// `b` `[out]`.
    pub(super) const fn bias(&self) -> Option<&Tensor> {
        self.bias.as_ref()
    }

    /// Rows of `W` in f32: `[ids, in]`.
    pub(super) fn rows(&self, ids: &[u32]) -> Result<Tensor> {
        let wanted = ids;
        let ids = Tensor::new(ids, &Device::Cpu)?;
        let rows = match &self.weight {
            Weight::Dense(weight) => weight.index_select(&ids, 0)?,
            Weight::Packed(weight, _) => packed_rows(weight, wanted)?,
            Weight::Quantised(QMatMul::QTensor(weight)) => Stored::new(weight.clone()).gather(&ids)?,
            Weight::Quantised(QMatMul::Tensor(weight) | QMatMul::TensorF16(weight)) => weight.index_select(&ids, 0)?,
            Weight::OnDemand(weight) => weight.gather(&ids)?,
        };
        Ok(rows.to_dtype(DType::F32)?)
    }

    /// Directions of the input, `[n, in]`, for directions of the output, `[n, out]`, in f32: their product with `W`.
    pub(super) fn pull_back(&self, directions: &Tensor) -> Result<Tensor> {
        Ok(directions.matmul(&self.dequantised()?)?)
    }

    /// What each head's part of the input contributes: `z` `[batch, pos, head, d_head]` to
    /// `[batch, pos, head, out]`, without the bias.
    pub(super) fn per_head(&self, z: &Tensor) -> Result<Tensor> {
        let (batch, n_pos, n_heads, d_head) = z.dims4()?;
        let weight = self.dequantised()?.to_dtype(z.dtype())?;
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

/// As many tensors as there were matrices.
fn in_array<const N: usize>(tensors: Vec<Tensor>) -> [Tensor; N] {
    let mut tensors = tensors.into_iter();
    std::array::from_fn(|_| tensors.next().unwrap_or_else(|| unreachable!("a product for each matrix")))
}

/// `x` `[row, in]` times the transpose of `weight` `[out, in]`.
fn dense(x: &Tensor, weight: &Tensor) -> Result<Tensor> {
    // candle's backward pass of a product copies the transpose, and computes the gradient of a weight that nobody trains
    Ok(match (weight.is_variable(), x.track_op()) {
        (true, _) => backward::linear(x, weight)?,
        (false, true) => backward::frozen_linear(x, weight)?,
        (false, false) => product(x, weight)?,
    })
}

/// A product of `x` `[.., in]` as a matrix of rows: `[.., out]`.
fn by_rows(x: &Tensor, product: impl FnOnce(&Tensor) -> Result<Tensor>) -> Result<Tensor> {
    let mut shape = x.dims().to_vec();
    let rows = x.elem_count() / shape[shape.len() - 1];
    let flat = product(&x.reshape((rows, ()))?)?;
    if let Some(last) = shape.last_mut() {
        *last = flat.dim(1)?;
    }
    Ok(flat.reshape(shape)?)
}

/// What rows of a matrix that are dequantised together may take in f32.
const BLOCK_BYTES: usize = 16 << 20;
/// Up to 256 elements of a result are computed by another kernel, which adds up in another order: blocks are longer.
const BLOCK_ROWS: usize = 512;

/// How many rows of `n_in` numbers are dequantised together; the last block may be as much as [`BLOCK_ROWS`] longer.
const fn block_rows(n_in: usize, block_bytes: usize) -> usize {
    let n_in = if n_in == 0 { 1 } else { n_in };
    let rows = block_bytes / (4 * n_in) / BLOCK_ROWS * BLOCK_ROWS;
    if rows == 0 { BLOCK_ROWS } else { rows }
}

/// Bytes that a product with a matrix `[out, in]` that is dequantised on demand takes besides it: rows of a block, in
/// parts and joined.
pub(crate) fn bytes_at_work(n_out: usize, n_in: usize) -> u64 {
    let rows = n_out.min(block_rows(n_in, BLOCK_BYTES) + BLOCK_ROWS);
    2 * 4 * rows as u64 * n_in as u64
}

/// The rows of a matrix `[out, in]` that are dequantised together.
fn blocks(weight: &Stored, block_bytes: usize) -> Result<Vec<Range<usize>>> {
    let (n_out, n_in) = weight.dims()?;
    let block = block_rows(n_in, block_bytes);
    let mut blocks = Vec::new();
    let mut first = 0;
    while first < n_out {
        // the rest joins the last block if it is short
        let end = if n_out - first < block + BLOCK_ROWS { n_out } else { first + block };
        blocks.push(first..end);
        first = end;
    }
    Ok(blocks)
}

/// `x` `[row, in]` times the transpose of `weight` `[out, in]`, of which so many bytes are dequantised at a time. An
/// element of the result is summed up in the same order whatever else is computed beside it.
fn on_demand(x: &Tensor, weight: &Stored, block_bytes: usize) -> Result<Tensor> {
    let part = |rows: Range<usize>| {
        let numbers = weight.rows(rows)?;
        match Isa::best().filter(|_| x.dtype() == DType::F32) {
            Some(isa) => packed::once(x, &numbers, isa),
            None => Ok(product(x, &numbers.to_dtype(x.dtype())?)?),
        }
    };
    let products = blocks(weight, block_bytes)?.into_iter().map(part).collect::<Result<Vec<_>>>()?;
    Ok(match &products[..] {
        [one] => one.clone(),
        several => Tensor::cat(several, 1)?,
    })
}

/// The same in f32, dequantised once more on the way back: a graph that kept the numbers would keep those of all blocks.
fn differentiable_on_demand(x: &Tensor, weight: &Stored) -> Result<Tensor> {
    let run = |x: &Tensor| on_demand(x, weight, BLOCK_BYTES);
    let back = weight.clone();
    let back = move |grad: &Tensor| {
        let mut sum: Option<Tensor> = None;
        for rows in blocks(&back, BLOCK_BYTES)? {
            let part = grad.narrow(1, rows.start, rows.len())?.contiguous()?.matmul(&back.rows(rows)?)?;
            sum = Some(sum.map_or(Ok(part.clone()), |sum| sum + &part)?);
        }
        Ok(sum.map_or_else(|| grad.zeros_like(), Ok)?)
    };
    Ok(backward::linear_map(x, &run(&x.detach())?, back)?)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use candle_core::quantized::{GgmlDType, QTensor};

    use super::*;
    use crate::noise::normal;

    /// What is not on demand.
    fn at_once(x: &Tensor, weight: &Tensor) -> Tensor {
        match Isa::best() {
            Some(isa) => packed::once(x, weight, isa).unwrap(),
            None => x.matmul(&weight.t().unwrap()).unwrap(),
        }
    }

    #[test]
    fn a_product_in_blocks_is_the_same_bit_for_bit() {
        for (n_out, n_in) in [(1100, 64), (2047, 576), (1537, 1536), (3, 256)] {
            let weight = normal(1, (n_out, n_in));
            let stored = Stored::new(Arc::new(QTensor::quantize(&weight, GgmlDType::Q8_0).unwrap()));
            for n_rows in [1, 2, 5, 33] {
                let x = normal(2, (n_rows, n_in));
                let whole = at_once(&x, &stored.dense().unwrap());
                for rows in [1, 512, 1024] {
                    let blocks = on_demand(&x, &stored, 4 * n_in * rows).unwrap();
                    let same = blocks.to_vec2::<f32>().unwrap() == whole.to_vec2::<f32>().unwrap();
                    assert!(same, "{n_out} {n_rows} {rows}");
                }
            }
        }
    }
}
