//! Reading a record.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{Error, FORMAT_VERSION, Run};
use crate::eval::task::TaskItemRecord;

/// A run and its items.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// What `run.json` says.
    pub run: Run,
    /// The finished items: task by task, in the order of the tasks' files.
    pub items: Vec<TaskItemRecord>,
}

impl Record {
    /// The items of one task.
    pub fn items_of<'a>(&'a self, task: &'a str) -> impl Iterator<Item = &'a TaskItemRecord> {
        self.items.iter().filter(move |item| item.task == task)
    }
}

/// Reads the record in a folder, finished or not. A last line that was torn by a kill is left out.
///
/// # Errors
/// If there is none, or a line in it is damaged.
pub fn read(folder: &Path) -> Result<Record, Error> {
    let run = read_run(folder)?.ok_or_else(|| Error::NotARecord { folder: folder.into() })?;
    let (mut items, _) = read_items(folder)?;
    sort(&mut items, &run);
    Ok(Record { run, items })
}

/// What `run.json` says, if it is there.
pub(super) fn read_run(folder: &Path) -> Result<Option<Run>, Error> {
    #[derive(Deserialize)]
    struct Version {
        format_version: u64,
    }
    let file = folder.join("run.json");
    let Some(bytes) = bytes(&file)? else { return Ok(None) };
    let damaged = |source: serde_json::Error| Error::Damaged { line: source.line().max(1), file: file.clone(), source };
    let Version { format_version: found } = serde_json::from_slice(&bytes).map_err(damaged)?;
    if found != u64::from(FORMAT_VERSION) {
        return Err(Error::Version { file, found, expected: FORMAT_VERSION });
    }
    serde_json::from_slice(&bytes).map(Some).map_err(damaged)
}

/// The items in the order they were finished, and the bytes they take.
pub(super) fn read_items(folder: &Path) -> Result<(Vec<TaskItemRecord>, u64), Error> {
    let file: PathBuf = folder.join("items.jsonl");
    let bytes = bytes(&file)?.unwrap_or_default();
    let (mut items, mut kept, mut seen) = (Vec::new(), 0, HashSet::new());
    for (line, text) in (1..).zip(bytes.split_inclusive(|byte| *byte == b'\n')) {
        if text.last() != Some(&b'\n') {
            break;
        }
        let damaged = |source| Error::Damaged { file: file.clone(), line, source };
        let item: TaskItemRecord = serde_json::from_slice(text).map_err(damaged)?;
        if !seen.insert((item.task.clone(), item.id.clone())) {
            return Err(Error::Twice { file, line, task: item.task, id: item.id });
        }
        kept += text.len() as u64;
        items.push(item);
    }
    Ok((items, kept))
}

/// Brings items into the order of the tasks and their files.
pub(crate) fn sort(items: &mut [TaskItemRecord], run: &Run) {
    let places: HashMap<&str, usize> =
        run.tasks.iter().enumerate().map(|(at, task)| (task.name.as_str(), at)).collect();
    items.sort_by_cached_key(|item| (places.get(item.task.as_str()).copied(), item.index, item.id.clone()));
}

fn bytes(file: &Path) -> Result<Option<Vec<u8>>, Error> {
    match fs::read(file) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error::Io { file: file.into(), source }),
    }
}
