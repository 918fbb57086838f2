//! Why the terminal UI could not run.

use std::io;

/// The terminal UI could not start or go on.
#[derive(Debug, thiserror::Error)]
pub enum TuiError {
    /// There is nothing to draw on.
    #[error("standard {stream} is not a terminal")]
    NotATerminal {
        /// `input` or `output`.
        stream: &'static str,
    },
    /// The terminal refused.
    #[error("the terminal cannot be used")]
    Terminal(#[from] io::Error),
    /// A thread could not be started.
    #[error("the {name} thread cannot be started")]
    Thread {
        /// Its name.
        name: &'static str,
        /// The system's reason.
        source: io::Error,
    },
}

impl TuiError {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NotATerminal { .. } => {
                Some("`lmscope predict PROMPT` prints the same numbers without a screen".into())
            }
            Self::Terminal(_) | Self::Thread { .. } => None,
        }
    }
}
