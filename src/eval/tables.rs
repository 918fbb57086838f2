//! What came of runs, as tables.

use super::history::Entry;
use super::recheck::Way;
use super::record::Run;
use super::results::MetricResult;
use crate::figure::{Cell, Column, Content, Figure, Provenance, ShapeError, Table};

/// The results of a run, and its lints if there are any.
///
/// # Errors
/// If a row does not fit the columns, which would be a mistake here.
pub fn results(run: &Run) -> Result<Vec<Figure>, ShapeError> {
    let Some(outcome) = &run.outcome else { return Ok(Vec::new()) };
    let caption = format!(
        "{} items. Intervals: 95 %, by the method named; clustered where items come in clusters; bootstraps have seed 0.",
        outcome.n_items
    );
    let rows = outcome.results.iter().map(result_row).collect();
    let mut figures = vec![figure(run, "Results", caption, &RESULTS, rows)?];
    figures.extend(both_ways(run, &outcome.results)?);
    if !outcome.lints.is_empty() {
        let row = |(code, n): (&String, &usize)| vec![Cell::Text(code.clone()), integer(*n)];
        let rows = outcome.lints.iter().map(row).collect();
        let caption = "What is odd about the tokens of requests; docs/evaluation.md says what each means.".to_owned();
        figures.push(figure(run, "Lints", caption, &["lint", "requests"], rows)?);
    }
    Ok(figures)
}

/// What is known in both of two directions, in one, and in neither: of each task that asks so, all items and each stratum.
fn both_ways(run: &Run, results: &[MetricResult]) -> Result<Option<Figure>, ShapeError> {
    let is_first = |result: &&MetricResult| result.metric == "known.both";
    let rows: Vec<Vec<Cell>> = results.iter().filter(is_first).map(|first| Beside { results, first }.row()).collect();
    if rows.is_empty() {
        return Ok(None);
    }
    let columns = [
        "task",
        "items",
        "n",
        "both",
        "forward only",
        "reverse only",
        "neither",
        "reverse, of forward",
        "95 % interval",
        "McNemar p",
        "gap of lifts",
        "sign-flip p",
    ];
    let caption = "How many facts are answered with a right name in both directions, in one, in neither; the share of those \
                   known forward that are known in reverse; McNemar's exact test of the two columns in the middle; the lift \
                   forward minus the lift in reverse, in nats, and its test by flipping signs, cluster by cluster."
        .to_owned();
    figure(run, "Forward and reverse", caption, &columns, rows).map(Some)
}

/// The results of the items that one result is of.
struct Beside<'a> {
    results: &'a [MetricResult],
    first: &'a MetricResult,
}

impl Beside<'_> {
    fn metric(&self, name: &str) -> Option<&MetricResult> {
        let first = self.first;
        let is_it = |one: &&MetricResult| one.task == first.task && one.stratum == first.stratum && one.metric == name;
        self.results.iter().find(is_it)
    }

    fn number(&self, name: &str) -> Cell {
        self.metric(name).and_then(|found| found.value).map_or(Cell::Empty, |value| Cell::number(value, 4))
    }

    /// How many items a share is.
    fn count(&self, name: &str) -> Cell {
        let count = |found: &MetricResult| Some((found.value? * found.n as f64).round());
        self.metric(name).and_then(count).map_or(Cell::Empty, |count| Cell::number(count, 0))
    }

    fn row(&self) -> Vec<Cell> {
        const GIVEN: &str = "reverse_given_forward.exact_match";
        let interval = self.metric(GIVEN).and_then(|found| found.interval);
        vec![
            Cell::Text(self.first.task.clone()),
            Cell::Text(self.first.stratum.clone().unwrap_or_else(|| "all".into())),
            integer(self.first.n),
            self.count("known.both"),
            self.count("known.forward_only"),
            self.count("known.reverse_only"),
            self.count("known.neither"),
            self.number(GIVEN),
            interval.map_or(Cell::Empty, |(low, high)| Cell::Text(format!("{low:.4} to {high:.4}"))),
            self.number("known.mcnemar_p"),
            self.number("gap.lift"),
            self.number("gap.lift_p"),
        ]
    }
}

/// The columns of results.
const RESULTS: [&str; 10] =
    ["task", "metric", "filter", "items", "n", "value", "stderr", "95 % interval", "method", "chance"];

