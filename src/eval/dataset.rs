//! Rows of data from files: JSON lines, a JSON list, CSV, plain lines, each perhaps compressed by gzip, and Parquet.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use serde_json::{Map, Number, Value};

use super::builtin;
use super::problem::{Problem, nearest};
use crate::text::fenced;

/// One row.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    /// The line it begins at, where there are lines.
    pub(super) line: Option<usize>,
    /// Its fields, in the order of the file.
    pub(super) fields: Map<String, Value>,
}

/// The rows of a split, and where they are from.
#[derive(Debug, Clone, Default)]
pub(super) struct Rows {
    /// The file; of several, the first.
    pub(super) file: String,
    /// The rows.
    pub(super) all: Vec<Row>,
    /// The names of all fields, in the order they come.
    pub(super) columns: Vec<String>,
    /// The bytes of the files, for the hash.
    pub(super) bytes: Vec<u8>,
}

/// How files are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// A list of objects, or one object a line.
    Json,
    /// Comma-separated, with a line of headings.
    Csv,
    /// A row a line, whose only field is `text`.
    Text,
    /// Apache Parquet.
    Parquet,
}

impl Format {
    /// Every format, by lm-evaluation-harness's name for it.
    pub(super) const ALL: [(&'static str, Self); 4] =
        [("json", Self::Json), ("csv", Self::Csv), ("text", Self::Text), ("parquet", Self::Parquet)];

    /// The format of that name.
    pub(super) fn by_name(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, format)| *format)
    }

    /// The format that a file's ending speaks of.
    pub(super) fn of_file(file: &Path) -> Result<Self, Problem> {
        let name = file.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
        Self::of_name(&name).ok_or_else(|| {
            let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
            let near = nearest(ending, ["json", "jsonl", "csv", "txt", "parquet"].into_iter());
            let what = format!("files that end in `.{ending}` cannot be read as data, {near}");
            Problem::new(&file.display().to_string(), None, what)
        })
    }

    /// The same of a name alone.
    pub(super) fn of_name(name: &str) -> Option<Self> {
        let unpacked = name.strip_suffix(GZIP);
        match unpacked.unwrap_or(name).rsplit_once('.')?.1 {
            "json" | "jsonl" => Some(Self::Json),
            "csv" => Some(Self::Csv),
            "txt" => Some(Self::Text),
            "parquet" if unpacked.is_none() => Some(Self::Parquet),
            _ => None,
        }
    }
}

/// What the name of a compressed file ends with.
const GZIP: &str = ".gz";

/// The most bytes that a compressed file is unpacked to.
const MOST_UNPACKED: u64 = 1 << 30;

/// Reads the files of a split. `field` is where the list is in a JSON object.
pub(super) fn read(files: &[PathBuf], format: Format, field: Option<&str>) -> Result<Rows, Vec<Problem>> {
    let (mut all, mut problems) = (Rows::default(), Vec::new());
    for path in files {
        let file = path.display().to_string();
        let bytes = match builtin::items(path).map_or_else(|| fs::read(path).map(Cow::Owned), |known| Ok(known.into()))
        {
            Ok(bytes) => bytes,
            Err(error) => {
                problems.push(Problem::new(&file, None, unreadable(&error)));
                continue;
            }
        };
        match unpacked(&file, &bytes) {
            Ok(bytes) => match (Source { file: &file, bytes: &bytes }).rows(format, field) {
                Ok(rows) => all.all.extend(rows),
                Err(found) => problems.extend(found),
            },
            Err(problem) => problems.push(problem),
        }
        if all.file.is_empty() {
            all.file = file;
        }
        all.bytes.extend_from_slice(&bytes);
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    if all.all.is_empty() {
        return Err(vec![Problem::new(&all.file, None, "there are no items")]);
    }
    for name in all.all.iter().flat_map(|row| row.fields.keys()) {
        if !all.columns.contains(name) {
            all.columns.push(name.clone());
        }
    }
    Ok(all)
}

/// The bytes of a file, or what they are compressed.
fn unpacked<'a>(file: &str, bytes: &'a [u8]) -> Result<Cow<'a, [u8]>, Problem> {
    if !file.ends_with(GZIP) {
        return Ok(Cow::Borrowed(bytes));
    }
    let mut unpacked = Vec::new();
    let read = MultiGzDecoder::new(bytes).take(MOST_UNPACKED + 1).read_to_end(&mut unpacked);
    match read {
        Ok(_) if unpacked.len() as u64 > MOST_UNPACKED => {
            Err(Problem::new(file, None, format!("it holds more than {MOST_UNPACKED} bytes, unpack it")))
        }
        Ok(_) => Ok(Cow::Owned(unpacked)),
        Err(error) => Err(Problem::new(file, None, format!("it cannot be unpacked: {error}"))),
    }
}

