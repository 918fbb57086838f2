//! From the items of a record to results: each metric and filter of each task, over all items and over each stratum,
//! with how sure it is. A record is enough; the task itself is not needed.

#[cfg(test)]
pub(super) mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::group;
use super::record::TaskInfo;
use super::request::{Lint, Response, Scored};
use super::stats::{Bootstrap, Clustered, Mean, Method, Power, Proportion, SignFlip, t_quantile};
use super::task::{Aggregation, Better, MetricSpec, Observed, TaskItemRecord};

/// From this many clusters on, their standard error is trusted for an interval; with fewer, clusters are resampled.
const MANY_CLUSTERS: usize = 30;
/// Up to this many units, resampling is done as often as the default says; beyond, a tenth as often.
const MANY_UNITS: usize = 2_000;

/// One metric, over all items of a task or over those of a stratum.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MetricResult {
    /// The task.
    pub task: String,
    /// The metric.
    pub metric: String,
    /// The filter; `none` where there is no filter.
    pub filter: String,
    /// The stratum as `name=value`; absent over all items.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stratum: Option<String>,
    /// How many tasks are counted together, where `task` is a group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub members: Option<usize>,
    /// Items.
    pub n: usize,
    /// Clusters, where items come in them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clusters: Option<usize>,
    /// The value; none without items, or where it is no number.
    pub value: Option<f64>,
    /// Its standard error, where there is one.
    pub stderr: Option<f64>,
    /// The 95 % interval, where there is one.
    pub interval: Option<(f64, f64)>,
    /// How the interval was made.
    pub method: IntervalMethod,
    /// How the items' values became one.
    pub aggregation: Aggregation,
    /// Which direction is better.
    pub better: Better,
    /// What guessing gives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chance: Option<f64>,
}

/// How an interval was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IntervalMethod {
    /// Wilson's, of a share.
    Wilson,
    /// Student's t, of a mean.
    StudentT,
    /// Student's t, of a mean of clusters.
    ClusteredT,
    /// Bias-corrected and accelerated bootstrap, seed 0.
    BootstrapBca,
    /// Percentiles of the bootstrap, seed 0.
    BootstrapPercentile,
    /// The normal distribution, of a mean of independent tasks.
    Stratified,
    /// There is none.
    None,
}

impl IntervalMethod {
    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Wilson => "Wilson",
            Self::StudentT => "Student t",
            Self::ClusteredT => "clustered t",
            Self::BootstrapBca => "bootstrap BCa",
            Self::BootstrapPercentile => "bootstrap percentile",
            Self::Stratified => "stratified normal",
            Self::None => "none",
        }
    }
}

/// The results of a record's items, which are in the order of the record; those of groups come last.
pub fn of(tasks: &[TaskInfo], items: &[TaskItemRecord]) -> Vec<MetricResult> {
    let mut results: Vec<MetricResult> = tasks.iter().flat_map(|task| of_task(task, items)).collect();
    results.extend(group::results(tasks, &results));
    results
}

/// The results of one task.
pub(super) fn of_task(task: &TaskInfo, items: &[TaskItemRecord]) -> Vec<MetricResult> {
    let all: Vec<&TaskItemRecord> = items.iter().filter(|item| item.task == task.name).collect();
    let mut results: Vec<_> = task.metrics.iter().map(|spec| result(&task.name, spec, None, &all)).collect();
    for (name, value) in strata(&all) {
        let of: Vec<_> = all.iter().copied().filter(|item| item.strata.get(&name) == Some(&value)).collect();
        let stratum = Some(stratum(&name, &value));
        let metrics = task.metrics.iter().filter(|spec| spec.aggregation.has_strata());
        results.extend(metrics.map(|spec| result(&task.name, spec, stratum.clone(), &of)));
    }
    results
}

/// What a stratum is called.
pub(super) fn stratum(name: &str, value: &str) -> String {
    format!("{name}={value}")
}

/// How many requests have each lint; one with a lint in several windows counts once.
pub fn lints(items: &[TaskItemRecord]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for response in items.iter().flat_map(|item| &item.responses) {
        let found: BTreeSet<&str> =
            windows(response).iter().flat_map(|one| &one.lints).map(|lint| Lint::code(*lint)).collect();
        for code in found {
            *counts.entry(code.to_owned()).or_insert(0) += 1;
        }
    }
    counts
}

/// The smallest change of a share that `n` items show, if a `discordance` of them flips between two runs.
pub fn detectable(n: usize, discordance: f64) -> f64 {
    Power::default().detectable(n, discordance)
}

fn windows(response: &Response) -> &[Scored] {
    match response {
        Response::Scored(scored) => std::slice::from_ref(scored),
        Response::Rolled(rolled) => &rolled.windows,
        Response::Generated(_) | Response::Compressed(_) | Response::Told(_) => &[],
    }
}

