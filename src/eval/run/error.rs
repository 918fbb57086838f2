//! What keeps a run from its end.

use crate::eval::{backend, record, scheduler};
use crate::model;

/// A run that did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An item could not be scored.
    #[error("score item `{id}` of `{task}`")]
    Item {
        /// The task.
        task: String,
        /// The item.
        id: String,
        /// Why.
        source: backend::Error,
    },
    /// The answers are not what the grader expects.
    #[error("score item `{id}` of `{task}`: the responses do not match the requests")]
    Responses {
        /// The task.
        task: String,
        /// The item.
        id: String,
    },
    /// The grader never has enough.
    #[error("score item `{id}` of `{task}`: it is not finished after {rounds} rounds of questions")]
    Endless {
        /// The task.
        task: String,
        /// The item.
        id: String,
        /// How many rounds there were.
        rounds: usize,
    },
    /// A value is no number.
    #[error("score item `{id}` of `{task}`: its {metric} is no finite number")]
    NotFinite {
        /// The task.
        task: String,
        /// The item.
        id: String,
        /// The metric.
        metric: String,
    },
    /// The record has an item that this run does not have, or asks otherwise.
    #[error("resume: the record has item `{id}` of `{task}`, which this run asks otherwise or not at all")]
    NotAsked {
        /// The task.
        task: String,
        /// The item.
        id: String,
    },
    /// The record could not be used.
    #[error(transparent)]
    Record(#[from] record::Error),
}

impl Error {
    /// What to do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Item { source, .. } => source.hint(),
            Self::Record(error) => error.hint(),
            Self::NotAsked { .. } => Some("-o names another folder".into()),
            Self::Responses { .. } | Self::NotFinite { .. } | Self::Endless { .. } => None,
        }
    }

    /// Whether the run was stopped rather than broken. Its record can be resumed either way.
    pub fn is_cancelled(&self) -> bool {
        let Self::Item { source: backend::Error::Model(error), .. } = self else { return false };
        matches!(error, scheduler::Error::Model(model::Error::Cancelled))
    }
}
