//! Traces as safetensors files.

use std::collections::HashMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use safetensors::tensor::{Metadata, TensorInfo};
use safetensors::{SafeTensorError, View};

use super::Trace;
use crate::disk;

/// A trace that could not be written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file system refused.
    #[error("cannot write `{}`", file.display())]
    Write {
        /// The file.
        file: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The tensors could not be serialised.
    #[error("cannot serialise the trace")]
    Serialise(#[from] candle_core::Error),
    /// The format refused.
    #[error("cannot serialise the trace")]
    Format(#[from] SafeTensorError),
}

/// Writes every activation under its hook name, `tokens` `[pos]` (I64) and `logits` `[pos, d_vocab]` (F32), one after the
/// other.
///
/// The file appears only when it is complete. `about` becomes the header's metadata. The same trace is always the same
/// bytes.
pub fn save(trace: &Trace, about: HashMap<String, String>, file: &Path) -> Result<(), StoreError> {
    let ids: Vec<i64> = trace.ids.iter().map(|&id| i64::from(id)).collect();
    let tokens = Tensor::from_vec(ids, trace.ids.len(), &Device::Cpu)?;
    let mut tensors: Vec<(String, &Tensor)> = trace.activations.iter().map(|(at, x)| (at.to_string(), x)).collect();
    tensors.extend([("tokens".into(), &tokens), ("logits".into(), &trace.logits)]);
    // as safetensors orders them: what is aligned most comes first
    tensors.sort_by(|(name, x), (other, y)| View::dtype(y).cmp(&View::dtype(x)).then(name.cmp(other)));
    let header = header(&tensors, about)?;
    let write = |out: &mut dyn Write| {
        out.write_all(&(header.len() as u64).to_le_bytes())?;
        out.write_all(&header)?;
        tensors.iter().try_for_each(|(_, tensor)| out.write_all(&tensor.data()))
    };
    disk::write_by(file, write).map_err(|source| StoreError::Write { file: file.into(), source })
}

/// The header of tensors that lie one after the other. Its metadata are in the order of their names: safetensors writes
/// them in that of a hash map, which is another in every process.
fn header(tensors: &[(String, &Tensor)], about: HashMap<String, String>) -> Result<Vec<u8>, SafeTensorError> {
    const ALIGNMENT: usize = 8;
    let mut end = 0;
    let infos = tensors.iter().map(|(name, tensor)| {
        let start = end;
        end += tensor.data_len();
        let (dtype, shape) = (View::dtype(tensor), tensor.dims().to_vec());
        (name.clone(), TensorInfo { dtype, shape, data_offsets: (start, end) })
    });
    let mut header = serde_json::to_value(Metadata::new(Some(about), infos.collect())?)?;
    if let Some(about) = header.get_mut("__metadata__").and_then(serde_json::Value::as_object_mut) {
        about.sort_keys();
    }
    let mut header = serde_json::to_vec(&header)?;
    header.resize(header.len().next_multiple_of(ALIGNMENT), b' ');
    Ok(header)
}
