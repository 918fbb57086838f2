//! Finds everything that is wrong with a suite, so that it is mended in one go.

use std::collections::HashSet;

use super::{Problem, Relation, Spec};
use crate::eval::direction::item::{Item, Side};
use crate::eval::direction::{self, control};
use crate::eval::problem::nearest;

/// The items of a file with their line numbers, and the lines that are not items.
pub(super) fn read_items(jsonl: &str) -> (Vec<(usize, Item)>, Vec<Problem>) {
    let (mut items, mut problems) = (Vec::new(), Vec::new());
    for (line, text) in (1..).zip(jsonl.lines()).filter(|(_, text)| !text.trim().is_empty()) {
        match serde_json::from_str(text) {
            Ok(item) => items.push((line, item)),
            Err(error) => problems.push(at(line, error.to_string())),
        }
    }
    if items.is_empty() && problems.is_empty() {
        problems.push(at(1, "there are no items".into()));
    }
    (items, problems)
}

/// What is wrong with `suite.toml` by itself.
pub(super) fn spec_problems(spec: &Spec) -> Vec<Problem> {
    let mut problems = Vec::new();
    if spec.controls == 0 {
        problems.push("`controls` is 0, at least 1 is needed".into());
    }
    if spec.until.is_empty() || spec.until.iter().any(String::is_empty) {
        problems.push("`until` needs at least one text, and none may be empty".into());
    }
    problems.extend(gate_problems(spec));
    let mut names = HashSet::new();
    for relation in &spec.relations {
        if !names.insert(&relation.name) {
            problems.push(format!("relation `{}` is there twice", relation.name));
        }
        problems.extend(template_problems(spec, relation));
    }
    problems.into_iter().map(|what| Problem { line: None, what }).collect()
}

fn gate_problems(spec: &Spec) -> Vec<String> {
    let known = direction::metric_names();
    let unknown = spec.gate.keys().filter(|name| !known.contains(name));
    let problem = |name: &String| {
        let near = nearest(name, known.iter().map(String::as_str));
        format!("`[gate]` names the metric `{name}`, which this suite has not: {near}")
    };
    unknown.map(problem).collect()
}

fn template_problems(spec: &Spec, relation: &Relation) -> Vec<String> {
    let mut problems = Vec::new();
    for (asked, named, hidden) in [(Side::B, "{a}", "{b}"), (Side::A, "{b}", "{a}")] {
        let template = relation.template(asked);
        let name = &relation.name;
        if !template.contains(named) || template.contains(hidden) {
            problems.push(format!("relation `{name}`: `{template}` must contain {named} and not {hidden}"));
        }
        if template != template.trim() {
            problems.push(format!("relation `{name}`: `{template}` begins or ends with a space"));
        }
        if template.contains("{child}") && spec.child.is_none() {
            problems.push(format!("relation `{name}`: {{child}} is used but `child` is not given"));
        }
    }
    for lender in &relation.controls_from {
        if !spec.relations.iter().any(|other| other.name == *lender) {
            problems
                .push(format!("relation `{}`: `controls_from` names an unknown relation `{lender}`", relation.name));
        }
    }
    problems
}

/// What is wrong with each item, given the rest.
pub(super) fn item_problems(spec: &Spec, items: &[(usize, Item)]) -> Vec<Problem> {
    let all: Vec<&Item> = items.iter().map(|(_, item)| item).collect();
    let mut ids = HashSet::new();
    let mut problems = Vec::new();
    for (line, item) in items {
        let mut found = one_item(spec, item, &all);
        if !ids.insert(&item.id) {
            found.push(format!("id `{}` is there twice", item.id));
        }
        problems.extend(found.into_iter().map(|what| at(*line, what)));
    }
    problems
}

fn one_item(spec: &Spec, item: &Item, all: &[&Item]) -> Vec<String> {
    let Some(relation) = spec.relations.iter().find(|relation| relation.name == item.relation) else {
        return vec![format!("relation `{}` is not in suite.toml", item.relation)];
    };
    let mut problems = Vec::new();
    for side in [Side::A, Side::B] {
        let name = item.name(side);
        if name.is_empty() || name != name.trim() {
            problems.push(format!("name `{name}` is empty or has spaces around it"));
        }
        if let Some(stop) = spec.until.iter().find(|stop| name.contains(*stop)) {
            problems.push(format!("name `{name}` contains {stop:?}, where a generated answer ends"));
        }
        if relation.template(side).contains("{child}") && item.a_gender.is_none() {
            problems.push("`a_gender` is missing, the template has {child}".into());
        }
        let found = control::candidates(relation, item, side, all).len();
        if found < spec.controls {
            problems.push(format!("{found} control names for `{name}`, {} are needed", spec.controls));
        }
    }
    problems
}

fn at(line: usize, what: String) -> Problem {
    Problem { line: Some(line), what }
}
