//! Attention: one head's weights large, all heads small, and where the selected position looks, or what looks at it.

mod edges;
mod figures;

use std::sync::Arc;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use self::edges::{Edge, Edges, Side};
use super::run::Run;
use super::{Reply, Scene, View, ViewName};
use crate::engine::{HeadGrid, Inspection, Panel};
use crate::figure::{Figure, Heatmap, Scale};
use crate::hook::Head;
use crate::lens::Sink;
use crate::tui::action::{Action, Move};
use crate::tui::keymap::Context;
use crate::tui::layout::{cells, part};
use crate::tui::session::{Basis, Session};
use crate::tui::text::fit;
use crate::tui::widget::bars::bar_text;
use crate::tui::widget::head_grid::HeadGridWidget;
use crate::tui::widget::heatmap::{CellText, Cursor, HeatmapWidget, decimals};
use crate::tui::widget::{line, spans};

/// Cells a side of a thumbnail asked for.
const SIDE: usize = 8;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Counts {
    /// Attention weights.
    #[default]
    Weights,
    /// Weight times value: the norm of what is written.
    Written,
}

/// A head's pattern and whose it is.
#[derive(Debug)]
struct Shown {
    inspection: Arc<Inspection>,
    basis: Basis,
    head: (usize, usize),
}

/// One head large and all heads small.
#[derive(Debug, Default)]
pub struct AttentionView {
    shown: Option<Shown>,
    grid: Option<(Arc<HeadGrid>, Basis)>,
    /// The selected layer and head.
    head: (usize, usize),
    only_grid: bool,
    side: Side,
    sink: Sink,
    counts: Counts,
    run: Run,
}

/// The map of a figure.
fn map_of(figure: Option<&Arc<Figure>>) -> Option<&Heatmap> {
    figure?.content.heatmap()
}

impl AttentionView {
    /// What is counted, now and in the model as it is.
    fn maps(&self) -> Option<(&Heatmap, Option<&Heatmap>)> {
        let found = &self.shown.as_ref()?.inspection;
        let (now, base) = match self.counts {
            Counts::Weights => (&found.attention, &found.base.attention),
            Counts::Written => (&found.written, &found.base.written),
        };
        Some((map_of(now.as_ref())?, map_of(base.as_ref())))
    }

