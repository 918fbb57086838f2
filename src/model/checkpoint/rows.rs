//! llama.cpp's row order of `W_Q` and `W_K`, undone.
//!
//! Its converter interleaves the two halves of every head, because its rotation pairs neighbouring dimensions. Put
//! back, captured q and k have the layout that transformers' have.

use std::borrow::Cow;

use candle_core::quantized::{QStorage, QTensor};
use candle_core::{Result, Tensor};

/// Row `i` of the result is row `order(i)` of the file.
fn file_row(row: usize, d_head: usize) -> usize {
    let (head, within) = (row / d_head, row % d_head);
    let half = d_head / 2;
    head * d_head + 2 * (within % half) + within / half
}

/// Undoes the interleaving of a dense `[heads * d_head, ..]`.
pub(super) fn uninterleave(tensor: &Tensor, d_head: usize) -> Result<Tensor> {
    let n_rows = tensor.dim(0)?;
    let order: Vec<u32> = (0..n_rows).filter_map(|row| u32::try_from(file_row(row, d_head)).ok()).collect();
    tensor.index_select(&Tensor::from_vec(order, n_rows, tensor.device())?, 0)
}

/// Undoes the interleaving without touching a bit: quantisation blocks run along rows.
pub(super) fn uninterleave_quantised(tensor: &QTensor, d_head: usize) -> Result<QTensor> {
    let (n_rows, _) = tensor.shape().dims2()?;
    let data = tensor.data()?;
    let row_bytes = data.len() / n_rows;
    let rows = (0..n_rows).flat_map(|row| {
        let at = file_row(row, d_head) * row_bytes;
        data[at..at + row_bytes].iter().copied()
    });
    let storage = QStorage::from_data(Cow::Owned(rows.collect()), &tensor.device(), tensor.dtype())?;
    QTensor::new(storage, tensor.shape())
}

#[cfg(test)]
mod tests {
    use candle_core::Device;
    use candle_core::quantized::GgmlDType;

    use super::*;

    #[test]
    fn a_hand_worked_head_of_four() {
        // two heads: the file holds (0, 2, 1, 3) of each, the interleaved halves (0, 1) and (2, 3)
        let file = Tensor::new(&[[0f32], [2.], [1.], [3.], [10.], [12.], [11.], [13.]], &Device::Cpu).unwrap();
        let rows = uninterleave(&file, 4).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
        assert_eq!(rows, [0., 1., 2., 3., 10., 11., 12., 13.]);
    }

    #[test]
    fn quantised_rows_move_as_dense_rows_do() {
        let dense = Tensor::randn(0f32, 1.0, (8, 32), &Device::Cpu).unwrap();
        let quantised = QTensor::quantize(&dense, GgmlDType::Q8_0).unwrap();
        let moved = uninterleave_quantised(&quantised, 8).unwrap().dequantize(&Device::Cpu).unwrap();
        let expected = uninterleave(&quantised.dequantize(&Device::Cpu).unwrap(), 8).unwrap();
        assert_eq!(moved.to_vec2::<f32>().unwrap(), expected.to_vec2::<f32>().unwrap());
    }
}
