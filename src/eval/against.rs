//! TWO MODELS ON THE SAME ITEMS: the paired difference of every metric, and what only both together show.
//!
//! Each model has a record of its own; this joins two of them, made of the same suites. Items of one name are the same, in
//! whatever words either model was asked them: one may be asked through its chat template and the other in plain text.

mod error;
mod report;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use serde::Serialize;

pub use self::error::Error;
pub use self::report::figures;
use super::divergence::Divergence;
use super::gate::{self, Change, Gate, Method, Pairing, Scores, Selection, Unit, compare};
use super::prepare::Turns;
use super::record::{Model, Record, TaskInfo};
use super::results::{self, MetricResult, stratum};
use super::task::{Better, Graded, Observation, Pair, Paired, Task, TaskItemRecord};
use crate::disk;

/// The version of the file.
pub const FORMAT_VERSION: u32 = 1;
/// The file's name, in the record's folder of the first model.
pub const FILE: &str = "against.json";
/// The folder of the second model's record, in that of the first one.
pub const FOLDER: &str = "against";
/// How sure each bound is, so that both together hold with 95 %.
const ONE_SIDED: f64 = 0.975;

/// What came of two models.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Against {
    /// [`FORMAT_VERSION`].
    pub format_version: u32,
    /// The model.
    pub a: Side,
    /// What it is compared with.
    pub b: Side,
    /// A minus B, of each metric, over all items and over each stratum.
    pub differences: Vec<Difference>,
    /// What only both together show.
    pub results: Vec<MetricResult>,
    /// What that was counted from, item by item.
    pub items: Vec<PairedItem>,
    /// Items that only one of the models has, as `task/item`; they are left out.
    pub unmatched: Vec<String>,
}

/// A model, and how it was asked.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Side {
    /// Which model.
    pub model: Model,
    /// How examples stand in the chat; none where it was asked in plain text.
    pub chat: Option<Turns>,
    /// What the system says first.
    pub system: Option<String>,
}

impl Side {
    fn of(record: &Record) -> Self {
        let run = &record.run;
        Self { model: run.model.clone(), chat: run.settings.chat, system: run.settings.system.clone() }
    }
}

/// A minus B, of one metric.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// The task.
    pub task: String,
    /// The stratum as `name=value`; absent over all items.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stratum: Option<String>,
    /// The metric.
    pub metric: String,
    /// The filter's name; `none` where there is no filter.
    pub filter: String,
    /// Which direction is better.
    pub better: Better,
    /// Items that both have it of.
    pub n: usize,
    /// Independent units among them.
    pub units: usize,
    /// Its value for model A, over these items.
    pub a: f64,
    /// Its value for model B.
    pub b: f64,
    /// What the difference is counted in.
    pub unit: Unit,
    /// A minus B, or the log of their ratio.
    pub difference: f64,
    /// Its 95 % interval; none with too few items.
    pub interval: Option<(f64, f64)>,
    /// How that was made.
    pub method: Method,
    /// The two-sided p of no difference.
    pub p: Option<f64>,
    /// The same after Holm, over the metrics of the same items.
    pub p_holm: Option<f64>,
    /// Items that only A has right.
    pub only_a: Vec<String>,
    /// Items that only B has right.
    pub only_b: Vec<String>,
}

impl Difference {
    /// Where B is the old run and A the new one.
    fn of(change: Change, stratum: Option<&str>) -> Self {
        Self {
            stratum: stratum.map(str::to_owned),
            task: change.task,
            metric: change.metric,
            filter: change.filter,
            better: change.better,
            n: change.n,
            units: change.units,
            a: change.new,
            b: change.old,
            unit: change.unit,
            difference: change.difference,
            interval: change.low.zip(change.high),
            method: change.method,
            p: change.p,
            p_holm: change.p_holm,
            only_a: change.gained,
            only_b: change.lost,
        }
    }
}

/// An item that both models answered.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PairedItem {
    /// The task.
    pub task: String,
    /// The item.
    pub id: String,
    /// How far apart the distributions are along a text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub divergence: Option<Divergence>,
    /// What both answers together show.
    pub observations: Vec<Observation>,
}

