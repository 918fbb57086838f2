//! Every suite of the binary, looked at as a reviewer would.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use lmscope::eval::record::{Settings, Tier};
use lmscope::eval::run::selected;
use lmscope::eval::task::{Task, TaskItem};
use lmscope::eval::{self, BUILTIN, PrepareOptions};

use super::lm_eval::open;

/// What the README of a suite must have, in this order.
const HEADINGS: [&str; 4] = ["## What is measured", "## How to read it", "## Known flaws", "## Source"];

/// Strata with as many items as the world has: of some relations few facts are beyond doubt.
const AS_THEY_COME: [&str; 1] = ["relation"];

/// Values of other strata may differ in number by this factor.
const MOST_UNEVEN: usize = 4;

fn tasks() -> Vec<Task> {
    let (_, tokenizer) = open("slide/base");
    let of = |name: &str| eval::prepare(name, &tokenizer, &PrepareOptions::default()).unwrap();
    BUILTIN.iter().flat_map(|builtin| of(builtin.name)).collect()
}

/// How many items have each value of each stratum.
fn counts<'t>(items: impl Iterator<Item = &'t TaskItem>) -> BTreeMap<(String, String), usize> {
    let mut counts = BTreeMap::new();
    for (name, value) in items.flat_map(|item| &item.strata) {
        *counts.entry((name.clone(), value.clone())).or_insert(0) += 1;
    }
    counts
}

#[test]
fn every_readme_says_what_is_measured_with_which_flaws_and_from_where() {
    for builtin in BUILTIN {
        let (name, readme) = (builtin.name, builtin.readme);
        let places: Vec<usize> = HEADINGS
            .iter()
            .map(|heading| readme.find(heading).unwrap_or_else(|| panic!("{name}: `{heading}` is missing")))
            .collect();
        assert!(places.is_sorted(), "{name}: headings are out of order");
        assert!(readme.starts_with(&format!("# {name}\n")), "{name}: another title");
        let source = &readme[places[3]..];
        assert!(source.contains("Licence: that of lmscope"), "{name}: the licence is not stated with the source");
        let has_figures = readme.lines().any(|line| line.starts_with("| ") && line.contains("slide"));
        assert!(has_figures, "{name}: no figures of the embedded model");
    }
}

#[test]
fn no_suite_asks_an_item_twice() {
    for task in tasks() {
        let mut seen = HashSet::new();
        for item in &task.items {
            let mut doc = item.doc.clone();
            doc.remove("id");
            let asked = (serde_json::to_string(&doc).unwrap(), format!("{:?}", item.requests));
            assert!(seen.insert(asked), "{}: {} is there twice", task.name, item.id);
        }
    }
}

#[test]
fn strata_are_balanced_and_the_quick_tier_has_some_of_each() {
    for task in tasks() {
        let all = counts(task.items.iter());
        let names: BTreeSet<&String> = all.keys().map(|(name, _)| name).collect();
        for stratum in names {
            let of: Vec<usize> = all.iter().filter(|((name, _), _)| name == stratum).map(|(_, n)| *n).collect();
            let (least, most) = (of.iter().min().unwrap(), of.iter().max().unwrap());
            let is_even = most <= &(MOST_UNEVEN * least) || AS_THEY_COME.contains(&stratum.as_str());
            assert!(is_even, "{}: {stratum} has {least} to {most} items", task.name);
        }
        let n = task.quick.unwrap_or_else(|| panic!("{} has no quick tier", task.name));
        assert!(n < task.items.len(), "{}: the quick tier has {n} items", task.name);
        let settings = Settings { tier: Some(Tier::Quick), ..Settings::default() };
        let quick = counts(selected(&task, &settings).into_iter());
        let missing: Vec<_> = all.keys().filter(|key| !quick.contains_key(key)).collect();
        assert!(missing.is_empty(), "{}: the quick tier has none of {missing:?}", task.name);
    }
}
