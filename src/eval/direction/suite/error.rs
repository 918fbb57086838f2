//! What can be wrong with a suite.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// A suite that cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file could not be read.
    #[error("read `{}`", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// No suite has this name and no folder has this path.
    #[error("find the suite `{name}`: neither built in nor a folder")]
    Unknown {
        /// What was asked for.
        name: String,
        /// The suites that are built in, as a list to read.
        known: String,
    },
    /// `suite.toml` is not what is expected.
    #[error("read suite.toml")]
    Toml {
        /// Where and why.
        source: Box<toml::de::Error>,
    },
    /// The files contradict themselves or each other.
    #[error("use the suite `{suite}`: {}", list(problems))]
    Problems {
        /// The suite's name.
        suite: String,
        /// All that is wrong.
        problems: Vec<Problem>,
    },
}

impl Error {
    /// What to do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Read { .. } => Some("a suite is a folder with `suite.toml` and `items.jsonl`".into()),
            Self::Unknown { known, .. } => Some(format!("built in: {known}; or give the path of a suite's folder")),
            Self::Toml { .. } | Self::Problems { .. } => None,
        }
    }
}

/// One mistake in a suite.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The line of `items.jsonl`, from 1; none if the mistake is in `suite.toml`.
    pub line: Option<usize>,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "items.jsonl line {line}: {}", self.what),
            None => write!(f, "suite.toml: {}", self.what),
        }
    }
}

fn list(problems: &[Problem]) -> String {
    problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("; ")
}
