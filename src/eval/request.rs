//! What a model is asked, and what comes back. Both are those of lm-evaluation-harness.

mod lint;
#[cfg(test)]
mod tests;
mod tokens;

use serde::{Deserialize, Serialize};

pub use self::lint::Lint;
pub use self::tokens::Split;

/// How probable is `continuation` after `context`?
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Loglikelihood {
    /// What is given.
    pub context: String,
    /// What is scored.
    pub continuation: String,
}

/// How probable is a text, every token of it, however long?
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LoglikelihoodRolling {
    /// What is scored.
    pub text: String,
}

/// The same through windows of a stated length that move on by a stated stride.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LoglikelihoodStrided {
    /// What is scored.
    pub text: String,
    /// Tokens that the model sees at most.
    pub window: usize,
    /// Tokens that each window after the first scores.
    pub stride: usize,
}

/// How many bytes does the model make of a text, and does it read them back?
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Compress {
    /// What is compressed.
    pub text: String,
}

/// What does the model write after `context`, greedily?
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct GenerateUntil {
    /// What is given.
    pub context: String,
    /// The answer ends before the first of these.
    pub until: Vec<String>,
    /// The most tokens that are generated.
    pub max_new: usize,
}

/// What does the model write after a context, drawn at a temperature?
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SampleUntil {
    /// What is given, and where the answer ends.
    #[serde(flatten)]
    pub asked: GenerateUntil,
    /// The temperature, in thousandths; 1,000 draws from the model's own distribution.
    pub temperature_milli: u32,
    /// Seed of the random numbers: answers of one seed are the same in any company.
    pub seed: u64,
}

/// One question to a model.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// See [`Loglikelihood`].
    Loglikelihood(Loglikelihood),
    /// See [`LoglikelihoodRolling`].
    LoglikelihoodRolling(LoglikelihoodRolling),
    /// See [`GenerateUntil`].
    GenerateUntil(GenerateUntil),
    /// See [`SampleUntil`].
    SampleUntil(SampleUntil),
    /// See [`LoglikelihoodStrided`].
    LoglikelihoodStrided(LoglikelihoodStrided),
    /// See [`Compress`].
    Compress(Compress),
}

impl Request {
    /// What is given: the context, or a text that is scored as a whole.
    pub fn given(&self) -> &str {
        match self {
            Self::Loglikelihood(request) => &request.context,
            Self::LoglikelihoodRolling(request) => &request.text,
            Self::GenerateUntil(request) => &request.context,
            Self::SampleUntil(request) => &request.asked.context,
            Self::LoglikelihoodStrided(request) => &request.text,
            Self::Compress(request) => &request.text,
        }
    }
}

/// The answer to a [`Request`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Response {
    /// To a log-likelihood request.
    Scored(Scored),
    /// To a rolling log-likelihood request, or a strided one.
    Rolled(Rolled),
    /// To a request that the model writes.
    Generated(Generated),
    /// To a request to compress.
    Compressed(Compressed),
    /// To any request, as another tool has told it.
    Told(Told),
}

impl Response {
    /// What the model wrote, if it wrote anything.
    pub const fn generated(&self) -> Option<&Generated> {
        match self {
            Self::Generated(generated) => Some(generated),
            Self::Scored(_) | Self::Rolled(_) | Self::Compressed(_) | Self::Told(_) => None,
        }
    }
}

/// What another tool's log says of a response. It holds no tokens; what it does not say is absent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Told {
    /// The log-likelihood.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loglik: Option<f64>,
    /// Whether each token is the most probable one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_greedy: Option<bool>,
    /// The text that was generated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
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
    /// The rank of each token of the continuation in the whole vocabulary, from 1.
    pub ranks: Vec<usize>,
    /// Whether each token of the continuation is the most probable one.
    pub is_greedy: bool,
    /// The likeliest tokens in place of the first one of the continuation, with their log-probabilities.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub top: Vec<(u32, f64)>,
    /// What is odd about the tokens.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lints: Vec<Lint>,
}

impl Scored {
    /// The rank of the first token of the continuation; 0 if nothing is scored.
    pub fn first_rank(&self) -> usize {
        self.ranks.first().copied().unwrap_or(0)
    }

    /// The log-likelihood of the continuation, to nine decimals.
    pub fn loglik(&self) -> f64 {
        round9(self.logprobs.iter().sum())
    }
}

/// A text with the log-probability of each of its tokens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rolled {
    /// The windows that it was cut into, in order; their continuations are the text.
    pub windows: Vec<Scored>,
}

impl Rolled {
    /// The log-likelihood of the text, to nine decimals.
    pub fn loglik(&self) -> f64 {
        round9(self.windows.iter().map(Scored::loglik).sum())
    }
}

/// A text that the model compressed and read back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Compressed {
    /// The bytes that were written: those of the coder, and those that say how many tokens there are.
    pub bytes: usize,
    /// The tokens that they stand for.
    pub n_tokens: usize,
    /// The log-likelihood of the tokens, to nine decimals; none if they do not give the text back, which is then stored
    /// as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loglik: Option<f64>,
    /// Whether what was read back is the text.
    pub lossless: bool,
}

/// An answer that the model wrote.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Generated {
    /// The answer before the stop, without markers such as the end of the sequence.
    pub text: String,
    /// All generated tokens, those of the stop included.
    pub ids: Vec<u32>,
    /// Whether a stop or the end of the sequence was reached.
    pub stopped: bool,
    /// Of a drawn answer, natural-log probability of each token at temperature 1, to nine decimals.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub logprobs: Vec<f64>,
    /// Of a drawn answer, the entropy of what the model might have begun it with, in nats, to nine decimals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entropy: Option<f64>,
}

/// Rounded to nine decimals: enough to tell, and few enough digits to be read back as the same number.
pub(crate) fn round9(value: f64) -> f64 {
    (value * 1e9).round() / 1e9
}
