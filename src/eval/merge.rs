//! The records of all shards of a run, put together to the record of the run.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use super::record::{Outcome, Record, Run, Shard, Status, difference, sort};
use super::results;
use super::task::TaskItemRecord;

/// Records that are not the shards of one run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing was given.
    #[error("merge records: there are none")]
    Nothing,
    /// A record is of a whole run.
    #[error("merge `{}`: it is no shard", folder.display())]
    NoShard {
        /// The record.
        folder: PathBuf,
    },
    /// A shard is not at its end.
    #[error("merge `{}`: its run did not come to its end", folder.display())]
    Incomplete {
        /// The record.
        folder: PathBuf,
    },
    /// Two records are of different runs.
    #[error("merge `{}` with `{}`: {field} is `{found}` here and `{expected}` there", folder.display(), first.display())]
    OtherRun {
        /// The record.
        folder: PathBuf,
        /// What it is compared with.
        first: PathBuf,
        /// What differs.
        field: String,
        /// Its value.
        found: String,
        /// The value it should have.
        expected: String,
    },
    /// A shard is there twice.
    #[error("merge `{}` and `{}`: both are shard {shard}", first.display(), second.display())]
    Twice {
        /// The shard.
        shard: Shard,
        /// One record.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
    /// Shards are not there.
    #[error("merge records: shard {} is missing", list(shards))]
    Missing {
        /// Which.
        shards: Vec<Shard>,
    },
    /// Two shards have an item in common.
    #[error("merge `{}` and `{}`: item `{id}` of `{task}` is in both", first.display(), second.display())]
    Overlap {
        /// The task.
        task: String,
        /// The item.
        id: String,
        /// One record.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
}

impl Error {
    /// What to do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Incomplete { .. } => Some("go on with it: the same command with --resume".into()),
            Self::Missing { .. } => Some("run it with --shard, and merge all of them".into()),
            Self::NoShard { .. } => Some("shards come from `lmscope eval run --shard k/n`".into()),
            Self::Nothing | Self::OtherRun { .. } | Self::Twice { .. } | Self::Overlap { .. } => None,
        }
    }
}

fn list(shards: &[Shard]) -> String {
    shards.iter().map(Shard::to_string).collect::<Vec<_>>().join(", ")
}

/// The record of the run that these are all the shards of.
///
/// # Errors
/// The first reason why they are not.
pub fn merge(parts: Vec<(PathBuf, Record)>) -> Result<Record, Error> {
    let mut shards: BTreeMap<Shard, &PathBuf> = BTreeMap::new();
    let (first_folder, first) = parts.first().ok_or(Error::Nothing)?;
    let expected = whole(&first.run);
    for (folder, record) in &parts {
        let shard = record.run.settings.shard.ok_or_else(|| Error::NoShard { folder: folder.clone() })?;
        if record.run.status != Status::Complete {
            return Err(Error::Incomplete { folder: folder.clone() });
        }
        if let Some((field, found, expected)) = differs(record, first, &expected) {
            let (folder, first) = (folder.clone(), first_folder.clone());
            return Err(Error::OtherRun { folder, first, field, found, expected });
        }
        if let Some(first) = shards.insert(shard, folder) {
            return Err(Error::Twice { shard, first: first.clone(), second: folder.clone() });
        }
    }
    let count = first.run.settings.shard.map_or(1, Shard::count);
    let missing: Vec<Shard> = (1..=count).filter_map(|index| Shard::new(index, count)).collect();
    let missing: Vec<Shard> = missing.into_iter().filter(|shard| !shards.contains_key(shard)).collect();
    if !missing.is_empty() {
        return Err(Error::Missing { shards: missing });
    }
    check_apart(&parts)?;
    Ok(joined(expected, &parts))
}

fn whole(run: &Run) -> Run {
    let mut run = run.clone();
    run.settings.shard = None;
    run
}

/// What a shard differs in from the first one: everything but which shard it is.
fn differs(record: &Record, first: &Record, expected: &Run) -> Option<(String, String, String)> {
    let count = |record: &Record| record.run.settings.shard.map_or(0, Shard::count);
    let (found, of) = (count(record), count(first));
    if found != of {
        return Some(("the number of shards".into(), found.to_string(), of.to_string()));
    }
    difference(&whole(&record.run), expected)
}

fn check_apart(parts: &[(PathBuf, Record)]) -> Result<(), Error> {
    let mut seen: HashMap<(&str, &str), &PathBuf> = HashMap::new();
    for (folder, record) in parts {
        for item in &record.items {
            if let Some(first) = seen.insert((item.task.as_str(), item.id.as_str()), folder) {
                let (task, id) = (item.task.clone(), item.id.clone());
                return Err(Error::Overlap { task, id, first: first.clone(), second: folder.clone() });
            }
        }
    }
    Ok(())
}

fn joined(run: Run, parts: &[(PathBuf, Record)]) -> Record {
    let mut items: Vec<TaskItemRecord> = parts.iter().flat_map(|(_, record)| record.items.iter().cloned()).collect();
    sort(&mut items, &run);
    let outcomes = || parts.iter().filter_map(|(_, record)| record.run.outcome.as_ref());
    let seconds: Option<Vec<f64>> = outcomes().map(|outcome| outcome.seconds).collect();
    let outcome = Outcome {
        n_items: items.len(),
        n_resumed: outcomes().map(|outcome| outcome.n_resumed).sum(),
        seconds: seconds.map(|seconds| seconds.iter().sum()),
        lints: results::lints(&items),
        results: results::of(&run.tasks, &items),
    };
    Record { run: Run { status: Status::Complete, outcome: Some(outcome), ..run }, items }
}
