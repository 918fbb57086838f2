//! A suite: what is asked (`suite.toml`) about which facts (`items.jsonl`). Every mistake in it is reported at once.

mod check;
mod error;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::Deserialize;

pub use self::error::{Error, Problem};
use super::item::{Gender, Item, Side};
use crate::eval::hash::hex;
use crate::eval::task::Bounds;

/// A suite that was checked.
#[derive(Debug, Clone)]
pub struct Suite {
    /// What `suite.toml` says.
    pub spec: Spec,
    /// The facts, in the order of the file.
    pub items: Vec<Item>,
    /// SHA-256 of both files.
    pub hash: String,
}

/// What `suite.toml` says.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The suite's name.
    pub name: String,
    /// Rises with every change that can change a score.
    pub version: u32,
    /// What it is for, in a sentence without a period.
    #[serde(default)]
    pub about: String,
    /// The name of the [scorer](crate::eval::scorer::SCORERS), which is `direction-pair`.
    pub scorer: String,
    /// Control names that each gold name is compared with.
    pub controls: usize,
    /// A generated answer ends before the first of these.
    pub until: Vec<String>,
    /// The words that `{child}` stands for.
    pub child: Option<ChildWords>,
    /// How each relation is put into words.
    #[serde(rename = "relation")]
    pub relations: Vec<Relation>,
    /// What a gate asks of each metric.
    #[serde(default)]
    pub gate: BTreeMap<String, Bounds>,
}

/// The words that `{child}` stands for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChildWords {
    /// For a male child.
    pub m: String,
    /// For a female child.
    pub f: String,
}

/// How a relation is put into words.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Relation {
    /// The name that items use.
    pub name: String,
    /// A prompt that names a and is continued by b.
    pub forward: String,
    /// A prompt that names b and is continued by a.
    pub reverse: String,
    /// Relations that lend control names where this one has too few.
    #[serde(default)]
    pub controls_from: Vec<String>,
}

impl Suite {
    /// Reads and checks the two files of a suite.
    pub fn parse(suite_toml: &str, items_jsonl: &str) -> Result<Self, Error> {
        let spec: Spec = toml::from_str(suite_toml).map_err(|source| Error::Toml { source: Box::new(source) })?;
        let (items, mut problems) = check::read_items(items_jsonl);
        problems.extend(check::spec_problems(&spec));
        problems.extend(check::item_problems(&spec, &items));
        if !problems.is_empty() {
            problems.sort_by_key(|problem| problem.line);
            return Err(Error::Problems { suite: spec.name, problems });
        }
        let hash = hex(&[suite_toml, items_jsonl]);
        Ok(Self { spec, items: items.into_iter().map(|(_, item)| item).collect(), hash })
    }

    /// The relation of an item, which checking made sure of.
    pub(crate) fn relation(&self, item: &Item) -> Option<&Relation> {
        self.spec.relations.iter().find(|relation| relation.name == item.relation)
    }

    /// The prompt that asks for one end of a fact.
    pub fn prompt(&self, item: &Item, asked: Side) -> String {
        let template = self.relation(item).map_or("", |relation| relation.template(asked));
        let child = self.spec.child.as_ref().zip(item.a_gender).map_or("", |(words, gender)| words.of(gender));
        template.replace("{child}", child).replace("{a}", &item.a).replace("{b}", &item.b)
    }
}

impl Relation {
    /// The prompt that asks for one end.
    pub fn template(&self, asked: Side) -> &str {
        match asked {
            Side::A => &self.reverse,
            Side::B => &self.forward,
        }
    }
}

impl ChildWords {
    fn of(&self, gender: Gender) -> &str {
        match gender {
            Gender::Male => &self.m,
            Gender::Female => &self.f,
        }
    }
}
