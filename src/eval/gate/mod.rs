//! Whether a new run may take the place of an old one.
//!
//! The gate asks whether a metric is worse by less than a margin (non-inferiority), not whether a difference is
//! significant: a small suite would pass that for lack of power. Both runs are compared item by item; nothing here runs
//! a model or reads a file.

mod change;
mod error;
pub mod github;
mod interval;
pub mod junit;
mod pairs;
pub mod report;
mod scores;
#[cfg(test)]
mod tests;

use serde::Serialize;

pub use self::change::{Change, Unit, Verdict};
pub use self::error::Error;
pub use self::interval::Method;
use self::pairs::Pairs;
pub use self::pairs::{Pairing, Selection};
pub use self::scores::{FORMAT_VERSION, ItemScores, Origin, Scores, TaskScores};
use super::stats::holm;
use super::task::MetricSpec;

/// What a gate asks of the metrics whose suite asks nothing else.
#[derive(Debug, Clone, PartialEq)]
pub struct Gate {
    /// How much worse a share may be, and by which share a perplexity may.
    pub margin: f64,
    /// How sure each bound is, such as 0.95.
    pub confidence: f64,
    /// Least values by the name of the metric, whatever the suite says.
    pub min: Vec<(String, f64)>,
    /// Largest values by the name of the metric, whatever the suite says.
    pub max: Vec<(String, f64)>,
    /// Which items are compared, and how they are paired.
    pub selection: Selection,
}

impl Default for Gate {
    fn default() -> Self {
        let selection = Selection::default();
        Self { margin: 0.02, confidence: 0.95, min: Vec::new(), max: Vec::new(), selection }
    }
}

/// Two runs, compared item by item.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// The old run.
    pub old: Origin,
    /// The new run.
    pub new: Origin,
    /// How sure each bound is.
    pub confidence: f64,
    /// What items of one name have in common.
    pub pairing: Pairing,
    /// The stratum that was compared, as `name=value`; all items unless it is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stratum: Option<String>,
    /// Each metric of each task that both have.
    pub changes: Vec<Change>,
    /// Items that only one run has, as `task/item`; they are left out.
    pub unmatched: Vec<String>,
    /// Items of one name that ask different things, as `task/item`; they are left out.
    pub altered: Vec<String>,
    /// The worst verdict of any metric.
    pub verdict: Verdict,
}

/// Compares what two runs hold.
///
/// # Errors
/// If no item is in both, or a value that is asked of a metric names none.
pub fn compare(old: &Scores, new: &Scores, gate: &Gate) -> Result<Comparison, Error> {
    check_names(new, gate)?;
    let pairs = Pairs::of(old, new, &gate.selection);
    if pairs.tasks.iter().all(|task| task.items.is_empty()) {
        return Err(Error::NothingShared { unmatched: pairs.unmatched.len(), altered: pairs.altered.len() });
    }
    let mut changes: Vec<Change> = Vec::new();
    for task in &pairs.tasks {
        changes.extend(task.task.metrics.iter().filter_map(|metric| Change::of(task, metric, gate)));
    }
    adjust(&mut changes);
    let verdict = changes.iter().filter_map(|change| change.verdict).max().unwrap_or(Verdict::Pass);
    let (old, new) = (old.origin.clone(), new.origin.clone());
    let Pairs { unmatched, altered, .. } = pairs;
    let Selection { pairing, stratum } = gate.selection.clone();
    let stratum = stratum.map(|(name, value)| format!("{name}={value}"));
    Ok(Comparison { old, new, confidence: gate.confidence, pairing, stratum, changes, unmatched, altered, verdict })
}

/// Holm over the metrics that have a test.
fn adjust(changes: &mut [Change]) {
    let known: Vec<f64> = changes.iter().filter_map(|change| change.p).collect();
    let mut adjusted = holm(&known).into_iter();
    for change in changes {
        change.p_holm = change.p.and_then(|_| adjusted.next());
    }
}

/// Every value that is asked must be asked of a metric that there is.
fn check_names(new: &Scores, gate: &Gate) -> Result<(), Error> {
    let metrics = || new.tasks.iter().flat_map(|task| task.metrics.iter());
    let is_known = |name: &str| metrics().any(|metric| is_named(metric, name));
    match gate.min.iter().chain(&gate.max).find(|(name, _)| !is_known(name)) {
        None => Ok(()),
        Some((name, _)) => {
            let mut known: Vec<String> = metrics().map(|metric| metric.metric.clone()).collect();
            known.sort_unstable();
            known.dedup();
            Err(Error::UnknownMetric { name: name.clone(), known })
        }
    }
}

/// Whether this is the metric's name, alone or as `metric,filter`.
fn is_named(metric: &MetricSpec, name: &str) -> bool {
    name == metric.metric || name.split_once(',') == Some((&metric.metric, &metric.filter))
}
