//! Attention: one head's weights large, all heads small, and where the selected position looks.

mod figures;

use std::sync::Arc;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::{Reply, Scene, View, ViewName};
use crate::engine::{HeadGrid, Inspection, Panel};
use crate::figure::{Content, Figure, Heatmap};
use crate::hook::Head;
use crate::tui::action::{Action, Move};
use crate::tui::keymap::Context;
use crate::tui::layout::{cells, part};
use crate::tui::session::{Basis, Session};
use crate::tui::text::fit;
use crate::tui::widget::bars::bar_text;
use crate::tui::widget::head_grid::HeadGridWidget;
use crate::tui::widget::heatmap::{CellText, Cursor, HeatmapWidget};
use crate::tui::widget::{line, spans};

/// Cells a side of a thumbnail asked for.
const SIDE: usize = 8;

/// A head's pattern and whose it is.
#[derive(Debug)]
struct Shown {
    figure: Arc<Figure>,
    basis: Basis,
    head: (usize, usize),
}

/// One head large and all heads small.
#[derive(Debug, Default)]
pub struct AttentionView {
    pattern: Option<Shown>,
    grid: Option<(Arc<HeadGrid>, Basis)>,
    /// The selected layer and head.
    head: (usize, usize),
    only_grid: bool,
}

impl AttentionView {
    fn map(&self) -> Option<&Heatmap> {
        match &self.pattern.as_ref()?.figure.content {
            Content::Heatmap(map) => Some(map),
            Content::Bars(_) | Content::Table(_) => None,
        }
    }

    const fn named(&self) -> Head {
        Head { layer: self.head.0, head: self.head.1 }
    }

    fn grid_widget<'a>(&'a self, scene: &Scene<'_>) -> Option<HeadGridWidget<'a>> {
        let (grid, _) = self.grid.as_ref()?;
        Some(HeadGridWidget { grid, current: self.head, theme: scene.theme })
    }

    fn render_head(&self, map: &Heatmap, scene: &Scene<'_>, area: Rect, buffer: &mut Buffer) {
        let row = scene.session.position().min(map.rows().labels.len().saturating_sub(1));
        let widget = HeatmapWidget {
            map,
            text: CellText::Percent,
            cursor: Cursor::Row(row),
            cell_width: (4, 7),
            theme: scene.theme,
        };
        let side = if area.width >= 70 { area.width * 2 / 5 } else { 0 };
        let main = part(area, 0, 0, area.width - side, area.height);
        if side == 0 {
            widget.render(main, buffer);
            widget.report(main, scene.hits, on_row);
            return;
        }
        let main = part(main, 0, 0, main.width.saturating_sub(2), main.height);
        widget.render(main, buffer);
        widget.report(main, scene.hits, on_row);
        let side = part(area, area.width - side, 0, side, area.height);
        let list = 4.min(area.height / 3);
        attended(map, row, scene, part(side, 0, 0, side.width, list + 1), buffer);
        if let Some(grid) = self.grid_widget(scene) {
            let place = part(side, 0, list + 2, side.width, side.height.saturating_sub(list + 2));
            grid.render(place, buffer);
            grid.report(place, scene.hits);
        }
    }

    fn heading(&self, scene: &Scene<'_>, area: Rect, buffer: &mut Buffer) {
        let (layer, head) = self.pattern.as_ref().map_or(self.head, |shown| shown.head);
        let name = format!("layer {layer} head {head}");
        let most = self.map().and_then(|map| most_attended(map, scene.session.position()).into_iter().next());
        let looks = most.map_or_else(String::new, |(key, weight)| format!("  mostly at {key} {:.0}%", weight * 100.0));
        let role = scene.role(Head { layer, head }).map_or_else(String::new, |role| format!("  {role} head"));
        let pieces = [
            (name.as_str(), scene.theme.title()),
            (role.as_str(), scene.theme.notice()),
            (looks.as_str(), Style::new()),
            ("  rows look at columns, %", scene.theme.faint()),
        ];
        spans(buffer, area, 0, &pieces);
    }
}

impl View for AttentionView {
    fn name(&self) -> ViewName {
        ViewName::Attention
    }

    fn context(&self) -> Context {
        Context::Attention
    }

