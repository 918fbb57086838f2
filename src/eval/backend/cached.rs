//! A backend that is asked only what it was not asked before.

use std::ops::ControlFlow;

use super::{Backend, Failed};
use crate::eval::cache::{self, Cache};
use crate::eval::request::{Request, Response};
use crate::eval::scheduler::Each;

/// Answers from the cache, and asks the backend the rest.
///
/// A cache that fails is not asked again: what is wrong with it is kept as [`trouble`](Self::trouble), and the backend
/// answers everything from then on.
pub struct Cached<'a> {
    backend: &'a mut dyn Backend,
    cache: Option<Cache>,
    hits: usize,
    trouble: Option<cache::Error>,
}

impl<'a> Cached<'a> {
    /// `backend` behind `cache`, if there is one.
    pub fn new(backend: &'a mut dyn Backend, cache: Option<Cache>) -> Self {
        Self { backend, cache, hits: 0, trouble: None }
    }

    /// Requests that the cache has answered.
    pub const fn hits(&self) -> usize {
        self.hits
    }

    /// Why the cache was given up, if it was.
    pub const fn trouble(&self) -> Option<&cache::Error> {
        self.trouble.as_ref()
    }

    fn known(&mut self, request: &Request) -> Option<Response> {
        match self.cache.as_ref()?.get(request) {
            Ok(found) => found,
            Err(error) => {
                self.give_up(error);
                None
            }
        }
    }

    fn give_up(&mut self, error: cache::Error) {
        self.cache = None;
        self.trouble = Some(error);
    }
}

impl Backend for Cached<'_> {
    fn answer_each(&mut self, requests: &[Request], each: &mut Each<'_>) -> Result<(), Failed> {
        let (mut rest, mut places) = (Vec::new(), Vec::new());
        for (index, request) in requests.iter().enumerate() {
            match self.known(request) {
                Some(response) => {
                    self.hits += 1;
                    if each(index, &response).is_break() {
                        return Ok(());
                    }
                }
                None => {
                    rest.push(request.clone());
                    places.push(index);
                }
            }
        }
        let (cache, mut trouble) = (self.cache.as_ref(), None);
        let mut remember = |at: usize, response: &Response| -> ControlFlow<()> {
            if let Some(Err(error)) = cache.filter(|_| trouble.is_none()).map(|cache| cache.put(&rest[at], response)) {
                trouble = Some(error);
            }
            each(places[at], response)
        };
        let answered = self.backend.answer_each(&rest, &mut remember);
        if let Some(error) = trouble {
            self.give_up(error);
        }
        answered.map_err(|failed| Failed { index: places[failed.index], ..failed })
    }
}
