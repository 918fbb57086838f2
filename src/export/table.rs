//! Figures as aligned text for people.

use std::io::{self, Write};

use unicode_width::UnicodeWidthStr;

use super::cells::{Cells, Side};
use super::{ExportError, Exporter, inert};
use crate::figure::{Bars, Cell, Content, Figure, Heatmap, Provenance, Table};

/// Aligned columns, with the caption below.
pub struct Plain;

impl Exporter for Plain {
    fn name(&self) -> &'static str {
        "table"
    }

    fn extension(&self) -> &'static str {
        "txt"
    }

    fn write(&self, figures: &[Figure], out: &mut dyn Write) -> Result<(), ExportError> {
        for (index, figure) in figures.iter().enumerate() {
            if index > 0 {
                writeln!(out)?;
            }
            writeln!(out, "{}", inert::line(&figure.title))?;
            align(&lines(&figure.content), out)?;
            writeln!(out, "{}", inert::line(&figure.caption))?;
        }
        Ok(write_provenance(figures, out)?)
    }
}

/// What the numbers come from; a table of something else than a model's numbers has nothing to say here.
fn write_provenance(figures: &[Figure], out: &mut dyn Write) -> io::Result<()> {
    let Some(figure) = figures.first() else { return Ok(()) };
    let from = &figure.provenance;
    if *from == Provenance::default() {
        return Ok(());
    }
    writeln!(out, "\nmodel {} {} · {}", inert::line(&from.model), from.fingerprint, from.precision)?;
    if let Some(bos) = &from.bos {
        writeln!(out, "{bos}")?;
    }
    if !from.interventions.is_empty() {
        writeln!(out, "intervened: {}", inert::line(&from.interventions.join(", ")))?;
    }
    Ok(())
}

/// One entry of a line: its text, and the side it leans to.
struct Entry {
    text: String,
    side: Side,
}

fn left(text: impl AsRef<str>) -> Entry {
    Entry { text: inert::line(text.as_ref()).into_owned(), side: Side::Left }
}

fn right(text: impl AsRef<str>) -> Entry {
    Entry { text: inert::line(text.as_ref()).into_owned(), side: Side::Right }
}

fn lines(content: &Content) -> Vec<Vec<Entry>> {
    match content {
        Content::Table(table) => table_lines(table),
        Content::Heatmap(heatmap) => heatmap_lines(heatmap),
        Content::Bars(bars) => bar_lines(bars),
        Content::Lines(_) | Content::Strip(_) | Content::Waterfall(_) => cell_lines(&Cells::of(content)),
    }
}

fn cell_lines(cells: &Cells) -> Vec<Vec<Entry>> {
    let entry = |(text, (_, side)): (&String, &(String, Side))| match side {
        Side::Left => left(text),
        Side::Right => right(text),
    };
    let names: Vec<String> = cells.heading.iter().map(|(name, _)| name.clone()).collect();
    let row = |row: &Vec<String>| row.iter().zip(&cells.heading).map(entry).collect();
    std::iter::once(&names).chain(&cells.rows).map(row).collect()
}

fn table_lines(table: &Table) -> Vec<Vec<Entry>> {
    let leans = |column: usize| table.rows().iter().any(|row| matches!(row[column], Cell::Text(_)));
    let entry = |(column, text): (usize, String)| if leans(column) { left(text) } else { right(text) };
    let heading = table.columns().iter().map(|column| column.name.clone()).enumerate().map(entry).collect();
    let row = |row: &Vec<Cell>| row.iter().map(Cell::display).enumerate().map(entry).collect();
    std::iter::once(heading).chain(table.rows().iter().map(row)).collect()
}

fn heatmap_lines(heatmap: &Heatmap) -> Vec<Vec<Entry>> {
    let (rows, columns) = (heatmap.rows(), heatmap.columns());
    let heading = std::iter::once(left(&rows.name)).chain(columns.labels.iter().map(left)).collect();
    let line = |(row, label): (usize, &String)| {
        let cell = |column: usize| {
            let value = heatmap.value(row, column).unwrap_or_default();
            left(match heatmap.cell(row, column) {
                Some(text) => format!("{text} {value:.2}"),
                None => format!("{value:.2}"),
            })
        };
        std::iter::once(left(label)).chain((0..columns.labels.len()).map(cell)).collect()
    };
    std::iter::once(heading).chain(rows.labels.iter().enumerate().map(line)).collect()
}

fn bar_lines(bars: &Bars) -> Vec<Vec<Entry>> {
    let line = |bar: &crate::figure::Bar| vec![left(&bar.label), right(format!("{:.4}", bar.value))];
    bars.bars.iter().map(line).collect()
}

fn align(lines: &[Vec<Entry>], out: &mut dyn Write) -> io::Result<()> {
    let n = lines.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        lines.iter().filter_map(|line| line.get(column)).map(|entry| entry.text.width()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..n).map(width).collect();
    for line in lines {
        let mut text = String::new();
        for (entry, &width) in line.iter().zip(&widths) {
            let gap = " ".repeat(width - entry.text.width());
            let (before, after) = match entry.side {
                Side::Left => ("", gap.as_str()),
                Side::Right => (gap.as_str(), ""),
            };
            text.push_str("  ");
            text.push_str(before);
            text.push_str(&entry.text);
            text.push_str(after);
        }
        writeln!(out, "{}", text.trim_end())?;
    }
    Ok(())
}