fn unreadable(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "the file does not exist".into(),
        _ => format!("the file cannot be read: {error}"),
    }
}

impl Rows {
    /// Every row gets every column, and whole numbers beside fractions become fractions: the table that Python's
    /// `datasets` makes of such files.
    pub(super) fn squared(mut self) -> Self {
        let fractional: Vec<&String> = self.columns.iter().filter(|name| self.has_fraction(name)).collect();
        let fractional: Vec<String> = fractional.into_iter().cloned().collect();
        for row in &mut self.all {
            let mut fields = Map::new();
            for name in &self.columns {
                let value = row.fields.remove(name).unwrap_or(Value::Null);
                fields.insert(name.clone(), if fractional.contains(name) { as_fraction(value) } else { value });
            }
            row.fields = fields;
        }
        self
    }

    fn has_fraction(&self, name: &str) -> bool {
        self.all.iter().any(|row| row.fields.get(name).is_some_and(Value::is_f64))
    }
}

fn as_fraction(value: Value) -> Value {
    match value.as_f64().and_then(Number::from_f64) {
        Some(number) => Value::Number(number),
        None => value,
    }
}

/// The line of a byte, from 1.
pub(super) fn line_of(bytes: &[u8], at: usize) -> usize {
    bytes.iter().take(at).fold(1, |line, byte| line + usize::from(*byte == b'\n'))
}

fn line_number(place: &csv::Position) -> usize {
    usize::try_from(place.line()).unwrap_or(usize::MAX)
}

struct Source<'a> {
    file: &'a str,
    bytes: &'a [u8],
}

impl Source<'_> {
    fn rows(&self, format: Format, field: Option<&str>) -> Result<Vec<Row>, Vec<Problem>> {
        match format {
            Format::Json => self.json(field),
            Format::Csv => self.csv(),
            Format::Text => Ok(self.text()?.lines().map(text_row).zip(1..).map(numbered).collect()),
            Format::Parquet => {
                // the library panics on some damaged files
                let read = fenced(|| self.parquet()).unwrap_or_else(|why| Err(self.problem(None, why)));
                read.map_err(|problem| vec![problem])
            }
        }
    }

    fn problem(&self, line: impl Into<Option<usize>>, what: impl Into<String>) -> Problem {
        Problem::new(self.file, line, what)
    }

    fn text(&self) -> Result<&str, Vec<Problem>> {
        let bytes = self.bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(self.bytes);
        std::str::from_utf8(bytes).map_err(|error| {
            let line = line_of(bytes, error.valid_up_to());
            vec![self.problem(line, "this is not UTF-8")]
        })
    }

    fn json(&self, field: Option<&str>) -> Result<Vec<Row>, Vec<Problem>> {
        let text = self.text()?;
        match (field, text.trim_start().starts_with('[')) {
            (None, false) => self.json_lines(text),
            (None, true) => self.list(self.whole(text)?),
            (Some(field), _) => {
                let mut whole = self.whole(text)?;
                match whole.get_mut(field) {
                    Some(list) => self.list(list.take()),
                    None => Err(vec![self.problem(None, format!("there is no field `{field}`"))]),
                }
            }
        }
    }

    fn whole(&self, text: &str) -> Result<Value, Vec<Problem>> {
        serde_json::from_str(text).map_err(|error| vec![self.problem(error.line(), describe(&error))])
    }

    fn list(&self, list: Value) -> Result<Vec<Row>, Vec<Problem>> {
        let Value::Array(values) = list else {
            return Err(vec![self.problem(None, "a list of objects is expected")]);
        };
        let row = |(at, value): (usize, Value)| match value {
            Value::Object(fields) => Ok(Row { line: None, fields }),
            other => Err(self.problem(None, format!("entry {at} is {other}, an object is expected"))),
        };
        all_or_problems((1..).zip(values).map(row))
    }

    fn json_lines(&self, text: &str) -> Result<Vec<Row>, Vec<Problem>> {
        let lines = (1..).zip(text.lines()).filter(|(_, text)| !text.trim().is_empty());
        all_or_problems(lines.map(|(line, text)| match serde_json::from_str(text) {
            Ok(fields) => Ok(Row { line: Some(line), fields }),
            Err(error) => Err(self.problem(line, describe(&error))),
        }))
    }

    fn csv(&self) -> Result<Vec<Row>, Vec<Problem>> {
        let mut reader = csv::ReaderBuilder::new().from_reader(self.text()?.as_bytes());
        let names: Vec<String> = match reader.headers() {
            Ok(names) => names.iter().map(str::to_owned).collect(),
            Err(error) => return Err(vec![self.problem(1, error.to_string())]),
        };
        let rows = all_or_problems((2..).zip(reader.into_records()).map(|(fallback, record)| match record {
            Ok(record) => Ok((record.position().map(line_number), record)),
            Err(error) => {
                let line = error.position().map_or(fallback, line_number);
                Err(self.problem(line, "this row has another number of fields than the headings"))
            }
        }))?;
        let kinds: Vec<CsvKind> =
            (0..names.len()).map(|k| CsvKind::of(rows.iter().filter_map(|(_, row)| row.get(k)))).collect();
        let fields = |row: &csv::StringRecord| {
            let cells = names.iter().zip(&kinds).zip(row.iter());
            cells.map(|((name, kind), cell)| (name.clone(), kind.value(cell))).collect()
        };
        Ok(rows.iter().map(|(line, row)| Row { line: *line, fields: fields(row) }).collect())
    }

    fn parquet(&self) -> Result<Vec<Row>, Problem> {
        use parquet::file::reader::{FileReader as _, SerializedFileReader};
        let broken = |error: parquet::errors::ParquetError| self.problem(None, error.to_string());
        let file = fs::File::open(self.file).map_err(|error| self.problem(None, unreadable(&error)))?;
        let reader = SerializedFileReader::new(file).map_err(broken)?;
        let mut rows = Vec::new();
        for row in reader.get_row_iter(None).map_err(broken)? {
            let Value::Object(fields) = row.map_err(broken)?.to_json_value() else { continue };
            rows.push(Row { line: None, fields });
        }
        Ok(rows)
    }
}