    fn head(&self) -> Option<Head> {
        Some(self.named())
    }

    fn show_head(&mut self, head: Head) {
        self.head = (head.layer, head.head);
    }

    fn needs(&self, session: &Session) -> Vec<Panel> {
        let basis = session.basis();
        let has_pattern = self.pattern.as_ref().is_some_and(|shown| shown.head == self.head && shown.basis == basis);
        let has_grid = self.grid.as_ref().is_some_and(|(_, of)| *of == basis);
        let (layer, head) = self.head;
        let pattern = (!has_pattern).then_some(Panel::AttentionHead { layer, head });
        pattern.into_iter().chain((!has_grid).then_some(Panel::HeadGrid { side: SIDE })).collect()
    }

    fn update(&mut self, action: Action, _: &Session) -> Reply {
        let (n_layers, n_heads) = self.grid.as_ref().map_or((1, 1), |(grid, _)| (grid.n_layers, grid.n_heads));
        let before = self.head;
        match action {
            Action::Cursor(to) => self.head.0 = to.apply(self.head.0, n_layers),
            Action::Head(to) => self.head.1 = to.apply(self.head.1, n_heads),
            Action::ToggleGrid => self.only_grid = !self.only_grid,
            Action::TakeOut => return Reply::Intervene(format!("zero:{}", self.named())),
            _ => {}
        }
        if self.head == before { Reply::Done } else { Reply::Refresh }
    }

    fn receive(&mut self, inspection: &Arc<Inspection>) {
        if let Some(figure) = &inspection.attention {
            self.pattern = Some(Shown { figure: Arc::clone(figure), basis: Basis::of(inspection), head: self.head });
        }
        if let Some(grid) = &inspection.head_grid {
            self.grid = Some((Arc::clone(grid), Basis::of(inspection)));
        }
    }

    fn shows(&self) -> &'static [&'static str] {
        &["attention"]
    }

    fn figures(&self, scene: &Scene<'_>) -> Vec<Figure> {
        figures::of(self, scene)
    }

    fn render(&self, scene: &Scene<'_>, area: Rect, buffer: &mut Buffer) {
        let body = part(area, 0, 1, area.width, area.height.saturating_sub(1));
        match (self.map(), self.grid_widget(scene)) {
            (Some(_), Some(grid)) if self.only_grid => {
                self.heading(scene, area, buffer);
                grid.render(body, buffer);
                grid.report(body, scene.hits);
            }
            (Some(map), _) => {
                self.heading(scene, area, buffer);
                self.render_head(map, scene, body, buffer);
            }
            (None, _) => {
                line(buffer, area, 0, scene.note, scene.theme.faint());
            }
        }
    }
}

/// A click on a row selects the token that looks.
fn on_row(row: usize, _: usize) -> Vec<Action> {
    vec![Action::Position(Move::To(row))]
}

/// The keys a row looks at, most first.
fn most_attended(map: &Heatmap, row: usize) -> Vec<(&str, f32)> {
    let row = row.min(map.rows().labels.len().saturating_sub(1));
    let labels = map.columns().labels.iter().enumerate().take(row + 1);
    let mut keys: Vec<_> = labels.map(|(at, key)| (key.as_str(), map.value(row, at).unwrap_or(0.0))).collect();
    keys.sort_by(|a, b| b.1.total_cmp(&a.1));
    keys
}

fn attended(map: &Heatmap, row: usize, scene: &Scene<'_>, area: Rect, buffer: &mut Buffer) {
    let query = map.rows().labels.get(row).map_or("", String::as_str);
    spans(buffer, area, 0, &[(query, scene.theme.title()), (" looks at", scene.theme.faint())]);
    let bar = usize::from(area.width).saturating_sub(20);
    for (at, (key, weight)) in most_attended(map, row).into_iter().take(usize::from(area.height - 1)).enumerate() {
        let percent = format!("{:>6.1}%", weight * 100.0);
        let label = fit(key, 10);
        let bar = bar_text(map.scale().share(weight), bar, scene.theme);
        let style = scene.theme.bar(map.scale().share(weight));
        spans(
            buffer,
            area,
            cells(at + 1),
            &[(&label, Style::new()), (" ", style), (&bar, style), (&percent, Style::new())],
        );
    }
}
