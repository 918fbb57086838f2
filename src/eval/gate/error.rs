//! Why two runs cannot be compared.

/// Two runs that cannot be compared, or a baseline that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No item is in both.
    #[error("compare two runs: no item is in both ({unmatched} have no partner, {altered} ask different things)")]
    NothingShared {
        /// Items that only one has.
        unmatched: usize,
        /// Items of one name that differ.
        altered: usize,
    },
    /// A value is asked of a metric that no task has.
    #[error("gate on `{name}`: no task has that metric; there are {}", known.join(", "))]
    UnknownMetric {
        /// The name.
        name: String,
        /// The names that there are.
        known: Vec<String>,
    },
    /// The text is no baseline.
    #[error("read a baseline: line {}, column {}: it is not the JSON that `eval bless` writes", source.line(), source.column())]
    Json {
        /// Why.
        source: serde_json::Error,
    },
    /// The baseline was written by another version.
    #[error("read a baseline: its format version is {found}, this lmscope reads {expected}")]
    Version {
        /// The version in the file.
        found: u32,
        /// The one that is read.
        expected: u32,
    },
    /// A name occurs twice.
    #[error("read a baseline: `{name}` occurs twice")]
    Twice {
        /// The task, or `task/item`.
        name: String,
    },
}

impl Error {
    /// What to do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NothingShared { altered: 0, unmatched: 0 } => Some("name a stratum that the items have".into()),
            Self::NothingShared { altered: 0, .. } => Some("give two runs of the same tasks".into()),
            Self::NothingShared { .. } => Some(
                "if only the prompts differ, as those of a base model and of a chat, compare with --pair items; else the \
                 task changed since the old run: run both again, or write a new baseline with `lmscope eval bless`"
                    .into(),
            ),
            Self::UnknownMetric { .. } => None,
            Self::Json { .. } | Self::Version { .. } | Self::Twice { .. } => {
                Some("write the baseline anew with `lmscope eval bless RUN -o FILE`".into())
            }
        }
    }
}
