//! A heatmap with labelled axes, of which the part around the cursor is drawn.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::line;
use crate::figure::Heatmap;
use crate::tui::action::Action;
use crate::tui::layout::{cells, first_visible, part};
use crate::tui::mouse::Hits;
use crate::tui::text::{fit, width};
use crate::tui::theme::{Depth, Theme};

/// What is written into the cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::tui) enum CellText {
    /// The cells' own texts.
    Own,
    /// The value in percent.
    Percent,
}

/// What the cursor marks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::tui) enum Cursor {
    /// A row.
    Row(usize),
    /// A cell.
    Cell(usize, usize),
}

/// A heatmap and how it is drawn.
pub(in crate::tui) struct HeatmapWidget<'a> {
    pub(in crate::tui) map: &'a Heatmap,
    pub(in crate::tui) text: CellText,
    pub(in crate::tui) cursor: Cursor,
    /// Columns a cell may take: from, to.
    pub(in crate::tui) cell_width: (usize, usize),
    pub(in crate::tui) theme: Theme,
}

/// The cells that fit, and where they start.
struct Viewport {
    label: usize,
    cell: usize,
    top: usize,
    left: usize,
    rows: usize,
    columns: usize,
}

impl HeatmapWidget<'_> {
    /// Draws what fits.
    pub(in crate::tui) fn render(&self, area: Rect, buffer: &mut Buffer) {
        let view = self.viewport(area);
        self.heading(&view, area, buffer);
        for row in 0..view.rows.min(self.map.rows().labels.len() - view.top) {
            self.row(&view, area, row, buffer);
        }
    }

    /// Says what a click on each cell that is drawn does.
    pub(in crate::tui) fn report(&self, area: Rect, hits: &Hits, on: fn(usize, usize) -> Vec<Action>) {
        let view = self.viewport(area);
        for row in 0..view.rows.min(self.map.rows().labels.len() - view.top) {
            for column in 0..view.columns {
                let x = view.label + column * view.cell;
                let place = part(area, cells(x), cells(row + 1), cells(view.cell), 1);
                hits.on(place, &on(view.top + row, view.left + column));
            }
        }
    }

    const fn position(&self) -> (usize, usize) {
        match self.cursor {
            // above the diagonal there is nothing to see, so the columns before the row's own are shown
            Cursor::Row(row) => (row, row),
            Cursor::Cell(row, column) => (row, column),
        }
    }

    fn viewport(&self, area: Rect) -> Viewport {
        let (n_rows, n_columns) = (self.map.rows().labels.len(), self.map.columns().labels.len());
        let widest = self.map.rows().labels.iter().map(|label| width(label)).max().unwrap_or(0);
        let label = widest.clamp(3, usize::from(area.width / 5).clamp(3, 14)) + 1;
        let room = usize::from(area.width).saturating_sub(label);
        let cell = (room / n_columns.max(1)).clamp(self.cell_width.0, self.cell_width.1);
        let rows = usize::from(area.height.saturating_sub(1)).min(n_rows);
        let columns = (room / cell).min(n_columns);
        let (row, column) = self.position();
        Viewport {
            label,
            cell,
            top: first_visible(row, n_rows, rows),
            left: first_visible(column, n_columns, columns),
            rows,
            columns,
        }
    }

    fn heading(&self, view: &Viewport, area: Rect, buffer: &mut Buffer) {
        let more = match (view.left > 0, view.left + view.columns < self.map.columns().labels.len()) {
            (false, false) => "",
            (true, false) => "◀",
            (false, true) => "▶",
            (true, true) => "◀▶",
        };
        line(buffer, area, 0, more, self.theme.notice());
        for column in 0..view.columns {
            let Some(label) = self.map.columns().labels.get(view.left + column) else { break };
            let at = part(area, cells(view.label + column * view.cell), 0, cells(view.cell - 1), 1);
            let style = if self.position().1 == view.left + column { self.theme.title() } else { self.theme.faint() };
            line(buffer, at, 0, fitting(label, view.cell - 1), style);
        }
    }

    fn row(&self, view: &Viewport, area: Rect, row: usize, buffer: &mut Buffer) {
        let at = view.top + row;
        let is_selected = self.position().0 == at;
        let style = if is_selected { self.theme.selected() } else { self.theme.faint() };
        let label = self.map.rows().labels.get(at).map_or("", String::as_str);
        line(buffer, area, cells(row + 1), &fit(label, view.label - 1), style);
        for column in 0..view.columns {
            let place = part(area, cells(view.label + column * view.cell), cells(row + 1), cells(view.cell), 1);
            self.cell(place, at, view.left + column, buffer);
        }
    }

    fn cell(&self, area: Rect, row: usize, column: usize, buffer: &mut Buffer) {
        let Some(value) = self.map.value(row, column).filter(|_| self.is_drawn(row, column)) else { return };
        let share = self.map.scale().share(value);
        let columns = usize::from(area.width);
        let text = match self.text {
            CellText::Own => fit(self.map.cell(row, column).unwrap_or(""), columns.saturating_sub(1)),
            CellText::Percent => percent(share, columns, self.theme),
        };
        line(buffer, area, 0, &fit(&text, columns), self.style(share, row, column));
    }

    /// Attention is causal: cells above the diagonal stay empty.
    fn is_drawn(&self, row: usize, column: usize) -> bool {
        self.text == CellText::Own || column <= row
    }

    fn style(&self, share: f32, row: usize, column: usize) -> Style {
        let style = self.theme.heat(share);
        if self.cursor == Cursor::Cell(row, column) { style.patch(self.theme.selected()) } else { style }
    }
}

/// The label, or its first word (the position) where all of it does not fit into a narrow cell.
fn fitting(label: &str, columns: usize) -> &str {
    let is_narrow = columns < 6 && width(label) > columns;
    label.split_once(' ').filter(|_| is_narrow).map_or(label, |(position, _)| position)
}

/// A weight as a number if it is worth one, else as a shade where there are no colours.
fn percent(share: f32, columns: usize, theme: Theme) -> String {
    let number = format!("{:.0}", share * 100.0);
    let is_shown = columns > number.len() && share >= 0.01;
    match theme.depth {
        Depth::Mono if !is_shown => Theme::shade(share).to_string(),
        Depth::Mono | Depth::Indexed | Depth::True if is_shown => format!("{number:>width$} ", width = columns - 1),
        Depth::Mono | Depth::Indexed | Depth::True => String::new(),
    }
}
