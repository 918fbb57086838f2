//! The search: tokens of the prompt and rows of the view that contain a text.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::picker::{Picker, Row};
use super::{Overlay, Wish, picked};
use crate::tui::action::Action;
use crate::tui::input::Key;
use crate::tui::keymap::Context;
use crate::tui::search::{Found, Haystack, Search};
use crate::tui::session::Session;
use crate::tui::view::Scene;

/// What is searched, and what is found so far.
#[derive(Debug)]
pub struct SearchOverlay {
    haystack: Haystack,
    picker: Picker,
}

impl SearchOverlay {
    /// A search of these texts.
    pub fn new(haystack: Haystack) -> Self {
        Self { haystack, picker: Picker::default() }
    }

    fn found(&self) -> Vec<Found> {
        self.haystack.find(self.picker.text())
    }
}

impl Overlay for SearchOverlay {
    fn context(&self) -> Context {
        Context::Picker
    }

    fn update(&mut self, action: Action, _: &mut Session) -> Wish {
        let n = self.found().len();
        if action == Action::Accept {
            return Wish::Search(Search { text: self.picker.text().to_owned(), nth: self.picker.chosen(n) });
        }
        self.picker.step(action, n);
        Wish::Nothing
    }

    fn key(&mut self, key: Key) {
        self.picker.key(key);
    }

    fn paste(&mut self, text: &str) {
        self.picker.paste(text);
    }

    fn render(&self, scene: &Scene<'_>, area: Rect, buffer: &mut Buffer) {
        let row = |found: Found| Row {
            name: self.haystack.text(found).to_owned(),
            about: String::new(),
            right: self.haystack.place(found),
        };
        let rows: Vec<Row> = self.found().into_iter().map(row).collect();
        let nothing = Line::styled("no token of the prompt and no row of the view contains this", scene.theme.faint());
        picked("Search", (&self.picker, "/"), (&rows, nothing), scene, (area, buffer));
    }
}
