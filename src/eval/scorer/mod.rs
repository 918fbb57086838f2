//! Suites whose items are asked in a way of their own: what `scorer` in `suite.toml` may name.
//!
//! A scorer turns the rows of a suite into items with their requests, may ask on after the answers
//! ([`Grader::follow_up`](super::task::Grader::follow_up)), and says what the answers are worth. It runs no model.

mod base_vs_assistant;
mod comparisons;
mod compression;
mod direction_pair;
mod hallucination;
mod instruction_boundary;
mod self_improvement;
mod sheet;
mod system_1_2;

use super::prepare::PrepareOptions;
use super::problem::{Problem, nearest};
use super::task::Task;
use crate::text::Tokenizer;

pub(super) use self::sheet::Sheet;

/// Makes the task of a suite; without a tokenizer it is only checked.
type Prepare = fn(&Sheet<'_>, Option<&Tokenizer>, &PrepareOptions<'_>) -> Result<Task, Vec<Problem>>;

/// A way of asking.
pub struct Scorer {
    /// What `scorer` in `suite.toml` calls it; the file or folder is called the same, with `_`.
    pub name: &'static str,
    /// What it does, in a sentence without a period.
    pub about: &'static str,
    /// Keys of `suite.toml` beside those of every suite ([`COMMON`]).
    pub keys: &'static [&'static str],
    /// Makes the task; without a tokenizer it is only checked.
    pub(super) task: Prepare,
}

/// Keys of `suite.toml` that every scorer's suite may have.
pub const COMMON: &[&str] =
    &["about", "cluster", "gate", "id", "items", "name", "quick", "scorer", "strata", "version"];

/// Every scorer.
pub static SCORERS: &[Scorer] = &[
    direction_pair::SCORER,
    hallucination::SCORER,
    system_1_2::SCORER,
    base_vs_assistant::SCORER,
    comparisons::SCORER,
    compression::SCORER,
    self_improvement::SCORER,
    instruction_boundary::SCORER,
];

/// The scorer of that name, or what is wrong with the name.
pub(super) fn by_name(name: &str) -> Result<&'static Scorer, String> {
    let names = || SCORERS.iter().map(|scorer| scorer.name);
    let found = SCORERS.iter().find(|scorer| scorer.name == name);
    found.ok_or_else(|| format!("scorer `{name}` does not exist: {}", nearest(name, names())))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_file_is_in_the_slice_and_every_scorer_has_a_file() {
        let files: BTreeSet<String> = std::fs::read_dir("src/eval/scorer")
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap().replace(".rs", ""))
            .filter(|name| !["mod", "sheet"].contains(&name.as_str()))
            .collect();
        let named: BTreeSet<String> = SCORERS.iter().map(|scorer| scorer.name.replace('-', "_")).collect();
        assert_eq!(files, named);
        assert_eq!(named.len(), SCORERS.len(), "a name is there twice");
    }
}
