//! A grid of numbers, some of which may not be known yet, under one or two lines of headings.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::line;
use crate::figure::Scale;
use crate::tui::layout::{cells, first_visible, part};
use crate::tui::text::{fit, width};
use crate::tui::theme::Theme;

/// Numbers and how they are drawn.
pub(in crate::tui) struct ValueGrid<'a> {
    pub(in crate::tui) rows: &'a [String],
    /// What stands over each column.
    pub(in crate::tui) columns: &'a [Heading],
    /// The number of a cell, if it is known.
    pub(in crate::tui) value: &'a dyn Fn(usize, usize) -> Option<f64>,
    pub(in crate::tui) scale: Scale,
    pub(in crate::tui) cursor: (usize, usize),
    pub(in crate::tui) theme: Theme,
}

/// What stands over a column.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::tui) struct Heading {
    pub(in crate::tui) above: String,
    /// What differs from it, if something does.
    pub(in crate::tui) below: Option<String>,
}

/// Columns of a cell: from, to.
const CELL: (usize, usize) = (7, 10);

/// The cells that fit, and where they start.
struct Viewport {
    label: usize,
    cell: usize,
    /// Lines of headings.
    head: u16,
    top: usize,
    left: usize,
    rows: usize,
    columns: usize,
}

impl ValueGrid<'_> {
    /// Draws what fits around the cursor.
    pub(in crate::tui) fn render(&self, area: Rect, buffer: &mut Buffer) {
        let view = self.viewport(area);
        self.headings(&view, area, buffer);
        for row in 0..view.rows {
            self.row(&view, row, area, buffer);
        }
    }

    fn viewport(&self, area: Rect) -> Viewport {
        let (n_rows, n_columns) = (self.rows.len(), self.columns.len());
        let head = if self.columns.iter().any(|heading| heading.below.is_some()) { 2 } else { 1 };
        let widest = self.rows.iter().map(|label| width(label)).max().unwrap_or(0);
        let label = widest.clamp(3, 9) + 1;
        let room = usize::from(area.width).saturating_sub(label);
        let cell = (room / n_columns.max(1)).clamp(CELL.0, CELL.1);
        let (rows, columns) = (usize::from(area.height.saturating_sub(head)).min(n_rows), (room / cell).min(n_columns));
        let top = first_visible(self.cursor.0, n_rows, rows);
        let left = first_visible(self.cursor.1, n_columns, columns);
        Viewport { label, cell, head, top, left, rows, columns }
    }

    fn headings(&self, view: &Viewport, area: Rect, buffer: &mut Buffer) {
        let more = match (view.left > 0, view.left + view.columns < self.columns.len()) {
            (false, false) => "",
            (true, false) => "◀",
            (false, true) => "▶",
            (true, true) => "◀▶",
        };
        line(buffer, area, 0, more, self.theme.notice());
        for (at, heading) in self.columns.iter().enumerate().skip(view.left).take(view.columns) {
            let x = cells(view.label + (at - view.left) * view.cell);
            let place = part(area, x, 0, cells(view.cell - 1), view.head);
            let plain = if at == self.cursor.1 { self.theme.title() } else { self.theme.faint() };
            line(buffer, place, 0, &heading.above, plain);
            if let Some(below) = &heading.below {
                line(buffer, place, 1, below, self.theme.notice());
            }
        }
    }

    fn row(&self, view: &Viewport, row: usize, area: Rect, buffer: &mut Buffer) {
        let (at, y) = (view.top + row, view.head + cells(row));
        let style = if at == self.cursor.0 { self.theme.selected() } else { self.theme.faint() };
        line(buffer, area, y, &fit(self.rows.get(at).map_or("", String::as_str), view.label - 1), style);
        for column in 0..view.columns {
            let place = part(area, cells(view.label + column * view.cell), y, cells(view.cell), 1);
            let here = (at, view.left + column);
            let (text, style) = self.cell(here, view.cell);
            let style = if here == self.cursor { style.patch(self.theme.selected()) } else { style };
            line(buffer, place, 0, &text, style);
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "a share of a scale")]
    fn cell(&self, (row, column): (usize, usize), columns: usize) -> (String, Style) {
        let Some(value) = (self.value)(row, column) else {
            return (fit("   ·", columns), self.theme.faint());
        };
        let share = self.scale.share(value as f32);
        let (style, size) = match self.scale {
            Scale::Diverging { .. } => (self.theme.diverging(share), (2.0 * share - 1.0).abs()),
            Scale::Probability | Scale::Sequential { .. } => (self.theme.heat(share), share),
        };
        (format!("{value:>width$.2}{}", self.theme.mark(size), width = columns - 1), style)
    }
}
