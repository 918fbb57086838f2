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
    let columns = ["task", "metric", "filter", "items", "n", "value", "stderr", "95 % interval", "method", "chance"];
    let caption = format!(
        "{} items. Intervals: 95 %, by the method named; clustered where items come in clusters; bootstraps have seed 0.",
        outcome.n_items
    );
    let rows = outcome.results.iter().map(result_row).collect();
    let mut figures = vec![figure(run, "Results", caption, &columns, rows)?];
    if !outcome.lints.is_empty() {
        let row = |(code, n): (&String, &usize)| vec![Cell::Text(code.clone()), integer(*n)];
        let rows = outcome.lints.iter().map(row).collect();
        let caption = "What is odd about the tokens of requests; docs/evaluation.md says what each means.".to_owned();
        figures.push(figure(run, "Lints", caption, &["lint", "requests"], rows)?);
    }
    Ok(figures)
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

fn figure(
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
