//! Traces as safetensors files.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};

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
    Format(#[from] safetensors::SafeTensorError),
}

/// Writes every activation under its hook name, `tokens` `[pos]` (I64) and `logits` `[pos, d_vocab]` (F32).
///
/// The file appears only when it is complete. `about` becomes the header's metadata. The same trace is always the same
/// bytes.
pub fn save(trace: &Trace, about: HashMap<String, String>, file: &Path) -> Result<(), StoreError> {
    let ids: Vec<i64> = trace.ids.iter().map(|&id| i64::from(id)).collect();
    let tokens = Tensor::from_vec(ids, trace.ids.len(), &Device::Cpu)?;
    let mut tensors: Vec<(String, Tensor)> = trace
        .activations
        .iter()
        .map(|(at, x)| Ok((at.to_string(), x.contiguous()?)))
        .collect::<candle_core::Result<_>>()?;
    tensors.push(("tokens".into(), tokens));
    tensors.push(("logits".into(), trace.logits.contiguous()?));
    let bytes = safetensors::serialize(tensors.iter().map(|(name, tensor)| (name, tensor)), Some(about))?;
    let bytes = in_order(&bytes).map_err(safetensors::SafeTensorError::from)?;
    disk::write_whole(file, &bytes).map_err(|source| StoreError::Write { file: file.into(), source })
}

/// The file with its metadata in the order of their names: safetensors writes them in that of a hash map, which is
/// another in every process.
fn in_order(bytes: &[u8]) -> serde_json::Result<Vec<u8>> {
    const LENGTH: usize = 8;
    const ALIGNMENT: usize = 8;
    let (length, rest) = bytes.split_at(LENGTH.min(bytes.len()));
    let length = length.iter().rev().fold(0, |length, &byte| length << 8 | usize::from(byte));
    let (header, data) = rest.split_at(length.min(rest.len()));
    let mut header: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(header)?;
    if let Some(about) = header.get_mut("__metadata__").and_then(serde_json::Value::as_object_mut) {
        about.sort_keys();
    }
    let mut header = serde_json::to_vec(&header)?;
    header.resize(header.len().next_multiple_of(ALIGNMENT), b' ');
    Ok([&(header.len() as u64).to_le_bytes(), &header[..], data].concat())
}
