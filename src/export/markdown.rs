//! Figures as Markdown, to be pasted where people read: a table each, then what it shows and where the numbers come from.

use std::io::Write;

use super::cells::{Cells, Side};
use super::{ExportError, Exporter, inert};
use crate::figure::{Content, Figure, Provenance};

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
                writeln!(out, "\n{}", escaped(&figure.provenance.sentence()))?;
            }
        }
        Ok(())
    }
}

/// Heading, rule and rows.
fn lines(content: &Content) -> Vec<String> {
    let cells = Cells::of(content);
    let rule = |side: Side| match side {
        Side::Left => "---",
        Side::Right => "---:",
    };
    let rules: Vec<&str> = cells.heading.iter().map(|(_, side)| rule(*side)).collect();
    let heading = line(cells.heading.iter().map(|(name, _)| name.as_str()));
    let rows = cells.rows.iter().map(|row| line(row.iter().map(String::as_str)));
    [heading, format!("| {} |", rules.join(" | "))].into_iter().chain(rows).collect()
}

fn line<'a>(cells: impl Iterator<Item = &'a str>) -> String {
    let cells: Vec<String> = cells.map(escaped).collect();
    format!("| {} |", cells.join(" | "))
}

/// On one line, with nothing that Markdown or HTML would take for its own; what has no glyph is spelled out.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in inert::line(text).chars() {
        if matches!(c, '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '#' | '~' | '&') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}
