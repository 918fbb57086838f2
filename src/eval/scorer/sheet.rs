//! What a scorer is given: `suite.toml` with the places of its values, the rows of items, and what every suite has.
//!
//! Every mistake is told with its file and line; nothing is asked of a model here.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::COMMON;
use crate::eval::dataset::{self, Format, Row, Rows};
use crate::eval::hash::hex_of_bytes;
use crate::eval::node::{Kind, Node};
use crate::eval::prepare::PrepareOptions;
use crate::eval::problem::{Problem, nearest};
use crate::eval::python;
use crate::eval::request::Request;
use crate::eval::task::{Bounds, Grader, MetricSpec, Task, TaskItem};

/// A suite that was read.
pub(in crate::eval) struct Sheet<'a> {
    /// What `suite.toml` says.
    pub(in crate::eval) root: &'a Node,
    /// The items.
    pub(in crate::eval) rows: Rows,
    /// Its name.
    pub(in crate::eval) name: String,
    /// Its version.
    pub(in crate::eval) version: String,
    /// What it is for.
    pub(in crate::eval) about: String,
    options: Options,
}

/// What every suite may say of its items.
#[derive(Default)]
struct Options {
    id: Option<String>,
    cluster: Option<String>,
    strata: Vec<String>,
    quick: Option<usize>,
    gate: BTreeMap<String, Bounds>,
}

impl<'a> Sheet<'a> {
    /// Reads what every suite has. `file` is the path of `suite.toml`, to which that of its items is relative; `keys` are
    /// those that the scorer has of its own.
    pub(in crate::eval) fn read(root: &'a Node, file: &Path, keys: &[&str]) -> Result<Self, Vec<Problem>> {
        let mut problems = unknown(root, keys);
        let mut keep = |found: Result<Option<String>, Problem>| found.map_err(|problem| problems.push(problem)).ok();
        let name = keep(text(root, "name")).flatten().unwrap_or_default();
        let about = keep(text(root, "about")).flatten().unwrap_or_default();
        let items = keep(text(root, "items")).flatten().unwrap_or_else(|| "items.jsonl".into());
        let id = keep(text(root, "id")).flatten();
        let cluster = keep(text(root, "cluster")).flatten();
        if name.is_empty() {
            problems.push(root.problem("`name` is missing: the suite needs a name"));
        }
        let version = root.get("version").map(|node| python::str(&node.value()));
        if version.is_none() {
            problems.push(root.problem("`version` is missing: it rises with every change that can change a score"));
        }
        let strata = texts(root, "strata").map_err(|problem| problems.push(problem)).unwrap_or_default();
        let quick = count(root, "quick").map_err(|problem| problems.push(problem)).unwrap_or_default();
        let gate = gate(root).map_err(|found| problems.extend(found)).unwrap_or_default();
        let path = file.parent().unwrap_or(Path::new("")).join(items);
        let rows = Format::of_file(&path).map_err(|problem| vec![problem]);
        let rows = rows.and_then(|format| dataset::read(&[path], format, None));
        let rows = rows.map_err(|found| problems.extend(found)).unwrap_or_default();
        if !problems.is_empty() {
            return Err(problems);
        }
        let options = Options { id, cluster, strata, quick, gate };
        Ok(Self { root, rows, name, version: version.unwrap_or_default(), about, options })
    }

    /// A mistake of the item at this place.
    pub(in crate::eval) fn problem(&self, index: usize, what: impl Into<String>) -> Problem {
        let what = what.into();
        match self.rows.all.get(index).and_then(|row| row.line) {
            Some(line) => Problem::new(&self.rows.file, line, what),
            None => Problem::new(&self.rows.file, None, format!("item {index}: {what}")),
        }
    }

