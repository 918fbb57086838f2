//! Two models as tables.

use super::{Against, Difference, Side};
use crate::eval::gate::report::{bounds, signed, unit_name};
use crate::eval::tables;
use crate::figure::{Cell, Column, Content, Figure, Provenance, ShapeError, Table};

/// The differences, and what only both together show.
///
/// # Errors
/// If a row does not fit the columns, which would be a mistake here.
pub fn figures(found: &Against) -> Result<Vec<Figure>, ShapeError> {
    let mut figures = vec![differences(found)?];
    if !found.results.is_empty() {
        let caption = format!("What both models show together. {}", sides(found));
        figures.push(tables::of_results("Both models", caption, provenance(found), &found.results)?);
    }
    Ok(figures)
}

fn differences(found: &Against) -> Result<Figure, ShapeError> {
    let names = [
        "task",
        "stratum",
        "metric",
        "n",
        "A",
        "B",
        "A-B",
        "95 % interval",
        "method",
        "only A",
        "only B",
        "p",
        "Holm p",
    ];
    let caption = format!(
        "{}. Shares differ in points (pp), perplexities and bits in per cent. p: two-sided; Holm: over the metrics of the \
         same items. {} items are of one model only.",
        sides(found),
        found.unmatched.len()
    );
    let columns = names.iter().map(|name| Column::new(name, "")).collect();
    let table = Table::new(columns, found.differences.iter().map(row).collect())?;
    let content = Content::Table(table);
    Ok(Figure { title: "A against B".into(), caption, provenance: provenance(found), content })
}

fn row(one: &Difference) -> Vec<Cell> {
    let filter = if one.filter == "none" { String::new() } else { format!(",{}", one.filter) };
    let p = |p: Option<f64>| p.map_or(Cell::Empty, |p| Cell::number(p, 4));
    vec![
        Cell::Text(one.task.clone()),
        one.stratum.clone().map_or(Cell::Empty, Cell::Text),
        Cell::Text(format!("{}{filter}", one.metric)),
        integer(one.n),
        Cell::number(one.a, 4),
        Cell::number(one.b, 4),
        Cell::Text(format!("{} {}", signed(one.unit, one.difference), unit_name(one.unit)).trim_end().to_owned()),
        one.interval.map_or(Cell::Empty, |interval| Cell::Text(bounds(one.unit, interval))),
        Cell::Text(one.method.name().into()),
        integer(one.only_a.len()),
        integer(one.only_b.len()),
        p(one.p),
        p(one.p_holm),
    ]
}

/// Which models these are, and how each was asked.
fn sides(found: &Against) -> String {
    format!("A: {}. B: {}", asked(&found.a), asked(&found.b))
}

fn asked(side: &Side) -> String {
    let words = if side.chat.is_some() { "through its chat template" } else { "in plain text" };
    let changed = side.model.interventions.join(" ");
    let changed = if changed.is_empty() { String::new() } else { format!(" with {changed}") };
    format!("{}{changed}, asked {words}", side.model.name)
}

fn provenance(found: &Against) -> Provenance {
    let model = &found.a.model;
    Provenance {
        model: model.name.clone(),
        fingerprint: model.fingerprint.clone().unwrap_or_default(),
        precision: model.precision.clone().unwrap_or_default(),
        interventions: model.interventions.clone(),
        version: env!("CARGO_PKG_VERSION").into(),
        ..Provenance::default()
    }
}

fn integer(value: usize) -> Cell {
    Cell::Integer(i64::try_from(value).unwrap_or(i64::MAX))
}
