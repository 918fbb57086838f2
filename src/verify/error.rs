//! Why there is no report.

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::model;

/// A verification that could not be done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The model failed to run.
    #[error("the model cannot be run")]
    Model(#[from] model::Error),
    /// The reference file could not be read.
    #[error("cannot read `{}`", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The reference file is not safetensors, or cut off.
    #[error("`{}` ({n_bytes} bytes) is not a complete safetensors file", file.display())]
    Format {
        /// The file.
        file: PathBuf,
        /// Its size.
        n_bytes: usize,
        /// What is wrong.
        source: safetensors::SafeTensorError,
    },
    /// The reference file does not fit the model.
    #[error("`{}` does not fit the model: {}", file.display(), list(problems))]
    Tensors {
        /// The file.
        file: PathBuf,
        /// All that does not fit.
        problems: Vec<Problem>,
    },
}

/// A tensor of a reference file that does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// It is not there.
    Missing {
        /// Its name.
        tensor: &'static str,
    },
    /// It has another shape than the model and `input_ids` imply.
    Shape {
        /// Its name.
        tensor: String,
        /// Its shape.
        found: Vec<usize>,
        /// The shape it must have.
        expected: Vec<usize>,
    },
    /// It holds another type of numbers.
    Type {
        /// Its name.
        tensor: String,
        /// Its type.
        found: String,
        /// What it must be.
        expected: &'static str,
    },
    /// The name means nothing here, or its layer does not exist.
    Unknown {
        /// Its name.
        tensor: String,
    },
    /// A token id that the model has no embedding for.
    Id {
        /// The id.
        id: i64,
        /// Where it stands.
        position: usize,
        /// The model's vocabulary.
        d_vocab: usize,
    },
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { tensor } => write!(f, "tensor `{tensor}` is missing"),
            Self::Shape { tensor, found, expected } => {
                write!(f, "tensor `{tensor}` is {found:?}, expected {expected:?}")
            }
            Self::Type { tensor, found, expected } => write!(f, "tensor `{tensor}` is {found}, expected {expected}"),
            Self::Unknown { tensor } => write!(f, "tensor `{tensor}` names nothing of this model"),
            Self::Id { id, position, d_vocab } => {
                write!(f, "id {id} at position {position} is outside the vocabulary of {d_vocab} tokens")
            }
        }
    }
}

fn list(problems: &[Problem]) -> String {
    const SHOWN: usize = 8;
    let mut text: Vec<String> = problems.iter().take(SHOWN).map(ToString::to_string).collect();
    if problems.len() > SHOWN {
        text.push(format!("and {} more", problems.len() - SHOWN));
    }
    text.join("; ")
}

impl Error {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Model(error) => error.hint(),
            Self::Read { .. } | Self::Format { .. } | Self::Tensors { .. } => {
                Some("docs/verify.md has the script that writes such a file".into())
            }
        }
    }

    /// Whether the verification was cancelled rather than impossible.
    pub const fn is_cancelled(&self) -> bool {
        matches!(self, Self::Model(model::Error::Cancelled))
    }
}
