//! A heatmap with labelled axes, of which the part around the cursor is drawn.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};

use super::line;
use crate::figure::{Heatmap, Scale};
use crate::tui::action::Action;
use crate::tui::layout::{cells, first_visible, part};
use crate::tui::mouse::Hits;
use crate::tui::text::{fit, width};
use crate::tui::theme::Theme;

/// What is written into the cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::tui) enum CellText {
    /// The cells' own texts.
    Own,
    /// The value in percent.
    Percent,
    /// The value.
    Number,
}

/// What the cursor marks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::tui) enum Cursor {
    /// A row.
    Row(usize),
    /// A column.
    Column(usize),
    /// A cell.
    Cell(usize, usize),
}

/// A heatmap and how it is drawn.
pub(in crate::tui) struct HeatmapWidget<'a> {
    pub(in crate::tui) map: &'a Heatmap,
    /// The map of another run: its values are taken away; where cells have texts of their own, those that are not the
    /// same are underlined.
    pub(in crate::tui) other: Option<&'a Heatmap>,
    pub(in crate::tui) scale: Scale,
    /// A column that is left empty.
    pub(in crate::tui) hidden: Option<usize>,
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
            Cursor::Row(at) | Cursor::Column(at) => (at, at),
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
        let top = match self.cursor {
            // nor is there anything above a column's own row
            Cursor::Column(_) => row.min(n_rows - rows),
            Cursor::Row(_) | Cursor::Cell(..) => first_visible(row, n_rows, rows),
        };
        Viewport { label, cell, top, left: first_visible(column, n_columns, columns), rows, columns }
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
            let style = match (self.position().1 == view.left + column, self.cursor) {
                (true, Cursor::Column(_)) => self.theme.selected(),
                (true, Cursor::Row(_) | Cursor::Cell(..)) => self.theme.title(),
                (false, _) => self.theme.faint(),
            };
            line(buffer, at, 0, fitting(label, view.cell - 1), style);
        }
    }

    fn row(&self, view: &Viewport, area: Rect, row: usize, buffer: &mut Buffer) {
        let at = view.top + row;
        let is_selected = self.position().0 == at && !matches!(self.cursor, Cursor::Column(_));
        let style = if is_selected { self.theme.selected() } else { self.theme.faint() };
        let label = self.map.rows().labels.get(at).map_or("", String::as_str);
        line(buffer, area, cells(row + 1), &fit(label, view.label - 1), style);
        for column in 0..view.columns {
            let place = part(area, cells(view.label + column * view.cell), cells(row + 1), cells(view.cell), 1);
            self.cell(place, at, view.left + column, buffer);
        }
    }

    fn cell(&self, area: Rect, row: usize, column: usize, buffer: &mut Buffer) {
        let Some(value) = self.value(row, column).filter(|_| self.is_drawn(row, column)) else { return };
        let share = self.scale.share(value);
        let columns = usize::from(area.width);
        let text = match self.text {
            CellText::Own => {
                let own = fit(self.map.cell(row, column).unwrap_or(""), columns.saturating_sub(1));
                format!("{own}{}", self.mark(share))
            }
            CellText::Percent => self.number(format!("{:.0}", value * 100.0), (value.abs() >= 0.01, share), columns),
            CellText::Number => self.number(decimals(value), (value.abs() >= 0.005, share), columns),
        };
        line(buffer, area, 0, &fit(&text, columns), self.style(share, row, column));
    }

    fn value(&self, row: usize, column: usize) -> Option<f32> {
        let value = self.map.value(row, column)?;
        let other = self.other.filter(|_| self.text != CellText::Own);
        Some(value - other.map_or(0.0, |other| other.value(row, column).unwrap_or(0.0)))
    }

    /// Attention is causal: cells above the diagonal stay empty.
    fn is_drawn(&self, row: usize, column: usize) -> bool {
        self.text == CellText::Own || (column <= row && self.hidden != Some(column))
    }

    /// A number if it is worth one, else a shade where there are no colours.
    fn number(&self, number: String, (is_worth, share): (bool, f32), columns: usize) -> String {
        let number = if self.other.is_some() && !number.starts_with('-') { format!("+{number}") } else { number };
        let is_shown = is_worth && columns > number.len();
        if is_shown { format!("{number:>width$} ", width = columns - 1) } else { self.mark(share) }
    }

    /// A shade where colours are too few; of two directions it would say nothing.
    fn mark(&self, share: f32) -> String {
        match self.scale {
            Scale::Diverging { .. } => String::new(),
            Scale::Probability | Scale::Sequential { .. } => self.theme.mark(share).to_string(),
        }
    }

    fn style(&self, share: f32, row: usize, column: usize) -> Style {
        let style = match self.scale {
            Scale::Diverging { .. } => self.theme.diverging(share),
            Scale::Probability | Scale::Sequential { .. } => self.theme.heat(share),
        };
        let is_changed = self.other.is_some_and(|other| other.cell(row, column) != self.map.cell(row, column));
        let style = if is_changed { style.add_modifier(Modifier::UNDERLINED) } else { style };
        if self.cursor == Cursor::Cell(row, column) { style.patch(self.theme.selected()) } else { style }
    }
}

/// A number with as many decimals as four columns have room for.
pub(in crate::tui) fn decimals(value: f32) -> String {
    match value.abs() {
        size if size < 9.995 => format!("{value:.2}"),
        size if size < 99.95 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

/// The label, or its first word (the position) where all of it does not fit into a narrow cell; of a long number the last
/// digits, which tell neighbours apart.
fn fitting(label: &str, columns: usize) -> &str {
    let is_narrow = columns < 6 && width(label) > columns;
    let Some((position, _)) = label.split_once(' ').filter(|_| is_narrow) else { return label };
    let is_long = position.len() > columns && position.bytes().all(|byte| byte.is_ascii_digit());
    if is_long { &position[position.len() - columns..] } else { position }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_narrow_heading_tells_neighbours_apart() {
        let cases = [
            ("5 ␣a", 6, "5 ␣a"),
            ("12 ␣mat", 3, "12"),
            ("1890 ␣fox", 3, "890"),
            ("<s>", 2, "<s>"),
            ("1890 ␣fox", 0, ""),
        ];
        for (label, columns, expected) in cases {
            assert_eq!(fitting(label, columns), expected, "{label} in {columns}");
        }
    }

    #[test]
    fn numbers_have_as_many_decimals_as_there_is_room_for() {
        assert_eq!([0.004, 9.994, 9.996, 99.96, 1234.5].map(decimals), ["0.00", "9.99", "10.0", "100", "1234"]);
    }
}
