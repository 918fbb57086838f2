//! What keeps a record from being read or written.

use std::io;
use std::path::PathBuf;

/// A record that cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file system refused.
    #[error("use `{}`", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The folder holds something else.
    #[error("read the record `{}`: it has no run.json", folder.display())]
    NotARecord {
        /// The folder.
        folder: PathBuf,
    },
    /// The folder is in use.
    #[error("begin a record in `{}`: there is one", folder.display())]
    Exists {
        /// The folder.
        folder: PathBuf,
    },
    /// Somebody else writes into it.
    #[error("write the record `{}`: another run is writing it", folder.display())]
    Locked {
        /// The folder.
        folder: PathBuf,
    },
    /// A version that this program does not know.
    #[error("read `{}`: its format_version is {found}, this lmscope reads {expected}", file.display())]
    Version {
        /// The file.
        file: PathBuf,
        /// Its version.
        found: u64,
        /// The version that is known.
        expected: u32,
    },
    /// A file is not what is expected.
    #[error("read `{}`: line {line} is damaged", file.display())]
    Damaged {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
        /// Why.
        source: serde_json::Error,
    },
    /// Two lines are about one item.
    #[error("read `{}`: line {line} is about item `{id}` of `{task}`, which is there already", file.display())]
    Twice {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The task.
        task: String,
        /// The item.
        id: String,
    },
    /// The record belongs to another run.
    #[error("resume `{}`: its {field} is `{found}`, this run's is `{expected}`", folder.display())]
    OtherRun {
        /// The folder.
        folder: PathBuf,
        /// What differs.
        field: String,
        /// The value in the record.
        found: String,
        /// The value of this run.
        expected: String,
    },
    /// Something has no JSON.
    #[error("write a line of the record")]
    Serialise {
        /// Why.
        source: serde_json::Error,
    },
}

impl Error {
    /// What to do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NotARecord { .. } => Some("a record is the folder that `lmscope eval run` names at its end".into()),
            Self::Exists { .. } => Some("--resume goes on with it; -o names another folder".into()),
            Self::OtherRun { .. } => Some("-o names another folder".into()),
            Self::Damaged { .. } | Self::Twice { .. } => Some("remove the line, and --resume".into()),
            Self::Version { .. } => Some("read it with the lmscope that wrote it".into()),
            Self::Io { .. } | Self::Locked { .. } | Self::Serialise { .. } => None,
        }
    }
}
