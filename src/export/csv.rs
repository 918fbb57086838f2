//! Figures as CSV: tables as they are, grids in long form.

use std::io::{self, Write};

use super::{ExportError, Exporter, inert};
use crate::figure::{Bars, Cell, Content, Figure, Heatmap, Lines, Step, Strip, Table, Waterfall};

/// CSV with a heading; figures are separated by an empty line.
pub struct Csv;

impl Exporter for Csv {
    fn name(&self) -> &'static str {
        "csv"
    }

    fn write(&self, figures: &[Figure], out: &mut dyn Write) -> Result<(), ExportError> {
        for (index, figure) in figures.iter().enumerate() {
            if index > 0 {
                writeln!(out)?;
            }
            let mut writer = csv::Writer::from_writer(&mut *out);
            for record in records(&figure.content) {
                writer.write_record(record).map_err(io::Error::from)?;
            }
            writer.flush()?;
        }
        Ok(())
    }
}

fn records(content: &Content) -> Vec<Vec<String>> {
    match content {
        Content::Table(table) => table_records(table),
        Content::Heatmap(heatmap) => heatmap_records(heatmap),
        Content::Bars(bars) => bar_records(bars),
        Content::Lines(lines) => line_records(lines),
        Content::Strip(strip) => strip_records(strip),
        Content::Waterfall(waterfall) => waterfall_records(waterfall),
    }
}

/// A text of a stranger, or of ours.
fn text(text: &str) -> String {
    inert::cell(text).into_owned()
}

/// A number in full; nothing where there is none.
fn exact(number: Option<f64>) -> String {
    number.map_or(String::new(), |number| number.to_string())
}

/// Numbers in full, unlike what people are shown.
fn of_cell(cell: &Cell) -> String {
    match cell {
        Cell::Number { value, .. } => value.to_string(),
        Cell::Scientific(value) => format!("{value:e}"),
        Cell::Text(words) => text(words),
        Cell::Empty | Cell::Integer(_) => cell.display(),
    }
}

fn ends(interval: Option<(f64, f64)>) -> [String; 2] {
    [exact(interval.map(|(low, _)| low)), exact(interval.map(|(_, high)| high))]
}

fn table_records(table: &Table) -> Vec<Vec<String>> {
    let heading = table.columns().iter().map(|column| text(&column.name)).collect();
    std::iter::once(heading).chain(table.rows().iter().map(|row| row.iter().map(of_cell).collect())).collect()
}

fn heatmap_records(heatmap: &Heatmap) -> Vec<Vec<String>> {
    let (rows, columns) = (heatmap.rows(), heatmap.columns());
    let mut records = vec![vec![text(&rows.name), text(&columns.name), text(heatmap.unit()), "cell".to_owned()]];
    for (row, row_label) in rows.labels.iter().enumerate() {
        for (column, column_label) in columns.labels.iter().enumerate() {
            let value = heatmap.value(row, column).map(|value| value.to_string()).unwrap_or_default();
            let cell = text(heatmap.cell(row, column).unwrap_or_default());
            records.push(vec![text(row_label), text(column_label), value, cell]);
        }
    }
    records
}

fn bar_records(bars: &Bars) -> Vec<Vec<String>> {
    let heading = ["label", "value", "low", "high"].map(ToOwned::to_owned).to_vec();
    let row = |bar: &crate::figure::Bar| {
        let [low, high] = ends(bar.interval);
        vec![text(&bar.label), bar.value.to_string(), low, high]
    };
    std::iter::once(heading).chain(bars.bars.iter().map(row)).collect()
}

fn line_records(lines: &Lines) -> Vec<Vec<String>> {
    let mut records = vec![vec!["line".into(), text(&lines.x.name), text(&lines.y.name), "low".into(), "high".into()]];
    for line in &lines.lines {
        for mark in &line.marks {
            let [low, high] = ends(mark.band);
            records.push(vec![text(&line.name), mark.x.to_string(), mark.y.to_string(), low, high]);
        }
    }
    records
}

/// One line a note; a token that has none has one line.
fn strip_records(strip: &Strip) -> Vec<Vec<String>> {
    let heading = ["position", "token", &strip.unit, "note", &strip.note_unit];
    let mut records = vec![heading.map(text).to_vec()];
    for (position, piece) in strip.pieces.iter().enumerate() {
        let of = |note: String, value: String| {
            vec![position.to_string(), text(&piece.text), exact(piece.value), note, value]
        };
        if piece.notes.is_empty() {
            records.push(of(String::new(), String::new()));
        }
        records.extend(piece.notes.iter().map(|note| of(text(&note.name), note.value.to_string())));
    }
    records
}

fn waterfall_records(waterfall: &Waterfall) -> Vec<Vec<String>> {
    let heading = vec!["part".to_owned(), text(waterfall.unit()), "sum".to_owned()];
    let row = |step: Step<'_>| vec![text(step.name), (step.to - step.from).to_string(), step.to.to_string()];
    std::iter::once(heading).chain(waterfall.steps().into_iter().map(row)).collect()
}
