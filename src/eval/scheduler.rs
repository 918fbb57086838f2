//! Answers requests with a model. Equal requests are answered once, and what several contexts begin with is run once.
//!
//! What a request gets does not depend on the others, nor on their order, nor on what is still cached: its tokens are
//! always run in the same pieces, cut at the boundary and at every 32nd token of the context before it. Only a
//! [`batch`](Options::batch) of more than one can move a score, in the last digits of the arithmetic.

mod error;
mod job;
#[cfg(test)]
mod tests;
mod trail;

use std::collections::HashMap;
use std::ops::ControlFlow;

use candle_core::Tensor;
use rayon::prelude::*;

pub use self::error::Error;
use self::job::{Job, Task};
use self::trail::{Branch, Trail};
use super::request::{GenerateUntil, Generated, Request, Response, Rolled, Scored, round9};
use crate::model::sample::{argmax, log_softmax};
use crate::model::{self, CancelToken, CausalLm, KvCache, ids_tensor, last_logits};
use crate::text::Tokenizer;

/// Positions whose logits are in memory at once.
const ROWS: usize = 64;

/// How requests are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Continuations of one context that are run together.
    pub batch: usize,
    /// What becomes of a context that was run.
    pub contexts: Contexts,
    /// How many of the likeliest tokens are kept beside the first one of a continuation.
    pub top_k: usize,
}

/// What becomes of a context that was run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Contexts {
    /// The next one goes on from where it differs.
    #[default]
    Shared,
    /// The next one is run from its beginning.
    Forgotten,
}

