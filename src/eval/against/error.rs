//! Why two records do not make a pair.

use std::io;
use std::path::PathBuf;

use crate::eval::gate;

/// Two records that cannot be joined, or a file that cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// They have nothing in common.
    #[error(transparent)]
    Compare(#[from] gate::Error),
    /// The two answers to an item are not what its task expects.
    #[error("pair item `{id}` of `{task}`: the answers of the two models do not belong together")]
    Unpaired {
        /// The task.
        task: String,
        /// The item.
        id: String,
    },
    /// A value has no JSON.
    #[error("write what came of two models as JSON")]
    Json(#[from] serde_json::Error),
    /// The file could not be written.
    #[error("write `{}`", file.display())]
    Write {
        /// The file.
        file: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

impl Error {
    /// What to do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Compare(error) => error.hint(),
            Self::Unpaired { .. } | Self::Json(_) | Self::Write { .. } => None,
        }
    }
}