    /// What `make` makes of each row, or every mistake that it finds.
    pub(in crate::eval) fn each<T>(
        &self,
        mut make: impl FnMut(usize) -> Result<T, Problem>,
    ) -> Result<Vec<T>, Vec<Problem>> {
        let (mut made, mut problems) = (Vec::new(), Vec::new());
        for index in 0..self.rows.all.len() {
            match make(index) {
                Ok(one) => made.push(one),
                Err(problem) => problems.push(problem),
            }
        }
        if problems.is_empty() { Ok(made) } else { Err(problems) }
    }

    /// A text that every item must have.
    pub(in crate::eval) fn text(&self, index: usize, field: &str) -> Result<&str, Problem> {
        match self.field(index, field) {
            Some(Value::String(text)) => Ok(text),
            None | Some(Value::Null) => Err(self.problem(index, format!("the field `{field}` is missing"))),
            Some(other) => {
                Err(self.problem(index, format!("`{field}` is {}, a text is expected", python::repr(other))))
            }
        }
    }

    /// A text, or a list of texts; nothing if the item has no such field.
    pub(in crate::eval) fn texts(&self, index: usize, field: &str) -> Result<Vec<String>, Problem> {
        let wrong = |value: &Value| {
            self.problem(
                index,
                format!("`{field}` holds {}, a text or a list of texts is expected", python::repr(value)),
            )
        };
        match self.field(index, field) {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(Value::String(text)) => Ok(vec![text.clone()]),
            Some(Value::Array(values)) => {
                let text = |value: &Value| value.as_str().map(str::to_owned).ok_or_else(|| wrong(value));
                values.iter().map(text).collect()
            }
            Some(other) => Err(wrong(other)),
        }
    }

    /// A field of an item.
    pub(in crate::eval) fn field(&self, index: usize, field: &str) -> Option<&Value> {
        self.rows.all.get(index).and_then(|row| row.fields.get(field))
    }

    /// The fields whose values are also counted alone.
    pub(in crate::eval) fn strata(&self) -> &[String] {
        &self.options.strata
    }

    /// A text of `suite.toml`.
    pub(in crate::eval) fn setting(&self, key: &str) -> Result<Option<String>, Problem> {
        text(self.root, key)
    }

    /// A list of texts of `suite.toml`; empty if it is not there.
    pub(in crate::eval) fn settings(&self, key: &str) -> Result<Vec<String>, Problem> {
        texts(self.root, key)
    }

    /// A whole number of `suite.toml`.
    pub(in crate::eval) fn count(&self, key: &str) -> Result<Option<usize>, Problem> {
        count(self.root, key)
    }

    /// Whole numbers of `suite.toml`; empty if it is not there.
    pub(in crate::eval) fn counts(&self, key: &str) -> Result<Vec<usize>, Problem> {
        let Some(node) = self.root.get(key) else { return Ok(Vec::new()) };
        let wrong = |node: &Node| node.problem(format!("`{key}` holds {}, whole numbers are expected", node.is_a()));
        let Kind::List(nodes) = &node.kind else { return Err(wrong(node)) };
        let number = |node: &Node| {
            node.value().as_u64().and_then(|count| usize::try_from(count).ok()).ok_or_else(|| wrong(node))
        };
        nodes.iter().map(number).collect()
    }

    /// An item with its name, cluster and strata.
    pub(in crate::eval) fn item(
        &self,
        index: usize,
        target: impl Into<String>,
        requests: Vec<Request>,
    ) -> Result<TaskItem, Problem> {
        let options = &self.options;
        let named = |field: &String| match self.field(index, field) {
            Some(value) => Ok(python::str(value)),
            None => Err(self.problem(index, format!("the field `{field}` is missing"))),
        };
        let id = match &options.id {
            Some(field) => named(field)?,
            None => self.field(index, "id").map_or_else(|| index.to_string(), python::str),
        };
        let cluster = options.cluster.as_ref().map(named).transpose()?;
        let strata = options.strata.iter().map(|field| Ok((field.clone(), named(field)?))).collect::<Result<_, _>>()?;
        let doc = self.rows.all.get(index).map(|row: &Row| row.fields.clone()).unwrap_or_default();
        Ok(TaskItem { id, index, doc, target: target.into(), cluster, strata, requests })
    }

