//! A report as Markdown, with its pictures as SVG beside it.

use super::{Block, Files, Report, ReportError};
use crate::export::{ExportError, Exporter as _, Markdown, Svg, inert_markdown};
use crate::figure::Figure;

/// Items that are listed; all of them are in the record.
const MOST_ITEMS: usize = 20;

/// Writes it; pictures will be in `folder`.
pub(super) fn write(report: &Report, folder: &str) -> Result<Files, ReportError> {
    let mut files = Files::default();
    let mut text = format!("# {}\n\n{}\n", inert_markdown(&report.title), inert_markdown(&report.about));
    for section in &report.sections {
        text += &format!("\n## {}\n", inert_markdown(&section.title));
        section.text.iter().for_each(|line| text += &format!("\n{}\n", inert_markdown(line)));
        for block in &section.blocks {
            text.push('\n');
            text += &match block {
                Block::Figure(figure) => figure_with_picture(figure, folder, &mut files)?,
                Block::Attention(attention) => {
                    format!(
                        "### {}\n\nAll {} patterns are in the HTML report.\n",
                        inert_markdown(&attention.title),
                        attention.heads.len()
                    )
                }
                Block::Items(items) => listed(items),
            };
        }
    }
    text += "\n## Provenance\n\n| what | value |\n| --- | --- |\n";
    for fact in &report.facts {
        text += &format!("| {} | {} |\n", inert_markdown(&fact.name), inert_markdown(&fact.value));
    }
    files.main = text.into_bytes();
    Ok(files)
}

/// The table of a figure, and its picture where it has one.
fn figure_with_picture(figure: &Figure, folder: &str, files: &mut Files) -> Result<String, ReportError> {
    let mut table = Vec::new();
    Markdown.write(std::slice::from_ref(figure), &mut table)?;
    let table = String::from_utf8_lossy(&table).into_owned();
    let mut picture = Vec::new();
    match Svg.write(std::slice::from_ref(figure), &mut picture) {
        Ok(()) => {}
        Err(ExportError::Undrawable { .. }) => return Ok(table),
        Err(error) => return Err(error.into()),
    }
    let name = format!("figure-{}.svg", files.beside.len() + 1);
    let shown = format!("![{}]({folder}/{name})\n\n", inert_markdown(&figure.title));
    files.beside.insert(name, picture);
    // a picture that is readable says more than a table of thousands of cells
    let large = table.lines().filter(|line| line.starts_with('|')).count() > LONG || table.len() > WIDE;
    let (heading, rest) = table.split_once("\n\n").unwrap_or((table.as_str(), ""));
    let below = if large { rest.rsplit_once("|\n").map_or(rest, |(_, caption)| caption).trim_start() } else { rest };
    Ok(format!("{heading}\n\n{shown}{below}"))
}

/// Rows and bytes of a table beside whose picture it is left out.
const LONG: usize = 60;
const WIDE: usize = 12_000;

fn listed(items: &super::Items) -> String {
    let metrics: Vec<String> = items.metrics.iter().map(|name| inert_markdown(name)).collect();
    let mut text = format!(
        "### {}\n\n| item | task | right answer | answer | {} |\n",
        inert_markdown(&items.title),
        metrics.join(" | ")
    );
    text += &format!("| --- | --- | --- | --- |{}\n", " --- |".repeat(metrics.len()));
    for item in items.items.iter().take(MOST_ITEMS) {
        let values: Vec<String> = item.values.iter().map(told).collect();
        let texts = [&item.id, &item.task, &item.target, &item.answer].map(|text| inert_markdown(text));
        text += &format!("| {} | {} |\n", texts.join(" | "), values.join(" | "));
    }
    let rest = items.items.len().saturating_sub(MOST_ITEMS);
    if rest > 0 {
        text += &format!("\n{rest} more items are in the record and in the HTML report.\n");
    }
    text
}

fn told(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Bool(true) => "right".into(),
        serde_json::Value::Bool(false) => "wrong".into(),
        serde_json::Value::Number(number) => number.to_string(),
        _ => String::new(),
    }
}