fn describe(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let reason = text.split(" at line ").next().unwrap_or(&text);
    format!("no JSON object: {reason} at column {}", error.column())
}

fn all_or_problems<T>(found: impl Iterator<Item = Result<T, Problem>>) -> Result<Vec<T>, Vec<Problem>> {
    let (mut rows, mut problems) = (Vec::new(), Vec::new());
    for one in found {
        match one {
            Ok(row) => rows.push(row),
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(rows) } else { Err(problems) }
}

fn text_row(text: &str) -> Row {
    Row { line: None, fields: Map::from_iter([("text".to_owned(), Value::from(text))]) }
}

fn numbered((row, line): (Row, usize)) -> Row {
    Row { line: Some(line), ..row }
}

/// What a column of a CSV file holds, as pandas guesses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CsvKind {
    Bool,
    Integer,
    Float,
    Text,
}

/// What pandas takes for a missing value.
const MISSING: [&str; 18] = [
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA",
    "NULL", "NaN", "None", "n/a", "nan",
];

fn is_missing(cell: &str) -> bool {
    MISSING.contains(&cell) || cell == "null"
}

impl CsvKind {
    fn of<'a>(cells: impl Iterator<Item = &'a str> + Clone) -> Self {
        let present = cells.clone().filter(|cell| !is_missing(cell));
        let any_missing = cells.clone().any(is_missing);
        let all = |fits: fn(&str) -> bool| present.clone().all(fits);
        if present.clone().next().is_none() {
            return Self::Text;
        }
        if all(|cell| boolean(cell).is_some()) && !any_missing {
            return Self::Bool;
        }
        if all(|cell| cell.trim().parse::<i64>().is_ok()) {
            return if any_missing { Self::Float } else { Self::Integer };
        }
        if all(|cell| cell.trim().parse::<f64>().is_ok()) { Self::Float } else { Self::Text }
    }

    fn value(self, cell: &str) -> Value {
        if is_missing(cell) {
            return Value::Null;
        }
        let found = match self {
            Self::Bool => boolean(cell).map(Value::Bool),
            Self::Integer => cell.trim().parse::<i64>().ok().map(Value::from),
            Self::Float => cell.trim().parse().ok().and_then(Number::from_f64).map(Value::Number),
            Self::Text => None,
        };
        found.unwrap_or_else(|| cell.into())
    }
}

fn boolean(cell: &str) -> Option<bool> {
    match cell {
        "True" | "TRUE" | "true" => Some(true),
        "False" | "FALSE" | "false" => Some(false),
        _ => None,
    }
}

/// The files of a folder that hold the splits of a data set, by the name of the split in theirs.
pub(super) fn of_folder(folder: &Path) -> io::Result<BTreeMap<String, Vec<PathBuf>>> {
    let mut found: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let name = name.strip_suffix(GZIP).unwrap_or(&name);
        let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
        let known = path.is_file() && Format::of_file(&path).is_ok();
        let split = ["train", "validation", "test", "dev"].into_iter().find(|split| {
            stem == *split || stem.starts_with(&format!("{split}-")) || stem.starts_with(&format!("{split}_"))
        });
        if let Some(split) = split.filter(|_| known) {
            let split = if split == "dev" { "validation" } else { split };
            found.entry(split.to_owned()).or_default().push(path);
        }
    }
    for files in found.values_mut() {
        files.sort();
    }
    Ok(found)
}
