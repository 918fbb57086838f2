//! A mistake and its line.

use std::fmt;

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

/// All mistakes of a file, with what stands between them.
pub fn list(problems: &[Problem], between: &str) -> String {
    problems.iter().map(Problem::to_string).collect::<Vec<_>>().join(between)
}
