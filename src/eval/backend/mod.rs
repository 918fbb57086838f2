//! Who answers requests: a model, a record of what a model has said, or what is remembered of either.

mod cached;
mod replay;

use std::ops::ControlFlow;

pub use self::cached::Cached;
pub use self::replay::{Replay, ReplayError};
use super::request::{Request, Response};
use super::scheduler::{self, Each, Scheduler};

/// Answers requests.
pub trait Backend {
    /// Answers all requests and hands over each response as soon as it is there, with the index of its request; where
    /// `each` breaks off, the rest stays unanswered.
    ///
    /// # Errors
    /// The first request that cannot be answered.
    fn answer_each(&mut self, requests: &[Request], each: &mut Each<'_>) -> Result<(), Failed>;
}

/// A request that was not answered, and so the rest.
#[derive(Debug, thiserror::Error)]
#[error("answer request {index}")]
pub struct Failed {
    /// Its index.
    pub index: usize,
    /// Why.
    pub source: Error,
}

/// What keeps a request from being answered.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The model cannot.
    #[error(transparent)]
    Model(#[from] scheduler::Error),
    /// The record does not hold it.
    #[error(transparent)]
    Replay(#[from] ReplayError),
}

impl Error {
    /// What to do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Model(error) => error.hint(),
            Self::Replay(error) => error.hint(),
        }
    }
}

impl Backend for Scheduler<'_> {
    fn answer_each(&mut self, requests: &[Request], each: &mut Each<'_>) -> Result<(), Failed> {
        let answered = Scheduler::answer_each(self, requests, each);
        answered.map_err(|failed| Failed { index: failed.index, source: failed.source.into() })
    }
}

/// All responses, in the order of the requests.
///
/// # Errors
/// The first request that cannot be answered.
pub fn answer(backend: &mut dyn Backend, requests: &[Request]) -> Result<Vec<Response>, Failed> {
    let mut responses: Vec<Option<Response>> = vec![None; requests.len()];
    let mut keep = |index: usize, response: &Response| {
        responses[index] = Some(response.clone());
        ControlFlow::Continue(())
    };
    backend.answer_each(requests, &mut keep)?;
    Ok(responses.into_iter().flatten().collect())
}
