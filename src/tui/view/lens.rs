//! The logit lens: what the model would say if it stopped after each layer.

mod figures;

use std::sync::Arc;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::{Reply, Scene, View, ViewName};
use crate::engine::{Inspection, Panel};
use crate::figure::{Cell, Content, Figure, Heatmap, Table};
use crate::tui::action::{Action, Move};
use crate::tui::keymap::Context;
use crate::tui::layout::{cells, first_visible, part};
use crate::tui::session::Session;
use crate::tui::text::cut;
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

    /// The probabilities of A, and of B if there is one, at each row.
    fn trajectory(&self) -> Option<&Table> {
        match &self.inspection.as_ref()?.trajectory.as_ref()?.content {
            Content::Table(table) => Some(table),
            Content::Heatmap(_) | Content::Bars(_) => None,
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
    fn name(&self) -> ViewName {
        ViewName::Lens
    }

    fn context(&self) -> Context {
        Context::Lens
    }

    fn needs(&self, session: &Session) -> Vec<Panel> {
        let fits = |inspection: &Arc<Inspection>| session.fits(inspection) && inspection.ask == session.ask();
        if self.inspection.as_ref().is_some_and(fits) { Vec::new() } else { vec![Panel::LogitLens] }
    }

    fn update(&mut self, action: Action, _: &Session) -> Reply {
        match action {
            Action::Cursor(to) => self.step(to),
            // A and B are followed at the selected position
            Action::Position(_) => return Reply::Refresh,
            _ => {}
        }
        Reply::Done
    }

    fn receive(&mut self, inspection: &Arc<Inspection>) {
        if inspection.logit_lens.is_some() {
            self.inspection = Some(Arc::clone(inspection));
        }
    }

    fn shows(&self) -> &'static [&'static str] {
        &["logit-lens"]
    }

    fn searchable(&self, session: &Session) -> Vec<String> {
        let Some(map) = self.map() else { return Vec::new() };
        let column = session.position().min(map.columns().labels.len().saturating_sub(1));
        let text = |(row, label): (usize, &String)| format!("{label} {}", map.cell(row, column).unwrap_or(""));
        map.rows().labels.iter().enumerate().map(text).collect()
    }

    fn figures(&self, scene: &Scene<'_>) -> Vec<Figure> {
        figures::of(self, scene)
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
        let body = part(area, 0, 1, area.width, area.height.saturating_sub(1));
        let Some(table) = self.trajectory().filter(|_| area.width >= WITH_SIDE) else {
            widget.render(body, buffer);
            widget.report(body, scene.hits, on_cell);
            return;
        };
        let side = part(body, area.width - SIDE, 0, SIDE, body.height);
        let main = part(body, 0, 0, area.width - SIDE, body.height);
        widget.render(main, buffer);
        widget.report(main, scene.hits, on_cell);
        follow(table, row, scene, side, buffer);
    }
}

/// A click on a cell selects its row and its token.
fn on_cell(row: usize, column: usize) -> Vec<Action> {
    vec![Action::Cursor(Move::To(row)), Action::Position(Move::To(column))]
}

/// Columns of the probabilities of A and B.
const SIDE: u16 = 26;
/// Columns from which on there is room for them.
const WITH_SIDE: u16 = 100;
/// Where the table has the log-probabilities of A and of B.
const LOGPROBS: [usize; 2] = [3, 5];

/// A and B through the layers, in line with the rows of the map.
fn follow(table: &Table, row: usize, scene: &Scene<'_>, area: Rect, buffer: &mut Buffer) {
    let theme = scene.theme;
    let columns = usize::from(SIDE) / 2;
    let name = |at: usize| {
        let name = table.columns().get(at).and_then(|column| column.name.strip_prefix("logprob "));
        name.map_or_else(String::new, |name| format!("{:>columns$}", cut(name, columns - 2)))
    };
    let names = LOGPROBS.map(name);
    spans(buffer, area, 0, &[(&names[0], theme.towards()), (&names[1], theme.against())]);
    let room = usize::from(area.height.saturating_sub(1));
    let top = first_visible(row, table.rows().len(), room);
    for (at, cells_of) in table.rows().iter().enumerate().skip(top).take(room) {
        let prob = |column: usize| match cells_of.get(column) {
            Some(Cell::Number { value, .. }) => format!("{:>width$.2}%", value.exp() * 100.0, width = columns - 1),
            _ => String::new(),
        };
        let style = if at == row { theme.title() } else { Style::new() };
        let probs = LOGPROBS.map(prob);
        spans(buffer, area, cells(at - top + 1), &[(&probs[0], style), (&probs[1], style)]);
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
