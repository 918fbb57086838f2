//! Answers from a record, so that a suite runs where there are no weights.

use std::collections::HashMap;
use std::path::PathBuf;

use super::{Backend, Failed};
use crate::eval::record::Record;
use crate::eval::request::{Request, Response};
use crate::eval::scheduler::Each;

/// A request that was not recorded.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The record has nothing to say.
    #[error("answer `{}` from the record `{}`: it was not asked then", shown(request), folder.display())]
    NotRecorded {
        /// The record.
        folder: PathBuf,
        /// The request.
        request: Request,
    },
}

impl ReplayError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        Some(
            "the suite, its options or the tokenizer differ from those of the record: run it on the model again".into(),
        )
    }
}

/// The responses of a record.
pub struct Replay {
    folder: PathBuf,
    known: HashMap<Request, Response>,
}

impl Replay {
    /// What a record holds; `folder` names it in errors.
    pub fn new(folder: PathBuf, record: &Record) -> Self {
        let pairs = record.items.iter().flat_map(|item| item.requests.iter().zip(&item.responses));
        let known = pairs.map(|(request, response)| (request.clone(), response.clone())).collect();
        Self { folder, known }
    }
}

impl Backend for Replay {
    fn answer_each(&mut self, requests: &[Request], each: &mut Each<'_>) -> Result<(), Failed> {
        for (index, request) in requests.iter().enumerate() {
            let Some(response) = self.known.get(request) else {
                let source = ReplayError::NotRecorded { folder: self.folder.clone(), request: request.clone() };
                return Err(Failed { index, source: source.into() });
            };
            if each(index, response).is_break() {
                break;
            }
        }
        Ok(())
    }
}

/// The end of what was asked: enough to know it by.
fn shown(request: &Request) -> String {
    const CHARACTERS: usize = 60;
    let text = match request {
        Request::Loglikelihood(request) => format!("{}{}", request.context, request.continuation),
        other => other.given().to_owned(),
    };
    let n = text.chars().count();
    let end: String = text.chars().skip(n.saturating_sub(CHARACTERS)).collect();
    if n > CHARACTERS { format!("…{end}") } else { end }
}
