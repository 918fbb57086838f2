//! A request, or a window of one, as the tokens to run.

use super::Error;
use super::reading::Draw;
use crate::eval::request::{GenerateUntil, Request, SampleUntil, Scored, Split};
use crate::model::DecoderConfig;
use crate::text::Tokenizer;

/// What is done after a context.
pub(super) enum Task<'a> {
    /// Score a continuation.
    Score(Split),
    /// Write on, with the likeliest tokens.
    Generate(&'a GenerateUntil),
    /// Write on, with tokens that are drawn.
    Sample(&'a SampleUntil),
}

/// One piece of work.
pub(super) struct Job<'a> {
    /// Whose it is, among the different requests.
    pub(super) owner: usize,
    /// Which window of that request.
    pub(super) window: usize,
    /// The tokens that other jobs may begin with too; those of a window are its own.
    pub(super) context: Vec<u32>,
    /// What follows.
    pub(super) task: Task<'a>,
}

impl<'a> Job<'a> {
    /// The jobs of a request.
    pub(super) fn of(
        owner: usize,
        request: &'a Request,
        tokenizer: &Tokenizer,
        cfg: &DecoderConfig,
    ) -> Result<Vec<Self>, Error> {
        let jobs = match request {
            Request::Loglikelihood(request) => {
                let split = request.split(tokenizer, cfg.n_ctx)?;
                let context = split.ids[..split.boundary].to_vec();
                vec![Self { owner, window: 0, context, task: Task::Score(split) }]
            }
            Request::LoglikelihoodRolling(request) => {
                let windows = request.windows(tokenizer, cfg.n_ctx)?.into_iter().map(Task::Score).enumerate();
                windows.map(|(window, task)| Self { owner, window, context: Vec::new(), task }).collect()
            }
            Request::LoglikelihoodStrided(request) => {
                let windows = request.windows(tokenizer, cfg.n_ctx)?.into_iter().map(Task::Score).enumerate();
                windows.map(|(window, task)| Self { owner, window, context: Vec::new(), task }).collect()
            }
            // its tokens depend on each other both ways: no piece of it is a job
            Request::Compress(_) => Vec::new(),
            Request::GenerateUntil(request) => {
                let context = request.ids(tokenizer, cfg.n_ctx)?;
                vec![Self { owner, window: 0, context, task: Task::Generate(request) }]
            }
            Request::SampleUntil(request) => {
                let context = request.asked.ids(tokenizer, cfg.n_ctx)?;
                vec![Self { owner, window: 0, context, task: Task::Sample(request) }]
            }
        };
        jobs.iter().try_for_each(|job| job.check_ids(cfg.d_vocab))?;
        Ok(jobs)
    }

    fn check_ids(&self, d_vocab: usize) -> Result<(), Error> {
        let (text, ids) = match &self.task {
            Task::Score(split) => (&split.text, &split.ids),
            Task::Generate(request) => (&request.context, &self.context),
            Task::Sample(request) => (&request.asked.context, &self.context),
        };
        match ids.iter().find(|id| **id as usize >= d_vocab) {
            Some(&id) => Err(Error::OutsideVocabulary { text: text.clone(), id, d_vocab }),
            None => Ok(()),
        }
    }

    /// The tokens to run after the context: all but the last, which predicts nothing that is scored.
    pub(super) fn rest(&self) -> &[u32] {
        match &self.task {
            Task::Score(split) => &split.ids[self.context.len()..split.ids.len() - 1],
            Task::Generate(_) | Task::Sample(_) => &[],
        }
    }

    /// Whether the first scored token is predicted by the last one of the context.
    pub(super) fn starts_after_context(&self) -> bool {
        matches!(&self.task, Task::Score(split) if split.boundary == self.context.len())
    }

    /// The scored token that the last one of the context predicts.
    pub(super) fn after_context(&self) -> Option<u32> {
        match &self.task {
            Task::Score(split) if self.starts_after_context() => split.ids.get(split.boundary).copied(),
            Task::Score(_) | Task::Generate(_) | Task::Sample(_) => None,
        }
    }

    /// What the model writes, if it writes.
    pub(super) fn written(&self) -> Option<&'a GenerateUntil> {
        match &self.task {
            Task::Generate(request) => Some(request),
            Task::Sample(request) => Some(&request.asked),
            Task::Score(_) => None,
        }
    }

    /// How the token at this place of the answer is drawn, if it is.
    pub(super) fn draw(&self, place: usize) -> Option<Draw> {
        match &self.task {
            Task::Sample(request) => {
                Some(Draw { temperature_milli: request.temperature_milli, seed: request.seed, place: place as u64 })
            }
            Task::Score(_) | Task::Generate(_) => None,
        }
    }

    /// The first position of the rest that predicts a scored token.
    pub(super) fn first_row(&self) -> usize {
        match &self.task {
            Task::Score(split) if !self.starts_after_context() => split.boundary - 1 - self.context.len(),
            Task::Score(_) | Task::Generate(_) | Task::Sample(_) => 0,
        }
    }

    /// The score with no token scored yet.
    pub(super) fn unscored(&self) -> Scored {
        let split = match &self.task {
            Task::Score(split) => split.clone(),
            Task::Generate(_) | Task::Sample(_) => {
                Split { text: String::new(), ids: Vec::new(), boundary: 0, lints: Vec::new() }
            }
        };
        Scored {
            text: split.text,
            ids: split.ids,
            boundary: split.boundary,
            logprobs: Vec::new(),
            ranks: Vec::new(),
            is_greedy: true,
            top: Vec::new(),
            lints: split.lints,
        }
    }
}
