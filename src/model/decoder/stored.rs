//! A matrix kept as its file stores it, of which rows become numbers where they are needed.
//!
//! Quantisation blocks run along rows, so that some rows become the numbers that all of them would.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use candle_core::quantized::{QStorage, QTensor};
use candle_core::{DType, Device, Tensor};
use rayon::prelude::*;

use crate::model::Result;
use crate::model::kernel::Matrix;

/// A matrix `[rows, columns]`, quantised or in sixteen bits.
#[derive(Clone)]
pub struct Stored(Arc<QTensor>);

impl Stored {
    pub(crate) const fn new(tensor: Arc<QTensor>) -> Self {
        Self(tensor)
    }

    pub(crate) const fn tensor(&self) -> &Arc<QTensor> {
        &self.0
    }

    /// Rows and columns.
    pub(super) fn dims(&self) -> Result<(usize, usize)> {
        Ok(self.0.shape().dims2()?)
    }

    /// The whole matrix.
    pub(super) fn dense(&self) -> Result<Tensor> {
        let (n_rows, _) = self.dims()?;
        self.rows(0..n_rows)
    }

    /// Neighbouring rows.
    pub(super) fn rows(&self, rows: Range<usize>) -> Result<Tensor> {
        let (n_rows, row_bytes) = self.layout()?;
        let data = self.0.data()?;
        let bytes = &data[rows.start.min(n_rows) * row_bytes..rows.end.min(n_rows) * row_bytes];
        self.dequantise(bytes)
    }

    /// The rows of these numbers, `[ids, columns]`.
    pub(super) fn gather(&self, ids: &Tensor) -> Result<Tensor> {
        let (n_rows, row_bytes) = self.layout()?;
        let data = self.0.data()?;
        let mut bytes = Vec::new();
        for id in ids.to_vec1::<u32>()? {
            let row = id as usize;
            if row >= n_rows {
                return Err(candle_core::Error::InvalidIndex { op: "gather", index: row, size: n_rows }.bt().into());
            }
            bytes.extend_from_slice(&data[row * row_bytes..(row + 1) * row_bytes]);
        }
        self.dequantise(&bytes)
    }

    /// How many rows there are, and the bytes of one.
    fn layout(&self) -> Result<(usize, usize)> {
        let (n_rows, _) = self.dims()?;
        Ok((n_rows, self.0.storage_size_in_bytes() / n_rows.max(1)))
    }

    /// Whole rows, in parallel.
    fn dequantise(&self, bytes: &[u8]) -> Result<Tensor> {
        /// Bytes that are worth a thread.
        const PART: usize = 1 << 18;
        let (_, n_columns) = self.dims()?;
        let (_, row_bytes) = self.layout()?;
        let part = row_bytes * (PART / row_bytes.max(1)).max(1);
        let parts = bytes.par_chunks(part.max(1)).map(|bytes| {
            let n_rows = bytes.len() / row_bytes.max(1);
            let storage = QStorage::from_data(Cow::Borrowed(bytes), &self.0.device(), self.0.dtype())?;
            QTensor::new(storage, (n_rows, n_columns))?.dequantize(&self.0.device())
        });
        let parts = parts.collect::<candle_core::Result<Vec<_>>>()?;
        Ok(match &parts[..] {
            [] => Tensor::zeros((0, n_columns), DType::F32, &self.0.device())?,
            [one] => one.clone(),
            several => Tensor::cat(several, 0)?,
        })
    }
}

/// A matrix whose rows are looked up; a clone shares the numbers.
#[derive(Clone)]
pub enum Table {
    /// In numbers.
    Dense(Tensor),
    /// As its file stores it.
    Stored(Stored),
    /// As it is multiplied with.
    Packed(Arc<Matrix>),
}

impl Table {
    /// The rows of these numbers, `[ids, columns]`.
    pub(super) fn gather(&self, ids: &Tensor) -> Result<Tensor> {
        match self {
            Self::Dense(table) => Ok(table.index_select(ids, 0)?),
            Self::Stored(table) => table.gather(ids),
            Self::Packed(table) => packed_rows(table, &ids.to_vec1::<u32>()?),
        }
    }
}

/// The rows of these numbers of a packed matrix, `[ids, columns]`.
pub(super) fn packed_rows(matrix: &Matrix, ids: &[u32]) -> Result<Tensor> {
    let [n_rows, n_columns] = matrix.dims();
    let rows: Vec<usize> = ids.iter().map(|&id| id as usize).collect();
    if let Some(&row) = rows.iter().find(|&&row| row >= n_rows) {
        return Err(candle_core::Error::InvalidIndex { op: "gather", index: row, size: n_rows }.bt().into());
    }
    Ok(Tensor::from_vec(matrix.rows(&rows), (rows.len(), n_columns), &Device::Cpu)?)
}

#[cfg(test)]
mod tests {
    use candle_core::quantized::GgmlDType;

    use super::*;
    use crate::noise::normal;

    fn stored(dtype: GgmlDType) -> (Stored, Tensor) {
        let dense = normal(1, (700, 512));
        let quantised = QTensor::quantize(&dense, dtype).unwrap();
        let whole = quantised.dequantize(&Device::Cpu).unwrap();
        (Stored::new(Arc::new(quantised)), whole)
    }

    fn same(a: &Tensor, b: &Tensor) -> bool {
        a.to_vec2::<f32>().unwrap() == b.to_vec2::<f32>().unwrap()
    }

    #[test]
    fn some_rows_are_those_of_the_whole() {
        for dtype in [GgmlDType::Q4_1, GgmlDType::Q6K, GgmlDType::F16] {
            let (stored, whole) = stored(dtype);
            assert!(same(&stored.dense().unwrap(), &whole));
            assert!(same(&stored.rows(17..401).unwrap(), &whole.narrow(0, 17, 384).unwrap()));
            let ids = Tensor::new(&[3u32, 699, 0, 3], &Device::Cpu).unwrap();
            assert!(same(&stored.gather(&ids).unwrap(), &whole.index_select(&ids, 0).unwrap()));
            assert!(stored.gather(&Tensor::new(&[700u32], &Device::Cpu).unwrap()).is_err());
        }
    }
}
