//! Thumbnails of all heads, a row a layer, two cells of a thumbnail in one character.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::line;
use crate::engine::HeadGrid;
use crate::tui::action::{Action, Move};
use crate::tui::glyph::Glyphs;
use crate::tui::layout::{cells, first_visible, part};
use crate::tui::mouse::Hits;
use crate::tui::theme::Theme;

/// All heads, with one marked.
pub(in crate::tui) struct HeadGridWidget<'a> {
    pub(in crate::tui) grid: &'a HeadGrid,
    pub(in crate::tui) current: (usize, usize),
    pub(in crate::tui) theme: Theme,
}

/// A head and where it is drawn.
struct Place {
    head: (usize, usize),
    area: Rect,
    /// Whether it is the first of its row.
    is_first: bool,
}

impl HeadGridWidget<'_> {
    /// Draws the thumbnails around the current one.
    pub(in crate::tui) fn render(&self, area: Rect, buffer: &mut Buffer) {
        for place in self.places(area) {
            if place.is_first {
                let label =
                    Rect { x: area.x, width: 3.min(area.width), height: 1.min(place.area.height), ..place.area };
                line(buffer, label, 0, &format!("L{}", place.head.0), self.theme.faint());
            }
            self.thumbnail(place.head, place.area, buffer);
        }
    }

    /// Says that a click on a thumbnail selects its head.
    pub(in crate::tui) fn report(&self, area: Rect, hits: &Hits) {
        for Place { head: (layer, head), area, .. } in self.places(area) {
            hits.on(area, &[Action::Cursor(Move::To(layer)), Action::Head(Move::To(head))]);
        }
    }

    /// Where the heads around the current one are drawn.
    fn places(&self, area: Rect) -> Vec<Place> {
        let side = self.side(area);
        let (wide, high) = (side + 1, side / 2 + 1);
        let n_columns = (usize::from(area.width).saturating_sub(4) / wide).clamp(1, self.grid.n_heads.max(1));
        let n_rows = (usize::from(area.height) / high).clamp(1, self.grid.n_layers.max(1));
        let left = first_visible(self.current.1, self.grid.n_heads, n_columns);
        let top = first_visible(self.current.0, self.grid.n_layers, n_rows);
        let place = |(row, column): (usize, usize)| Place {
            head: (top + row, left + column),
            area: part(area, cells(4 + column * wide), cells(row * high), cells(side), cells(high)),
            is_first: column == 0,
        };
        (0..n_rows).flat_map(|row| (0..n_columns).map(move |column| (row, column))).map(place).collect()
    }

    /// Cells a side that are drawn: as many as fit all heads, at least four.
    fn side(&self, area: Rect) -> usize {
        let fits = |side: &usize| {
            self.grid.n_heads * (side + 1) + 4 <= usize::from(area.width)
                && self.grid.n_layers * (side / 2 + 1) <= usize::from(area.height)
        };
        [16, 12, 8, 6, 4].into_iter().filter(|side| *side <= 2 * self.grid.side.max(2)).find(fits).unwrap_or(4)
    }

    fn thumbnail(&self, head: (usize, usize), area: Rect, buffer: &mut Buffer) {
        let is_current = head == self.current;
        let name = format!("{:^width$}", format!("h{}", head.1), width = usize::from(area.width));
        line(buffer, area, 0, &name, if is_current { self.theme.selected() } else { self.theme.faint() });
        let source = self.grid.head(head.0, head.1);
        for row in 0..area.height.saturating_sub(1) {
            for column in 0..area.width {
                let value = |half: u16| self.sample(source, usize::from(row * 2 + half), usize::from(column), area);
                self.pixel((value(0), value(1)), part(area, column, row + 1, 1, 1), buffer);
            }
        }
    }

    /// The source's cell under a drawn one.
    fn sample(&self, source: &[f32], row: usize, column: usize, area: Rect) -> f32 {
        let drawn = usize::from(area.width).max(1);
        let at = |i: usize| i * self.grid.side / drawn;
        source.get(at(row) * self.grid.side + at(column)).copied().unwrap_or(0.0)
    }

    fn pixel(&self, (upper, lower): (f32, f32), area: Rect, buffer: &mut Buffer) {
        let colour = |share| self.theme.heat_colour(share).filter(|_| self.theme.glyphs == Glyphs::Unicode);
        match (colour(upper), colour(lower)) {
            (Some(above), Some(below)) => line(buffer, area, 0, "▀", Style::new().fg(above).bg(below)),
            _ => line(buffer, area, 0, &Theme::shade(upper.max(lower)).to_string(), Style::new()),
        };
    }
}
