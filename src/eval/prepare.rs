//! The one door: a suite by its name or its path becomes [`Task`]s that are ready to be asked.

#[cfg(test)]
mod tests;

use super::builtin;
use super::direction;
use super::suite;
use super::task::Task;
use crate::text::{self, Tokenizer};

/// What may be chosen about a task apart from its file.
#[derive(Debug, Clone, Default)]
pub struct PrepareOptions {
    /// Breaks ties between control names.
    pub seed: u64,
}

/// A suite that cannot be prepared.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be read, or there is something wrong with it.
    #[error(transparent)]
    Suite(#[from] suite::Error),
    /// Its texts could not be cut into tokens.
    #[error("cut the suite's texts into tokens")]
    Text(#[from] text::Error),
}

impl Error {
    /// What to do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Suite(error) => error.hint(),
            Self::Text(error) => error.hint(),
        }
    }
}

/// The tasks of the suite that is built in under this name, or that is at this path.
pub fn prepare(source: &str, tokenizer: &Tokenizer, options: &PrepareOptions) -> Result<Vec<Task>, Error> {
    let suite = builtin::load(source)?;
    Ok(vec![direction::task(suite, tokenizer, options.seed)?])
}
