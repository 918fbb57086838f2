//! A summary as figures.

use super::compare::{Change, Comparison, Gate};
use super::pair_record::Header;
use super::stats::Proportion;
use super::summary::{Direction, Group, RunSummary};
use crate::figure::{Cell, Column, Content, Figure, Provenance, ShapeError, Table};

/// The tables of a run: each direction of each group, and both directions against each other.
pub fn figures(summary: &RunSummary) -> Result<Vec<Figure>, ShapeError> {
    Ok(vec![directions(summary)?, pairs(summary)?])
}

fn directions(summary: &RunSummary) -> Result<Figure, ShapeError> {
    let rows = summary.groups.iter().flat_map(|group| {
        [("forward", &group.forward), ("reverse", &group.reverse)].map(|(name, of)| direction_row(group, name, of))
    });
    let columns = [
        ("facts", ""),
        ("direction", ""),
        ("n", ""),
        ("exact match", "%"),
        ("95 % interval", "%"),
        ("gold best", "%"),
        ("gold best 95 %", "%"),
        ("chance", "%"),
        ("mean lift", "nats"),
        ("lift stderr", "nats"),
        ("in context exact", "%"),
        ("in context 95 %", "%"),
    ];
    let header = &summary.header;
    let caption = format!(
        "{} facts of {} version {}. Forward asks a for b, reverse asks b for a. Exact match: the greedy answer up to \
         the stop is the name. Gold best: the name is more likely than each of {} matched control names. Lift: \
         log-likelihood of the name minus the mean over the controls. In context: the fact is stated in the opposite \
         direction just before. Intervals: Wilson, 95 %.",
        summary.n, header.suite, header.suite_version, header.controls
    );
    figure(&summary.header, "Answers by direction", caption, Table::new(headings(&columns), rows.collect())?)
}

fn direction_row(group: &Group, name: &str, of: &Direction) -> Vec<Cell> {
    vec![
        Cell::Text(group.label.clone()),
        Cell::Text(name.into()),
        integer(of.n),
        percent(of.exact_match.rate),
        interval(&of.exact_match),
        percent(of.best.rate),
        interval(&of.best),
        percent(of.chance),
        Cell::number(of.lift.mean, 2),
        of.lift.stderr.map_or(Cell::Empty, |stderr| Cell::number(stderr, 2)),
        percent(of.in_context_exact_match.rate),
        interval(&of.in_context_exact_match),
    ]
}

fn pairs(summary: &RunSummary) -> Result<Figure, ShapeError> {
    let rows = summary.groups.iter().flat_map(|group| {
        let pairs = &group.pairs;
        let row = |name: &str, right, wrong, p: Cell| {
            vec![Cell::Text(group.label.clone()), Cell::Text(name.into()), integer(right), integer(wrong), p]
        };
        [
            row("right", pairs.both, pairs.forward_only, Cell::number(pairs.mcnemar_p, 4)),
            row("wrong", pairs.reverse_only, pairs.neither, Cell::Empty),
        ]
    });
    let columns = [("facts", ""), ("forward", ""), ("reverse right", ""), ("reverse wrong", ""), ("McNemar p", "")];
    let caption = format!(
        "{} facts, by whether the exact answer came in each direction. McNemar's exact two-sided test compares the \
         facts that are right in one direction only.",
        summary.n
    );
    figure(&summary.header, "Forward against reverse", caption, Table::new(headings(&columns), rows.collect())?)
}

/// The tables of a comparison: what changed, and which items flipped.
pub fn comparison(found: &Comparison, gate: Gate) -> Result<Vec<Figure>, ShapeError> {
    Ok(vec![changes(found, gate)?, flips(found)?])
}

fn changes(found: &Comparison, gate: Gate) -> Result<Figure, ShapeError> {
    let columns = [
        ("metric", ""),
        ("old", "%"),
        ("new", "%"),
        ("change", "points"),
        ("bounds", "points"),
        ("lost", ""),
        ("gained", ""),
        ("McNemar p", ""),
        ("Holm p", ""),
        ("verdict", ""),
        ("needs n", ""),
    ];
    let caption = format!(
        "{} items of {}, {} -> {}; {} in one record only. Pass: the lower bound is above -{} points; fail: the upper one \
         is below. Bounds: Tango, {} % each. McNemar: exact, two-sided; Holm: over these metrics.",
        found.n,
        found.new.suite,
        found.old.model,
        found.new.model,
        found.unmatched.len(),
        100.0 * gate.margin,
        100.0 * gate.confidence,
    );
    let rows = found.changes.iter().map(change_row).collect();
    figure(&found.new, "New against old", caption, Table::new(headings(&columns), rows)?)
}

fn change_row(change: &Change) -> Vec<Cell> {
    vec![
        Cell::Text(change.metric.clone()),
        percent(change.old),
        percent(change.new),
        percent(change.paired.difference),
        Cell::Text(format!("{:+.1} to {:+.1}", 100.0 * change.low, 100.0 * change.high)),
        integer(change.lost.len()),
        integer(change.gained.len()),
        Cell::number(change.p, 4),
        Cell::number(change.p_holm, 4),
        Cell::Text(change.verdict.name().into()),
        change.needed.map_or(Cell::Empty, integer),
    ]
}

fn flips(found: &Comparison) -> Result<Figure, ShapeError> {
    let row = |change: &Change, name: &str, what: &str| {
        [change.metric.as_str(), name, what].map(|text| Cell::Text(text.to_owned())).to_vec()
    };
    let rows = found.changes.iter().flat_map(|change| {
        let lost = change.lost.iter().map(move |name| row(change, name, "lost"));
        lost.chain(change.gained.iter().map(move |name| row(change, name, "gained")))
    });
    let columns = [("metric", ""), ("item", ""), ("flip", "")];
    let caption = "Lost: right in the old run, wrong in the new one. Gained: the other way.".to_owned();
    figure(&found.new, "Flipped items", caption, Table::new(headings(&columns), rows.collect())?)
}

#[expect(clippy::unnecessary_wraps, reason = "ends the functions that make a table")]
fn figure(header: &Header, title: &str, caption: String, table: Table) -> Result<Figure, ShapeError> {
    let bos = if header.bos { "added: the tokenizer asks for it" } else { "not added: the tokenizer asks for none" };
    let provenance = Provenance {
        model: header.model.clone(),
        fingerprint: header.fingerprint.clone(),
        precision: header.precision.clone(),
        prompt: None,
        bos: Some(bos.into()),
        interventions: Vec::new(),
        version: header.lmscope_version.clone(),
    };
    let title = format!("{}: {title}", header.suite);
    Ok(Figure { title, caption, provenance, content: Content::Table(table) })
}

fn headings(columns: &[(&str, &str)]) -> Vec<Column> {
    columns.iter().map(|(name, unit)| Column::new(name, unit)).collect()
}

fn integer(value: usize) -> Cell {
    Cell::Integer(i64::try_from(value).unwrap_or(i64::MAX))
}

fn percent(rate: f64) -> Cell {
    Cell::number(100.0 * rate, 1)
}

fn interval(of: &Proportion) -> Cell {
    Cell::Text(format!("{:.1}-{:.1}", 100.0 * of.low, 100.0 * of.high))
}
