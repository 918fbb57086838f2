//! Safetensors, in one file or in shards.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use candle_core::quantized::{GgmlDType, QStorage, QTensor};
use candle_core::{DType, Device, Tensor};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use super::{Checkpoint, Part, safetensors_header};
use crate::model::dtype::wide;
use crate::model::load::LoadError;
use crate::model::source::FileBytes;

/// One or several safetensors files seen as one set of tensors.
pub struct SafetensorsCheckpoint<'a> {
    files: Vec<SafeTensors<'a>>,
    mappings: &'a [(PathBuf, FileBytes)],
    /// Which file holds a tensor.
    owner: BTreeMap<String, usize>,
}

impl<'a> SafetensorsCheckpoint<'a> {
    /// Reads the headers of `files`; the data stay where they are.
    ///
    /// # Errors
    /// A header that is damaged, a file cut off before the end of its last tensor, a tensor in two files.
    pub fn new(files: &'a [(PathBuf, FileBytes)]) -> Result<Self, LoadError> {
        let parsed = files.iter().map(|(path, bytes)| parse(path, bytes)).collect::<Result<Vec<_>, _>>()?;
        let mut owner = BTreeMap::new();
        for (index, file) in parsed.iter().enumerate() {
            for name in file.names() {
                if let Some(other) = owner.insert(name.to_owned(), index) {
                    let files = [files[other].0.clone(), files[index].0.clone()];
                    return Err(LoadError::TwoShards { tensor: name.to_owned(), files });
                }
            }
        }
        Ok(Self { files: parsed, mappings: files, owner })
    }

    /// Whether two tensors are there and alike, in type, shape and every byte.
    pub fn are_alike(&self, a: &str, b: &str) -> bool {
        let (Some(a), Some(b)) = (self.view(a), self.view(b)) else { return false };
        (a.dtype(), a.shape(), a.data()) == (b.dtype(), b.shape(), b.data())
    }

    /// Bytes, shape and type of a tensor or a part of it.
    fn bytes(&self, part: Part<'_>) -> candle_core::Result<(&[u8], Vec<usize>, Dtype)> {
        let missing = || candle_core::Error::CannotFindTensor { path: part.tensor.into() }.bt();
        let file = self.owner.get(part.tensor).and_then(|&file| self.files.get(file)).ok_or_else(missing)?;
        let view = file.tensor(part.tensor)?;
        let (shape, first, n_bytes) = part.place(view.shape(), view.data().len())?;
        Ok((&view.data()[first..first + n_bytes], shape, view.dtype()))
    }

    fn view(&self, name: &str) -> Option<TensorView<'a>> {
        self.files.get(*self.owner.get(name)?)?.tensor(name).ok()
    }
}

fn parse<'a>(path: &Path, bytes: &'a [u8]) -> Result<SafeTensors<'a>, LoadError> {
    let (file, n_bytes) = (path.to_owned(), bytes.len());
    if let Err(source) = safetensors_header::check(bytes) {
        return Err(LoadError::SafetensorsHeader { file, n_bytes, source });
    }
    SafeTensors::deserialize(bytes).map_err(|source| LoadError::Safetensors { file, n_bytes, source })
}

impl Checkpoint for SafetensorsCheckpoint<'_> {
    fn names(&self) -> Vec<String> {
        self.owner.keys().cloned().collect()
    }

    fn shape(&self, name: &str) -> Option<Vec<usize>> {
        self.view(name).map(|view| view.shape().to_vec())
    }

    fn dtype(&self, name: &str) -> Option<String> {
        self.view(name).map(|view| format!("{:?}", view.dtype()))
    }

    fn readable(&self) -> &'static [&'static str] {
        &["F32", "F16", "BF16", "F64"]
    }

    fn n_bytes(&self, name: &str) -> Option<u64> {
        self.view(name).map(|view| view.data().len() as u64)
    }

    fn dense(&self, part: Part<'_>) -> candle_core::Result<Tensor> {
        let (bytes, shape, dtype) = self.bytes(part)?;
        let tensor = Tensor::from_raw_buffer(bytes, DType::try_from(dtype)?, &shape, &Device::Cpu)?;
        tensor.to_dtype(wide(tensor.dtype()))
    }

    fn blocks(&self, name: &str) -> Option<GgmlDType> {
        self.view(name).filter(|view| view.dtype() == Dtype::BF16).map(|_| GgmlDType::BF16)
    }

    fn stored(&self, part: Part<'_>) -> candle_core::Result<QTensor> {
        match self.raw(part)? {
            Some((bytes, dtype @ GgmlDType::BF16)) => {
                let (_, shape, _) = self.bytes(part)?;
                QTensor::new(QStorage::from_data(Cow::Owned(bytes.to_vec()), &Device::Cpu, dtype)?, shape)
            }
            _ => candle_core::bail!("tensor {} has no blocks", part.tensor),
        }
    }

    fn raw(&self, part: Part<'_>) -> candle_core::Result<Option<(&[u8], GgmlDType)>> {
        let (bytes, _, dtype) = self.bytes(part)?;
        Ok(match dtype {
            Dtype::F32 => Some((bytes, GgmlDType::F32)),
            Dtype::F16 => Some((bytes, GgmlDType::F16)),
            Dtype::BF16 => Some((bytes, GgmlDType::BF16)),
            _ => None,
        })
    }

    fn release(&self, raw: &[u8]) {
        let of = |file: &&(PathBuf, FileBytes)| file.1.as_ptr_range().contains(&raw.as_ptr());
        self.mappings.iter().find(of).into_iter().for_each(|(_, file)| file.release(raw));
    }
}
