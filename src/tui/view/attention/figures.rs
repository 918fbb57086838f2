//! The pattern of the head that is shown large, or the thumbnails of all heads in one grid.

use super::{AttentionView, Counts};
use crate::engine::HeadGrid;
use crate::figure::{Content, Figure, Heatmap, HeatmapAxis, Scale};
use crate::tui::view::Scene;

pub(super) fn of(view: &AttentionView, scene: &Scene<'_>) -> Vec<Figure> {
    match &view.grid {
        Some((grid, basis)) if view.only_grid && view.shown.is_some() => {
            let is_present = *basis == scene.session.basis();
            is_present.then(|| thumbnails(grid, scene)).flatten().into_iter().collect()
        }
        _ => patterns(view),
    }
}

/// What is counted of the head that is large, with the interventions and without.
fn patterns(view: &AttentionView) -> Vec<Figure> {
    let Some(shown) = &view.shown else { return Vec::new() };
    let found = &shown.inspection;
    let figures = match view.counts {
        Counts::Weights => [&found.attention, &found.base.attention],
        Counts::Written => [&found.written, &found.base.written],
    };
    figures.into_iter().flatten().map(|figure| figure.as_ref().clone()).collect()
}

/// A row a layer and query, a column a head and key, as they stand on the screen.
fn thumbnails(grid: &HeadGrid, scene: &Scene<'_>) -> Option<Figure> {
    let (side, heads) = (grid.side, grid.n_heads);
    let labels = |n: usize, outer: &str, inner: &str| {
        (0..n).flat_map(|at| (0..side).map(move |cell| format!("{outer}{at} {inner}{cell}"))).collect()
    };
    let rows = HeatmapAxis { name: "layer and query".into(), labels: labels(grid.n_layers, "L", "q") };
    let columns = HeatmapAxis { name: "head and key".into(), labels: labels(heads, "H", "k") };
    let line = |layer: usize, query: usize| {
        (0..heads).flat_map(move |head| grid.head(layer, head).iter().skip(query * side).take(side).copied())
    };
    let values = (0..grid.n_layers).flat_map(|layer| (0..side).flat_map(move |query| line(layer, query))).collect();
    let map = Heatmap::new(rows, columns, values, Scale::Probability, "weight").ok()?;
    let tokens = scene.session.tokens();
    let caption = format!(
        "The attention patterns of all heads, each in {side} x {side} cells for {} tokens: a cell is the largest weight \
         within it.",
        tokens.ids.len()
    );
    Some(Figure {
        title: "Attention of all heads".into(),
        caption,
        provenance: scene.of_tokens(tokens, &scene.session.interventions().active()),
        content: Content::Heatmap(map),
    })
}
