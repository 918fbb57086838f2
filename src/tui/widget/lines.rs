//! Curves over the same places, told apart by letters as well as by colours.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::symbols::Marker;
use ratatui::text::Line as Text;
use ratatui::widgets::Widget as _;
use ratatui::widgets::canvas::{Canvas, Line};

use super::line;
use crate::tui::action::Action;
use crate::tui::layout::{cells, part};
use crate::tui::mouse::Hits;
use crate::tui::text::width;
use crate::tui::theme::Theme;

/// A value at each place.
#[derive(Debug, Clone)]
pub(in crate::tui) struct Curve {
    pub(in crate::tui) letter: char,
    pub(in crate::tui) values: Vec<f64>,
    pub(in crate::tui) style: Style,
}

/// Curves, and what their places and heights mean.
pub(in crate::tui) struct LinesWidget<'a> {
    /// The first is drawn over the others.
    pub(in crate::tui) curves: &'a [Curve],
    /// What the places are called.
    pub(in crate::tui) places: &'a [String],
    /// Values that have a name, lowest first: the first is the floor, the last the ceiling.
    pub(in crate::tui) heights: &'a [(f64, String)],
    /// The chosen place.
    pub(in crate::tui) cursor: usize,
    pub(in crate::tui) theme: Theme,
}

