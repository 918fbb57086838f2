//! Rows and columns of a table figure, of which the part around the cursor is drawn.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::{line, spans};
use crate::figure::{Cell, Table};
use crate::tui::layout::{cells, first_visible};
use crate::tui::text::{cut, fit, width};
use crate::tui::theme::Theme;

/// A table, the row that is chosen, and the rows that stand out.
pub(in crate::tui) struct TableWidget<'a> {
    pub(in crate::tui) table: &'a Table,
    pub(in crate::tui) chosen: usize,
    pub(in crate::tui) notable: &'a dyn Fn(usize) -> bool,
    pub(in crate::tui) theme: Theme,
}

/// Columns of a text at most.
const WIDEST: usize = 22;

impl TableWidget<'_> {
    /// Draws headings and what fits of the rows.
    pub(in crate::tui) fn render(&self, area: Rect, buffer: &mut Buffer) {
        let widths = self.widths();
        let names = self.table.columns().iter().zip(&widths);
        let heading: Vec<String> = names.map(|(column, &wide)| fit(&column.name, wide)).collect();
        let heading = heading.join("  ");
        line(buffer, area, 0, &heading, self.theme.faint());
        let room = usize::from(area.height.saturating_sub(1));
        let top = first_visible(self.chosen, self.table.rows().len(), room);
        for (at, row) in self.table.rows().iter().enumerate().skip(top).take(room) {
            let style = match () {
                () if at == self.chosen => self.theme.selected(),
                () if (self.notable)(at) => self.theme.notice(),
                () => Style::new(),
            };
            let pieces: Vec<(String, Style)> =
                row.iter().zip(&widths).map(|(cell, &wide)| (placed(cell, wide), style)).collect();
            let pieces: Vec<(&str, Style)> = pieces.iter().map(|(text, style)| (text.as_str(), *style)).collect();
            spans(buffer, area, cells(at - top + 1), &pieces);
        }
    }

    fn widths(&self) -> Vec<usize> {
        let of = |at: usize| {
            let name = self.table.columns().get(at).map_or(0, |column| width(&column.name));
            let cells = self.table.rows().iter().filter_map(|row| row.get(at));
            cells.map(|cell| width(&cell.display())).max().unwrap_or(0).clamp(name.min(WIDEST), WIDEST.max(name))
        };
        (0..self.table.columns().len()).map(of).collect()
    }
}

/// Texts to the left, numbers to the right.
fn placed(cell: &Cell, wide: usize) -> String {
    let text = cut(&cell.display(), wide);
    match cell {
        Cell::Text(_) | Cell::Empty => format!("{}  ", fit(&text, wide)),
        Cell::Integer(_) | Cell::Number { .. } | Cell::Scientific(_) => {
            format!("{}{text}  ", " ".repeat(wide.saturating_sub(width(&text))))
        }
    }
}
