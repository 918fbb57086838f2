//! Which rows of a stored matrix a parameter consists of.
//!
//! Among them llama.cpp's row order of `W_Q` and `W_K`, undone: its converter interleaves the two halves of every head,
//! because its rotation pairs neighbouring dimensions. Put back, captured q and k have the layout that transformers'
//! have.

use std::borrow::Cow;
use std::cell::Cell;

use candle_core::quantized::{GgmlDType, QStorage, QTensor};
use candle_core::{Result, Tensor};

use crate::model::DecoderConfig;
use crate::model::arch::{Qkv, View};
use crate::model::kernel::{Isa, Matrix, Room};

/// Bytes that are released together while a matrix is packed.
const AT_ONCE: usize = 4 << 20;

/// The rows of a stored matrix, in the order of ours.
pub(super) enum Order {
    /// All of them, as they stand.
    AsStored,
    /// These.
    Rows(Vec<usize>),
}

impl Order {
    /// The rows of a stored matrix that ours `[n_out, n_in]` consists of, packed; none if no kernel reads their type.
    /// They lie in `room`; `release` gets parts of the bytes that are not needed any more.
    pub(super) fn pack(
        &self,
        bytes: &[u8],
        dtype: GgmlDType,
        shape: [usize; 2],
        (isa, room): (Isa, &Room),
        release: impl Fn(&[u8]),
    ) -> Option<Matrix> {
        match self {
            Self::AsStored => {
                let per_row = bytes.len() / shape[0].max(1);
                let released = Cell::new(0);
                // rows are asked for one after the other
                let row = |row| {
                    let read = row * per_row;
                    if read >= released.get() + AT_ONCE {
                        release(&bytes[released.replace(read)..read]);
                    }
                    row
                };
                Matrix::stored(bytes, dtype, shape, row, isa, room)
            }
            Self::Rows(rows) => Matrix::stored(bytes, dtype, shape, |row| rows[row], isa, room),
        }
    }
}

/// Which rows our `n_rows` are, if a parameter that is cut out like this consists of whole rows.
pub(super) fn order(cfg: &DecoderConfig, view: View, n_rows: usize) -> Option<Order> {
    let rows = |of: &dyn Fn(usize) -> usize| Some(Order::Rows((0..n_rows).map(of).collect()));
    match view {
        View::Whole | View::Expert { .. } => Some(Order::AsStored),
        View::Rows { first, .. } => rows(&|row| first + row),
        View::ExpertHalf { half, .. } => rows(&|row| half * n_rows + row),
        View::Uninterleaved => rows(&|row| file_row(row, cfg.d_head)),
        View::Grouped(part) => rows(&|row| grouped_row(cfg, part, row)),
        View::Row | View::Transposed | View::TransposedRows { .. } | View::PlusOne | View::Heads => None,
    }
}

/// Row `i` of the result is row `order(i)` of the file.
fn file_row(row: usize, d_head: usize) -> usize {
    let (head, within) = (row / d_head, row % d_head);
    let half = d_head / 2;
    head * d_head + 2 * (within % half) + within / half
}

/// Where a row of the queries, keys or values stands among groups of query heads, a key and a value.
fn grouped_row(cfg: &DecoderConfig, part: Qkv, row: usize) -> usize {
    let group = cfg.n_heads / cfg.n_kv_heads;
    let (head, within) = (row / cfg.d_head, row % cfg.d_head);
    let (kv_head, place) = match part {
        Qkv::Q => (head / group, head % group),
        Qkv::K => (head, group),
        Qkv::V => (head, group + 1),
    };
    (kv_head * (group + 2) + place) * cfg.d_head + within
}

/// Undoes the interleaving of a dense `[heads * d_head, ..]`.
pub(super) fn uninterleave(tensor: &Tensor, d_head: usize) -> Result<Tensor> {
    let n_rows = tensor.dim(0)?;
    let order: Vec<u32> = (0..n_rows).filter_map(|row| u32::try_from(file_row(row, d_head)).ok()).collect();
    tensor.index_select(&Tensor::from_vec(order, n_rows, tensor.device())?, 0)
}

/// Rows of a stored matrix, without touching a bit: quantisation blocks run along rows.
pub(super) fn pick(tensor: &QTensor, rows: &[usize]) -> Result<QTensor> {
    let (n_rows, n_columns) = tensor.shape().dims2()?;
    let data = tensor.data()?;
    let row_bytes = data.len() / n_rows.max(1);
    let mut bytes = Vec::with_capacity(rows.len() * row_bytes);
    for &row in rows {
        bytes.extend_from_slice(&data[row * row_bytes..(row + 1) * row_bytes]);
    }
    let storage = QStorage::from_data(Cow::Owned(bytes), &tensor.device(), tensor.dtype())?;
    QTensor::new(storage, (rows.len(), n_columns))
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;
    use crate::noise::normal;

    #[test]
    fn a_hand_worked_head_of_four() {
        // two heads: the file holds (0, 2, 1, 3) of each, the interleaved halves (0, 1) and (2, 3)
        let file = Tensor::new(&[[0f32], [2.], [1.], [3.], [10.], [12.], [11.], [13.]], &Device::Cpu).unwrap();
        let rows = uninterleave(&file, 4).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
        assert_eq!(rows, [0., 1., 2., 3., 10., 11., 12., 13.]);
    }

    #[test]
    fn quantised_rows_move_as_dense_rows_do() {
        let dense = normal(1, (8, 32));
        let quantised = QTensor::quantize(&dense, GgmlDType::Q8_0).unwrap();
        let order: Vec<usize> = (0..8).map(|row| file_row(row, 8)).collect();
        let moved = pick(&quantised, &order).unwrap().dequantize(&Device::Cpu).unwrap();
        let expected = uninterleave(&quantised.dequantize(&Device::Cpu).unwrap(), 8).unwrap();
        assert_eq!(moved.to_vec2::<f32>().unwrap(), expected.to_vec2::<f32>().unwrap());
    }
}