impl LinesWidget<'_> {
    /// Draws them, with names at the left and below.
    pub(in crate::tui) fn render(&self, area: Rect, buffer: &mut Buffer) {
        let plot = self.plot(area);
        if plot.area() == 0 || self.places.is_empty() {
            return;
        }
        self.paint(plot, buffer);
        self.mark(plot, buffer);
        self.name_heights(plot, area, buffer);
        self.name_places(plot, area, buffer);
    }

    /// Says that a click on a place selects it.
    pub(in crate::tui) fn report(&self, area: Rect, hits: &Hits, on: fn(usize) -> Vec<Action>) {
        let plot = self.plot(area);
        for place in 0..self.places.len() {
            let next = if place + 1 < self.places.len() { self.column(plot, place + 1) } else { plot.width };
            let at = self.column(plot, place);
            hits.on(part(plot, at, 0, next.saturating_sub(at).max(1), plot.height), &on(place));
        }
    }

    fn plot(&self, area: Rect) -> Rect {
        let names = self.heights.iter().map(|(_, name)| width(name)).max().unwrap_or(0);
        let left = cells(names + 1).min(area.width);
        part(area, left, 0, area.width - left, area.height.saturating_sub(1))
    }

    /// Lowest and highest value; never the same.
    fn bounds(&self) -> [f64; 2] {
        let low = self.heights.first().map_or(0.0, |height| height.0);
        let high = self.heights.last().map_or(1.0, |height| height.0);
        if high > low { [low, high] } else { [low, low + 1.0] }
    }

    fn paint(&self, plot: Rect, buffer: &mut Buffer) {
        let [low, high] = self.bounds();
        let last = self.places.len().saturating_sub(1).max(1) as f64;
        let at = |value: f64| if value.is_nan() { low } else { value.clamp(low, high) };
        let paint = |context: &mut ratatui::widgets::canvas::Context<'_>| {
            for curve in self.curves.iter().rev() {
                for (place, ends) in curve.values.windows(2).enumerate() {
                    let (x1, x2) = (place as f64, (place + 1) as f64);
                    let color = curve.style.fg.unwrap_or_default();
                    context.draw(&Line { x1, y1: at(ends[0]), x2, y2: at(ends[1]), color });
                }
                context.layer();
            }
            for curve in self.curves.iter().rev() {
                for (place, &value) in curve.values.iter().enumerate() {
                    context.print(place as f64, at(value), Text::styled(curve.letter.to_string(), curve.style));
                }
            }
        };
        Canvas::default()
            .marker(Marker::Braille)
            .x_bounds([0.0, last])
            .y_bounds([low, high])
            .paint(paint)
            .render(plot, buffer);
    }

    /// The column of a place, within the plot.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a column of the screen")]
    fn column(&self, plot: Rect, place: usize) -> u16 {
        let last = self.places.len().saturating_sub(1).max(1) as f64;
        (place as f64 * f64::from(plot.width.saturating_sub(1)) / last) as u16
    }

    /// A line through the chosen place, where nothing else is drawn.
    fn mark(&self, plot: Rect, buffer: &mut Buffer) {
        let column = self.column(plot, self.cursor.min(self.places.len().saturating_sub(1)));
        for row in 0..plot.height {
            let at = (plot.x + column, plot.y + row);
            if buffer[at].symbol().trim().is_empty() || buffer[at].symbol() == "\u{2800}" {
                line(buffer, part(plot, column, row, 1, 1), 0, "│", self.theme.faint());
            }
        }
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a row of the screen")]
    fn name_heights(&self, plot: Rect, area: Rect, buffer: &mut Buffer) {
        let [low, high] = self.bounds();
        for (value, name) in self.heights {
            let share = (high - value) / (high - low);
            let row = (share * f64::from(plot.height.saturating_sub(1))).round() as u16;
            let columns = usize::from(plot.x - area.x).saturating_sub(1);
            line(buffer, part(area, 0, row, plot.x - area.x, 1), 0, &format!("{name:>columns$}"), self.theme.faint());
        }
    }

    fn name_places(&self, plot: Rect, area: Rect, buffer: &mut Buffer) {
        let row = part(area, 0, plot.height, area.width, 1);
        let last = self.places.len().saturating_sub(1);
        let cursor = self.cursor.min(last);
        for (place, style) in [(0, self.theme.faint()), (last, self.theme.faint()), (cursor, self.theme.selected())] {
            let name = &self.places[place];
            let columns = cells(width(name));
            let x = (plot.x - area.x + self.column(plot, place)).min(area.width.saturating_sub(columns));
            line(buffer, part(row, x, 0, columns, 1), 0, name, style);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::theme::{Depth, Environment};

    fn drawn(curves: &[Curve], size: (u16, u16)) -> Vec<String> {
        let places: Vec<String> = ["embed", "0", "1", "2"].map(String::from).to_vec();
        let heights = [(0.0, "0".to_owned()), (1.0, "1".to_owned())];
        let theme = Theme { depth: Depth::Mono, ..Theme::new(&Environment::default()) };
        let area = Rect::new(0, 0, size.0, size.1);
        let mut buffer = Buffer::empty(area);
        let widget = LinesWidget { curves, places: &places, heights: &heights, cursor: 1, theme };
        widget.render(area, &mut buffer);
        let row = |y| (0..size.0).map(|x| buffer[(x, y)].symbol().to_owned()).collect();
        (0..size.1).map(row).collect()
    }

    #[test]
    fn letters_stand_where_the_values_are() {
        let curve = |letter, values: &[f64]| Curve { letter, values: values.to_vec(), style: Style::new() };
        let rows = drawn(&[curve('A', &[0.0, 0.0, 1.0, 1.0]), curve('B', &[1.0, 1.0, 1.0, 0.0])], (18, 6));
        // two columns for the heights' names, then places at columns 2, 7, 12 and 17
        let letters = |row: usize| {
            let found = rows[row].chars().enumerate().filter(|(_, c)| c.is_ascii_uppercase());
            found.collect::<Vec<_>>()
        };
        assert_eq!(letters(0), [(2, 'B'), (7, 'B'), (12, 'A'), (17, 'A')], "{rows:#?}");
        assert_eq!(letters(4), [(2, 'A'), (7, 'A'), (17, 'B')], "{rows:#?}");
        assert!(rows[0].starts_with('1') && rows[4].starts_with('0'), "{rows:#?}");
        assert!(rows[5].contains("embed") && rows[5].contains('0') && rows[5].ends_with('2'), "{rows:#?}");
        assert!(rows[2].contains('│'), "the chosen place: {rows:#?}");
    }

    #[test]
    fn values_that_are_none_and_sizes_that_are_small_break_nothing() {
        let curve = Curve { letter: 'A', values: vec![f64::NAN, f64::NEG_INFINITY, 9.0, 0.5], style: Style::new() };
        for size in [(1, 1), (2, 2), (3, 1), (40, 3)] {
            drawn(std::slice::from_ref(&curve), size);
        }
    }
}
