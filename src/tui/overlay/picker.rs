//! A line to type in and a list to choose from: what the palette and the search have in common.

use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use tui_input::{Input, InputRequest};

use crate::tui::action::{Action, Move};
use crate::tui::input::{Key, editing_request};
use crate::tui::layout::first_visible;
use crate::tui::mouse::Hits;
use crate::tui::text::{fit, one_line, width};
use crate::tui::theme::Theme;

/// What is typed and which row is chosen.
#[derive(Debug, Default)]
pub(super) struct Picker {
    input: Input,
    chosen: usize,
}

/// A row of the list: what it is called, what it is, and what stands at the right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) about: String,
    pub(super) right: String,
}

impl Picker {
    /// What is typed.
    pub(super) fn text(&self) -> &str {
        self.input.value()
    }

    /// The chosen row of a list.
    pub(super) fn chosen(&self, len: usize) -> usize {
        self.chosen.min(len.saturating_sub(1))
    }

    /// Moves in a list.
    pub(super) fn step(&mut self, action: Action, len: usize) {
        if let Action::Cursor(to) = action {
            self.chosen = to.apply(self.chosen(len), len);
        }
    }

    /// Types a key; the list is another one then.
    pub(super) fn key(&mut self, key: Key) {
        let change = editing_request(key).and_then(|request| self.input.handle(request));
        if change.is_some_and(|change| change.value) {
            self.chosen = 0;
        }
    }

    /// Types a text.
    pub(super) fn paste(&mut self, text: &str) {
        for c in text.chars() {
            self.input.handle(InputRequest::InsertChar(c));
        }
        self.chosen = 0;
    }

    /// The line that is typed, with its cursor.
    pub(super) fn typed(&self, mark: &'static str, theme: Theme) -> Line<'static> {
        let text: Vec<char> = one_line(self.input.value()).chars().collect();
        let cursor = self.input.cursor().min(text.len());
        let under = text.get(cursor).map_or_else(|| " ".to_owned(), char::to_string);
        Line::from(vec![
            Span::styled(mark, theme.title()),
            Span::raw(text[..cursor].iter().collect::<String>()),
            Span::styled(under, theme.selected()),
            Span::raw(text.iter().skip(cursor + 1).collect::<String>()),
        ])
    }

    /// The rows around the chosen one that fit into an area.
    pub(super) fn rows(&self, rows: &[Row], theme: Theme, (area, hits): (Rect, &Hits)) -> Vec<Line<'static>> {
        let (room, columns) = (usize::from(area.height), usize::from(area.width));
        let chosen = self.chosen(rows.len());
        let top = first_visible(chosen, rows.len(), room);
        let name = rows.iter().map(|row| width(&row.name)).max().unwrap_or(0).min(columns / 3);
        let shown = rows.iter().enumerate().skip(top).take(room);
        let places = area.rows();
        let lines = shown.zip(places).map(|((at, row), place)| {
            hits.on(place, &[Action::Cursor(Move::To(at)), Action::Accept]);
            let style = if at == chosen { theme.selected() } else { Style::new() };
            let about = columns.saturating_sub(name + 1 + width(&row.right) + 1);
            Line::from(vec![
                Span::styled(fit(&row.name, name), style),
                Span::raw(" "),
                Span::styled(fit(&row.about, about), theme.faint()),
                Span::raw(" "),
                Span::styled(row.right.clone(), theme.title()),
            ])
        });
        lines.collect()
    }
}
