//! What is odd about the tokens of a request: nothing is wrong with the score, but it may not be the one that was meant.

use serde::{Deserialize, Serialize};

use crate::text::Tokenizer;

/// Something odd, by a name that stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lint {
    /// Two beginning-of-sequence tokens in a row.
    DoubleBos,
    /// The tokens begin without the beginning-of-sequence token that the vocabulary has for it.
    MissingBos,
    /// Context and continuation together are cut into tokens otherwise than the context alone.
    MergedBoundary,
    /// No token is left to score. A request with it gets no response.
    EmptyContinuation,
    /// Tokens were left out at the beginning, because the model's context is too short.
    Truncated,
    /// The end-of-sequence token stands where the vocabulary has no other to begin with.
    EosAsBos,
}

impl Lint {
    /// The name in records.
    pub fn code(self) -> &'static str {
        match self {
            Self::DoubleBos => "double-bos",
            Self::MissingBos => "missing-bos",
            Self::MergedBoundary => "merged-boundary",
            Self::EmptyContinuation => "empty-continuation",
            Self::Truncated => "truncated",
            Self::EosAsBos => "eos-as-bos",
        }
    }
}

impl std::fmt::Display for Lint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.code())
    }
}

/// What is odd about how tokens begin.
pub(super) fn beginning(ids: &[u32], tokenizer: &Tokenizer) -> Vec<Lint> {
    let (bos, eos) = (tokenizer.bos(), tokenizer.eos());
    // one token for both is in most such models a separator of documents, which a text may do without
    let expected = bos.filter(|_| tokenizer.adds_bos() || bos != eos);
    let mut found = Vec::new();
    match ids {
        [first, second, ..] if first == second && Some(*first) == bos => found.push(Lint::DoubleBos),
        [first, ..] if expected.is_some_and(|bos| bos != *first) => found.push(Lint::MissingBos),
        [first, ..] if bos.is_none() && Some(*first) == eos => found.push(Lint::EosAsBos),
        _ => {}
    }
    found
}