/// Divergences by task and item.
pub type Divergences = HashMap<(String, String), Divergence>;

/// Joins the record of model A with that of model B. `tasks` are those that A was asked.
///
/// # Errors
/// If no item is in both.
pub fn against(tasks: &[Task], [a, b]: [&Record; 2], divergences: &Divergences) -> Result<Against, Error> {
    let (of_a, of_b) = (Scores::of(a)?, Scores::of(b)?);
    let all = compare(&of_b, &of_a, &gate(None))?;
    let unmatched = all.unmatched;
    let mut differences: Vec<Difference> = all.changes.into_iter().map(|change| Difference::of(change, None)).collect();
    for stratum in strata(a) {
        differences.extend(of_stratum([&of_a, &of_b], stratum)?);
    }
    let (mut found, mut items) = (Vec::new(), Vec::new());
    for task in tasks {
        let Some(paired) = task.grader.paired() else { continue };
        let records = together(task, paired, [a, b], divergences)?;
        let info = TaskInfo { metrics: paired.metrics(), ..TaskInfo::of(task) };
        found.extend(results::of_task(&info, &records));
        items.extend(records.into_iter().map(|record| PairedItem {
            divergence: divergences.get(&(record.task.clone(), record.id.clone())).cloned(),
            task: record.task,
            id: record.id,
            observations: record.graded.observations,
        }));
    }
    let [a, b] = [Side::of(a), Side::of(b)];
    Ok(Against { format_version: FORMAT_VERSION, a, b, differences, results: found, items, unmatched })
}

/// Writes it into the record's folder of model A.
///
/// # Errors
/// If the file cannot be written.
pub fn write(folder: &Path, against: &Against) -> Result<(), Error> {
    let file = folder.join(FILE);
    let json = serde_json::to_vec_pretty(against)?;
    disk::write_whole(&file, &json).map_err(|source| Error::Write { file, source })
}

/// Nothing is asked of a difference but how sure it is; the models may be asked an item in other words.
fn gate(stratum: Option<(String, String)>) -> Gate {
    Gate { confidence: ONE_SIDED, selection: Selection { pairing: Pairing::Items, stratum }, ..Gate::default() }
}

/// The strata of a record's items, as name and value.
fn strata(record: &Record) -> BTreeSet<(String, String)> {
    let of = |item: &TaskItemRecord| item.strata.clone().into_iter();
    record.items.iter().flat_map(of).collect()
}

fn of_stratum([a, b]: [&Scores; 2], (name, value): (String, String)) -> Result<Vec<Difference>, Error> {
    let shown = stratum(&name, &value);
    match compare(b, a, &gate(Some((name, value)))) {
        Ok(found) => Ok(found.changes.into_iter().map(|change| Difference::of(change, Some(&shown))).collect()),
        // model B was asked none of them
        Err(gate::Error::NothingShared { .. }) => Ok(Vec::new()),
        Err(error) => Err(error.into()),
    }
}

/// The items that both models answered, with what both answers together show.
fn together(
    task: &Task,
    paired: &dyn Paired,
    [a, b]: [&Record; 2],
    divergences: &Divergences,
) -> Result<Vec<TaskItemRecord>, Error> {
    let others: HashMap<&str, &TaskItemRecord> = b.items_of(&task.name).map(|item| (item.id.as_str(), item)).collect();
    let mut records = Vec::new();
    for item in a.items_of(&task.name) {
        let Some(other) = others.get(item.id.as_str()) else { continue };
        let divergence = divergences.get(&(task.name.clone(), item.id.clone()));
        let pair = Pair { a: &item.graded, b: &other.graded, divergence };
        let observations = paired.observe(&pair);
        let observations =
            observations.ok_or_else(|| Error::Unpaired { task: task.name.clone(), id: item.id.clone() })?;
        let graded = Graded { observations, ..Graded::default() };
        records.push(TaskItemRecord { requests: Vec::new(), responses: Vec::new(), graded, ..item.clone() });
    }
    Ok(records)
}
