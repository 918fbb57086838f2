//! Which items of two runs belong together: those of one name that ask the same, in the same words unless asked otherwise.

use std::collections::HashMap;

use serde::Serialize;

use super::scores::{ItemScores, Scores, TaskScores};
use crate::eval::task::{MetricSpec, Observed};

/// What two items of one name must have in common to be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Pairing {
    /// All that the model is asked, word by word.
    #[default]
    Prompts,
    /// The fields that they were made from; prompts may differ, as those of a base model and of a chat do.
    Items,
}

impl Pairing {
    fn joins(self, old: &ItemScores, new: &ItemScores) -> bool {
        match self {
            Self::Prompts => old.hash == new.hash,
            // a baseline of an older version does not say what its items were made from
            Self::Items => old.doc == new.doc && !old.doc.is_empty(),
        }
    }
}

/// Which items are compared, and how they are paired.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selection {
    /// What items of one name must have in common.
    pub pairing: Pairing,
    /// Only items of this stratum, as name and value.
    pub stratum: Option<(String, String)>,
}

impl Selection {
    fn has(&self, item: &ItemScores) -> bool {
        self.stratum.as_ref().is_none_or(|(name, value)| item.strata.get(name) == Some(value))
    }
}

/// What two runs have in common.
pub(super) struct Pairs<'a> {
    pub(super) tasks: Vec<TaskPairs<'a>>,
    /// Items that only one has, as `task/item`.
    pub(super) unmatched: Vec<String>,
    /// Items of one name that ask different things.
    pub(super) altered: Vec<String>,
}

/// The items of a task that both runs have.
pub(super) struct TaskPairs<'a> {
    /// The task as the new run has it.
    pub(super) task: &'a TaskScores,
    /// Old and new, in the old order.
    pub(super) items: Vec<(&'a ItemScores, &'a ItemScores)>,
}

/// A metric's value of one item in both runs.
pub(super) struct Pair<'a> {
    pub(super) id: &'a str,
    pub(super) cluster: Option<&'a str>,
    pub(super) old: &'a Observed,
    pub(super) new: &'a Observed,
}

impl<'a> Pairs<'a> {
    pub(super) fn of(old: &'a Scores, new: &'a Scores, selection: &Selection) -> Self {
        let mut pairs = Self { tasks: Vec::new(), unmatched: Vec::new(), altered: Vec::new() };
        for task in &new.tasks {
            match old.tasks.iter().find(|other| other.name == task.name) {
                Some(other) => pairs.join(other, task, selection),
                None => pairs.miss(task, selected(task, selection)),
            }
        }
        let is_gone = |task: &&TaskScores| new.tasks.iter().all(|other| other.name != task.name);
        for task in old.tasks.iter().filter(is_gone) {
            pairs.miss(task, selected(task, selection));
        }
        pairs
    }

    fn miss(&mut self, task: &TaskScores, items: impl Iterator<Item = &'a ItemScores>) {
        self.unmatched.extend(items.map(|item| format!("{}/{}", task.name, item.id)));
    }

    fn join(&mut self, old: &'a TaskScores, new: &'a TaskScores, selection: &Selection) {
        let mut rest: HashMap<&str, &ItemScores> =
            selected(new, selection).map(|item| (item.id.as_str(), item)).collect();
        let mut items = Vec::new();
        for item in selected(old, selection) {
            match rest.remove(item.id.as_str()) {
                Some(other) if selection.pairing.joins(item, other) => items.push((item, other)),
                Some(_) => self.altered.push(format!("{}/{}", old.name, item.id)),
                None => self.miss(old, std::iter::once(item)),
            }
        }
        self.miss(new, selected(new, selection).filter(|item| rest.contains_key(item.id.as_str())));
        self.tasks.push(TaskPairs { task: new, items });
    }
}

fn selected<'a>(task: &'a TaskScores, selection: &Selection) -> impl Iterator<Item = &'a ItemScores> {
    task.items.iter().filter(|item| selection.has(item))
}

impl<'a> TaskPairs<'a> {
    /// The items that have this metric in both runs.
    pub(super) fn values(&self, metric: &MetricSpec) -> Vec<Pair<'a>> {
        let value = |item: &'a ItemScores| {
            let mut found = item.observations.iter();
            found.find(|found| found.metric == metric.metric && found.filter == metric.filter).map(|found| &found.value)
        };
        let pair = |(old, new): &(&'a ItemScores, &'a ItemScores)| {
            Some(Pair { id: &old.id, cluster: old.cluster.as_deref(), old: value(old)?, new: value(new)? })
        };
        self.items.iter().filter_map(pair).collect()
    }
}
