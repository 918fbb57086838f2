//! Architectures: each file maps a checkpoint's configuration and tensor names onto the one decoder.

mod gpt2;
mod gpt_neox;
mod llama;
mod reader;

use super::{DecoderConfig, ParamId};
use crate::model::checkpoint::gguf::Metadata;

pub use self::reader::{ConfigError, ConfigReader};

/// How one architecture's checkpoints describe a decoder.
pub trait Architecture: Sync {
    /// Hugging Face's `model_type`, and GGUF's `general.architecture`.
    fn name(&self) -> &'static str;

    /// Reads `config.json`; every field that changes the computation is honoured or refused by name.
    fn config(&self, reader: &ConfigReader<'_>) -> Result<DecoderConfig, ConfigError>;

    /// The prefix of the tensors of the bare model, which some checkpoints leave out.
    fn prefix(&self) -> &'static str;

    /// Where a Hugging Face checkpoint keeps a parameter.
    fn source(&self, id: ParamId) -> Source;

    /// Another name that some checkpoints use for a tensor.
    fn also_named(&self, _tensor: &str) -> Option<&'static str> {
        None
    }

    /// Whether a tensor that no parameter uses is harmless (masks, precomputed frequencies).
    fn ignores(&self, tensor: &str) -> bool;

    /// Reads a GGUF's metadata, if this architecture is read from GGUF.
    fn gguf_config(&self, meta: &Metadata) -> Option<Result<DecoderConfig, ConfigError>>;

    /// Where a GGUF keeps a parameter.
    fn gguf_source(&self, id: ParamId) -> Option<Source>;
}

/// A tensor of a checkpoint, and how our parameter is cut out of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The checkpoint's name for it.
    pub tensor: String,
    /// What to do with it.
    pub view: View,
}

/// How a parameter is cut out of a checkpoint's tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// The tensor itself.
    Whole,
    /// The tensor transposed (GPT-2 stores `[in, out]`).
    Transposed,
    /// Rows `i` of three equal parts: fused q, k, v one after the other.
    Third(usize),
    /// The same, of the transposed tensor.
    TransposedThird(usize),
    /// Part `i` of three within each head: fused q, k, v head by head.
    HeadThird(usize),
    /// Rows that llama.cpp has interleaved within each head for its rotation, put back.
    Uninterleaved,
}

impl Source {
    /// A tensor used as it is.
    pub fn whole(tensor: String) -> Self {
        Self { tensor, view: View::Whole }
    }
}

/// Every architecture that can be loaded.
pub static ARCHITECTURES: &[&dyn Architecture] = &[&llama::Llama, &gpt2::Gpt2, &gpt_neox::GptNeoX];

/// The architecture of this name.
pub fn find(name: &str) -> Option<&'static dyn Architecture> {
    ARCHITECTURES.iter().copied().find(|arch| arch.name() == name)
}
