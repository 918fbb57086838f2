//! A file's content with the place of each value: what TOML and YAML have in common.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::problem::Problem;

/// A value and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) file: Arc<str>,
    pub(super) line: usize,
    pub(super) kind: Kind,
}

/// What a value is.
#[derive(Debug, Clone)]
pub(super) enum Kind {
    /// No list and no table.
    Scalar(Value),
    /// A list.
    List(Vec<Node>),
    /// A table, in the order of the file.
    Table(Vec<(String, Node)>),
    /// A value with a tag of its own, such as `!function`.
    Tagged(String),
}

impl Node {
    /// A mistake at this place.
    pub(super) fn problem(&self, what: impl Into<String>) -> Problem {
        Problem::new(&self.file, self.line, what)
    }

    /// The same without places; tags become their names.
    pub(super) fn value(&self) -> Value {
        match &self.kind {
            Kind::Scalar(value) => value.clone(),
            Kind::List(nodes) => nodes.iter().map(Self::value).collect(),
            Kind::Table(entries) => {
                Value::Object(entries.iter().map(|(key, node)| (key.clone(), node.value())).collect::<Map<_, _>>())
            }
            Kind::Tagged(tag) => Value::String(tag.clone()),
        }
    }

    /// How many values it holds, itself included.
    pub(super) fn size(&self) -> usize {
        let inside: usize = match &self.kind {
            Kind::Scalar(_) | Kind::Tagged(_) => 0,
            Kind::List(nodes) => nodes.iter().map(Self::size).sum(),
            Kind::Table(entries) => entries.iter().map(|(_, node)| node.size()).sum(),
        };
        1 + inside
    }

    /// How many lists and tables are in each other, itself included.
    pub(super) fn depth(&self) -> usize {
        match &self.kind {
            Kind::Scalar(_) | Kind::Tagged(_) => 0,
            Kind::List(nodes) => 1 + nodes.iter().map(Self::depth).max().unwrap_or(0),
            Kind::Table(entries) => 1 + entries.iter().map(|(_, node)| node.depth()).max().unwrap_or(0),
        }
    }

    /// The entry of a table.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        let Kind::Table(entries) = &self.kind else { return None };
        entries.iter().find(|(name, _)| name == key).map(|(_, node)| node)
    }

    /// The text, if it is one.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar(Value::String(text)) => Some(text),
            _ => None,
        }
    }

    /// What it is, in a word.
    pub(super) fn is_a(&self) -> String {
        match &self.kind {
            Kind::Scalar(Value::Null) => "nothing".into(),
            Kind::Scalar(value @ (Value::Bool(_) | Value::Number(_))) => value.to_string(),
            Kind::Scalar(value) => value.to_string(),
            Kind::List(_) => "a list".into(),
            Kind::Table(_) => "a table".into(),
            Kind::Tagged(tag) => format!("`{tag}`"),
        }
    }

    /// All tagged values in it.
    pub(super) fn tagged(&self) -> Vec<&Self> {
        match &self.kind {
            Kind::Scalar(_) => Vec::new(),
            Kind::List(nodes) => nodes.iter().flat_map(Self::tagged).collect(),
            Kind::Table(entries) => entries.iter().flat_map(|(_, node)| node.tagged()).collect(),
            Kind::Tagged(_) => vec![self],
        }
    }
}
