//! The record of a run: a folder with `run.json`, what was run on what and what came of it, and `items.jsonl`, one line
//! an item, written whole as the item is finished.
//!
//! Whatever a kill leaves can be read and resumed. This module knows files and their format, and not how an item is
//! asked or graded. docs/records.md is the reference of the format.

mod error;
mod format;
mod read;
#[cfg(test)]
pub(crate) mod sample;
#[cfg(test)]
mod tests;
mod write;

pub use self::error::Error;
pub use self::format::{
    FORMAT_VERSION, Imported, Model, Origin, Outcome, Run, Settings, Shard, Status, TaskInfo, Tier, TokenizerInfo,
    difference,
};
pub(crate) use self::read::sort;
pub use self::read::{Record, read};
pub use self::write::{Existing, Recorder, write};
