//! The page of the comparison that is shown.

use super::{COMPONENTS, CompareView, LAYERS, Page, RunB};
use crate::engine::{Comparison, Named};
use crate::figure::{Cell, Figure, Provenance};
use crate::tui::view::Scene;
use crate::tui::view::shown::{columns, count, table, text, truth};

pub(super) fn of(view: &CompareView, scene: &Scene<'_>) -> Vec<Figure> {
    let Some(found) = &view.found else { return Vec::new() };
    let titled = |title: &str| {
        let figure = found.figures.iter().find(|figure| figure.title == title);
        figure.map(|figure| figure.as_ref().clone()).into_iter().collect()
    };
    match view.page {
        Page::Tokens => tokens(view, found, scene),
        Page::Positions => positions(view, found, scene),
        Page::Layers => titled(LAYERS),
        Page::Components => titled(COMPONENTS),
    }
}

fn runs(view: &CompareView, found: &Comparison) -> String {
    match &view.run_b {
        Some(RunB::Prompt(text)) => format!("A is the prompt, B is “{text}”, both without interventions."),
        _ => format!("A is {}, B is {}, on the same text and without interventions.", found.models[0], found.models[1]),
    }
}

fn provenance(found: &Comparison, scene: &Scene<'_>) -> Provenance {
    scene.of_tokens(&found.tokens[0], &[])
}

fn tokens(view: &CompareView, found: &Comparison, scene: &Scene<'_>) -> Vec<Figure> {
    let Some(compared) = view.compared(scene.session) else { return Vec::new() };
    let row = |(named, [a, b]): &(Named, [f64; 2])| {
        let numbers = [b - a, *a, *b].map(|value| Cell::number(value, 6));
        [text(&named.visible), Cell::Integer(named.id.into())].into_iter().chain(numbers).collect()
    };
    let token = |side: usize| {
        let token = found.tokens[side].visible.get(compared.at[side]).map_or("", String::as_str);
        format!("{} {token}", compared.at[side])
    };
    let caption = format!(
        "The most probable tokens of either run and what both give them. KL(A‖B) {:.4}, KL(B‖A) {:.4} nats. {}",
        compared.kl[0],
        compared.kl[1],
        runs(view, found)
    );
    let names = ["token", "id", "b_minus_a", "prob_a", "prob_b"];
    let rows = compared.tokens.iter().map(row).collect();
    let title = format!("Both runs after {} and {}", token(0), token(1));
    table(title, caption, provenance(found, scene), (columns(&names), rows))
}

fn positions(view: &CompareView, found: &Comparison, scene: &Scene<'_>) -> Vec<Figure> {
    let token = |side: usize, at: usize| text(found.tokens[side].visible.get(at).map_or("", String::as_str));
    let row = |compared: &crate::engine::Compared| {
        vec![
            count(compared.at[0]),
            token(0, compared.at[0]),
            count(compared.at[1]),
            token(1, compared.at[1]),
            Cell::number(compared.kl[0], 4),
            Cell::number(compared.kl[1], 4),
            text(&compared.top[0].visible),
            text(&compared.top[1].visible),
            truth(compared.agrees()),
        ]
    };
    let names = ["at_a", "token_a", "at_b", "token_b", "kl_a_b", "kl_b_a", "top_a", "top_b", "agree"];
    let rows = found.positions.iter().map(row).collect();
    let caption = format!(
        "The most probable next token of both runs at each aligned position, and how far the distributions are apart \
         in nats. {}",
        runs(view, found)
    );
    table("Both runs, position by position", caption, provenance(found, scene), (columns(&names), rows))
}
