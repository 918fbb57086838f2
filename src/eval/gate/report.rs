//! A comparison as tables.

use super::{Change, Comparison, Pairing, Unit, Verdict};
use crate::figure::{Cell, Column, Content, Figure, Provenance, ShapeError, Table};

/// What changed, and which items flipped.
///
/// # Errors
/// If a row does not fit the columns, which would be a mistake here.
pub fn figures(found: &Comparison) -> Result<Vec<Figure>, ShapeError> {
    let mut figures = vec![changes(found)?];
    if found.changes.iter().any(|change| !change.lost.is_empty() || !change.gained.is_empty()) {
        figures.push(flips(found)?);
    }
    Ok(figures)
}

/// The change in a line: `+1.5 points [-0.3, +3.2], 25 lost, 10 gained`.
pub fn sentence(change: &Change) -> String {
    let bounds =
        bounds_of(change).map_or_else(|| " (too few items for bounds)".into(), |bounds| format!(" [{bounds}]"));
    let flips = match (change.lost.len(), change.gained.len()) {
        (0, 0) => String::new(),
        (lost, gained) => format!(", {lost} lost, {gained} gained"),
    };
    let needs = change.needed.map_or(String::new(), |n| format!("; needs n ≥ {n}, has {}", change.n));
    let reason = change.reason.as_ref().map_or(String::new(), |reason| format!("; {reason}"));
    let unit = unit_name(change.unit);
    let space = if unit.is_empty() || unit == "%" { "" } else { " " };
    format!("{}{space}{unit}{bounds}{flips}{needs}{reason}", signed(change.unit, change.difference))
}

fn changes(found: &Comparison) -> Result<Figure, ShapeError> {
    let columns = [
        "task", "metric", "n", "old", "new", "change", "bounds", "method", "lost", "gained", "p", "Holm p", "margin",
        "verdict", "needs n",
    ];
    let caption = format!(
        "{} -> {}. Pass: the bound of the change on the worse side is within the margin; fail: the other bound is beyond it, or \
         a limit is. Bounds: {} % each, one-sided. Shares change in points (pp), perplexities and bits in per cent. p: \
         two-sided (McNemar's exact, signs flipped, or runs swapped); Holm: over these metrics. {} items are in one run only, {} ask \
         different things.{}{}",
        described(&found.old.model, &found.old.fingerprint),
        described(&found.new.model, &found.new.fingerprint),
        100.0 * found.confidence,
        found.unmatched.len(),
        found.altered.len(),
        match found.pairing {
            Pairing::Prompts => "",
            Pairing::Items => " Items are paired whatever their prompts.",
        },
        found.stratum.as_ref().map_or(String::new(), |stratum| format!(" Only items with {stratum}.")),
    );
    let rows = found.changes.iter().map(row).collect();
    figure(found, "New against old", caption, Table::new(headings(&columns), rows)?)
}

fn row(change: &Change) -> Vec<Cell> {
    let p = |p: Option<f64>| p.map_or(Cell::Empty, |p| Cell::number(p, 4));
    let filter = if change.filter == "none" { String::new() } else { format!(",{}", change.filter) };
    let unit = unit_name(change.unit);
    vec![
        Cell::Text(change.task.clone()),
        Cell::Text(format!("{}{filter}", change.metric)),
        integer(change.n),
        Cell::number(change.old, 4),
        Cell::number(change.new, 4),
        Cell::Text(format!("{} {unit}", signed(change.unit, change.difference)).trim_end().to_owned()),
        bounds_of(change).map_or(Cell::Empty, Cell::Text),
        Cell::Text(change.method.name().into()),
        integer(change.lost.len()),
        integer(change.gained.len()),
        p(change.p),
        p(change.p_holm),
        margin(change),
        change.verdict.map_or(Cell::Empty, |verdict| Cell::Text(verdict.name().into())),
        change.needed.map_or(Cell::Empty, integer),
    ]
}

fn flips(found: &Comparison) -> Result<Figure, ShapeError> {
    let row = |change: &Change, item: &str, what: &str| {
        [change.name().as_str(), item, what].map(|text| Cell::Text(text.to_owned())).to_vec()
    };
    let rows = found.changes.iter().flat_map(|change| {
        let lost = change.lost.iter().map(move |item| row(change, item, "lost"));
        lost.chain(change.gained.iter().map(move |item| row(change, item, "gained")))
    });
    let caption = "Lost: right in the old run, wrong in the new one. Gained: the other way.".to_owned();
    figure(found, "Flipped items", caption, Table::new(headings(&["metric", "item", "flip"]), rows.collect())?)
}

#[expect(clippy::unnecessary_wraps, reason = "ends the functions that make a table")]
fn figure(found: &Comparison, title: &str, caption: String, table: Table) -> Result<Figure, ShapeError> {
    let new = &found.new;
    let provenance = Provenance {
        model: new.model.clone(),
        fingerprint: new.fingerprint.clone(),
        precision: new.precision.clone(),
        interventions: new.interventions.clone(),
        version: new.lmscope_version.clone(),
        ..Provenance::default()
    };
    Ok(Figure { title: title.into(), caption, provenance, content: Content::Table(table) })
}

/// The worst verdict in a line.
pub fn summary(found: &Comparison) -> String {
    let count = |wanted| found.changes.iter().filter(|change| change.verdict == Some(wanted)).count();
    let (pass, open, fail) = (count(Verdict::Pass), count(Verdict::Inconclusive), count(Verdict::Fail));
    format!("{}: {pass} pass, {fail} fail, {open} inconclusive", found.verdict.name())
}

fn described(model: &str, fingerprint: &str) -> String {
    let short: String = fingerprint.chars().take(8).collect();
    if short.is_empty() { model.to_owned() } else { format!("{model} ({short})") }
}

fn margin(change: &Change) -> Cell {
    let Some(margin) = change.bounds.margin else { return Cell::Empty };
    let unit = unit_name(change.unit);
    Cell::Text(format!("{} {unit}", scaled(change.unit, margin)).trim_end().to_owned())
}

fn bounds_of(change: &Change) -> Option<String> {
    change.low.zip(change.high).map(|both| bounds(change.unit, both))
}

/// Both bounds of a difference.
pub(in crate::eval) fn bounds(unit: Unit, (low, high): (f64, f64)) -> String {
    format!("{}, {}", signed(unit, low), signed(unit, high))
}

/// What differences are counted in.
pub(in crate::eval) const fn unit_name(unit: Unit) -> &'static str {
    match unit {
        Unit::Share => "pp",
        Unit::Own => "",
        Unit::Ratio => "%",
    }
}

/// A difference in its unit, with its sign.
pub(in crate::eval) fn signed(unit: Unit, value: f64) -> String {
    match unit {
        Unit::Share => format!("{:+.1}", 100.0 * value),
        Unit::Own => format!("{value:+.4}"),
        Unit::Ratio => format!("{:+.2}", 100.0 * value.exp_m1()),
    }
}

fn scaled(unit: Unit, margin: f64) -> String {
    match unit {
        Unit::Share | Unit::Ratio => format!("{}", 100.0 * margin),
        Unit::Own => format!("{margin}"),
    }
}

fn headings(columns: &[&str]) -> Vec<Column> {
    columns.iter().map(|name| Column::new(name, "")).collect()
}

fn integer(value: usize) -> Cell {
    Cell::Integer(i64::try_from(value).unwrap_or(i64::MAX))
}
