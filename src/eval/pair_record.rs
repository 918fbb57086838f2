//! The record of a run: JSON lines, each written whole and flushed. First a header, then one line an item, then the
//! summary. Whatever a kill leaves is a valid prefix, and opening it again goes on where it ended.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::scorer::ItemRecord;
use super::summary::RunSummary;

/// The version of the format, in the header.
pub const FORMAT_VERSION: u32 = 1;

const HEADER_START: &str = r#"{"type":"header""#;

/// What was run on what. Two runs whose headers agree in all but `started` give the same scores.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// [`FORMAT_VERSION`].
    pub format_version: u32,
    /// The version of lmscope.
    pub lmscope_version: String,
    /// The model's name.
    pub model: String,
    /// Its fingerprint.
    pub fingerprint: String,
    /// Number types and arithmetic.
    pub precision: String,
    /// Whether a beginning-of-sequence token comes first, which the tokenizer decides.
    pub bos: bool,
    /// The suite's name.
    pub suite: String,
    /// Its version.
    pub suite_version: u32,
    /// SHA-256 of its files.
    pub suite_hash: String,
    /// The scorer.
    pub scorer: String,
    /// Control names that each gold name is compared with.
    pub controls: usize,
    /// The seed that breaks ties between control names and draws a sample.
    pub seed: u64,
    /// When the run began, as the caller writes it.
    pub started: String,
}

/// One line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Line {
    Header(Box<Header>),
    Item(Box<ItemRecord>),
    Summary(Box<RunSummary>),
}

/// A record that cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file system refused.
    #[error("use the record `{}`", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The file is something else.
    #[error("use `{}` as a record: it does not begin with a header", file.display())]
    NotARecord {
        /// The file.
        file: PathBuf,
    },
    /// A line in the middle is not what is expected.
    #[error("read the record `{}`: line {line} is damaged", file.display())]
    Damaged {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
        /// Why.
        source: serde_json::Error,
    },
    /// The record belongs to another run.
    #[error("resume `{}`: its {field} is `{found}`, this run's is `{expected}`", file.display())]
    OtherRun {
        /// The file.
        file: PathBuf,
        /// What differs.
        field: String,
        /// The value in the record.
        found: String,
        /// The value of this run.
        expected: String,
    },
    /// A score could not be written as JSON.
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
            Self::NotARecord { .. } | Self::OtherRun { .. } => Some("write this run to another file or folder".into()),
            Self::Damaged { .. } => Some("remove the line and what follows it, and resume".into()),
            Self::Io { .. } | Self::Serialise { .. } => None,
        }
    }
}

/// What a record holds.
#[derive(Debug, Clone, Default)]
pub struct Contents {
    /// The first line; none if the file is empty.
    pub header: Option<Header>,
    /// The finished items.
    pub items: Vec<ItemRecord>,
    /// The last line, if the run came to its end.
    pub summary: Option<RunSummary>,
    /// Bytes up to the end of the last finished item.
    kept: usize,
}

/// Reads a record. A last line that was torn by a kill is left out.
pub fn read(file: &Path) -> Result<Contents, Error> {
    let bytes = fs::read(file).map_err(|source| Error::Io { file: file.into(), source })?;
    let start = HEADER_START.as_bytes();
    if !bytes.starts_with(start) && !start.starts_with(&bytes) {
        return Err(Error::NotARecord { file: file.into() });
    }
    let mut contents = Contents::default();
    let mut end = 0;
    for (line, text) in (1..).zip(bytes.split_inclusive(|byte| *byte == b'\n')) {
        if text.last() != Some(&b'\n') {
            break;
        }
        end += text.len();
        let damaged = |source| Error::Damaged { file: file.into(), line, source };
        match serde_json::from_slice(text).map_err(damaged)? {
            Line::Header(header) => contents.header = Some(*header),
            Line::Item(item) => contents.items.push(*item),
            Line::Summary(summary) => {
                contents.summary = Some(*summary);
                continue;
            }
        }
        contents.kept = end;
    }
    Ok(contents)
}

/// A record that is being written.
#[derive(Debug)]
pub struct RunRecord {
    path: PathBuf,
    file: File,
    /// The header in the file: that of the first run, where this one resumes it.
    pub header: Header,
    /// The items that were in the file.
    pub finished: Vec<ItemRecord>,
}

impl RunRecord {
    /// Creates the record, with its folders, or goes on with the one that is there.
    pub fn open(path: &Path, header: &Header) -> Result<Self, Error> {
        let io = |source| Error::Io { file: path.into(), source };
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(io)?;
        }
        let contents = if path.exists() { read(path)? } else { Contents::default() };
        if let Some(found) = &contents.header {
            same_run(path, found, header)?;
        }
        let mut file = OpenOptions::new().create(true).truncate(false).write(true).open(path).map_err(io)?;
        file.set_len(contents.kept as u64).map_err(io)?;
        file.seek(SeekFrom::End(0)).map_err(io)?;
        let is_new = contents.header.is_none();
        let header = contents.header.unwrap_or_else(|| header.clone());
        let mut record = Self { path: path.into(), file, header, finished: contents.items };
        if is_new {
            record.line(&Line::Header(Box::new(record.header.clone())))?;
        }
        Ok(record)
    }

    /// Writes a finished item.
    pub fn item(&mut self, item: &ItemRecord) -> Result<(), Error> {
        self.line(&Line::Item(Box::new(item.clone())))
    }

    /// Writes the last line.
    pub fn summary(&mut self, summary: &RunSummary) -> Result<(), Error> {
        self.line(&Line::Summary(Box::new(summary.clone())))
    }

    fn line(&mut self, line: &Line) -> Result<(), Error> {
        let mut bytes = serde_json::to_vec(line).map_err(|source| Error::Serialise { source })?;
        bytes.push(b'\n');
        let written = self.file.write_all(&bytes).and_then(|()| self.file.flush());
        written.map_err(|source| Error::Io { file: self.path.clone(), source })
    }
}

/// Refuses a record whose header differs in anything that can change a score.
fn same_run(file: &Path, found: &Header, expected: &Header) -> Result<(), Error> {
    let fields = |header: &Header| match serde_json::to_value(header) {
        Ok(serde_json::Value::Object(fields)) => fields,
        _ => serde_json::Map::new(),
    };
    let (found, expected) = (fields(found), fields(expected));
    let differs = expected.iter().find(|(name, value)| name.as_str() != "started" && found.get(*name) != Some(*value));
    let Some((name, value)) = differs else { return Ok(()) };
    let was = found.get(name).map_or(String::new(), plain);
    Err(Error::OtherRun { file: file.into(), field: name.replace('_', " "), found: was, expected: plain(value) })
}

fn plain(value: &serde_json::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
