//! The items of a run, with the tokens that were scored, to be searched, sorted and opened one by one.

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::ReportError;

/// Items of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Items {
    /// Its name.
    pub title: String,
    /// What is shown.
    pub caption: String,
    /// The metrics whose values items have, in the order of their values.
    pub metrics: Vec<String>,
    /// SHA-256 of the items as JSON.
    pub sha256: String,
    /// The items.
    pub items: Vec<Answered>,
}

/// An item that was answered.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Answered {
    /// Its name in the suite.
    pub id: String,
    /// The task.
    pub task: String,
    /// Its strata, as `field=value`.
    pub strata: String,
    /// What was asked first.
    pub prompt: String,
    /// The right answer.
    pub target: String,
    /// What was answered.
    pub answer: String,
    /// Its value in each metric: right or wrong, a number, or nothing.
    pub values: Vec<serde_json::Value>,
    /// The same in the run that it is compared with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Vec<serde_json::Value>>,
    /// What was scored.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scored: Vec<ScoredText>,
}

/// A text that was scored, token by token.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ScoredText {
    /// Its natural-log likelihood.
    pub loglik: f64,
    /// Each token with its natural-log probability and its rank.
    pub tokens: Vec<(String, f64, usize)>,
}

impl Items {
    /// Items with their hash.
    ///
    /// # Errors
    /// If an item does not become JSON, which would be a mistake here.
    pub fn new(title: &str, caption: String, metrics: Vec<String>, items: Vec<Answered>) -> Result<Self, ReportError> {
        let mut hash = Sha256::new();
        for item in &items {
            hash.update(serde_json::to_vec(item)?);
        }
        let sha256 = hash.finalize().iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
        Ok(Self { title: title.into(), caption, metrics, sha256, items })
    }

    /// Whether it is compared with another run.
    pub fn has_flips(&self) -> bool {
        self.items.iter().any(|item| item.before.is_some())
    }
}