    /// The task of these items. `options` are part of what scores depend on.
    pub(in crate::eval) fn task(
        &self,
        items: Vec<TaskItem>,
        mut metrics: Vec<MetricSpec>,
        grader: Box<dyn Grader>,
        options: &PrepareOptions<'_>,
    ) -> Result<Task, Vec<Problem>> {
        let mut problems = self.twice(&items);
        for (name, bounds) in &self.options.gate {
            match metrics.iter_mut().find(|metric| metric.metric == *name) {
                Some(metric) => metric.bounds = *bounds,
                None => {
                    let near = nearest(name, metrics.iter().map(|metric| metric.metric.as_str()));
                    let what = format!("`[gate]` names the metric `{name}`, which this suite has not: {near}");
                    problems.push(self.root.get("gate").unwrap_or(self.root).problem(what));
                }
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Task {
            name: self.name.clone(),
            version: self.version.clone(),
            hash: self.hash(options),
            output_type: self.root.get("scorer").and_then(Node::text).unwrap_or_default().to_owned(),
            n_shot: 0,
            items,
            quick: self.options.quick,
            notes: Vec::new(),
            grader,
            metrics,
            groups: Vec::new(),
        })
    }

    fn twice(&self, items: &[TaskItem]) -> Vec<Problem> {
        let mut ids = std::collections::HashSet::new();
        let again = items.iter().filter(|item| !ids.insert(item.id.as_str()));
        again.map(|item| self.problem(item.index, format!("id `{}` is there twice", item.id))).collect()
    }

    fn hash(&self, options: &PrepareOptions<'_>) -> String {
        let source = self.root.value().to_string();
        let chat = options.chat.as_ref().map_or_else(String::new, |chat| format!("{:?}", chat.turns));
        let (seed, system) = (options.seed.to_string(), options.system.unwrap_or_default());
        let shots = options.num_fewshot.map(|shots| format!("{shots} examples"));
        let mut parts = vec![source.as_bytes(), &self.rows.bytes, chat.as_bytes(), seed.as_bytes(), system.as_bytes()];
        parts.extend(shots.as_ref().map(String::as_bytes));
        hex_of_bytes(&parts)
    }
}

fn unknown(root: &Node, keys: &[&str]) -> Vec<Problem> {
    let Kind::Table(entries) = &root.kind else { return Vec::new() };
    let known = || COMMON.iter().chain(keys).copied();
    let wrong = entries.iter().filter(|(key, _)| known().all(|name| name != key));
    wrong.map(|(key, node)| node.problem(format!("`{key}` is not known here: {}", nearest(key, known())))).collect()
}

fn text(root: &Node, key: &str) -> Result<Option<String>, Problem> {
    let Some(node) = root.get(key) else { return Ok(None) };
    match node.text() {
        Some(text) => Ok(Some(text.to_owned())),
        None => Err(node.problem(format!("`{key}` is {}, a text is expected", node.is_a()))),
    }
}

fn texts(root: &Node, key: &str) -> Result<Vec<String>, Problem> {
    let Some(node) = root.get(key) else { return Ok(Vec::new()) };
    let Kind::List(nodes) = &node.kind else {
        return Err(node.problem(format!("`{key}` is {}, a list of texts is expected", node.is_a())));
    };
    let text = |node: &Node| {
        let found = node.text().map(str::to_owned);
        found.ok_or_else(|| node.problem(format!("`{key}` holds {}, texts are expected", node.is_a())))
    };
    nodes.iter().map(text).collect()
}

fn count(root: &Node, key: &str) -> Result<Option<usize>, Problem> {
    let Some(node) = root.get(key) else { return Ok(None) };
    let found = node.value().as_u64().and_then(|count| usize::try_from(count).ok());
    let wrong = || node.problem(format!("`{key}` is {}, a whole number from 0 is expected", node.is_a()));
    found.map(Some).ok_or_else(wrong)
}

fn gate(root: &Node) -> Result<BTreeMap<String, Bounds>, Vec<Problem>> {
    let Some(node) = root.get("gate") else { return Ok(BTreeMap::new()) };
    let Kind::Table(entries) = &node.kind else {
        return Err(vec![node.problem(format!("`gate` is {}, a table is expected", node.is_a()))]);
    };
    let (mut gate, mut problems) = (BTreeMap::new(), Vec::new());
    for (name, node) in entries {
        match serde_json::from_value(node.value()) {
            Ok(bounds) => {
                gate.insert(name.clone(), bounds);
            }
            Err(error) => problems.push(node.problem(format!("the gate of `{name}`: {error}"))),
        }
    }
    if problems.is_empty() { Ok(gate) } else { Err(problems) }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::eval::request::Response;
    use crate::eval::suite_toml;
    use crate::eval::task::{Aggregation, Better, Graded};

    struct Nothing;

    impl Grader for Nothing {
        fn grade(&self, _: &TaskItem, _: &[Response]) -> Option<Graded> {
            None
        }
    }

    /// What is wrong with a suite, from reading it to making its task.
    fn wrong(toml: &str, items: &str) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("items.jsonl"), items).unwrap();
        let root = suite_toml::read("suite.toml", toml).unwrap();
        let found = Sheet::read(&root, &folder.path().join("suite.toml"), &["own"]).and_then(|sheet| {
            let of = |index| sheet.item(index, sheet.text(index, "a")?, Vec::new());
            let (mut items, mut problems) = (Vec::new(), Vec::new());
            for found in (0..sheet.rows.all.len()).map(of) {
                found.map_or_else(|problem| problems.push(problem), |item| items.push(item));
            }
            if !problems.is_empty() {
                return Err(problems);
            }
            let metrics = vec![MetricSpec::new("right", Aggregation::Mean, Better::Higher)];
            sheet.task(items, metrics, Box::new(Nothing), &PrepareOptions::default())
        });
        let told = |problem: Problem| problem.to_string().replace(&format!("{}/", folder.path().display()), "");
        found.err().unwrap_or_default().into_iter().map(told).collect()
    }

    const GOOD: &str = "name = 'x'\nversion = 1\nscorer = 'y'\nstrata = ['kind']\nown = 1\n";

    #[test]
    fn mistakes_are_told_with_their_places_and_all_of_a_stage_together() {
        assert_eq!(wrong(GOOD, r#"{"a": "b", "kind": 1}"#), [""; 0]);
        assert_eq!(
            wrong("naem = 'x'\nversion = 1\nquick = -1\nstrata = 'kind'\nscorer = 'y'", "{"),
            [
                "suite.toml:1: `naem` is not known here: the nearest is `name`",
                "suite.toml:1: `name` is missing: the suite needs a name",
                "suite.toml:4: `strata` is \"kind\", a list of texts is expected",
                "suite.toml:3: `quick` is -1, a whole number from 0 is expected",
                "items.jsonl:1: no JSON object: EOF while parsing an object at column 1",
            ]
        );
        assert_eq!(
            wrong(GOOD, "{\"a\": \"b\", \"kind\": 1}\n{\"kind\": 2}\n{\"a\": 3, \"kind\": 2}\n{\"a\": \"c\"}"),
            [
                "items.jsonl:2: the field `a` is missing",
                "items.jsonl:3: `a` is 3, a text is expected",
                "items.jsonl:4: the field `kind` is missing",
            ]
        );
        assert_eq!(
            wrong(
                &format!("{GOOD}[gate]\nrihgt = {{ min = 0.5 }}\n"),
                "{\"id\": 7, \"a\": \"b\", \"kind\": 1}\n{\"id\": 7, \"a\": \"c\", \"kind\": 2}"
            ),
            [
                "items.jsonl:2: id `7` is there twice",
                "suite.toml:6: `[gate]` names the metric `rihgt`, which this suite has not: the nearest is `right`",
            ]
        );
    }
}
