//! A configuration that cannot be used.

use std::io;
use std::path::PathBuf;

use crate::reading::{Problem, list};

/// A configuration that cannot be read or used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error("cannot read the configuration `{}`", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// There are mistakes in it.
    #[error("the configuration `{}` cannot be used:\n  {}", file.display(), list(problems, "\n  "))]
    Problems {
        /// The file.
        file: PathBuf,
        /// All that is wrong.
        problems: Vec<Problem>,
    },
}

impl ConfigError {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Read { .. } => Some("`lmscope config > FILE` writes one with everything as it comes".into()),
            Self::Problems { .. } => {
                Some("mend these lines (`lmscope config --check` looks again), or start with --no-config".into())
            }
        }
    }
}
