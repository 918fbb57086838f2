//! Safetensors, in one file or in shards.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{DType, Device, Tensor};
use safetensors::SafeTensors;
use safetensors::tensor::TensorView;

use super::{Checkpoint, Part, safetensors_header};
use crate::model::dtype::wide;
use crate::model::load::LoadError;
use crate::model::source::FileBytes;

/// One or several safetensors files seen as one set of tensors.
pub struct SafetensorsCheckpoint<'a> {
    files: Vec<SafeTensors<'a>>,
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
        Ok(Self { files: parsed, owner })
    }

    /// Whether two tensors are there and alike, in type, shape and every byte.
    pub fn are_alike(&self, a: &str, b: &str) -> bool {
        let (Some(a), Some(b)) = (self.view(a), self.view(b)) else { return false };
        (a.dtype(), a.shape(), a.data()) == (b.dtype(), b.shape(), b.data())
    }

    fn view(&self, name: &str) -> Option<TensorView<'_>> {
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
        let missing = || candle_core::Error::CannotFindTensor { path: part.tensor.into() }.bt();
        let view = self.view(part.tensor).ok_or_else(missing)?;
        let (shape, first, n_bytes) = part.place(view.shape(), view.data().len())?;
        let bytes = &view.data()[first..first + n_bytes];
        let tensor = Tensor::from_raw_buffer(bytes, DType::try_from(view.dtype())?, &shape, &Device::Cpu)?;
        tensor.to_dtype(wide(tensor.dtype()))
    }

    fn blocks(&self, _: &str) -> Option<GgmlDType> {
        None
    }

    fn stored(&self, part: Part<'_>) -> candle_core::Result<QTensor> {
        candle_core::bail!("tensor {} has no blocks", part.tensor)
    }
}