    /// The selected token's side of what is counted.
    fn edges(&self, session: &Session) -> Option<Edges<'_>> {
        let (map, base) = self.maps()?;
        let position = session.position().min(map.rows().labels.len().saturating_sub(1));
        Some(Edges { map, base, side: self.side, position, sink: self.sink })
    }

    const fn named(&self) -> Head {
        Head { layer: self.head.0, head: self.head.1 }
    }

    fn grid_widget<'a>(&'a self, scene: &Scene<'_>) -> Option<HeadGridWidget<'a>> {
        let (grid, _) = self.grid.as_ref()?;
        Some(HeadGridWidget { grid, current: self.head, theme: scene.theme })
    }

    /// The map of the run that is looked at; without interventions there is one run.
    fn heatmap<'a>(&self, edges: &Edges<'a>, scene: &Scene<'_>) -> HeatmapWidget<'a> {
        let run = edges.base.map_or(Run::Now, |_| self.run);
        let base = edges.base.unwrap_or(edges.map);
        let (map, other) = match run {
            Run::Now => (edges.map, None),
            Run::Base => (base, None),
            Run::Change => (edges.map, Some(base)),
        };
        let scale = match (run, self.counts, self.sink) {
            (Run::Change, ..) => edges.scale_of_changes(),
            (_, Counts::Weights, Sink::Kept) => Scale::Probability,
            (_, Counts::Written, _) | (_, _, Sink::Masked) => edges.scale(),
        };
        let cursor = match self.side {
            Side::From => Cursor::Row(edges.position),
            Side::To => Cursor::Column(edges.position),
        };
        let (text, narrowest) = match self.counts {
            Counts::Weights => (CellText::Percent, if other.is_some() { 5 } else { 4 }),
            Counts::Written => (CellText::Number, if other.is_some() { 7 } else { 6 }),
        };
        let hidden = edges.hidden();
        HeatmapWidget { map, other, scale, hidden, text, cursor, cell_width: (narrowest, 7), theme: scene.theme }
    }

    fn render_map(&self, edges: &Edges<'_>, scene: &Scene<'_>, area: Rect, buffer: &mut Buffer) {
        let widget = self.heatmap(edges, scene);
        widget.render(area, buffer);
        let on = match self.side {
            Side::From => on_row,
            Side::To => on_column,
        };
        widget.report(area, scene.hits, on);
    }

    fn render_head(&self, edges: &Edges<'_>, scene: &Scene<'_>, area: Rect, buffer: &mut Buffer) {
        let side = if area.width >= 70 { area.width * 2 / 5 } else { 0 };
        if side == 0 {
            self.render_map(edges, scene, area, buffer);
            return;
        }
        let main = part(area, 0, 0, (area.width - side).saturating_sub(2), area.height);
        self.render_map(edges, scene, main, buffer);
        let side = part(area, area.width - side, 0, side, area.height);
        let list = (area.height / 4).max(area.height.min(4));
        self.list(edges, scene, part(side, 0, 0, side.width, list + 1), buffer);
        if let Some(grid) = self.grid_widget(scene) {
            let place = part(side, 0, list + 2, side.width, side.height.saturating_sub(list + 2));
            grid.render(place, buffer);
            grid.report(place, scene.hits);
        }
    }

    /// A number of what is counted.
    fn number(&self, value: f32) -> String {
        match self.counts {
            Counts::Weights => format!("{:.1}%", value * 100.0),
            Counts::Written => decimals(value),
        }
    }

    fn heading(&self, edges: &Edges<'_>, scene: &Scene<'_>, area: Rect, buffer: &mut Buffer) {
        let theme = scene.theme;
        let (layer, head) = self.shown.as_ref().map_or(self.head, |shown| shown.head);
        let name = format!("layer {layer} head {head}");
        let role = scene.role(Head { layer, head }).map_or_else(String::new, |role| format!("  {role} head"));
        let most = edges.sorted().into_iter().max_by(|a, b| a.now.total_cmp(&b.now)).map_or_else(String::new, |edge| {
            let way = match self.side {
                Side::From => "mostly at",
                Side::To => "mostly by",
            };
            let label = edges.map.rows().labels.get(edge.position).map_or("", String::as_str);
            format!("  {way} {label} {}", self.number(edge.now))
        });
        let unit = match self.counts {
            Counts::Weights => "  rows look at columns, %",
            Counts::Written => "  weight × value, norms",
        };
        let pieces = [
            (name.as_str(), theme.title()),
            (role.as_str(), theme.notice()),
            (most.as_str(), Style::new()),
            (unit, theme.faint()),
        ];
        spans(buffer, area, 0, &pieces);
    }

    /// What is left out, and which run the map shows.
    fn remarks(&self, edges: &Edges<'_>) -> String {
        let first = edges.map.columns().labels.first().map_or("", String::as_str);
        let part = match self.counts {
            Counts::Weights => "weight",
            Counts::Written => "norms",
        };
        let sink = match (edges.hidden(), edges.held()) {
            (None, _) => String::new(),
            (Some(_), None) => format!("left out: {first}  "),
            (Some(_), Some(held)) => format!("left out: {first}, with {:.1}% of the row's {part}  ", held * 100.0),
        };
        let run = edges.base.map_or_else(String::new, |_| format!("map: {}", self.run.name()));
        format!("{sink}{run}")
    }

    /// The heaviest weights of the selected token; beside them those of the model as it is.
    fn list(&self, edges: &Edges<'_>, scene: &Scene<'_>, area: Rect, buffer: &mut Buffer) {
        let theme = scene.theme;
        let label = |position: usize| edges.map.rows().labels.get(position).map_or("", String::as_str);
        let what = match (self.side, self.counts) {
            (Side::From, Counts::Weights) => " looks at",
            (Side::To, Counts::Weights) => " is looked at by",
            (Side::From, Counts::Written) => " gets written from",
            (Side::To, Counts::Written) => " is written to",
        };
        let columns = edges.base.map_or("", |_| "base    now change");
        let token = label(edges.position);
        let heading = match (edges.base, self.side) {
            (None, _) => format!("{token}{what}"),
            // the columns leave no room for words
            (Some(_), Side::From) => format!("{token} →"),
            (Some(_), Side::To) => format!("→ {token}"),
        };
        let heading = fit(&heading, usize::from(area.width).saturating_sub(columns.len() + 1));
        spans(buffer, area, 0, &[(&heading, theme.title()), (" ", Style::new()), (columns, theme.faint())]);
        for (row, edge) in edges.sorted().iter().take(usize::from(area.height.saturating_sub(1))).enumerate() {
            self.edge(edge, (label(edge.position), edges.scale()), scene, (cells(row + 1), area), buffer);
        }
    }

    fn edge(
        &self,
        edge: &Edge,
        (label, scale): (&str, Scale),
        scene: &Scene<'_>,
        (row, area): (u16, Rect),
        buffer: &mut Buffer,
    ) {
        let now = self.number(edge.now);
        let Some(base) = edge.base else {
            let scale = if self.counts == Counts::Weights { Scale::Probability } else { scale };
            let share = scale.share(edge.now);
            let bar = bar_text(share, usize::from(area.width).saturating_sub(20), scene.theme);
            let (label, number, style) = (fit(label, 10), format!(" {now:>6}"), scene.theme.bar(share));
            spans(buffer, area, row, &[(&label, Style::new()), (" ", style), (&bar, style), (&number, Style::new())]);
            return;
        };
        let change = match self.counts {
            Counts::Weights => format!("{:+.1}", (edge.now - base) * 100.0),
            Counts::Written => format!("{:+.2}", edge.now - base),
        };
        let label = fit(label, usize::from(area.width).saturating_sub(21));
        let base = format!("{:>7}", self.number(base));
        let style = if edge.now < edge.base.unwrap_or(0.0) { scene.theme.against() } else { scene.theme.towards() };
        let (now, change) = (format!("{now:>7}"), format!("{change:>7}"));
        let pieces = [(&label, Style::new()), (&base, scene.theme.faint()), (&now, Style::new()), (&change, style)];
        spans(buffer, area, row, &pieces.map(|(text, style)| (text.as_str(), style)));
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
        let has_pattern = self.shown.as_ref().is_some_and(|shown| shown.head == self.head && shown.basis == basis);
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
            Action::ToggleSide => self.side = self.side.other(),
            Action::ToggleSink => {
                self.sink = match self.sink {
                    Sink::Kept => Sink::Masked,
                    Sink::Masked => Sink::Kept,
                }
            }
            Action::NextRanking => {
                self.counts = match self.counts {
                    Counts::Weights => Counts::Written,
                    Counts::Written => Counts::Weights,
                }
            }
            Action::NextRun => self.run = self.run.next(),
            Action::TakeOut => return Reply::Intervene(format!("zero:{}", self.named())),
            _ => {}
        }
        if self.head == before { Reply::Done } else { Reply::Refresh }
    }

    fn keeps(&self, action: Action, _: &Session) -> bool {
        matches!(
            action,
            Action::ToggleGrid | Action::ToggleSide | Action::ToggleSink | Action::NextRanking | Action::NextRun
        )
    }

    fn receive(&mut self, inspection: &Arc<Inspection>) {
        // another panel asks about another head
        if inspection.attention.is_some() && inspection.head == Some(self.named()) {
            let (inspection, basis) = (Arc::clone(inspection), Basis::of(inspection));
            self.shown = Some(Shown { inspection, basis, head: self.head });
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
        let Some(edges) = self.edges(scene.session) else {
            line(buffer, area, 0, scene.note, scene.theme.faint());
            return;
        };
        self.heading(&edges, scene, area, buffer);
        let remarks = self.remarks(&edges);
        line(buffer, area, 1, &remarks, scene.theme.notice());
        let top = if remarks.is_empty() { 1 } else { 2 };
        let body = part(area, 0, top, area.width, area.height.saturating_sub(top));
        match self.grid_widget(scene).filter(|_| self.only_grid) {
            Some(grid) => {
                grid.render(body, buffer);
                grid.report(body, scene.hits);
            }
            None => self.render_head(&edges, scene, body, buffer),
        }
    }
}

/// A click on a row selects the token that looks.
fn on_row(row: usize, _: usize) -> Vec<Action> {
    vec![Action::Position(Move::To(row))]
}

/// A click on a column selects the token that is looked at.
fn on_column(_: usize, column: usize) -> Vec<Action> {
    vec![Action::Position(Move::To(column))]
}
