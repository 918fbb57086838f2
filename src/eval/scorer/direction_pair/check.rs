//! Finds everything that is wrong with a suite of facts, so that it is mended in one go.

use std::collections::HashSet;

use super::control;
use super::item::{Item, Side};
use super::suite::{Relation, Spec};
use super::wording::stops;
use crate::eval::node::Node;
use crate::eval::problem::{Problem, nearest};
use crate::eval::scorer::Sheet;

/// What is wrong with `suite.toml` by itself.
pub(super) fn spec_problems(spec: &Spec, root: &Node) -> Vec<Problem> {
    let at = |key: &str, what: String| root.get(key).unwrap_or(root).problem(what);
    let mut problems = Vec::new();
    if spec.controls == 0 {
        problems.push(at("controls", "`controls` is 0, at least 1 is needed".into()));
    }
    if spec.until.is_empty() || spec.until.iter().any(String::is_empty) {
        problems.push(at("until", "`until` needs at least one text, and none may be empty".into()));
    }
    let mut names = HashSet::new();
    for relation in &spec.relations {
        if !names.insert(&relation.name) {
            problems.push(at("relation", format!("relation `{}` is there twice", relation.name)));
        }
        problems.extend(template_problems(spec, relation).into_iter().map(|what| at("relation", what)));
    }
    problems
}

fn template_problems(spec: &Spec, relation: &Relation) -> Vec<String> {
    let mut problems = Vec::new();
    for (asked, named, hidden) in [(Side::B, "{a}", "{b}"), (Side::A, "{b}", "{a}")] {
        let name = &relation.name;
        for template in [Some(relation.template(asked)), relation.question(asked)].into_iter().flatten() {
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
pub(super) fn item_problems(spec: &Spec, items: &[Item], sheet: &Sheet<'_>) -> Vec<Problem> {
    let all: Vec<&Item> = items.iter().collect();
    let problems = items.iter().map(|item| (item, one_item(spec, item, &all)));
    problems.flat_map(|(item, found)| found.into_iter().map(|what| sheet.problem(item.row, what))).collect()
}

fn one_item(spec: &Spec, item: &Item, all: &[&Item]) -> Vec<String> {
    let Some(relation) = spec.relation(item) else {
        let near = nearest(&item.relation, spec.relations.iter().map(|relation| relation.name.as_str()));
        return vec![format!("relation `{}` is not in suite.toml: {near}", item.relation)];
    };
    let mut problems = Vec::new();
    for side in [Side::A, Side::B] {
        for name in std::iter::once(item.name(side)).chain(item.also(side).iter().map(String::as_str)) {
            if name.is_empty() || name != name.trim() {
                problems.push(format!("name `{name}` is empty or has spaces around it"));
            }
        }
        let answers = control::answers(item, side, all);
        if stops(spec, &answers).is_empty() {
            problems
                .push(format!("every text of `until` is in `{}`, where a generated answer ends", answers.join("`, `")));
        }
        let words = [Some(relation.template(side)), relation.question(side)];
        let has_child = words.into_iter().flatten().any(|template| template.contains("{child}"));
        if has_child && spec.child.as_ref().is_some_and(|words| words.of(item.a_gender).is_none()) {
            problems.push("`a_gender` is missing, the template has {child}, and `child` no `other` word".into());
        }
        let found = control::candidates(relation, item, side, all).len();
        if found < spec.controls {
            problems.push(format!("{found} control names for `{}`, {} are needed", item.name(side), spec.controls));
        }
    }
    problems
}
