//! Mistakes in files, each with its place, so that all of them are told at once.

use std::collections::HashSet;
use std::fmt;

use crate::reading;

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Problem {
    /// The file, as it was given.
    pub file: String,
    /// The line, from 1, where there is one.
    pub line: Option<usize>,
    /// What is wrong, and what is expected.
    pub what: String,
}

impl Problem {
    /// A mistake at a place.
    pub(super) fn new(file: &str, line: impl Into<Option<usize>>, what: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line: line.into(), what: what.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.file, self.what),
            None => write!(f, "{}: {}", self.file, self.what),
        }
    }
}

/// How many are told; a file with a mistake in every line is not told in full.
const TOLD: usize = 100;

/// The problems below each other.
pub(super) fn list(problems: &[Problem]) -> String {
    let mut lines: Vec<String> = problems.iter().take(TOLD).map(Problem::to_string).collect();
    if problems.len() > TOLD {
        lines.push(format!("and {} more", problems.len() - TOLD));
    }
    lines.join("\n  ")
}

/// The problems in order, those once that several tasks have from one file that they include.
pub(super) fn distinct(problems: Vec<Problem>) -> Vec<Problem> {
    let mut told = HashSet::new();
    problems.into_iter().filter(|problem| told.insert(problem.clone())).collect()
}

/// The known name that is nearest to this one, ready to be put after a colon.
pub(super) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    reading::nearest(name, known).map_or_else(String::new, |nearest| format!("the nearest is `{nearest}`"))
}
