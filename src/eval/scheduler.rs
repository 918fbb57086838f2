//! Answers requests with a model. Equal requests are answered once, and what several contexts begin with is run once.
//!
//! Sequences of any length are the rows of one pass, without filling up: see [`CausalLm::forward_all`]. What a request
//! gets does not depend on the others, nor on their order, nor on how many are run together, nor on what is still cached.

mod coding;
mod error;
mod job;
mod limits;
mod queue;
mod reading;
#[cfg(test)]
mod tests;
mod tree;

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use rayon::prelude::*;

pub use self::error::Error;
use self::job::Job;
use self::limits::{Limits, MEMORY};
use self::queue::{Kept, Queue};
use self::tree::Tree;
use super::request::{Compress, Compressed, Generated, Request, Response, Rolled, Scored};
use crate::model::{Branch, CancelToken, CausalLm};
use crate::text::Tokenizer;

/// How requests are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Sequences that are run together at most.
    pub batch: usize,
    /// Bytes that keys, values and what is computed beside them may take.
    pub memory: u64,
    /// What becomes of a context that was run.
    pub contexts: Contexts,
    /// How many of the likeliest tokens are kept beside the first one of a continuation.
    pub top_k: usize,
}

/// What becomes of a context that was run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Contexts {
    /// Others go on from where they differ.
    #[default]
    Shared,
    /// Every one is run from its beginning.
    Forgotten,
}

impl Default for Options {
    fn default() -> Self {
        Self { batch: 64, memory: MEMORY, contexts: Contexts::Shared, top_k: 5 }
    }
}

/// Takes a response, and the index of the request it is to.
pub type Each<'a> = dyn FnMut(usize, &Response) -> ControlFlow<()> + 'a;

/// A request that was not answered, and so the rest.
#[derive(Debug, thiserror::Error)]
#[error("answer request {index}")]
pub struct Failed {
    /// Its index.
    pub index: usize,
    /// Why.
    pub source: Error,
}

/// Answers requests with one model.
pub struct Scheduler<'a> {
    lm: &'a dyn CausalLm,
    tokenizer: &'a Tokenizer,
    cancel: &'a CancelToken,
    options: Options,
    kept: Option<Kept>,
}

/// A response that is not whole yet.
#[derive(Default)]
struct Waiting {
    missing: usize,
    parts: Vec<(usize, Part)>,
}

/// What a job gives.
enum Part {
    Scored(Scored),
    Generated(Generated),
    Compressed(Compressed),
}

impl<'a> Scheduler<'a> {
    /// A scheduler that stops when `cancel` says so.
    pub fn new(lm: &'a dyn CausalLm, tokenizer: &'a Tokenizer, cancel: &'a CancelToken) -> Self {
        Self { lm, tokenizer, cancel, options: Options::default(), kept: None }
    }

    /// The same with other options.
    #[must_use]
    pub fn with_options(mut self, options: Options) -> Self {
        self.options = options;
        self
    }

    /// One response for each request, in the same order.
    pub fn answer(&mut self, requests: &[Request]) -> Result<Vec<Response>, Error> {
        let mut responses: Vec<Option<Response>> = vec![None; requests.len()];
        let mut keep = |index: usize, response: &Response| {
            responses[index] = Some(response.clone());
            ControlFlow::Continue(())
        };
        self.answer_each(requests, &mut keep).map_err(|failed| failed.source)?;
        Ok(responses.into_iter().flatten().collect())
    }

