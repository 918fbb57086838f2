//! The tuned lens (Belrose et al. 2023): an affine map for each layer, learnt so that what it makes of the residual
//! stream unembeds to what the model will say.
//!
//! `lens_l(h) = unembed(ln_final(h + A_l h + b_l))` with `h` the stream before block `l`; after the last block there is
//! nothing to translate. The maps are trained elsewhere; a file of the `tuned-lens` package, converted to safetensors,
//! holds `{l}.weight` `[d_model, d_model]` and `{l}.bias` `[d_model]` for every block.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};

use crate::model::DecoderConfig;

/// One affine map a block.
#[derive(Debug, Clone)]
pub struct Translators {
    /// `A_l` `[d_model, d_model]` and `b_l` `[d_model]`.
    maps: Vec<(Tensor, Tensor)>,
    /// Where they are from.
    file: PathBuf,
}

/// A file that holds no translators for this model.
#[derive(Debug, thiserror::Error)]
pub enum TunedError {
    /// It cannot be read as safetensors.
    #[error("cannot read `{}` as safetensors", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// The reason.
        source: candle_core::Error,
    },
    /// Tensors are missing or misshapen.
    #[error("`{}` holds no tuned lens for this model: {}", file.display(), problems.join("; "))]
    Tensors {
        /// The file.
        file: PathBuf,
        /// All of them.
        problems: Vec<String>,
    },
}

impl Translators {
    /// Reads the maps for a model.
    ///
    /// # Errors
    /// A file that is not safetensors, or all tensors that are missing or misshapen.
    pub fn load(file: &Path, cfg: &DecoderConfig) -> Result<Self, TunedError> {
        let read = |source| TunedError::Read { file: file.into(), source };
        let tensors = candle_core::safetensors::load(file, &Device::Cpu).map_err(read)?;
        let d_model = cfg.d_model;
        let mut problems = Vec::new();
        let mut get =
            |name: String, shape: &[usize]| take(&tensors, &name, shape).map_err(|what| problems.push(what)).ok();
        let mut maps = Vec::new();
        for layer in 0..cfg.n_layers {
            let weight = get(format!("{layer}.weight"), &[d_model, d_model]);
            let bias = get(format!("{layer}.bias"), &[d_model]);
            maps.extend(weight.zip(bias));
        }
        if problems.is_empty() {
            Ok(Self { maps, file: file.into() })
        } else {
            Err(TunedError::Tensors { file: file.into(), problems })
        }
    }

    /// Where they are from.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// What the map of block `layer` makes of `resid` `[.., d_model]`; after the last block, nothing.
    pub fn translate(&self, layer: usize, resid: &Tensor) -> candle_core::Result<Tensor> {
        match self.maps.get(layer) {
            Some((weight, bias)) => (resid + resid.matmul(&weight.t()?)?)?.broadcast_add(bias),
            None => Ok(resid.clone()),
        }
    }
}

fn take(tensors: &HashMap<String, Tensor>, name: &str, shape: &[usize]) -> Result<Tensor, String> {
    let Some(tensor) = tensors.get(name) else { return Err(format!("`{name}` is missing")) };
    if tensor.dims() != shape {
        return Err(format!("`{name}` is {:?}, expected {shape:?}", tensor.dims()));
    }
    tensor.to_dtype(DType::F32).map_err(|error| format!("`{name}` cannot be read: {error}"))
}
