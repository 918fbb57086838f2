//! What several tests share.

pub(crate) mod noise;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use lmscope::model::checkpoint::Arithmetic;
use lmscope::model::checkpoint::gguf::GgufCheckpoint;
use lmscope::model::load::{LoadError, LoadedModel, load_directory, load_gguf};
use lmscope::model::source::{FileBytes, ModelSource};
use lmscope::model::{LoadOptions, Loading};
use lmscope::text::{SpecialTokens, Tokenizer};

/// A path inside the project.
pub(crate) fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Every directory of tiny models that has golden activations.
pub(crate) fn golden_models() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(project("fixtures/models")).unwrap();
    let mut dirs: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    dirs.retain(|dir| dir.join("golden.safetensors").exists());
    dirs.sort();
    dirs
}

/// Every tiny model: those with goldens of every hook, and the variants of the architectures.
pub(crate) fn tiny_models() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(project("fixtures/architectures")).unwrap();
    let mut dirs: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect();
    dirs.sort();
    golden_models().into_iter().chain(dirs).collect()
}

/// A model directory, or the GGUF file in it.
pub(crate) fn load(dir: &Path) -> LoadedModel {
    load_as(dir, LoadOptions::default())
}

/// The same, as it is asked for.
pub(crate) fn load_as(dir: &Path, options: impl Into<LoadOptions>) -> LoadedModel {
    try_load_as(dir, options).unwrap()
}

/// The same, if it can be.
pub(crate) fn try_load_as(dir: &Path, options: impl Into<LoadOptions>) -> Result<LoadedModel, LoadError> {
    let path = dir.join("model.gguf");
    let loading = Loading::unwatched(options);
    if path.exists() {
        let bytes = FileBytes::map(&path).unwrap();
        load_gguf(&GgufCheckpoint::new(&path, &bytes).unwrap(), path.clone(), &loading)
    } else {
        load_directory(&ModelSource::Directory(dir.into()), &loading)
    }
}

/// A GGUF file.
pub(crate) fn gguf(path: &Path, arithmetic: Arithmetic) -> LoadedModel {
    let bytes = FileBytes::map(path).unwrap();
    load_gguf(&GgufCheckpoint::new(path, &bytes).unwrap(), path.into(), &Loading::unwatched(arithmetic)).unwrap()
}

/// The tensors of a safetensors file.
pub(crate) fn tensors(path: &Path) -> HashMap<String, Tensor> {
    candle_core::safetensors::load(path, &Device::Cpu).unwrap()
}

/// All elements, flattened.
pub(crate) fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

/// The largest absolute difference; equal infinities do not differ.
pub(crate) fn max_abs_diff(a: &Tensor, b: &Tensor) -> f32 {
    assert_eq!(a.dims(), b.dims());
    let pairs = values(a).into_iter().zip(values(b));
    pairs.map(|(a, b)| if a.to_bits() == b.to_bits() { 0.0 } else { (a - b).abs() }).fold(0.0, f32::max)
}

/// The tokenizer of the embedded model, for lenses that name tokens.
pub(crate) fn tokenizer() -> Tokenizer {
    let json = std::fs::read(project("fixtures/slide/base/tokenizer.json")).unwrap();
    Tokenizer::from_json_bytes(&json, SpecialTokens::default()).unwrap()
}