    /// Answers all requests together and hands over each response as soon as it is there, with the index of its
    /// request; where `each` breaks off, the rest stays unanswered.
    pub fn answer_each(&mut self, requests: &[Request], each: &mut Each<'_>) -> Result<(), Failed> {
        let (unique, askers) = distinct(requests);
        let first = |owner: usize| askers[owner][0];
        let failed = |(owner, source): (usize, Error)| Failed { index: first(owner), source };
        let jobs = self.jobs(&unique).map_err(failed)?;
        let mut waiting: Vec<Waiting> = unique.iter().map(|_| Waiting::default()).collect();
        for job in &jobs {
            waiting[job.owner].missing += 1;
        }
        let mut hand_over = |owner: usize, parts| {
            let response = whole(unique[owner], parts);
            askers[owner].iter().any(|index| each(*index, &response).is_break())
        };
        // an empty text has no window to wait for
        let is_empty = |owner: usize| waiting[owner].missing == 0 && to_compress(unique[owner]).is_none();
        let empty: Vec<usize> = (0..unique.len()).filter(|owner| is_empty(*owner)).collect();
        if empty.into_iter().any(|owner| hand_over(owner, Vec::new())) {
            return Ok(());
        }
        if self.compress(&unique, &mut hand_over).map_err(failed)?.is_break() {
            return Ok(());
        }
        let (alone, jobs) = jobs.split_at(jobs.partition_point(|job| job.context.is_empty()));
        let contexts: Vec<&[Job<'_>]> = jobs.chunk_by(|a, b| a.context == b.context).collect();
        let ids: Vec<&[u32]> = contexts.iter().map(|jobs| jobs[0].context.as_slice()).collect();
        let tree = Tree::new(&ids, self.lm.seam(), self.options.contexts);
        let limits = self.limits(jobs);
        let mut queue = Queue::new(self, &tree, &contexts, alone, limits).map_err(|source| failed((0, source)))?;
        while !queue.is_empty() {
            for (owner, window, part) in queue.pass(self).map_err(failed)? {
                let waiting = &mut waiting[owner];
                waiting.parts.push((window, part));
                waiting.missing -= 1;
                if waiting.missing == 0 && hand_over(owner, std::mem::take(&mut waiting.parts)) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Compresses what is to be compressed, as many texts together as there is room for.
    fn compress(
        &self,
        unique: &[&Request],
        hand_over: &mut dyn FnMut(usize, Vec<(usize, Part)>) -> bool,
    ) -> Result<ControlFlow<()>, (usize, Error)> {
        let all: Vec<(usize, &Compress)> =
            unique.iter().enumerate().filter_map(|(owner, request)| Some((owner, to_compress(request)?))).collect();
        let longest = all.iter().map(|(_, request)| coding::most_tokens(request)).max().unwrap_or(0);
        let room = coding::room(self, longest);
        for some in all.chunks(room.sequences) {
            let requests: Vec<&Compress> = some.iter().map(|(_, request)| *request).collect();
            let found = coding::answer(self, &requests, room).map_err(|(at, error)| (some[at].0, error))?;
            for ((owner, _), compressed) in some.iter().zip(found) {
                if hand_over(*owner, vec![(0, Part::Compressed(compressed))]) {
                    return Ok(ControlFlow::Break(()));
                }
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// All requests as jobs, in the order of their contexts; an error comes with the request it is of.
    fn jobs<'r>(&self, unique: &[&'r Request]) -> Result<Vec<Job<'r>>, (usize, Error)> {
        let made = unique.par_iter().enumerate().map(|(owner, request)| {
            self.cancel.check().map_err(Error::from)?;
            Job::of(owner, request, self.tokenizer, self.lm.config())
        });
        let mut jobs = Vec::new();
        for (owner, made) in made.collect::<Vec<_>>().into_iter().enumerate() {
            jobs.extend(made.map_err(|error| (owner, error))?);
        }
        jobs.sort_by(|a, b| a.context.cmp(&b.context));
        Ok(jobs)
    }

    fn limits(&self, jobs: &[Job<'_>]) -> Limits {
        let answers = jobs.iter().filter_map(|job| Some(job.context.len() + job.written()?.max_new));
        Limits::new(self.lm.config(), self.options.batch, self.options.memory, answers.max().unwrap_or(0))
    }

    /// Remembers a context that was run, for the next call.
    fn keep(&mut self, ids: &[u32], branch: &Arc<Branch>) {
        if self.options.contexts == Contexts::Shared {
            self.kept = Some(Kept::new(ids, branch));
        }
    }
}

/// The different requests, and for each of them which of all requests it is.
fn distinct(requests: &[Request]) -> (Vec<&Request>, Vec<Vec<usize>>) {
    let mut known: HashMap<&Request, usize> = HashMap::new();
    let (mut unique, mut askers) = (Vec::new(), Vec::<Vec<usize>>::new());
    for (index, request) in requests.iter().enumerate() {
        let owner = *known.entry(request).or_insert_with(|| {
            unique.push(request);
            askers.push(Vec::new());
            unique.len() - 1
        });
        askers[owner].push(index);
    }
    (unique, askers)
}

/// What is to be compressed, if that is asked.
fn to_compress(request: &Request) -> Option<&Compress> {
    match request {
        Request::Compress(request) => Some(request),
        _ => None,
    }
}

/// The response made of its parts.
fn whole(request: &Request, mut parts: Vec<(usize, Part)>) -> Response {
    parts.sort_by_key(|(window, _)| *window);
    let mut windows = Vec::new();
    for (_, part) in parts {
        match (request, part) {
            (_, Part::Generated(generated)) => return Response::Generated(generated),
            (_, Part::Compressed(compressed)) => return Response::Compressed(compressed),
            (Request::Loglikelihood(_), Part::Scored(scored)) => return Response::Scored(scored),
            (_, Part::Scored(scored)) => windows.push(scored),
        }
    }
    Response::Rolled(Rolled { windows })
}
