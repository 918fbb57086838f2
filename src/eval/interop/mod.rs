//! Records as other tools write them, and theirs as records. What a foreign log does not say stays absent.

mod inspect_log;
mod lm_eval;
mod python;
#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};

use super::record::Record;

/// A format of another tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// lm-evaluation-harness: `results_*.json` and `samples_*.jsonl`.
    LmEval,
    /// Inspect: a `.eval` file a task.
    Inspect,
}

/// A log that cannot be read or written.
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
    /// There is nothing that is known.
    #[error("import `{}`: it is neither a results_*.json of lm-eval, nor a folder with one, nor a .eval file", path.display())]
    Unknown {
        /// What was given.
        path: PathBuf,
    },
    /// A part is not JSON, or not of the right kind.
    #[error("read `{}`: {part}", file.display())]
    Json {
        /// The file.
        file: PathBuf,
        /// Which part of it.
        part: String,
        /// Why.
        source: serde_json::Error,
    },
    /// A part is missing.
    #[error("read `{}`: {part} is missing or of another kind than expected", file.display())]
    Missing {
        /// The file.
        file: PathBuf,
        /// Which part of it.
        part: String,
    },
    /// A part is too large to be believed.
    #[error("read `{}`: {part} is larger than {limit} bytes", file.display())]
    TooLarge {
        /// The file.
        file: PathBuf,
        /// Which part of it.
        part: String,
        /// The most that is read.
        limit: u64,
    },
    /// The archive is damaged.
    #[error("use the archive `{}`", file.display())]
    Zip {
        /// The file.
        file: PathBuf,
        /// Why.
        source: zip::result::ZipError,
    },
    /// Something has no JSON.
    #[error("write a part of the log")]
    Serialise {
        /// Why.
        #[from]
        source: serde_json::Error,
    },
}

impl Error {
    /// What to do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Io { .. } | Self::Serialise { .. } => None,
            Self::Unknown { .. } => {
                Some("lm-eval writes results_*.json with --output_path, and samples with --log_samples".into())
            }
            Self::Json { .. } | Self::Missing { .. } | Self::TooLarge { .. } | Self::Zip { .. } => {
                Some("the log may be cut short, or of a version whose format is another".into())
            }
        }
    }
}

/// Writes a record as another tool does; returns the files.
///
/// # Errors
/// What could not be written.
pub fn export(record: &Record, format: Format, folder: &Path) -> Result<Vec<PathBuf>, Error> {
    match format {
        Format::LmEval => lm_eval::export(record, folder),
        Format::Inspect => inspect_log::export(record, folder),
    }
}

/// Reads the log of another tool.
///
/// # Errors
/// What cannot be read.
pub fn import(path: &Path) -> Result<Record, Error> {
    if path.extension().is_some_and(|extension| extension == "eval") {
        return inspect_log::import(path);
    }
    match lm_eval::results_file(path)? {
        Some(file) => lm_eval::import(&file),
        None => Err(Error::Unknown { path: path.into() }),
    }
}

/// A name that is safe as a part of a file's name.
fn plain(name: &str) -> String {
    name.chars().map(|c| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '_' }).collect()
}
