//! Figures as Markdown, to be pasted where people read: a table each, then what it shows and where the numbers come from.

use std::io::Write;

use super::{ExportError, Exporter};
use crate::figure::{Bars, Cell, Content, Figure, Heatmap, Provenance, Table};

/// A heading, a table and a caption for each figure; numbers as people are shown them.
pub struct Markdown;

impl Exporter for Markdown {
    fn name(&self) -> &'static str {
        "markdown"
    }

    fn extension(&self) -> &'static str {
        "md"
    }

    fn write(&self, figures: &[Figure], out: &mut dyn Write) -> Result<(), ExportError> {
        for (index, figure) in figures.iter().enumerate() {
            if index > 0 {
                writeln!(out)?;
            }
            writeln!(out, "### {}\n", escaped(&figure.title))?;
            for line in lines(&figure.content) {
                writeln!(out, "{line}")?;
            }
            writeln!(out, "\n{}", escaped(&figure.caption))?;
            if figure.provenance != Provenance::default() {
                writeln!(out, "\n{}", origin(&figure.provenance))?;
            }
        }
        Ok(())
    }
}

/// Heading, rule and rows.
fn lines(content: &Content) -> Vec<String> {
    let (heading, rows) = match content {
        Content::Table(table) => cells_of_table(table),
        Content::Heatmap(heatmap) => cells_of_heatmap(heatmap),
        Content::Bars(bars) => cells_of_bars(bars),
    };
    let rule: Vec<&str> = heading.iter().map(|(_, rule)| *rule).collect();
    let heading: Vec<String> = heading.into_iter().map(|(name, _)| name).collect();
    let rows = rows.into_iter().map(|row| line(row.iter().map(String::as_str)));
    [line(heading.iter().map(String::as_str)), format!("| {} |", rule.join(" | "))].into_iter().chain(rows).collect()
}

/// Names with their alignment, and rows.
type Cells = (Vec<(String, &'static str)>, Vec<Vec<String>>);

const LEFT: &str = "---";
const RIGHT: &str = "---:";

fn cells_of_table(table: &Table) -> Cells {
    let rule = |column: usize| {
        let is_text = table.rows().iter().any(|row| matches!(row[column], Cell::Text(_)));
        if is_text { LEFT } else { RIGHT }
    };
    let name = |(at, column): (usize, &crate::figure::Column)| {
        let unit = if column.unit.is_empty() { String::new() } else { format!(" ({})", column.unit) };
        (format!("{}{unit}", column.name), rule(at))
    };
    let rows = table.rows().iter().map(|row| row.iter().map(Cell::display).collect());
    (table.columns().iter().enumerate().map(name).collect(), rows.collect())
}

fn cells_of_heatmap(heatmap: &Heatmap) -> Cells {
    let (rows, columns) = (heatmap.rows(), heatmap.columns());
    let first = (format!("{} ({})", rows.name, heatmap.unit()), LEFT);
    let heading = std::iter::once(first).chain(columns.labels.iter().map(|label| (label.clone(), RIGHT))).collect();
    let cell = |row: usize, column: usize| {
        let value = heatmap.value(row, column).map(|value| format!("{value:.3}")).unwrap_or_default();
        heatmap.cell(row, column).map_or_else(|| value.clone(), |text| format!("{text} {value}"))
    };
    let line = |(row, label): (usize, &String)| {
        std::iter::once(label.clone()).chain((0..columns.labels.len()).map(|column| cell(row, column))).collect()
    };
    (heading, rows.labels.iter().enumerate().map(line).collect())
}

fn cells_of_bars(bars: &Bars) -> Cells {
    let heading = vec![("name".into(), LEFT), (bars.unit.clone(), RIGHT), ("interval".into(), RIGHT)];
    let row = |bar: &crate::figure::Bar| {
        let interval = bar.interval.map_or(String::new(), |(low, high)| format!("{low:.4} to {high:.4}"));
        vec![bar.label.clone(), format!("{:.4}", bar.value), interval]
    };
    (heading, bars.bars.iter().map(row).collect())
}

fn line<'a>(cells: impl Iterator<Item = &'a str>) -> String {
    let cells: Vec<String> = cells.map(escaped).collect();
    format!("| {} |", cells.join(" | "))
}

fn origin(from: &Provenance) -> String {
    let mut parts = vec![format!("Model {} ({}), {}", from.model, from.fingerprint, from.precision)];
    parts.extend(from.bos.as_ref().map(|bos| format!("BOS {bos}")));
    parts.extend(from.prompt.as_ref().map(|prompt| format!("prompt {prompt:?}")));
    if !from.interventions.is_empty() {
        parts.push(format!("intervened: {}", from.interventions.join(", ")));
    }
    format!("{}; lmscope {}.", escaped(&parts.join("; ")), from.version)
}

/// On one line, with nothing that Markdown or HTML would take for its own; what has no glyph is spelled out.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\r' | '\t' => out.push(' '),
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '#' | '~' | '&' => out.extend(['\\', c]),
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => out.extend(c.escape_unicode()),
            c if c.is_control() => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    out
}
