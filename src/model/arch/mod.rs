//! Architectures: each file maps a checkpoint's configuration and tensor names onto the one decoder.

mod bloom;
mod cohere;
mod falcon;
mod family;
mod gemma;
mod gemma2;
mod gemma3_text;
mod gguf_names;
mod gguf_rope;
mod glm4;
mod gpt2;
mod gpt_neo;
mod gpt_neox;
mod gptj;
mod granite;
mod llama;
mod mistral;
mod mixtral;
mod names;
mod olmo;
mod olmo2;
mod opt;
mod phi;
mod phi3;
mod qwen2;
mod qwen2_moe;
mod qwen3;
mod qwen3_moe;
mod reader;
mod rope;
mod smollm3;
mod stablelm;
mod starcoder2;
mod view;

use super::{DecoderConfig, ParamId};
use crate::model::checkpoint::gguf::Metadata;

pub use self::reader::{ConfigError, ConfigReader};
pub use self::view::{Qkv, Source, View};

/// How one architecture's checkpoints describe a decoder.
pub trait Architecture: Sync {
    /// Hugging Face's `model_type`.
    fn name(&self) -> &'static str;

    /// GGUF's `general.architecture`, if this architecture is read from GGUF.
    fn gguf_name(&self) -> Option<&'static str> {
        None
    }

    /// Reads `config.json`; every field that changes the computation is honoured or refused by name.
    fn config(&self, reader: &ConfigReader<'_>) -> Result<DecoderConfig, ConfigError>;

    /// The prefix of the tensors of the bare model, which some checkpoints leave out.
    fn prefix(&self) -> &'static str {
        "model."
    }

    /// Where a Hugging Face checkpoint keeps a parameter; none if it has no name for it.
    fn source(&self, id: ParamId, cfg: &DecoderConfig) -> Option<Source>;

    /// Where other checkpoints of this architecture keep it.
    fn alternative(&self, _id: ParamId, _cfg: &DecoderConfig) -> Option<Source> {
        None
    }

    /// Whether a tensor that no parameter uses is harmless (masks, precomputed frequencies, a tied unembedding).
    fn ignores(&self, tensor: &str) -> bool {
        tensor.ends_with("rotary_emb.inv_freq") || tensor == "lm_head.weight"
    }

    /// Reads a GGUF's metadata, if this architecture is read from GGUF; every key that changes the computation is
    /// honoured or refused by name.
    fn gguf_config(&self, _meta: &Metadata) -> Option<Result<DecoderConfig, ConfigError>> {
        None
    }

    /// Where a GGUF keeps a parameter.
    fn gguf_source(&self, id: ParamId, _cfg: &DecoderConfig) -> Option<Source> {
        gguf_names::source(id)
    }
}

/// Every architecture that can be loaded.
pub static ARCHITECTURES: &[&dyn Architecture] = &[
    &llama::Llama,
    &mistral::Mistral,
    &mixtral::Mixtral,
    &qwen2::Qwen2,
    &qwen3::Qwen3,
    &qwen2_moe::Qwen2Moe,
    &qwen3_moe::Qwen3Moe,
    &phi::Phi,
    &phi3::Phi3,
    &gemma::Gemma,
    &gemma2::Gemma2,
    &gemma3_text::Gemma3Text,
    &gpt2::Gpt2,
    &gpt_neo::GptNeo,
    &gptj::GptJ,
    &gpt_neox::GptNeoX,
    &opt::Opt,
    &bloom::Bloom,
    &falcon::Falcon,
    &stablelm::StableLm,
    &starcoder2::Starcoder2,
    &olmo::Olmo,
    &olmo2::Olmo2,
    &granite::Granite,
    &cohere::Cohere,
    &smollm3::SmolLm3,
    &glm4::Glm4,
];

/// The architecture of this `model_type`.
pub fn find(name: &str) -> Option<&'static dyn Architecture> {
    ARCHITECTURES.iter().copied().find(|arch| arch.name() == name)
}

/// The architecture of this `general.architecture` of a GGUF file.
pub fn find_gguf(name: &str) -> Option<&'static dyn Architecture> {
    ARCHITECTURES.iter().copied().find(|arch| arch.gguf_name() == Some(name))
}

/// Where a GGUF file keeps a parameter if not where [`Architecture::gguf_source`] says.
pub fn gguf_alternative(id: ParamId, cfg: &DecoderConfig) -> Option<Source> {
    gguf_names::alternative(id, cfg)
}

/// Whether a tensor of a GGUF file is read with the configuration and not as a parameter.
pub fn is_gguf_rotation(tensor: &str) -> bool {
    gguf_rope::TENSORS.contains(&tensor)
}
