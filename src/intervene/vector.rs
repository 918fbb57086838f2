//! Steering vectors in files.

use std::path::Path;

use candle_core::{DType, Device, Tensor};

use super::Problem;
use crate::hook::HookPoint;

/// The vector `[d_model]` for a place: the tensor of the hook's name, or the only one of the file.
pub fn read(file: &Path, at: HookPoint, d_model: usize) -> Result<Tensor, Problem> {
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
