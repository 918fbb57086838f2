//! What can be wrong with a session.

use std::io;
use std::path::{Path, PathBuf};

use crate::export::ExportError;
use crate::reading::{Problem, list};

/// A session that cannot be read, written or gone on with.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// A file could not be read.
    #[error("cannot read the session `{}`", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A file could not be written.
    #[error("cannot write `{}`", file.display())]
    Write {
        /// The file.
        file: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A file is there that was not to be replaced.
    #[error("`{}` is there already", file.display())]
    Exists {
        /// The file.
        file: PathBuf,
    },
    /// It contradicts itself, or is no session.
    #[error("this is not a session: {}", list(problems, "; "))]
    Problems {
        /// All that is wrong.
        problems: Vec<Problem>,
    },
    /// A file contradicts itself, or is no session.
    #[error("`{}` is not a session: {}", file.display(), list(problems, "; "))]
    File {
        /// The file.
        file: PathBuf,
        /// All that is wrong.
        problems: Vec<Problem>,
    },
    /// It belongs to another model.
    #[error("the session belongs to `{model}` with fingerprint {expected}, this model has {found}")]
    OtherModel {
        /// The fingerprint of the model at hand.
        found: String,
        /// The session's.
        expected: String,
        /// The session's model.
        model: String,
    },
    /// TOML has no room for a number.
    #[error("cannot write the session as TOML")]
    Toml {
        /// The reason.
        source: Box<toml::ser::Error>,
    },
    /// A figure could not be written.
    #[error("cannot write `{}`", file.display())]
    Export {
        /// The file.
        file: PathBuf,
        /// The reason.
        source: ExportError,
    },
}

impl SessionError {
    /// The same of a file.
    pub(super) fn of(self, file: &Path) -> Self {
        match self {
            Self::Problems { problems } => Self::File { file: file.to_owned(), problems },
            other => other,
        }
    }

    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Read { .. } => Some("a session is saved with Ctrl-S in the terminal UI".into()),
            Self::Write { .. } => Some("give a file in a folder that exists and may be written to".into()),
            Self::Exists { .. } => Some("another name, or this one with a ! behind it, which replaces the file".into()),
            Self::Export { source: ExportError::Undrawable { .. }, .. } => {
                Some("a file that ends in .csv or .json holds the numbers".into())
            }
            Self::OtherModel { model, .. } => {
                Some(format!("name the model that it was saved with: `-m {model}`, as it was then"))
            }
            Self::File { .. } | Self::Problems { .. } | Self::Toml { .. } | Self::Export { .. } => None,
        }
    }
}