fn strata(items: &[&TaskItemRecord]) -> BTreeSet<(String, String)> {
    items.iter().flat_map(|item| &item.strata).map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// The value of an item, with its cluster.
type Value<'a> = (&'a Observed, Option<&'a str>);

fn result(task: &str, spec: &MetricSpec, stratum: Option<String>, items: &[&TaskItemRecord]) -> MetricResult {
    let values: Vec<Value<'_>> =
        items.iter().filter_map(|item| Some((observed(item, spec)?, item.cluster.as_deref()))).collect();
    let groups = groups(&values);
    let clusters = (groups.len() < values.len()).then_some(groups.len());
    let value = match spec.aggregation {
        Aggregation::SignFlip => sign_flip(&values, &groups),
        other => other.of(values.iter().map(|(value, _)| *value)),
    };
    let value = value.filter(|value| value.is_finite());
    let is_spread = value.is_some() && !spec.aggregation.is_p();
    let spread = if is_spread { spread(spec.aggregation, &values, &groups) } else { Spread::NONE };
    let chance = stratum.as_ref().and_then(|stratum| spec.chances.get(stratum).copied()).or(spec.chance);
    MetricResult {
        task: task.to_owned(),
        metric: spec.metric.clone(),
        filter: spec.filter.clone(),
        stratum,
        members: None,
        n: values.len(),
        clusters,
        value,
        stderr: spread.stderr,
        interval: spread.interval,
        method: spread.method,
        aggregation: spec.aggregation,
        better: spec.better,
        chance,
    }
}

/// The p of flipping the signs of what the values of each unit add up to.
fn sign_flip(values: &[Value<'_>], groups: &[Vec<usize>]) -> Option<f64> {
    let numbers: Vec<f64> = values.iter().map(|(value, _)| value.number()).collect::<Option<_>>()?;
    let sums: Vec<f64> = groups.iter().map(|group| group.iter().map(|at| numbers[*at]).sum()).collect();
    (!sums.is_empty()).then(|| SignFlip::default().test(&sums).p)
}

fn observed<'a>(item: &'a TaskItemRecord, spec: &MetricSpec) -> Option<&'a Observed> {
    let is_it = |one: &&super::task::Observation| one.metric == spec.metric && one.filter == spec.filter;
    item.graded.observations.iter().find(is_it).map(|one| &one.value)
}

/// The units that are independent of each other: clusters, or items that are in none.
fn groups(values: &[Value<'_>]) -> Vec<Vec<usize>> {
    let mut named: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    let mut groups = Vec::new();
    for (at, (_, cluster)) in values.iter().enumerate() {
        match cluster {
            Some(cluster) => named.entry(cluster).or_default().push(at),
            None => groups.push(vec![at]),
        }
    }
    groups.extend(named.into_values());
    groups.sort();
    groups
}

/// How sure a value is.
struct Spread {
    stderr: Option<f64>,
    interval: Option<(f64, f64)>,
    method: IntervalMethod,
}

impl Spread {
    const NONE: Self = Self { stderr: None, interval: None, method: IntervalMethod::None };
}

fn spread(aggregation: Aggregation, values: &[Value<'_>], groups: &[Vec<usize>]) -> Spread {
    let numbers: Option<Vec<f64>> = values.iter().map(|(value, _)| value.number()).collect();
    let Some(numbers) = numbers.filter(|_| aggregation == Aggregation::Mean) else {
        return resampled(aggregation, values, groups);
    };
    if groups.len() < values.len() {
        return clustered(&numbers, aggregation, values, groups);
    }
    let mean = Mean::of(&numbers);
    if values.iter().all(|(value, _)| matches!(value, Observed::Flag(_))) {
        let share = Proportion::of(numbers.iter().map(|number| *number > 0.5));
        return Spread { stderr: mean.stderr, interval: Some((share.low, share.high)), method: IntervalMethod::Wilson };
    }
    let Some(stderr) = mean.stderr else { return Spread::NONE };
    let half = stderr * t_quantile(0.975, mean.n - 1);
    let interval = Some((mean.mean - half, mean.mean + half));
    Spread { stderr: Some(stderr), interval, method: IntervalMethod::StudentT }
}

fn clustered(numbers: &[f64], aggregation: Aggregation, values: &[Value<'_>], groups: &[Vec<usize>]) -> Spread {
    let mut names = vec![String::new(); numbers.len()];
    for (name, members) in groups.iter().enumerate() {
        for at in members {
            names[*at] = name.to_string();
        }
    }
    let first = values.first().map(|(value, _)| *value);
    if let Some(Observed::Flag(flag)) = first.filter(|first| values.iter().all(|(value, _)| value == first)) {
        // clusters that are all alike, resampled, would leave no doubt
        let share = Proportion::of(groups.iter().map(|_| *flag));
        return Spread { stderr: Some(0.0), interval: Some((share.low, share.high)), method: IntervalMethod::Wilson };
    }
    let found = Clustered::of(names.iter().map(String::as_str).zip(numbers.iter().copied()));
    if found.clusters < MANY_CLUSTERS {
        return Spread { stderr: found.stderr, ..resampled(aggregation, values, groups) };
    }
    Spread { stderr: found.stderr, interval: found.interval(0.95), method: IntervalMethod::ClusteredT }
}

/// By drawing units anew, and counting what was drawn.
fn resampled(aggregation: Aggregation, values: &[Value<'_>], groups: &[Vec<usize>]) -> Spread {
    let many = groups.len() > MANY_UNITS;
    let default = Bootstrap::default();
    let bootstrap = Bootstrap { resamples: if many { default.resamples / 10 } else { default.resamples }, ..default };
    let statistic = |units: &[usize]| {
        let drawn = units.iter().flat_map(|unit| &groups[*unit]).map(|at| values[*at].0);
        aggregation.of(drawn).unwrap_or(f64::NAN)
    };
    let Some(found) = bootstrap.interval(groups.len(), statistic).filter(|_| groups.len() > 1) else {
        return Spread::NONE;
    };
    let method = match found.method {
        Method::Bca => IntervalMethod::BootstrapBca,
        Method::Percentile => IntervalMethod::BootstrapPercentile,
    };
    Spread { stderr: Some(found.stderr), interval: Some((found.low, found.high)), method }
}
