//! Scorers: which requests an item makes, and what is read from the responses.

mod direction_pair;

use serde::{Deserialize, Serialize};

use super::item::Item;
use super::request::{Generated, Request, Response, Scored};

/// What is asked about one end of a fact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The prompt that names the other end.
    pub prompt: String,
    /// The same after a sentence that states the fact in the opposite direction.
    pub in_context: String,
    /// The true answers, the item's own first.
    pub answers: Vec<String>,
    /// The names that the item's own answer is compared with.
    pub controls: Vec<String>,
    /// Where a generated answer ends.
    pub until: Vec<String>,
    /// The most tokens of a generated answer.
    pub max_new: usize,
}

/// One prompt, with the gold name and its rivals scored after it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Probe {
    /// The prompt.
    pub prompt: String,
    /// Whether the greedy answer is a true answer, and nothing more.
    pub exact_match: bool,
    /// Whether the gold name is more likely than every control; a tie counts against it.
    pub best: bool,
    /// The rank of the gold name among itself and the controls, from 1; a tie counts against it.
    pub rank: usize,
    /// Log-likelihood of the gold name, in nats.
    pub loglik: f64,
    /// The same for each token.
    pub mean_logprob: f64,
    /// Log-likelihood of the gold name minus the mean over the controls.
    pub lift: f64,
    /// The gold name.
    pub gold: Scored,
    /// The control names.
    pub controls: Vec<Scored>,
    /// The greedy answer.
    pub generated: Generated,
}

/// One direction of a fact.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DirectionScore {
    /// From what the model knows.
    pub plain: Probe,
    /// The positive control: with the fact stated in the opposite direction just before.
    pub in_context: Probe,
}

/// The scores of an item.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ItemRecord {
    /// The item.
    pub item: Item,
    /// Asking a for b.
    pub forward: DirectionScore,
    /// Asking b for a.
    pub reverse: DirectionScore,
}

/// Turns an item into requests, and responses into scores.
pub trait Scorer: Sync {
    /// The name in `suite.toml`; the file is called the same, with `_`.
    fn name(&self) -> &'static str;

    /// One sentence.
    fn about(&self) -> &'static str;

    /// What the model is asked, given the forward and the reverse question.
    fn requests(&self, forward: &Question, reverse: &Question) -> Vec<Request>;

    /// The scores; `responses` are those to [`requests`](Self::requests), in order. None if some are missing.
    fn score(
        &self,
        item: &Item,
        forward: &Question,
        reverse: &Question,
        responses: Vec<Response>,
    ) -> Option<ItemRecord>;
}

/// Every scorer.
pub static SCORERS: &[&dyn Scorer] = &[&direction_pair::DirectionPair];

/// The scorer of that name.
pub fn by_name(name: &str) -> Option<&'static dyn Scorer> {
    SCORERS.iter().copied().find(|scorer| scorer.name() == name)
}

/// The names of all scorers, as a list to read.
pub(crate) fn known() -> String {
    SCORERS.iter().map(|scorer| scorer.name()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_in_the_slice() {
        let mut files: Vec<String> = std::fs::read_dir("src/eval/scorer")
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name != "mod.rs")
            .collect();
        files.sort();
        let named: Vec<String> = SCORERS.iter().map(|scorer| scorer.name().replace('-', "_") + ".rs").collect();
        assert_eq!(files, named);
    }
}
