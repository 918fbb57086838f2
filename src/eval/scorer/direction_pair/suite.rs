//! A suite of facts: how they are put into words (`suite.toml`), and which they are (a file of rows).

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::check;
use super::item::{self, Gender, Item, Side};
use crate::eval::node::{Kind, Node};
use crate::eval::problem::Problem;
use crate::eval::scorer::Sheet;

/// A suite that was checked.
#[derive(Debug, Clone)]
pub(super) struct Suite {
    /// How facts are asked.
    pub(super) spec: Spec,
    /// The facts, in the order of the file.
    pub(super) items: Vec<Item>,
    /// What is to be told of the file.
    pub(super) notes: Vec<String>,
}

/// What `suite.toml` says of its own.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Spec {
    /// Control names that each gold name is compared with.
    pub(super) controls: usize,
    /// A generated answer ends before the first of these.
    pub(super) until: Vec<String>,
    /// The words that `{child}` stands for.
    pub(super) child: Option<ChildWords>,
    /// How each relation is put into words.
    pub(super) relations: Vec<Relation>,
    /// How a fact is asked where no chat is asked for.
    pub(super) ask: Ask,
    /// The columns of the file that fields are in, where they are called otherwise.
    pub(super) columns: BTreeMap<String, String>,
    /// Columns of the file that mean nothing here.
    pub(super) ignore: Vec<String>,
    /// What becomes of a fact that is there twice.
    pub(super) duplicates: Duplicates,
}

/// Keys of `suite.toml` beside those of every suite.
pub(super) const KEYS: &[&str] = &["ask", "child", "columns", "controls", "duplicates", "ignore", "relation", "until"];

/// How a fact is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Ask {
    /// As the beginning of a sentence, which the answer ends.
    #[default]
    Statement,
    /// As a question, after `Q:` and before `A:`.
    Question,
}

/// What becomes of a fact that is there twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Duplicates {
    /// It is a mistake.
    #[default]
    Refuse,
    /// The first one counts, and the others are told by name.
    First,
}

/// The words that `{child}` stands for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ChildWords {
    /// For a male child.
    m: String,
    /// For a female child.
    f: String,
    /// For a child whose gender is not given.
    other: Option<String>,
}

/// How a relation is put into words.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Relation {
    /// The name that items use.
    pub(super) name: String,
    /// A prompt that names a and is continued by b.
    pub(super) forward: String,
    /// A prompt that names b and is continued by a.
    pub(super) reverse: String,
    /// A question that names a and asks for b.
    pub(super) forward_question: Option<String>,
    /// A question that names b and asks for a.
    pub(super) reverse_question: Option<String>,
    /// Relations that lend control names where this one has too few.
    #[serde(default)]
    pub(super) controls_from: Vec<String>,
}

impl Suite {
    /// Reads and checks what the sheet holds. Every mistake is told at once.
    pub(super) fn of(sheet: &Sheet<'_>) -> Result<Self, Vec<Problem>> {
        let spec = Spec::read(sheet.root)?;
        let (items, mut problems, notes) = item::read(sheet, &spec);
        problems.extend(check::spec_problems(&spec, sheet.root));
        if problems.is_empty() {
            problems = check::item_problems(&spec, &items, sheet);
        }
        if problems.is_empty() { Ok(Self { spec, items, notes }) } else { Err(problems) }
    }

    /// The relation of an item, which checking made sure of.
    pub(super) fn relation(&self, item: &Item) -> Option<&Relation> {
        self.spec.relation(item)
    }
}

impl Spec {
    fn read(root: &Node) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let relations = relations(root, &mut problems);
        let spec = Self {
            controls: of_key(root, "controls", &mut problems).unwrap_or_default(),
            until: of_key(root, "until", &mut problems).unwrap_or_default(),
            child: of_key(root, "child", &mut problems),
            relations,
            ask: of_key(root, "ask", &mut problems).unwrap_or_default(),
            columns: of_key(root, "columns", &mut problems).unwrap_or_default(),
            ignore: of_key(root, "ignore", &mut problems).unwrap_or_default(),
            duplicates: of_key(root, "duplicates", &mut problems).unwrap_or_default(),
        };
        if problems.is_empty() { Ok(spec) } else { Err(problems) }
    }

    /// The relation of an item.
    pub(super) fn relation(&self, item: &Item) -> Option<&Relation> {
        self.relations.iter().find(|relation| relation.name == item.relation)
    }

    /// A template with the names of an item.
    pub(super) fn filled(&self, template: &str, item: &Item) -> String {
        let child = self.child.as_ref().and_then(|words| words.of(item.a_gender)).unwrap_or_default();
        template.replace("{child}", child).replace("{a}", &item.a).replace("{b}", &item.b)
    }

    /// The sentence that one end of a fact ends.
    pub(super) fn statement(&self, item: &Item, asked: Side) -> String {
        self.filled(self.relation(item).map_or("", |relation| relation.template(asked)), item)
    }

    /// The question for one end of a fact.
    pub(super) fn question(&self, item: &Item, asked: Side) -> String {
        self.filled(self.relation(item).and_then(|relation| relation.question(asked)).unwrap_or_default(), item)
    }
}

fn of_key<T: DeserializeOwned>(root: &Node, key: &str, problems: &mut Vec<Problem>) -> Option<T> {
    let node = root.get(key)?;
    serde_json::from_value(node.value()).map_err(|error| problems.push(node.problem(format!("`{key}`: {error}")))).ok()
}

fn relations(root: &Node, problems: &mut Vec<Problem>) -> Vec<Relation> {
    let Some(node) = root.get("relation") else {
        problems.push(root.problem("`relation` is missing: how a fact is put into words"));
        return Vec::new();
    };
    let Kind::List(nodes) = &node.kind else {
        problems.push(node.problem(format!("`relation` is {}, a list of tables is expected", node.is_a())));
        return Vec::new();
    };
    let mut relation = |node: &Node| {
        let found = serde_json::from_value(node.value());
        found.map_err(|error| problems.push(node.problem(format!("this relation: {error}")))).ok()
    };
    nodes.iter().filter_map(&mut relation).collect()
}

impl Relation {
    /// The sentence that one end completes.
    pub(super) fn template(&self, asked: Side) -> &str {
        match asked {
            Side::A => &self.reverse,
            Side::B => &self.forward,
        }
    }

    /// The question for one end.
    pub(super) fn question(&self, asked: Side) -> Option<&str> {
        match asked {
            Side::A => self.reverse_question.as_deref(),
            Side::B => self.forward_question.as_deref(),
        }
    }
}

impl ChildWords {
    /// The word for a child.
    pub(super) fn of(&self, gender: Option<Gender>) -> Option<&str> {
        match gender {
            Some(Gender::Male) => Some(&self.m),
            Some(Gender::Female) => Some(&self.f),
            None => self.other.as_deref(),
        }
    }
}
