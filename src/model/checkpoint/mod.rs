//! Checkpoint files: named tensors, whatever the container.

pub mod gguf;
mod gguf_header;
mod held;
mod rows;
mod safetensors;
mod safetensors_header;
mod scales;
pub mod survey;
mod weights;

use candle_core::Tensor;
use candle_core::quantized::{GgmlDType, QTensor};

pub use self::gguf_header::GgufHeaderError;
pub(crate) use self::held::{Computing, Held, held};
pub use self::safetensors::SafetensorsCheckpoint;
pub use self::safetensors_header::SafetensorsHeaderError;
pub use self::weights::{Arithmetic, NameMap, TensorProblem, Weights};
pub(crate) use self::weights::{fits, n_bytes, plan, tensors};

/// A file, or several, of named tensors.
pub trait Checkpoint: Sync {
    /// The names of all tensors.
    fn names(&self) -> Vec<String>;

    /// The shape of a tensor, or `None` if there is none of this name.
    fn shape(&self, name: &str) -> Option<Vec<usize>>;

    /// The number type it is stored in, such as `F16` or `Q4_1`.
    fn dtype(&self, name: &str) -> Option<String>;

    /// The number types that can be read as weights.
    fn readable(&self) -> &'static [&'static str];

    /// The bytes it takes in the file.
    fn n_bytes(&self, name: &str) -> Option<u64>;

    /// The tensor in f32, or in f64 if it is stored in it.
    fn dense(&self, part: Part<'_>) -> candle_core::Result<Tensor>;

    /// The type of its blocks, if it can be kept as it is stored and takes less than f32.
    fn blocks(&self, name: &str) -> Option<GgmlDType>;

    /// The tensor as stored, if it has blocks.
    fn stored(&self, part: Part<'_>) -> candle_core::Result<QTensor>;

    /// The bytes of the file that the tensor is, and their type, if it is one that GGUF files have.
    fn raw(&self, part: Part<'_>) -> candle_core::Result<Option<(&[u8], GgmlDType)>>;

    /// What [`raw`](Self::raw) gave is not needed any more.
    fn release(&self, raw: &[u8]);
}

/// What is read of a stored tensor.
#[derive(Debug, Clone, Copy)]
pub struct Part<'a> {
    /// Its name.
    pub tensor: &'a str,
    /// Which entry of the first axis; all of them if none.
    pub index: Option<usize>,
}

impl<'a> Part<'a> {
    /// All of it.
    pub const fn whole(tensor: &'a str) -> Self {
        Self { tensor, index: None }
    }

    /// Where the part lies in a tensor of this shape that takes `n_bytes`: its shape, its first byte and its length.
    fn place(self, shape: &[usize], n_bytes: usize) -> candle_core::Result<(Vec<usize>, usize, usize)> {
        let Some(index) = self.index else { return Ok((shape.to_vec(), 0, n_bytes)) };
        match shape.split_first() {
            Some((&n, rest)) if index < n && n_bytes.is_multiple_of(n) => {
                Ok((rest.to_vec(), index * (n_bytes / n), n_bytes / n))
            }
            _ => candle_core::bail!("tensor {} of shape {shape:?} has no part {index}", self.tensor),
        }
    }
}
