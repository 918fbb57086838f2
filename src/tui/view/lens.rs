//! The logit lens: what the model would say if it stopped after each layer.

use std::sync::Arc;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::{Reply, Scene, View};
use crate::engine::{Inspection, Panel};
use crate::figure::{Content, Heatmap};
use crate::tui::action::{Action, Move};
use crate::tui::keymap::Context;
use crate::tui::layout::part;
use crate::tui::session::Session;
use crate::tui::widget::heatmap::{CellText, Cursor, HeatmapWidget};
use crate::tui::widget::{line, spans};

/// Layers by positions, with the top token of each.
#[derive(Debug, Default)]
pub struct LensView {
    inspection: Option<Arc<Inspection>>,
    /// The row, once one was chosen; until then it is the last.
    row: Option<usize>,
}

impl LensView {
    fn map(&self) -> Option<&Heatmap> {
        match &self.inspection.as_ref()?.logit_lens.as_ref()?.content {
            Content::Heatmap(map) => Some(map),
            Content::Bars(_) | Content::Table(_) => None,
        }
    }

    fn row(&self, map: &Heatmap) -> usize {
        let last = map.rows().labels.len().saturating_sub(1);
        self.row.unwrap_or(last).min(last)
    }

    fn step(&mut self, to: Move) {
        if let Some(map) = self.map() {
            self.row = Some(to.apply(self.row(map), map.rows().labels.len()));
        }
    }
}

impl View for LensView {
    fn title(&self) -> &'static str {
        "Lens"
    }

    fn context(&self) -> Context {
        Context::Lens
    }

    fn needs(&self, session: &Session) -> Vec<Panel> {
        let has = self.inspection.as_ref().is_some_and(|inspection| session.fits(inspection));
        if has { Vec::new() } else { vec![Panel::LogitLens] }
    }

    fn update(&mut self, action: Action, _: &Session) -> Reply {
        if let Action::Cursor(to) = action {
            self.step(to);
        }
        Reply::Done
    }

    fn receive(&mut self, inspection: &Arc<Inspection>) {
        if inspection.logit_lens.is_some() {
            self.inspection = Some(Arc::clone(inspection));
        }
    }

    fn render(&self, scene: &Scene<'_>, area: Rect, buffer: &mut Buffer) {
        let Some(map) = self.map() else {
            line(buffer, area, 0, scene.note, scene.theme.faint());
            return;
        };
        let row = self.row(map);
        let column = scene.session.position().min(map.columns().labels.len().saturating_sub(1));
        details(map, (row, column), scene, area, buffer);
        let widget = HeatmapWidget {
            map,
            text: CellText::Own,
            cursor: Cursor::Cell(row, column),
            cell_width: (7, 12),
            theme: scene.theme,
        };
        widget.render(part(area, 0, 1, area.width, area.height.saturating_sub(1)), buffer);
    }
}

fn details(map: &Heatmap, (row, column): (usize, usize), scene: &Scene<'_>, area: Rect, buffer: &mut Buffer) {
    let layer = map.rows().labels.get(row).map_or("", String::as_str);
    let token = map.columns().labels.get(column).map_or("", String::as_str);
    let prob = format!(" {:.2}%", map.value(row, column).unwrap_or(0.0) * 100.0);
    let place = format!("{layer} after {token}: ");
    let pieces = [
        (place.as_str(), scene.theme.faint()),
        (map.cell(row, column).unwrap_or(""), scene.theme.title()),
        (&prob, Style::new()),
        (" if the model stopped here", scene.theme.faint()),
    ];
    spans(buffer, area, 0, &pieces);
}
