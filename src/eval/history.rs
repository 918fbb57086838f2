//! The runs of this user, one row a result, in `SQLite`.

use std::path::Path;

use rusqlite::Row;
use serde::Serialize;

use super::database::Database;
pub use super::database::Error;
use super::record::Run;

const VERSION: i64 = 1;
const SCHEMA: &str = "CREATE TABLE IF NOT EXISTS results (started TEXT, folder TEXT, model TEXT NOT NULL, \
     sha256 TEXT, precision TEXT, task TEXT NOT NULL, version TEXT NOT NULL, metric TEXT NOT NULL, filter TEXT NOT NULL, \
     n INTEGER NOT NULL, value REAL, stderr REAL, low REAL, high REAL);";

/// A result of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Entry {
    /// When the run began, in UTC.
    pub started: Option<String>,
    /// Its record.
    pub folder: Option<String>,
    /// The model's name, with its interventions.
    pub model: String,
    /// SHA-256 of configuration and weights.
    pub sha256: Option<String>,
    /// Number types and arithmetic.
    pub precision: Option<String>,
    /// The task.
    pub task: String,
    /// Its version.
    pub version: String,
    /// The metric.
    pub metric: String,
    /// The filter.
    pub filter: String,
    /// Items.
    pub n: i64,
    /// The value.
    pub value: Option<f64>,
    /// Its standard error.
    pub stderr: Option<f64>,
    /// The lower end of its interval.
    pub low: Option<f64>,
    /// The upper end.
    pub high: Option<f64>,
}

/// The runs that were made.
#[derive(Debug)]
pub struct History(Database);

impl History {
    /// Opens the file, or makes it.
    ///
    /// # Errors
    /// If it cannot be used.
    pub fn open(file: &Path) -> Result<Self, Error> {
        Ok(Self(Database::open(file, VERSION, SCHEMA)?))
    }

    /// Adds what came of a run: its results over all items.
    ///
    /// # Errors
    /// If the file cannot be written; then nothing of the run is in it.
    pub fn add(&mut self, run: &Run, folder: Option<&Path>) -> Result<(), Error> {
        const INSERT: &str = "INSERT INTO results VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)";
        let entries = entries(run, folder);
        self.0.with(|connection| {
            let transaction = connection.unchecked_transaction()?;
            for one in &entries {
                transaction.prepare_cached(INSERT)?.execute(rusqlite::params![
                    one.started,
                    one.folder,
                    one.model,
                    one.sha256,
                    one.precision,
                    one.task,
                    one.version,
                    one.metric,
                    one.filter,
                    one.n,
                    one.value,
                    one.stderr,
                    one.low,
                    one.high,
                ])?;
            }
            transaction.commit()
        })
    }

    /// All results, the oldest first.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn entries(&self) -> Result<Vec<Entry>, Error> {
        self.0.with(|connection| {
            let mut query = connection.prepare("SELECT * FROM results ORDER BY started, rowid")?;
            let rows = query.query_map([], entry)?;
            rows.collect()
        })
    }
}

fn entries(run: &Run, folder: Option<&Path>) -> Vec<Entry> {
    let results = run.outcome.iter().flat_map(|outcome| &outcome.results);
    let names = std::iter::once(&run.model.name).chain(&run.model.interventions).map(String::as_str);
    let model = names.collect::<Vec<_>>().join(" ");
    let version = |task: &str| run.tasks.iter().find(|of| of.name == task).map(|of| of.version.clone());
    let entry = |result: &super::results::MetricResult| Entry {
        started: run.origin.started.clone(),
        folder: folder.map(|folder| folder.display().to_string()),
        model: model.clone(),
        sha256: run.model.sha256.clone(),
        precision: run.model.precision.clone(),
        task: result.task.clone(),
        version: version(&result.task).unwrap_or_default(),
        metric: result.metric.clone(),
        filter: result.filter.clone(),
        n: i64::try_from(result.n).unwrap_or(i64::MAX),
        value: result.value,
        stderr: result.stderr,
        low: result.interval.map(|interval| interval.0),
        high: result.interval.map(|interval| interval.1),
    };
    results.filter(|result| result.stratum.is_none()).map(entry).collect()
}

fn entry(row: &Row<'_>) -> rusqlite::Result<Entry> {
    Ok(Entry {
        started: row.get("started")?,
        folder: row.get("folder")?,
        model: row.get("model")?,
        sha256: row.get("sha256")?,
        precision: row.get("precision")?,
        task: row.get("task")?,
        version: row.get("version")?,
        metric: row.get("metric")?,
        filter: row.get("filter")?,
        n: row.get("n")?,
        value: row.get("value")?,
        stderr: row.get("stderr")?,
        low: row.get("low")?,
        high: row.get("high")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::record::sample::record;
    use crate::eval::record::{Outcome, Run};
    use crate::eval::results;

    fn finished() -> Run {
        let record = record();
        let results = results::of(&record.run.tasks, &record.items);
        let outcome =
            Outcome { n_items: 4, n_resumed: 0, seconds: None, lints: results::lints(&record.items), results };
        Run { outcome: Some(outcome), ..record.run }
    }

    #[test]
    fn what_was_run_is_remembered_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("deep/history.sqlite");
        let mut second = finished();
        second.origin.started = Some("2025-12-31T00:00:00Z".into());
        second.model.interventions = vec!["zero:L0H0".into()];
        History::open(&file).unwrap().add(&finished(), Some(Path::new("runs/a"))).unwrap();
        History::open(&file).unwrap().add(&second, None).unwrap();
        let found = History::open(&file).unwrap().entries().unwrap();
        let brief: Vec<_> = found.iter().map(|one| (one.model.as_str(), one.metric.as_str(), one.value)).collect();
        assert_eq!(brief, [("tiny zero:L0H0", "acc", Some(0.75)), ("tiny", "acc", Some(0.75))]);
        assert_eq!((found[1].n, found[1].folder.as_deref(), found[0].folder.as_deref()), (4, Some("runs/a"), None));
        assert!(found[0].low < found[0].value && found[0].value < found[0].high);
    }

    #[test]
    fn a_broken_file_is_an_error_with_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("history.sqlite");
        std::fs::write(&file, "not a database, whatever its name may say about it. ".repeat(20)).unwrap();
        let error = History::open(&file).unwrap_err();
        assert!(error.to_string().contains("history.sqlite") && error.hint().is_some(), "{error}");
    }

    #[test]
    fn a_locked_file_is_an_error_with_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("history.sqlite");
        let mut history = History::open(&file).unwrap();
        let other = rusqlite::Connection::open(&file).unwrap();
        other.execute_batch("BEGIN EXCLUSIVE").unwrap();
        history.0.with(|connection| connection.busy_timeout(std::time::Duration::ZERO)).unwrap();
        let error = history.add(&finished(), None).unwrap_err();
        assert!(error.hint().unwrap().contains("another lmscope"), "{error}");
    }
}
