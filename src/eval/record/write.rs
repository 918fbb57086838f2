//! Writing a record.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use super::read::{read_items, read_run};
use super::{Error, Outcome, Record, Run, Status, difference};
use crate::disk;
use crate::eval::task::TaskItemRecord;

/// What becomes of a record that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// It is an error.
    Refuse,
    /// It is gone on with.
    Resume,
}

/// A record that is being written.
#[derive(Debug)]
pub struct Recorder {
    folder: PathBuf,
    items: File,
    run: Run,
    finished: Vec<TaskItemRecord>,
}

impl Recorder {
    /// Begins a record, or goes on with the one that is there.
    ///
    /// # Errors
    /// If there is one that is not to be resumed, that belongs to another run, or that somebody else writes.
    pub fn open(folder: &Path, run: &Run, existing: Existing) -> Result<Self, Error> {
        let found = read_run(folder)?;
        match (&found, existing) {
            (Some(_), Existing::Refuse) => return Err(Error::Exists { folder: folder.into() }),
            (Some(found), Existing::Resume) => same_run(folder, found, run)?,
            (None, _) => {}
        }
        fs::create_dir_all(folder).map_err(|source| Error::Io { file: folder.into(), source })?;
        let file = folder.join("items.jsonl");
        let io = |source| Error::Io { file: file.clone(), source };
        let mut items = OpenOptions::new().create(true).truncate(false).write(true).open(&file).map_err(io)?;
        items.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => Error::Locked { folder: folder.into() },
            TryLockError::Error(source) => io(source),
        })?;
        let (finished, kept) = if found.is_some() { read_items(folder)? } else { (Vec::new(), 0) };
        items.set_len(kept).map_err(io)?;
        items.seek(SeekFrom::End(0)).map_err(io)?;
        let run = Run { status: Status::Running, outcome: None, ..found.unwrap_or_else(|| run.clone()) };
        let recorder = Self { folder: folder.into(), items, run, finished };
        recorder.write_run(&recorder.run)?;
        Ok(recorder)
    }

    /// The items that were in the record when it was opened; they are handed out once.
    pub fn take_finished(&mut self) -> Vec<TaskItemRecord> {
        std::mem::take(&mut self.finished)
    }

    /// Writes a finished item.
    ///
    /// # Errors
    /// If it could not be written whole.
    pub fn item(&mut self, item: &TaskItemRecord) -> Result<(), Error> {
        let line = line(item)?;
        let written = self.items.write_all(&line).and_then(|()| self.items.flush());
        written.map_err(|source| Error::Io { file: self.folder.join("items.jsonl"), source })
    }

    /// Says what came of the run; from then on it is complete.
    ///
    /// # Errors
    /// If it could not be written; then the record is as one that was stopped.
    pub fn finish(mut self, outcome: Outcome) -> Result<Run, Error> {
        self.items.sync_all().map_err(|source| Error::Io { file: self.folder.join("items.jsonl"), source })?;
        self.run.outcome = Some(outcome);
        self.run.status = Status::Complete;
        self.write_run(&self.run)?;
        Ok(self.run)
    }

    fn write_run(&self, run: &Run) -> Result<(), Error> {
        write_run(&self.folder, run)
    }
}

/// Writes a whole record into a folder that has none.
///
/// # Errors
/// If there is one, or it could not be written.
pub fn write(folder: &Path, record: &Record) -> Result<(), Error> {
    let mut recorder = Recorder::open(folder, &record.run, Existing::Refuse)?;
    for item in &record.items {
        recorder.item(item)?;
    }
    write_run(folder, &record.run)
}

fn write_run(folder: &Path, run: &Run) -> Result<(), Error> {
    let mut bytes = serde_json::to_vec_pretty(run).map_err(|source| Error::Serialise { source })?;
    bytes.push(b'\n');
    let file = folder.join("run.json");
    disk::write_whole(&file, &bytes).map_err(|source| Error::Io { file, source })
}

fn line(item: &TaskItemRecord) -> Result<Vec<u8>, Error> {
    let mut bytes = serde_json::to_vec(item).map_err(|source| Error::Serialise { source })?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// Refuses a record that differs in anything that can change a score.
fn same_run(folder: &Path, found: &Run, expected: &Run) -> Result<(), Error> {
    match difference(found, expected) {
        None => Ok(()),
        Some((field, found, expected)) => Err(Error::OtherRun { folder: folder.into(), field, found, expected }),
    }
}
