//! The distribution over the next token as a table, or the vocabulary on its way through the chain.

use super::StepView;
use crate::engine::{Chain, Distribution, Inspection, Tokens};
use crate::figure::{Cell, Column, Figure};
use crate::tui::view::Scene;
use crate::tui::view::shown::{columns, count, optional, table, text};

pub(super) fn of(view: &StepView, scene: &Scene<'_>) -> Vec<Figure> {
    let (Some(inspection), Some(distribution)) = (&view.inspection, view.distribution(scene.session)) else {
        return Vec::new();
    };
    match view.chain(scene.session) {
        Some(chain) => chained(chain, scene),
        None => candidates(inspection, distribution, scene),
    }
}

fn candidates(inspection: &Inspection, distribution: &Distribution, scene: &Scene<'_>) -> Vec<Figure> {
    let is_changed = distribution.top.iter().any(|candidate| candidate.base.is_some());
    let base = is_changed.then(|| Column::new("prob_without", ""));
    let columns = columns(&["rank", "token", "id", "prob"]).into_iter().chain(base);
    let columns = columns.chain(["logprob", "logit"].map(|name| Column::new(name, ""))).collect();
    let row = |candidate: &crate::engine::Candidate| {
        let mut row = vec![count(candidate.rank), text(&candidate.visible), Cell::Integer(candidate.id.into())];
        row.push(Cell::number(candidate.prob, 6));
        row.extend(is_changed.then(|| optional(candidate.base, 6)));
        row.extend([Cell::number(candidate.logprob, 4), Cell::number(f64::from(candidate.logit), 3)]);
        row
    };
    let n = distribution.top.len();
    let tokens = &inspection.tokens;
    let token = tokens.visible.get(distribution.position).map_or("", String::as_str);
    let follows = distribution.actual.as_ref().map_or_else(String::new, |actual| {
        format!(" In the prompt {} follows: rank {}, probability {:.6}.", actual.visible, actual.rank, actual.prob)
    });
    let without = if is_changed { " prob_without is the probability without interventions." } else { "" };
    let caption =
        format!("Entropy {:.3} bits; the {n} most probable tokens.{follows}{without}", distribution.entropy_bits);
    let title = format!("After {} {token}", distribution.position);
    let rows = distribution.top.iter().map(row).collect();
    table(title, caption, scene.of_tokens(tokens, &inspection.interventions), (columns, rows))
}

fn chained(chain: &Chain, scene: &Scene<'_>) -> Vec<Figure> {
    let names = ["rank", "token", "id", "prob", "logit", "scaled", "cut_by", "final"];
    let row = |link: &crate::engine::Link| {
        let candidate = &link.candidate;
        vec![
            count(candidate.rank),
            text(&candidate.visible),
            Cell::Integer(candidate.id.into()),
            Cell::number(candidate.prob, 6),
            Cell::number(f64::from(candidate.logit), 3),
            Cell::number(link.scaled, 6),
            text(link.cut_by.map_or_else(|| "kept".to_owned(), |filter| filter.to_string())),
            Cell::number(link.chosen, 6),
        ]
    };
    let present = scene.session.tokens();
    let known = present.ids.starts_with(&chain.ids).then(|| present.visible.get(..chain.ids.len())).flatten();
    let tokens = Tokens { ids: chain.ids.clone(), visible: known.unwrap_or(&[]).to_vec(), bos: present.bos.clone() };
    let position = chain.ids.len().saturating_sub(1);
    let token = tokens.visible.last().map_or("", String::as_str);
    let caption = format!(
        "Entropy {:.3} bits; the chain {}; {} tokens can be chosen, {:.3} % of the probability is cut.",
        chain.entropy_bits,
        chain.sampling.chain_text(),
        chain.n_kept,
        chain.cut * 100.0
    );
    let rows = chain.links.iter().map(row).collect();
    let provenance = scene.of_tokens(&tokens, &chain.interventions);
    table(format!("How a token is sampled after {position} {token}"), caption, provenance, (columns(&names), rows))
}
