//! Steering vectors in files: safetensors, under the name of the hook they are added to, and llama.cpp's control vectors.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use candle_core::quantized::gguf_file::{self, Value};
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{DType, Device, Tensor};

use super::Problem;
use crate::disk;
use crate::hook::{HookPoint, Site};

/// The vector `[d_model]` for a place: the tensor of the hook's name, or the only one of the file.
pub(super) fn read(file: &Path, at: HookPoint, d_model: usize) -> Result<Tensor, Problem> {
    let tensors = candle_core::safetensors::load(file, &Device::Cpu);
    let tensors = tensors.map_err(|source| Problem::Vector { file: file.into(), source })?;
    let expected = at.to_string();
    let named = tensors.get_key_value(&expected);
    let only = tensors.iter().next().filter(|_| tensors.len() == 1);
    let Some((name, vector)) = named.or(only) else {
        let mut found: Vec<String> = tensors.into_keys().collect();
        found.sort();
        return Err(Problem::NoVector { file: file.into(), expected, found });
    };
    if vector.dims() != [d_model] {
        let (file, name, found) = (file.into(), name.clone(), vector.dims().to_vec());
        return Err(Problem::Width { file, name, found, d_model });
    }
    Ok(vector.to_dtype(DType::F32)?)
}

/// A direction, and where it is added.
#[derive(Debug, Clone)]
pub struct SteeringVector {
    /// The block before which it is added.
    pub layer: usize,
    /// `[d_model]`
    pub direction: Tensor,
}

/// A vector that was not written.
#[derive(Debug, thiserror::Error)]
pub enum SaveError {
    /// llama.cpp adds vectors after a block, and none after the first.
    #[error("a control vector cannot hold layer {layer}: llama.cpp steers what comes out of blocks 1 and later")]
    Layer {
        /// The layer before which the vector is added.
        layer: usize,
    },
    /// The file system refused.
    #[error("cannot write `{}`", file.display())]
    Write {
        /// The file.
        file: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The tensors could not be serialised.
    #[error("cannot serialise the vectors")]
    Tensor(#[from] candle_core::Error),
    /// The format refused.
    #[error("cannot serialise the vectors")]
    Format(#[from] safetensors::SafeTensorError),
}

impl SaveError {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Layer { .. } => Some("take layer 2 or a later one, or write a .safetensors file".into()),
            Self::Write { .. } | Self::Tensor(_) | Self::Format(_) => None,
        }
    }
}

/// Writes vectors, each as `blocks.{layer}.hook_resid_pre`.
///
/// The file appears only when it is complete. `about` becomes the header's metadata.
pub fn save(vectors: &[SteeringVector], about: HashMap<String, String>, file: &Path) -> Result<(), SaveError> {
    let name = |layer: usize| HookPoint::block(layer, Site::ResidPre).to_string();
    let named = vectors.iter().map(|vector| (name(vector.layer), &vector.direction));
    let bytes = safetensors::serialize(named, Some(about))?;
    write(file, &bytes)
}

/// Writes vectors as a GGUF control vector for llama.cpp, whose `direction.N` is added to what comes out of block N:
/// the vector before layer L is direction L - 1. `architecture` is the model's, as GGUF files name it.
pub fn save_gguf(vectors: &[SteeringVector], architecture: &str, file: &Path) -> Result<(), SaveError> {
    let mut tensors = Vec::new();
    for SteeringVector { layer, direction } in vectors {
        let number = layer.checked_sub(1).filter(|&number| number > 0).ok_or(SaveError::Layer { layer: *layer })?;
        tensors.push((format!("direction.{number}"), QTensor::quantize(direction, GgmlDType::F32)?));
    }
    let metadata = [
        ("general.architecture", Value::String("controlvector".into())),
        ("controlvector.model_hint", Value::String(architecture.into())),
        ("controlvector.layer_count", Value::U32(u32::try_from(tensors.len()).unwrap_or(u32::MAX))),
    ];
    let metadata: Vec<(&str, &Value)> = metadata.iter().map(|(key, value)| (*key, value)).collect();
    let tensors: Vec<(&str, &QTensor)> = tensors.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect();
    let mut bytes = io::Cursor::new(Vec::new());
    gguf_file::write(&mut bytes, &metadata, &tensors)?;
    write(file, bytes.get_ref())
}

fn write(file: &Path, bytes: &[u8]) -> Result<(), SaveError> {
    disk::write_whole(file, bytes).map_err(|source| SaveError::Write { file: file.into(), source })
}
