//! Which items of two runs belong together: those of one name that ask the same.

use std::collections::HashMap;

use super::scores::{ItemScores, Scores, TaskScores};
use crate::eval::task::{MetricSpec, Observed};

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
    pub(super) fn of(old: &'a Scores, new: &'a Scores) -> Self {
        let mut pairs = Self { tasks: Vec::new(), unmatched: Vec::new(), altered: Vec::new() };
        for task in &new.tasks {
            match old.tasks.iter().find(|other| other.name == task.name) {
                Some(other) => pairs.join(other, task),
                None => pairs.miss(task, task.items.iter()),
            }
        }
        let is_gone = |task: &&TaskScores| new.tasks.iter().all(|other| other.name != task.name);
        for task in old.tasks.iter().filter(is_gone) {
            pairs.miss(task, task.items.iter());
        }
        pairs
    }

    fn miss(&mut self, task: &TaskScores, items: impl Iterator<Item = &'a ItemScores>) {
        self.unmatched.extend(items.map(|item| format!("{}/{}", task.name, item.id)));
    }

    fn join(&mut self, old: &'a TaskScores, new: &'a TaskScores) {
        let mut rest: HashMap<&str, &ItemScores> = new.items.iter().map(|item| (item.id.as_str(), item)).collect();
        let mut items = Vec::new();
        for item in &old.items {
            match rest.remove(item.id.as_str()) {
                Some(other) if other.hash == item.hash => items.push((item, other)),
                Some(_) => self.altered.push(format!("{}/{}", old.name, item.id)),
                None => self.miss(old, std::iter::once(item)),
            }
        }
        self.miss(new, new.items.iter().filter(|item| rest.contains_key(item.id.as_str())));
        self.tasks.push(TaskPairs { task: new, items });
    }
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