impl Default for Options {
    fn default() -> Self {
        Self { batch: 1, contexts: Contexts::Shared, top_k: 5 }
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
    trail: Trail,
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
}

impl<'a> Scheduler<'a> {
    /// A scheduler that stops when `cancel` says so.
    pub fn new(lm: &'a dyn CausalLm, tokenizer: &'a Tokenizer, cancel: &'a CancelToken) -> Self {
        Self { lm, tokenizer, cancel, options: Options::default(), trail: Trail::default() }
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
        let mut jobs = Vec::new();
        for (owner, request) in unique.iter().enumerate() {
            let made = self.cancel.check().map_err(Error::from);
            let made = made.and_then(|()| Job::of(owner, request, self.tokenizer, self.lm.config()));
            jobs.extend(made.map_err(|source| Failed { index: first(owner), source })?);
        }
        // neighbours have the longest beginnings in common
        jobs.sort_by(|a, b| a.context.cmp(&b.context));
        let mut waiting: Vec<Waiting> = unique.iter().map(|_| Waiting::default()).collect();
        for job in &jobs {
            waiting[job.owner].missing += 1;
        }
        let mut hand_over = |owner: usize, parts| {
            let response = whole(unique[owner], parts);
            askers[owner].iter().any(|index| each(*index, &response).is_break())
        };
        // an empty text has no window to wait for
        let empty = waiting.iter().enumerate().filter(|(_, waiting)| waiting.missing == 0);
        if empty.map(|(owner, _)| owner).any(|owner| hand_over(owner, Vec::new())) {
            return Ok(());
        }
        for group in jobs.chunk_by(|a, b| a.context == b.context) {
            let parts = self.group(group).map_err(|(owner, source)| Failed { index: first(owner), source })?;
            for (job, part) in parts {
                let waiting = &mut waiting[job.owner];
                waiting.parts.push((job.window, part));
                waiting.missing -= 1;
                if waiting.missing == 0 && hand_over(job.owner, std::mem::take(&mut waiting.parts)) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Jobs with one context; an error comes with the request it is of.
    fn group<'j>(&mut self, jobs: &'j [Job<'_>]) -> Result<Vec<(&'j Job<'j>, Part)>, (usize, Error)> {
        if self.options.contexts == Contexts::Forgotten {
            self.trail = Trail::default();
        }
        let of = |job: &Job<'_>| {
            let owner = job.owner;
            move |source| (owner, source)
        };
        let branch = self.trail.branch(self.lm, &jobs[0].context, self.cancel).map_err(of(&jobs[0]))?;
        let mut parts = Vec::with_capacity(jobs.len());
        let mut scored: Vec<&Job<'_>> = Vec::new();
        for job in jobs {
            match job.task {
                Task::Score(_) => scored.push(job),
                Task::Generate(request) => {
                    let said = self.generate(request, &job.context, branch.clone()).map_err(of(job))?;
                    parts.push((job, Part::Generated(said)));
                }
            }
        }
        // a batch is as long as the longest in it
        scored.sort_by_key(|job| job.rest().len());
        for batch in scored.chunks(self.options.batch.max(1)) {
            let found = self.score(batch, &branch).map_err(of(batch[0]))?;
            parts.extend(batch.iter().copied().zip(found.into_iter().map(Part::Scored)));
        }
        Ok(parts)
    }

    /// The scores of jobs that continue one branch.
    fn score(&self, jobs: &[&Job<'_>], branch: &Branch) -> Result<Vec<Scored>, Error> {
        self.cancel.check()?;
        let longest = jobs.iter().map(|job| job.rest().len()).max().unwrap_or(0);
        let hidden = if longest == 0 { None } else { Some(self.run(jobs, longest, &mut branch.cache.clone())?) };
        let mut found = Vec::with_capacity(jobs.len());
        for (row, job) in jobs.iter().enumerate() {
            let mut scored = job.unscored();
            if let Some(logits) = branch.logits.as_deref().filter(|_| job.starts_after_context()) {
                scored.push_logits(logits, self.options.top_k)?;
            }
            if let Some(hidden) = &hidden {
                self.score_rows(&mut scored, job, &hidden.narrow(0, row, 1).map_err(model::Error::from)?)?;
            }
            found.push(scored);
        }
        Ok(found)
    }

    /// Runs what follows the context, filled up to one length: nothing before the filling can see it.
    fn run(&self, jobs: &[&Job<'_>], longest: usize, cache: &mut KvCache) -> Result<Tensor, Error> {
        let mut ids: Vec<u32> = Vec::with_capacity(jobs.len() * longest);
        for (row, job) in (1..).zip(jobs) {
            ids.extend(job.rest());
            ids.resize(row * longest, 0);
        }
        let ids = ids_tensor(&ids)?.reshape((jobs.len(), longest)).map_err(model::Error::from)?;
        Ok(self.lm.forward(&ids, cache, &mut self.cancel.clone())?)
    }

    /// Scores the tokens that the positions of `hidden` `[1, pos, d_model]` predict, some at a time.
    fn score_rows(&self, scored: &mut Scored, job: &Job<'_>, hidden: &Tensor) -> Result<(), Error> {
        let (mut at, end) = (job.first_row(), job.rest().len());
        while at < end {
            self.cancel.check()?;
            let n = ROWS.min(end - at);
            let rows = hidden.narrow(1, at, n).map_err(model::Error::from)?;
            let logits = self.lm.logits(&rows)?.squeeze(0).and_then(|rows| rows.to_vec2::<f32>());
            let rows = logits.map_err(model::Error::from)?;
            let ids = scored.next_ids().to_vec();
            let read: Vec<Seen> = rows.par_iter().zip(&ids).map(|(row, id)| Seen::of(row, *id)).collect();
            for (seen, row) in read.into_iter().zip(&rows) {
                scored.push(seen, row, self.options.top_k)?;
            }
            at += n;
        }
        Ok(())
    }

    fn generate(&self, request: &GenerateUntil, context: &[u32], branch: Branch) -> Result<Generated, Error> {
        let mut answer = Generated { text: String::new(), ids: Vec::new(), stopped: false };
        let (mut cache, Some(mut logits)) = (branch.cache, branch.logits) else { return Ok(answer) };
        while answer.ids.len() < request.max_new && !answer.stopped {
            self.cancel.check()?;
            let id = argmax(&logits);
            answer.ids.push(id);
            answer.stopped = Some(id) == self.tokenizer.eos() || request.cut(&self.tokenizer.decode(&answer.ids)).1;
            let room = context.len() + answer.ids.len() < self.lm.config().n_ctx;
            if answer.stopped || !room || answer.ids.len() == request.max_new {
                break;
            }
            logits = last_logits(self.lm, &[id], &mut cache, &mut self.cancel.clone())?;
        }
        let is_text = |id: &u32| Some(*id) != self.tokenizer.eos() && !self.tokenizer.is_special(*id);
        let said: Vec<u32> = answer.ids.iter().copied().filter(is_text).collect();
        request.cut(&self.tokenizer.decode(&said)).0.clone_into(&mut answer.text);
        Ok(answer)
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

/// The response made of its parts.
fn whole(request: &Request, mut parts: Vec<(usize, Part)>) -> Response {
    parts.sort_by_key(|(window, _)| *window);
    let mut windows = Vec::new();
    for (_, part) in parts {
        match (request, part) {
            (_, Part::Generated(generated)) => return Response::Generated(generated),
            (Request::Loglikelihood(_), Part::Scored(scored)) => return Response::Scored(scored),
            (_, Part::Scored(scored)) => windows.push(scored),
        }
    }
    Response::Rolled(Rolled { windows })
}

/// What is read from the logits in place of one token.
struct Seen {
    logprob: f64,
    rank: usize,
    is_greedy: bool,
}

impl Seen {
    fn of(logits: &[f32], id: u32) -> Self {
        let logprob = round9(log_softmax(logits)[id as usize]);
        Self { logprob, rank: rank(logits, id), is_greedy: argmax(logits) == id }
    }
}

impl Scored {
    /// The tokens of the continuation that are not scored yet.
    fn next_ids(&self) -> &[u32] {
        self.ids.get(self.boundary + self.logprobs.len()..).unwrap_or_default()
    }

    /// Scores the next token of the continuation, if there is one.
    fn push_logits(&mut self, logits: &[f32], top_k: usize) -> Result<(), Error> {
        match self.next_ids().first() {
            Some(&id) => self.push(Seen::of(logits, id), logits, top_k),
            None => Ok(()),
        }
    }

    /// Adds the next token of the continuation.
    fn push(&mut self, seen: Seen, logits: &[f32], top_k: usize) -> Result<(), Error> {
        if !seen.logprob.is_finite() {
            return Err(Error::NotFinite { text: self.text.clone(), found: seen.logprob });
        }
        if self.logprobs.is_empty() {
            self.top = likeliest(logits, top_k);
        }
        self.logprobs.push(seen.logprob);
        self.ranks.push(seen.rank);
        self.is_greedy &= seen.is_greedy;
        Ok(())
    }
}

/// The `k` likeliest tokens, of equal ones the smaller id first, with their log-probabilities.
fn likeliest(logits: &[f32], k: usize) -> Vec<(u32, f64)> {
    if k == 0 {
        return Vec::new();
    }
    let logprobs = log_softmax(logits);
    let order = |a: &u32, b: &u32| logits[*b as usize].total_cmp(&logits[*a as usize]).then(a.cmp(b));
    let mut ids: Vec<u32> = (0..).take(logits.len()).collect();
    if k < ids.len() {
        ids.select_nth_unstable_by(k, order);
        ids.truncate(k);
    }
    ids.sort_unstable_by(order);
    ids.into_iter().map(|id| (id, round9(logprobs[id as usize]))).collect()
}

/// One more than the tokens with a higher logit.
fn rank(logits: &[f32], id: u32) -> usize {
    1 + logits.iter().filter(|&&logit| logit > logits[id as usize]).count()
}
