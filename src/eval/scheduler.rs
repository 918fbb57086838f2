//! Answers requests with a model. Equal requests are answered once, and a context that several share is run once.
//!
//! What a request gets does not depend on the others: a context and its continuation are always run as two pieces.

#[cfg(test)]
mod tests;

use std::collections::HashMap;

use super::request::{GenerateUntil, Generated, Loglikelihood, Request, Response, Scored, round9};
use crate::model::sample::{argmax, log_softmax};
use crate::model::{self, CancelToken, CausalLm, KvCache, ids_tensor, last_logits};
use crate::text::{self, Tokenizer};

/// A request that was not answered.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The text could not be cut into tokens.
    #[error(transparent)]
    Text(#[from] text::Error),
    /// The model failed.
    #[error(transparent)]
    Model(#[from] model::Error),
    /// Nothing is left to score.
    #[error("score `{continuation}` after `{context}`: no token of its own remains")]
    EmptyContinuation {
        /// What is given.
        context: String,
        /// What was to be scored.
        continuation: String,
    },
    /// The first token has nothing before it.
    #[error("score a text with an empty context: the tokenizer has neither BOS nor EOS")]
    NoContext,
    /// The tokenizer has an id that the model lacks.
    #[error("score `{text}`: id {id} is outside the model's vocabulary of {d_vocab}")]
    OutsideVocabulary {
        /// The continuation.
        text: String,
        /// The id.
        id: u32,
        /// The size of the vocabulary.
        d_vocab: usize,
    },
    /// A log-probability is no number.
    #[error("score `{text}`: the model gives it log-probability {found}")]
    NotFinite {
        /// The continuation.
        text: String,
        /// What the model gave.
        found: f64,
    },
}

impl Error {
    /// What to do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Text(error) => error.hint(),
            Self::Model(error) => error.hint(),
            Self::EmptyContinuation { .. } => Some("its text merges with the context; begin it with a space".into()),
            Self::OutsideVocabulary { .. } => Some("tokenizer and model may not belong together".into()),
            Self::NotFinite { .. } => Some("the weights may be damaged, or overflow in this precision".into()),
            Self::NoContext => None,
        }
    }
}

/// A context that was run.
struct Branch {
    cache: KvCache,
    /// Next-token logits `[d_vocab]`.
    logits: Vec<f32>,
}

/// Answers requests with one model.
pub struct Scheduler<'a> {
    lm: &'a dyn CausalLm,
    tokenizer: &'a Tokenizer,
    cancel: &'a CancelToken,
}

impl<'a> Scheduler<'a> {
    /// A scheduler that stops when `cancel` says so.
    pub fn new(lm: &'a dyn CausalLm, tokenizer: &'a Tokenizer, cancel: &'a CancelToken) -> Self {
        Self { lm, tokenizer, cancel }
    }

    /// One response for each request, in the same order.
    pub fn answer(&self, requests: &[Request]) -> Result<Vec<Response>, Error> {
        let mut contexts = HashMap::new();
        let mut known: HashMap<&Request, Response> = HashMap::new();
        let mut responses = Vec::with_capacity(requests.len());
        for request in requests {
            self.cancel.check()?;
            if !known.contains_key(request) {
                known.insert(request, self.one(request, &mut contexts)?);
            }
            responses.extend(known.get(request).cloned());
        }
        Ok(responses)
    }

    fn one(&self, request: &Request, contexts: &mut HashMap<Vec<u32>, Branch>) -> Result<Response, Error> {
        Ok(match request {
            Request::Loglikelihood(request) => Response::Scored(self.score(request, contexts)?),
            Request::GenerateUntil(request) => Response::Generated(self.generate(request, contexts)?),
        })
    }

    /// A branch of the context, which is run if it is new.
    fn branch(&self, ids: &[u32], contexts: &mut HashMap<Vec<u32>, Branch>) -> Result<Branch, Error> {
        if let Some(known) = contexts.get(ids) {
            return Ok(Branch { cache: known.cache.clone(), logits: known.logits.clone() });
        }
        let mut cache = self.lm.new_cache();
        let logits = last_logits(self.lm, ids, &mut cache, &mut self.cancel.clone())?;
        contexts.insert(ids.to_vec(), Branch { cache: cache.clone(), logits: logits.clone() });
        Ok(Branch { cache, logits })
    }

    fn score(&self, request: &Loglikelihood, contexts: &mut HashMap<Vec<u32>, Branch>) -> Result<Scored, Error> {
        let split = request.split(self.tokenizer)?;
        let (context, target) = split.ids.split_at(split.boundary);
        self.check_ids(&split.text, &split.ids)?;
        let mut branch = self.branch(context, contexts)?;
        let mut scored = Scored {
            first_rank: rank(&branch.logits, target[0]),
            text: split.text,
            ids: split.ids.clone(),
            boundary: split.boundary,
            logprobs: Vec::with_capacity(target.len()),
            is_greedy: true,
        };
        scored.push(&branch.logits, target[0])?;
        if target.len() > 1 {
            let input = ids_tensor(&target[..target.len() - 1])?;
            let hidden = self.lm.forward(&input, &mut branch.cache, &mut self.cancel.clone())?;
            let rows = self.lm.logits(&hidden)?.squeeze(0).and_then(|rows| rows.to_vec2::<f32>());
            for (row, &id) in rows.map_err(model::Error::from)?.iter().zip(&target[1..]) {
                scored.push(row, id)?;
            }
        }
        Ok(scored)
    }

    fn generate(&self, request: &GenerateUntil, contexts: &mut HashMap<Vec<u32>, Branch>) -> Result<Generated, Error> {
        let context = request.ids(self.tokenizer)?;
        self.check_ids(&request.context, &context)?;
        let Branch { mut cache, mut logits } = self.branch(&context, contexts)?;
        let mut answer = Generated { text: String::new(), ids: Vec::new(), stopped: false };
        while answer.ids.len() < request.max_new && !answer.stopped {
            self.cancel.check()?;
            let id = argmax(&logits);
            answer.ids.push(id);
            answer.stopped = Some(id) == self.tokenizer.eos() || request.cut(&self.tokenizer.decode(&answer.ids)).1;
            let room = context.len() + answer.ids.len() < self.lm.config().n_ctx;
            if answer.stopped || !room {
                break;
            }
            logits = last_logits(self.lm, &[id], &mut cache, &mut self.cancel.clone())?;
        }
        let said: Vec<u32> = answer.ids.iter().copied().filter(|id| Some(*id) != self.tokenizer.eos()).collect();
        request.cut(&self.tokenizer.decode(&said)).0.clone_into(&mut answer.text);
        Ok(answer)
    }

    fn check_ids(&self, text: &str, ids: &[u32]) -> Result<(), Error> {
        let d_vocab = self.lm.config().d_vocab;
        match ids.iter().find(|id| **id as usize >= d_vocab) {
            Some(&id) => Err(Error::OutsideVocabulary { text: text.to_owned(), id, d_vocab }),
            None => Ok(()),
        }
    }
}

impl Scored {
    fn push(&mut self, logits: &[f32], id: u32) -> Result<(), Error> {
        let logprob = round9(log_softmax(logits)[id as usize]);
        if !logprob.is_finite() {
            return Err(Error::NotFinite { text: self.text.clone(), found: logprob });
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
