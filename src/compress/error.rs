//! What keeps a text from being compressed, or from being read back.

use crate::{model, text};

/// A text that was not compressed, or not read back.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The text could not be cut into tokens.
    #[error(transparent)]
    Text(#[from] text::Error),
    /// The model failed.
    #[error(transparent)]
    Model(#[from] model::Error),
    /// The first token has nothing before it.
    #[error("predict the first token of a text: the tokenizer has neither BOS nor EOS")]
    NoPrefix,
    /// The tokenizer has an id that the model lacks.
    #[error("compress token {at} of the text: id {id} is outside the model's vocabulary of {d_vocab}")]
    OutsideVocabulary {
        /// Which token, from 0.
        at: usize,
        /// The id.
        id: u32,
        /// The size of the vocabulary.
        d_vocab: usize,
    },
    /// The model gives no distribution.
    #[error("predict token {at} of the text: a logit is no number, or none is finite")]
    NotFinite {
        /// Which token, from 0.
        at: usize,
    },
    /// What was read is not what any encoder writes.
    #[error("read the compressed text: token {at} stands for nothing")]
    Damaged {
        /// Which token, from 0.
        at: usize,
    },
}

impl Error {
    /// Whether somebody stopped it.
    pub const fn is_cancelled(&self) -> bool {
        matches!(self, Self::Model(model::Error::Cancelled))
    }

    /// What to do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Text(error) => error.hint(),
            Self::Model(error) => error.hint(),
            Self::OutsideVocabulary { .. } => Some("tokenizer and model may not belong together".into()),
            Self::NotFinite { .. } => Some("the weights may be damaged, or overflow in this precision".into()),
            Self::Damaged { .. } => Some("the file was changed, or written by another model or version".into()),
            Self::NoPrefix => None,
        }
    }
}
