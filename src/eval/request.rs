//! What a model is asked, and what comes back.
//!
//! A log-likelihood request is cut into tokens as lm-evaluation-harness does it: trailing spaces of the context move
//! to the continuation, both are encoded as one text, and the boundary is the number of tokens of the context alone.

use serde::{Deserialize, Serialize};

use super::scheduler::Error;
use crate::text::Tokenizer;

/// How probable is `continuation` after `context`?
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Loglikelihood {
    /// What is given.
    pub context: String,
    /// What is scored.
    pub continuation: String,
}

/// What does the model write after `context`, greedily?
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct GenerateUntil {
    /// What is given.
    pub context: String,
    /// The answer ends before the first of these.
    pub until: Vec<String>,
    /// The most tokens that are generated.
    pub max_new: usize,
}

/// One question to a model.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Request {
    /// See [`Loglikelihood`].
    Loglikelihood(Loglikelihood),
    /// See [`GenerateUntil`].
    GenerateUntil(GenerateUntil),
}

/// The answer to a [`Request`].
#[derive(Debug, Clone, PartialEq)]
pub enum Response {
    /// To a log-likelihood request.
    Scored(Scored),
    /// To a generation request.
    Generated(Generated),
}

/// A continuation with the log-probability of each of its tokens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scored {
    /// The continuation, with the spaces that moved to it.
    pub text: String,
    /// The tokens of context and continuation, a beginning-of-sequence token included.
    pub ids: Vec<u32>,
    /// How many of them are context.
    pub boundary: usize,
    /// Natural-log probability of each token of the continuation, to nine decimals.
    pub logprobs: Vec<f64>,
    /// The rank of the first token of the continuation in the whole vocabulary, from 1.
    pub first_rank: usize,
    /// Whether each token of the continuation is the most probable one.
    pub is_greedy: bool,
}

impl Scored {
    /// The log-likelihood of the continuation, to nine decimals.
    pub fn loglik(&self) -> f64 {
        round9(self.logprobs.iter().sum())
    }
}

/// A greedy answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Generated {
    /// The answer before the stop, without spaces around it.
    pub text: String,
    /// All generated tokens, those of the stop included.
    pub ids: Vec<u32>,
    /// Whether a stop or the end of the sequence was reached.
    pub stopped: bool,
}

/// A request as tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// The continuation, with the spaces that moved to it.
    pub text: String,
    /// Context and continuation.
    pub ids: Vec<u32>,
    /// How many of them are context.
    pub boundary: usize,
}

impl Loglikelihood {
    /// The tokens of the request and where its continuation begins.
    pub fn split(&self, tokenizer: &Tokenizer) -> Result<Split, Error> {
        let context = self.context.trim_end();
        let text = format!("{}{}", &self.context[context.len()..], self.continuation);
        let mut ids = start(tokenizer, context)?;
        let whole = tokenizer.encode(&format!("{context}{text}"))?;
        let boundary = ids.len() + tokenizer.encode(context)?.len();
        ids.extend(whole);
        if ids.len() <= boundary {
            return Err(Error::EmptyContinuation { context: self.context.clone(), continuation: text });
        }
        Ok(Split { text, ids, boundary })
    }
}

impl GenerateUntil {
    /// The tokens of the context.
    pub fn ids(&self, tokenizer: &Tokenizer) -> Result<Vec<u32>, Error> {
        let mut ids = start(tokenizer, &self.context)?;
        ids.extend(tokenizer.encode(&self.context)?);
        Ok(ids)
    }

    /// The answer in a generated text: what comes before the first stop, and whether there was one.
    pub(crate) fn cut<'a>(&self, text: &'a str) -> (&'a str, bool) {
        let stop = self.until.iter().filter_map(|stop| text.find(stop.as_str())).min();
        (text[..stop.unwrap_or(text.len())].trim(), stop.is_some())
    }
}

/// What comes before the first token of the text: BOS if the tokenizer asks for it, or if the text is empty.
fn start(tokenizer: &Tokenizer, context: &str) -> Result<Vec<u32>, Error> {
    if tokenizer.adds_bos() {
        return Ok(tokenizer.bos().into_iter().collect());
    }
    if context.is_empty() {
        return Ok(vec![tokenizer.bos().or(tokenizer.eos()).ok_or(Error::NoContext)?]);
    }
    Ok(Vec::new())
}

/// Rounded to nine decimals: enough to tell, and few enough digits to be read back as the same number.
pub(crate) fn round9(value: f64) -> f64 {
    (value * 1e9).round() / 1e9
}
