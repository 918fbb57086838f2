//! The parts that are listed, strongest first.

use super::{Level, WhyView};
use crate::engine::{Pair, Part, PartKind, Why};
use crate::figure::{Cell, Column, Figure};
use crate::tui::view::Scene;
use crate::tui::view::shown::{columns, optional, table, text};

pub(super) fn of(view: &WhyView, scene: &Scene<'_>) -> Vec<Figure> {
    let (Some(inspection), Some(why)) = (&view.inspection, view.why()) else { return Vec::new() };
    let base = why.logit.base.map(|_| Column::new("difference_without", "logit"));
    let columns = columns(&["part", "role"]).into_iter().chain([Column::new("difference", "logit")]).chain(base);
    let columns = columns.chain(["mostly", "value"].map(|name| Column::new(name, ""))).collect();
    let role = |part: &Part| match part.kind {
        PartKind::Head(head) => scene.role(head).map_or(Cell::Empty, text),
        _ => Cell::Empty,
    };
    let shares = |share: Pair| {
        // what exact arithmetic leaves over is told in full, not as zero
        let cell = |value: f64| if value.abs() < 5e-4 { Cell::Scientific(value) } else { Cell::number(value, 3) };
        let base = why.logit.base.map(|_| share.base.map_or(Cell::Empty, cell));
        std::iter::once(cell(share.now)).chain(base)
    };
    let row = |part: &&Part| {
        let mostly = part.mostly.as_ref().map_or(Cell::Empty, |origin| text(&origin.name));
        let ends = [mostly, optional(part.value, 3)];
        [text(&part.name), role(part)].into_iter().chain(shares(part.share)).chain(ends).collect()
    };
    let mut rows: Vec<Vec<Cell>> = view.parts().iter().map(row).collect();
    if view.level == Level::Components {
        let sum = [text("logit A-B"), Cell::Empty].into_iter().chain(shares(why.logit));
        rows.push(sum.chain([Cell::Empty, Cell::Empty]).collect());
    }
    // tokens are scored in the model as it is
    let interventions = if view.level.method().is_some() { &[] } else { inspection.interventions.as_slice() };
    let provenance = scene.of_tokens(&inspection.tokens, interventions);
    table(
        format!("Why: {}", view.level.title()),
        caption(view.level, why, &inspection.tokens.visible),
        provenance,
        (columns, rows),
    )
}

fn caption(level: Level, why: &Why, tokens: &[String]) -> String {
    let rival = why.versus.as_ref().map_or_else(String::new, |rival| format!(" rather than {}", rival.visible));
    let after = tokens.get(why.position).map_or("", String::as_str);
    if let Level::Inputs(method) = level {
        return format!(
            "{}{rival}, after {} {after}: what each token does for the difference of their logits, by {}.",
            why.token.visible,
            why.position,
            method.title()
        );
    }
    let sum = match level {
        Level::Components => "The parts add up to the last row.",
        Level::Heads(_) | Level::Neurons(_) | Level::Sources(_) | Level::Inputs(_) => {
            "value is an activation or an attention weight."
        }
    };
    format!(
        "{}{rival}, after {} {after}: what each part adds to the difference of their logits, directly, with the norms' \
         scales frozen. {sum} The probability of {} is {:.4}.",
        why.token.visible, why.position, why.token.visible, why.says.prob
    )
}
