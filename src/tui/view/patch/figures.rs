//! The patching grid: as the library draws it once it is filled, as far as it came before that.

use super::{PatchView, Sheet, SheetState};
use crate::engine::PatchFrame;
use crate::figure::{Content, Figure, Heatmap, HeatmapAxis};
use crate::tui::view::Scene;

pub(super) fn of(view: &PatchView, scene: &Scene<'_>) -> Vec<Figure> {
    let Some(sheet) = view.sheet.as_ref().filter(|_| view.mismatch(scene.session).is_none()) else {
        return Vec::new();
    };
    if !sheet.figures.is_empty() {
        return sheet.figures.iter().map(|figure| figure.as_ref().clone()).collect();
    }
    match (&sheet.state, sheet.frame.as_deref()) {
        (SheetState::Failed(_), _) | (_, None) => Vec::new(),
        (_, Some(_)) if sheet.cells.is_empty() => Vec::new(),
        (_, Some(frame)) => begun(view, sheet, frame, scene).into_iter().collect(),
    }
}

/// A grid with cells that have no number yet.
#[expect(clippy::cast_possible_truncation, reason = "what is drawn is f32")]
fn begun(view: &PatchView, sheet: &Sheet, frame: &PatchFrame, scene: &Scene<'_>) -> Option<Figure> {
    let request = frame.request;
    let headings = view.columns(frame, scene.session).into_iter().enumerate();
    let label = |(at, heading): (usize, crate::tui::widget::value_grid::Heading)| match heading.below {
        Some(below) => format!("{at} {}/{below}", heading.above),
        None => format!("{at} {}", heading.above),
    };
    let rows = HeatmapAxis { name: "layer".into(), labels: Sheet::rows(frame) };
    let columns = HeatmapAxis { name: "position".into(), labels: headings.map(label).collect() };
    let places = (0..rows.labels.len()).flat_map(|row| (0..columns.labels.len()).map(move |column| (row, column)));
    let values = places.map(|place| sheet.value(place).map_or(f32::NAN, |value| value as f32)).collect();
    let map = Heatmap::new(rows, columns, values, sheet.scale(frame), request.measure.metric.unit()).ok()?;
    let other = view.corrupted.as_ref().map_or("", |corrupted| corrupted.text.as_str());
    let rival = frame.versus.as_ref().map_or_else(String::new, |rival| format!(" rather than {}", rival.visible));
    let caption = format!(
        "A cell patches {}; {}. {} of {} cells are filled. {}: {}{rival} after {}; clean {:.4}, corrupted (“{other}”) \
         {:.4}.",
        request.site.about(),
        request.measure.direction.about(),
        sheet.cells.len(),
        frame.n_cells,
        request.measure.metric.name(),
        frame.token.visible,
        frame.n_pos.saturating_sub(1),
        frame.plain[0],
        frame.plain[1],
    );
    Some(Figure {
        title: format!("Activation patching of {}, {}", request.site, request.measure.direction),
        caption,
        provenance: scene.of_tokens(scene.session.tokens(), &[]),
        content: Content::Heatmap(map),
    })
}
