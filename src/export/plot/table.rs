//! Tables that name rows and give each a number, as bars.

use std::collections::BTreeSet;

use super::bars::{BarPlot, Row};
use crate::export::Undrawable;
use crate::figure::{Cell, Scale, Table};

/// The first column of numbers as bars, under the names that stand before it.
pub(super) fn ranking(table: &Table) -> Result<BarPlot, Undrawable> {
    let rows = table.rows();
    let at = (0..table.columns().len()).find(|&column| rows.iter().any(|row| value(&row[column]).is_some()));
    let at = at.ok_or(Undrawable::NotARanking)?;
    let names = names(rows, at).ok_or(Undrawable::NotARanking)?;
    let bar = |(row, name): (&Vec<Cell>, String)| {
        value(&row[at]).map(|value| Row { name, value, shown: row[at].display(), interval: None })
    };
    let bars: Option<Vec<Row>> = rows.iter().zip(names).map(bar).collect();
    let column = &table.columns()[at];
    // entropy_bits has said its unit
    let is_told = column.unit.is_empty() || column.name.contains(&column.unit);
    let unit = if is_told { column.name.clone() } else { format!("{} ({})", column.name, column.unit) };
    BarPlot::of(bars.ok_or(Undrawable::NotARanking)?, Scale::Sequential { low: 0.0, high: 1.0 }, &unit)
}

const fn value(cell: &Cell) -> Option<f64> {
    match cell {
        Cell::Number { value, .. } | Cell::Scientific(value) => Some(*value),
        Cell::Empty | Cell::Text(_) | Cell::Integer(_) => None,
    }
}

/// A name for every row: its first text, or all that stands before the number if that is not different for every row.
fn names(rows: &[Vec<Cell>], before: usize) -> Option<Vec<String>> {
    let text = |row: &Vec<Cell>| row[..before].iter().find(|cell| matches!(cell, Cell::Text(_))).map(Cell::display);
    let all = |row: &Vec<Cell>| {
        let parts: Vec<String> = row[..before].iter().map(Cell::display).filter(|part| !part.is_empty()).collect();
        parts.join(" · ")
    };
    let are_names = |names: &Vec<String>| {
        names.iter().all(|name| !name.is_empty()) && names.iter().collect::<BTreeSet<_>>().len() == names.len()
    };
    let texts = rows.iter().map(text).collect::<Option<Vec<_>>>().filter(are_names);
    texts.or_else(|| Some(rows.iter().map(all).collect::<Vec<_>>()).filter(are_names))
}
