//! One fact of a suite, as `items.jsonl` writes it.

use serde::{Deserialize, Serialize};

/// How the training data of the embedded model states a fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Seen {
    /// Only in sentences that lead from a to b.
    Ab,
    /// Only in sentences that lead from b to a.
    Ba,
    /// In both.
    Both,
}

/// Which word stands for the child.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Gender {
    /// Male.
    #[serde(rename = "m")]
    Male,
    /// Female.
    #[serde(rename = "f")]
    Female,
}

/// One end of a fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// What the reverse direction asks for.
    A,
    /// What the forward direction asks for.
    B,
}

/// A fact: `a` and `b` stand in a relation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// A name that is unique in the suite.
    pub id: String,
    /// The relation's name in `suite.toml`.
    pub relation: String,
    /// One end.
    pub a: String,
    /// The other end.
    pub b: String,
    /// How the embedded model's training data states it, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<Seen>,
    /// Real, fictitious, or any other word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The gender of a, where a template needs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub a_gender: Option<Gender>,
}

impl Item {
    /// The name at one end.
    pub fn name(&self, side: Side) -> &str {
        match side {
            Side::A => &self.a,
            Side::B => &self.b,
        }
    }

    /// The gender of the name at one end, where it is known.
    pub(crate) fn gender(&self, side: Side) -> Option<Gender> {
        if side == Side::A { self.a_gender } else { None }
    }
}

impl Side {
    /// The other end.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }
}
