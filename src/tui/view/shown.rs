//! What several views need to make figures of what they show.

use crate::figure::{Cell, Column, Content, Figure, Provenance, Table};

/// A table as a figure, in a list that is empty where there are no rows.
pub(super) fn table(
    title: impl Into<String>,
    caption: impl Into<String>,
    provenance: Provenance,
    (columns, rows): (Vec<Column>, Vec<Vec<Cell>>),
) -> Vec<Figure> {
    if rows.is_empty() {
        return Vec::new();
    }
    // every row has a cell a column: no figure is better than a wrong one
    let table = Table::new(columns, rows).ok();
    let content = table.map(Content::Table);
    content
        .map(|content| Figure { title: title.into(), caption: caption.into(), provenance, content })
        .into_iter()
        .collect()
}

/// Columns without units.
pub(super) fn columns(names: &[&str]) -> Vec<Column> {
    names.iter().map(|name| Column::new(name, "")).collect()
}

/// A count.
pub(super) fn count(n: usize) -> Cell {
    Cell::Integer(i64::try_from(n).unwrap_or(i64::MAX))
}

/// A text.
pub(super) fn text(text: impl Into<String>) -> Cell {
    Cell::Text(text.into())
}

/// Yes or no.
pub(super) fn truth(holds: bool) -> Cell {
    text(if holds { "yes" } else { "no" })
}

/// A number that may be missing.
pub(super) fn optional(value: Option<f64>, decimals: usize) -> Cell {
    value.map_or(Cell::Empty, |value| Cell::number(value, decimals))
}
