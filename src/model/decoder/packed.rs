//! Products by our own kernels, from tensors to tensors.

use std::sync::Arc;

use candle_core::{DType, Device, Tensor};

use super::{backward, strands::held};
use crate::model::Result;
use crate::model::kernel::{self, Input, Isa, Matrix, Room};

/// A matrix, its bias and how it is read.
pub(super) type Part<'a> = (&'a Matrix, Option<&'a Tensor>, Input);

/// Whether one input serves them all.
pub(super) fn are_alike(parts: &[Part<'_>]) -> bool {
    parts.iter().all(|(matrix, _, input)| matrix.dims()[1] == parts[0].0.dims()[1] && *input == parts[0].2)
}

/// `x` `[.., in]` times the transpose of each matrix `[out, in]`, plus its bias: `[.., out]` each.
pub(super) fn multiply(x: &Tensor, parts: &[Part<'_>]) -> Result<Vec<Tensor>> {
    let Some(&(first, _, input)) = parts.first() else { return Ok(Vec::new()) };
    let (n_in, mut shape) = (first.dims()[1], x.dims().to_vec());
    if shape.last() != Some(&n_in) {
        let found = shape;
        return Err(candle_core::Error::Msg(format!("an input of {found:?} for rows of {n_in}")).bt().into());
    }
    let dtype = x.dtype();
    let x = x.to_dtype(DType::F32)?.contiguous()?;
    let x = held(&x);
    let biases: Vec<_> = parts.iter().map(|(_, bias, _)| bias.map(held)).collect();
    let mut matrices = Vec::with_capacity(parts.len());
    for ((matrix, ..), bias) in parts.iter().zip(&biases) {
        matrices.push((*matrix, bias.as_ref().map(|bias| bias.floats()).transpose()?));
    }
    let products = kernel::multiply(x.floats()?, &matrices, input);
    let to_tensor = |(product, (matrix, ..)): (Vec<f32>, &Part<'_>)| {
        if let Some(last) = shape.last_mut() {
            *last = matrix.dims()[0];
        }
        Ok(Tensor::from_vec(product, shape.as_slice(), &Device::Cpu)?.to_dtype(dtype)?)
    };
    products.into_iter().zip(parts).map(to_tensor).collect()
}

/// `x` `[row, in]` in f32 times the transpose of a matrix `[out, in]` that is needed once.
pub(super) fn once(x: &Tensor, matrix: &Tensor, isa: Isa) -> Result<Tensor> {
    let (n_out, n_in) = matrix.dims2()?;
    let matrix = matrix.contiguous()?;
    let numbers = held(&matrix);
    let packed = Matrix::floats(numbers.floats()?, [n_out, n_in], isa, &Room::default());
    Ok(multiply(x, &[(&packed, None, Input::Exact)])?.remove(0))
}

/// `x` `[row, in]` times the transpose of `weight` `[out, in]`, through which gradients flow to `x`.
pub(super) fn differentiable(x: &Tensor, weight: &Arc<Matrix>, input: Input) -> Result<Tensor> {
    let product = multiply(&x.detach(), &[(weight, None, input)])?.remove(0);
    let back = Arc::clone(weight);
    Ok(backward::linear_map(x, &product, move |grad| Ok(grad.contiguous()?.matmul(&dense(&back)?)?))?)
}

/// The numbers, `[out, in]`.
pub(super) fn dense(weight: &Matrix) -> Result<Tensor> {
    let [n_out, n_in] = weight.dims();
    let rows: Vec<usize> = (0..n_out).collect();
    Ok(Tensor::from_vec(weight.rows(&rows), (n_out, n_in), &Device::Cpu)?)
}
