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

use candle_core::Tensor;

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
        Self { batch: 1, contexts: Contexts::Shared }
    }
}

/// How far the answering is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Different requests, or windows of them, that are answered.
    pub done: usize,
    /// Of how many.
    pub total: usize,
}

/// Answers requests with one model.
pub struct Scheduler<'a> {
    lm: &'a dyn CausalLm,
    tokenizer: &'a Tokenizer,
    cancel: &'a CancelToken,
    options: Options,
    trail: Trail,
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
        self.answer_watched(requests, &mut |_| {})
    }

    /// The same, telling how far it is.
    pub fn answer_watched(
        &mut self,
        requests: &[Request],
        watch: &mut dyn FnMut(Progress),
    ) -> Result<Vec<Response>, Error> {
        let (unique, order) = distinct(requests);
        let mut jobs = Vec::new();
        for (owner, request) in unique.iter().enumerate() {
            self.cancel.check()?;
            jobs.extend(Job::of(owner, request, self.tokenizer, self.lm.config())?);
        }
        // neighbours have the longest beginnings in common
        jobs.sort_by(|a, b| a.context.cmp(&b.context));
        let total = jobs.len();
        let mut parts: Vec<Vec<(usize, Part)>> = unique.iter().map(|_| Vec::new()).collect();
        let mut done = 0;
        for group in jobs.chunk_by(|a, b| a.context == b.context) {
            for (job, part) in self.group(group)? {
                parts[job.owner].push((job.window, part));
                done += 1;
                watch(Progress { done, total });
            }
        }
        let responses: Vec<Response> = unique.iter().zip(parts).map(|(request, parts)| whole(request, parts)).collect();
        Ok(order.into_iter().map(|owner| responses[owner].clone()).collect())
    }

    /// Jobs with one context.
    fn group<'j>(&mut self, jobs: &'j [Job<'_>]) -> Result<Vec<(&'j Job<'j>, Part)>, Error> {
        if self.options.contexts == Contexts::Forgotten {
            self.trail = Trail::default();
        }
        let branch = self.trail.branch(self.lm, &jobs[0].context, self.cancel)?;
        let mut parts = Vec::with_capacity(jobs.len());
        let mut scored: Vec<&Job<'_>> = Vec::new();
        for job in jobs {
            match job.task {
                Task::Score(_) => scored.push(job),
                Task::Generate(request) => {
                    let said = self.generate(request, &job.context, branch.clone())?;
                    parts.push((job, Part::Generated(said)));
                }
            }
        }
        // a batch is as long as the longest in it
        scored.sort_by_key(|job| job.rest().len());
        for batch in scored.chunks(self.options.batch.max(1)) {
            let found = self.score(batch, &branch)?;
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
                scored.push(logits)?;
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
            for row in logits.map_err(model::Error::from)? {
                scored.push(&row)?;
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

/// The different requests, and for each request which of them it is.
fn distinct(requests: &[Request]) -> (Vec<&Request>, Vec<usize>) {
    let mut known: HashMap<&Request, usize> = HashMap::new();
    let mut unique = Vec::new();
    let order = requests.iter().map(|request| {
        *known.entry(request).or_insert_with(|| {
            unique.push(request);
            unique.len() - 1
        })
    });
    let order = order.collect();
    (unique, order)
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

impl Scored {
    /// Adds the next token of the continuation.
    fn push(&mut self, logits: &[f32]) -> Result<(), Error> {
        let Some(&id) = self.ids.get(self.boundary + self.logprobs.len()) else { return Ok(()) };
        let logprob = round9(log_softmax(logits)[id as usize]);
        if !logprob.is_finite() {
            return Err(Error::NotFinite { text: self.text.clone(), found: logprob });
        }
        if self.logprobs.is_empty() {
            self.first_rank = rank(logits, id);
        }
        self.logprobs.push(logprob);
        self.is_greedy &= argmax(logits) == id;
        Ok(())
    }
}

/// One more than the tokens with a higher logit.
fn rank(logits: &[f32], id: u32) -> usize {
    1 + logits.iter().filter(|&&logit| logit > logits[id as usize]).count()
}
