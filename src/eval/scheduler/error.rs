//! What keeps a request from being answered.

use crate::{compress, model, text};

/// A request that was not answered.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The text could not be cut into tokens.
    #[error(transparent)]
    Text(#[from] text::Error),
    /// The model failed.
    #[error(transparent)]
    Model(#[from] model::Error),
    /// Nothing is left to score.
    #[error("score `{}` after `{}`: no token of its own remains", short(continuation), short(context))]
    EmptyContinuation {
        /// What is given.
        context: String,
        /// What was to be scored.
        continuation: String,
    },
    /// The first token has nothing before it.
    #[error("score a text with an empty context: the tokenizer has neither BOS nor EOS")]
    NoContext,
    /// The tokenizer has an id that the model lacks.
    #[error("score `{}`: id {id} is outside the model's vocabulary of {d_vocab}", short(text))]
    OutsideVocabulary {
        /// The continuation.
        text: String,
        /// The id.
        id: u32,
        /// The size of the vocabulary.
        d_vocab: usize,
    },
    /// More is to be scored than the model can look at.
    #[error("score `{}`: its {found} tokens are more than the model's context of {n_ctx}", short(continuation))]
    LongContinuation {
        /// The continuation.
        continuation: String,
        /// Its tokens.
        found: usize,
        /// The longest that fits.
        n_ctx: usize,
    },
    /// An answer may be as long as the model's context.
    #[error("generate {max_new} tokens: a context of {n_ctx} leaves no room for a prompt")]
    NoRoom {
        /// The most tokens of the answer.
        max_new: usize,
        /// The model's context.
        n_ctx: usize,
    },
    /// A text could not be compressed.
    #[error(transparent)]
    Compress(compress::Error),
    /// A log-probability is no number.
    #[error("score `{}`: the model gives it log-probability {found}", short(text))]
    NotFinite {
        /// The continuation.
        text: String,
        /// What the model gave.
        found: f64,
    },
}

/// The beginning of a text, which may be as long as a book.
fn short(text: &str) -> String {
    const CHARACTERS: usize = 80;
    let end = text.char_indices().nth(CHARACTERS).map(|(end, _)| end);
    end.map_or_else(|| text.to_owned(), |end| format!("{}…", &text[..end]))
}

impl From<compress::Error> for Error {
    fn from(error: compress::Error) -> Self {
        match error {
            compress::Error::Text(error) => Self::Text(error),
            compress::Error::Model(error) => Self::Model(error),
            compress::Error::NoPrefix => Self::NoContext,
            other => Self::Compress(other),
        }
    }
}

impl Error {
    /// What to do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Text(error) => error.hint(),
            Self::Model(error) => error.hint(),
            Self::Compress(error) => error.hint(),
            Self::EmptyContinuation { .. } => Some("its text merges with the context; begin it with a space".into()),
            Self::OutsideVocabulary { .. } => Some("tokenizer and model may not belong together".into()),
            Self::NotFinite { .. } => Some("the weights may be damaged, or overflow in this precision".into()),
            Self::LongContinuation { .. } => Some("score it as a rolling log-likelihood".into()),
            Self::NoRoom { .. } => Some("ask for fewer tokens".into()),
            Self::NoContext => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_told_by_its_beginning() {
        let error = Error::LongContinuation { continuation: "ж".repeat(1 << 20), found: 9, n_ctx: 8 };
        let told = error.to_string();
        assert!(told.starts_with(&format!("score `{}…`: its 9 tokens", "ж".repeat(80))), "{}", told.len());
        assert_eq!(short("mat"), "mat");
    }
}