/// Results that are of no single run.
///
/// # Errors
/// If a row does not fit the columns, which would be a mistake here.
pub(super) fn of_results(
    title: &str,
    caption: String,
    provenance: Provenance,
    results: &[MetricResult],
) -> Result<Figure, ShapeError> {
    let table = table(&RESULTS, results.iter().map(result_row).collect())?;
    Ok(Figure { title: title.to_owned(), caption, provenance, content: Content::Table(table) })
}

fn result_row(result: &MetricResult) -> Vec<Cell> {
    let number = |value: Option<f64>| value.map_or(Cell::Empty, |value| Cell::number(value, 4));
    vec![
        Cell::Text(result.task.clone()),
        Cell::Text(result.metric.clone()),
        Cell::Text(result.filter.clone()),
        Cell::Text(result.stratum.clone().unwrap_or_else(|| "all".into())),
        integer(result.n),
        number(result.value),
        number(result.stderr),
        result.interval.map_or(Cell::Empty, |(low, high)| Cell::Text(format!("{low:.4} to {high:.4}"))),
        Cell::Text(result.method.name().into()),
        number(result.chance),
    ]
}

/// The runs that were made.
///
/// # Errors
/// If a row does not fit the columns, which would be a mistake here.
pub fn history(entries: &[Entry]) -> Result<Figure, ShapeError> {
    let columns = ["started", "model", "task", "metric", "filter", "n", "value", "stderr", "record"];
    let text = |text: &Option<String>| text.clone().map_or(Cell::Empty, Cell::Text);
    let number = |value: Option<f64>| value.map_or(Cell::Empty, |value| Cell::number(value, 4));
    let row = |entry: &Entry| {
        vec![
            text(&entry.started),
            Cell::Text(entry.model.clone()),
            Cell::Text(entry.task.clone()),
            Cell::Text(entry.metric.clone()),
            Cell::Text(entry.filter.clone()),
            Cell::Integer(entry.n),
            number(entry.value),
            number(entry.stderr),
            text(&entry.folder),
        ]
    };
    let table = table(&columns, entries.iter().map(row).collect())?;
    let provenance = Provenance { version: env!("CARGO_PKG_VERSION").into(), ..Provenance::default() };
    let caption = format!("{} results, the oldest run first.", entries.len());
    Ok(Figure { title: "Runs".into(), caption, provenance, content: Content::Table(table) })
}

/// How far a score depends on how it is asked.
///
/// # Errors
/// If a row does not fit the columns, which would be a mistake here.
pub fn ways(ways: &[Way], what: &str) -> Result<Figure, ShapeError> {
    let columns = ["asked", "log-probabilities", "largest difference (nats)", "item", "texts that differ"];
    let row = |way: &Way| {
        let item = way.item.clone().map_or(Cell::Empty, Cell::Text);
        let largest = Cell::Text(format!("{:.1e}", way.largest));
        vec![Cell::Text(way.name.into()), integer(way.n), largest, item, integer(way.texts)]
    };
    let table = table(&columns, ways.iter().map(row).collect())?;
    let provenance = Provenance { version: env!("CARGO_PKG_VERSION").into(), ..Provenance::default() };
    let caption = "Compared with each request asked alone, from its beginning.".to_owned();
    Ok(Figure {
        title: format!("{what}: the same score in any company"),
        caption,
        provenance,
        content: Content::Table(table),
    })
}

/// A table with what its numbers come from.
pub(super) fn figure(
    run: &Run,
    title: &str,
    caption: String,
    columns: &[&str],
    rows: Vec<Vec<Cell>>,
) -> Result<Figure, ShapeError> {
    let model = &run.model;
    let bos = run.tokenizer.as_ref().map(|tokenizer| tokenizer.adds_bos);
    let bos = bos
        .map(|adds| if adds { "added: the tokenizer asks for it" } else { "not added: the tokenizer asks for none" });
    let provenance = Provenance {
        model: model.name.clone(),
        fingerprint: model.fingerprint.clone().unwrap_or_default(),
        precision: model.precision.clone().unwrap_or_default(),
        prompt: None,
        bos: bos.map(str::to_owned),
        interventions: model.interventions.clone(),
        version: run.origin.lmscope_version.clone(),
    };
    Ok(Figure { title: title.to_owned(), caption, provenance, content: Content::Table(table(columns, rows)?) })
}

fn table(columns: &[&str], rows: Vec<Vec<Cell>>) -> Result<Table, ShapeError> {
    Table::new(columns.iter().map(|name| Column::new(name, "")).collect(), rows)
}

fn integer(value: usize) -> Cell {
    Cell::Integer(i64::try_from(value).unwrap_or(i64::MAX))
}
