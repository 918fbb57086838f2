//! What tells a model from every other: the content of its files.

use sha2::{Digest as _, Sha256};

use super::description::files;
use super::hashes::HashStore;
use super::load::{chat, fitting_vocab, gguf_template, text_files};
use super::{EngineError, OpenError};
use crate::model::CancelToken;
use crate::model::checkpoint::gguf::GgufCheckpoint;
use crate::model::load::LoadError;
use crate::model::source::{FileBytes, ModelSource};
use crate::text::{ChatTemplate, GgufVocab, Tokenizer};

/// Rows of an embedding, where only the tokenizer is read: as many as the largest known.
const LARGE_VOCABULARY: usize = 1 << 20;

/// Hashes of a model's content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// SHA-256 of the configuration and the weights, as hexadecimal digits.
    pub model: String,
    /// SHA-256 of what defines the tokenizer.
    pub tokenizer: String,
}

/// Reads every byte of a model that `known` does not remember.
///
/// # Errors
/// A file that is gone or cannot be read, or cancellation.
pub fn identity(source: &ModelSource, known: &HashStore, cancel: &CancelToken) -> Result<Identity, EngineError> {
    let load = |error| OpenError::Load { model: source.name(), source: error };
    let mut model = Sha256::new();
    for file in files(source).map_err(load)?.iter().filter(|file| file.is_weights || file.is("config.json")) {
        model.update(known.sha256(file, cancel)?);
    }
    let tokenizer = match source {
        ModelSource::Gguf(_) => vocab_hash(&vocab(source)?),
        ModelSource::Directory(_) | ModelSource::Embedded(_) => files_hash(source).map_err(load)?,
    };
    Ok(Identity { model: hex(model), tokenizer })
}

/// What a model makes of text, without its weights.
pub struct TextSide {
    /// The tokenizer.
    pub tokenizer: Tokenizer,
    /// The chat template, if there is one.
    pub chat: Option<ChatTemplate>,
    /// SHA-256 of what defines the tokenizer.
    pub sha256: String,
}

/// Only the tokenizer and the chat template of a model.
///
/// # Errors
/// A file that is gone or is no tokenizer, or a template that cannot be read.
pub fn open_text_side(source: &ModelSource) -> Result<TextSide, OpenError> {
    let text = |error| OpenError::Text { model: source.name(), source: error };
    let load = |error| OpenError::Load { model: source.name(), source: error };
    let (tokenizer, template, sha256) = if let ModelSource::Gguf(path) = source {
        let bytes = FileBytes::map(path).map_err(load)?;
        let checkpoint = GgufCheckpoint::new(path, &bytes).map_err(load)?;
        let meta = checkpoint.metadata();
        let vocab = fitting_vocab(&meta).map_err(text)?;
        (Tokenizer::from_gguf(&vocab).map_err(text)?, gguf_template(&meta), vocab_hash(&vocab))
    } else {
        let files = text_files(source, LARGE_VOCABULARY).map_err(load)?;
        let tokenizer = files.tokenizer(LARGE_VOCABULARY).map_err(text)?;
        (tokenizer, files.chat_template, files_hash(source).map_err(load)?)
    };
    let chat = chat(template.as_deref(), &tokenizer).map_err(text)?;
    Ok(TextSide { tokenizer, chat, sha256 })
}

fn vocab(source: &ModelSource) -> Result<GgufVocab, OpenError> {
    let load = |error| OpenError::Load { model: source.name(), source: error };
    let ModelSource::Gguf(path) = source else { return Ok(GgufVocab::default()) };
    let bytes = FileBytes::map(path).map_err(load)?;
    let checkpoint = GgufCheckpoint::new(path, &bytes).map_err(load)?;
    fitting_vocab(&checkpoint.metadata()).map_err(|error| OpenError::Text { model: source.name(), source: error })
}

/// Every field but the model's name.
fn vocab_hash(vocab: &GgufVocab) -> String {
    let mut hash = Sha256::new();
    hash.update(format!("{:?}", GgufVocab { name: None, ..vocab.clone() }));
    hex(hash)
}

fn files_hash(source: &ModelSource) -> Result<String, LoadError> {
    let mut hash = Sha256::new();
    for file in files(source)?.iter().filter(|file| file.is("tokenizer.json") || file.is("tokenizer_config.json")) {
        hash.update((file.bytes.len() as u64).to_le_bytes());
        hash.update(&*file.bytes);
    }
    Ok(hex(hash))
}

fn hex(hash: Sha256) -> String {
    hash.finalize().iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;
    use crate::hub::Cache;

    #[test]
    fn a_fine_tuned_sister_is_another_model_with_the_same_tokenizer() {
        let of = |name: &str| {
            let source = ModelSource::from_arg(name, &Cache::new("")).unwrap();
            identity(&source, &HashStore::new("".into(), UNIX_EPOCH), &CancelToken::default()).unwrap()
        };
        let (base, chat) = (of("slide"), of("slide-chat"));
        assert_ne!(base.model, chat.model);
        assert_eq!((of("slide"), base.model.len()), (base.clone(), 64));
        let source = ModelSource::from_arg("slide", &Cache::new("")).unwrap();
        let words = open_text_side(&source).unwrap();
        assert_eq!((words.sha256, words.chat.is_some()), (base.tokenizer, false));
        assert!(!words.tokenizer.encode("The cat").unwrap().is_empty());
    }
}
