//! The command palette: everything that can be done, found by a few of its letters.

use nucleo_matcher::pattern::{CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::picker::{Picker, Row};
use super::{Overlay, Wish, picked};
use crate::tui::action::Action;
use crate::tui::input::Key;
use crate::tui::keymap::Context;
use crate::tui::session::Session;
use crate::tui::view::Scene;

/// Something that can be chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// What it does.
    pub about: String,
    /// Its keys, or what it is.
    pub keys: String,
    /// What happens then.
    pub wish: Wish,
}

/// The entries that match what is typed, best first.
#[derive(Debug)]
pub struct PaletteOverlay {
    entries: Vec<Entry>,
    picker: Picker,
}

impl PaletteOverlay {
    /// A palette of these entries.
    pub fn new(entries: Vec<Entry>) -> Self {
        Self { entries, picker: Picker::default() }
    }

    fn found(&self) -> Vec<&Entry> {
        best(self.picker.text(), &self.entries)
    }
}

/// The entries that a text matches, best first; all of them in their order if it is empty.
fn best<'a>(text: &str, entries: &'a [Entry]) -> Vec<&'a Entry> {
    let pattern = Pattern::parse(text, CaseMatching::Ignore, Normalization::Smart);
    let mut matcher = Matcher::new(Config::DEFAULT);
    let mut buffer = Vec::new();
    let mut score = |entry: &Entry| {
        // a match in the name is worth more than one in the sentence
        let mut of = |text: &str| pattern.score(Utf32Str::new(text, &mut buffer), &mut matcher);
        let (name, all) = (of(&entry.name), of(&format!("{} {}", entry.name, entry.about)));
        Some(2 * name.unwrap_or(0) + all?)
    };
    let mut found: Vec<(u32, &Entry)> =
        entries.iter().filter_map(|entry| score(entry).map(|score| (score, entry))).collect();
    found.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
    found.into_iter().map(|(_, entry)| entry).collect()
}

impl Overlay for PaletteOverlay {
    fn context(&self) -> Context {
        Context::Picker
    }

    fn update(&mut self, action: Action, _: &mut Session) -> Wish {
        let found = self.found();
        let n = found.len();
        let wish = found.get(self.picker.chosen(n)).map(|entry| entry.wish.clone());
        match (action, wish) {
            (Action::Accept, Some(wish)) => return wish,
            (action, _) => self.picker.step(action, n),
        }
        Wish::Nothing
    }

    fn key(&mut self, key: Key) {
        self.picker.key(key);
    }

    fn paste(&mut self, text: &str) {
        self.picker.paste(text);
    }

    fn render(&self, scene: &Scene<'_>, area: Rect, buffer: &mut Buffer) {
        let row =
            |entry: &&Entry| Row { name: entry.name.clone(), about: entry.about.clone(), right: entry.keys.clone() };
        let rows: Vec<Row> = self.found().iter().map(row).collect();
        let nothing = Line::styled("nothing is called so", scene.theme.faint());
        picked("Commands", (&self.picker, ":"), (&rows, nothing), scene, (area, buffer));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, about: &str) -> Entry {
        Entry { name: name.into(), about: about.into(), keys: String::new(), wish: Wish::Nothing }
    }

    #[test]
    fn a_few_letters_find_an_entry() {
        let entries = [
            entry("next-view", "show the next view"),
            entry("take-out", "add an intervention: this head zeroed"),
            entry("interventions", "interventions: type, toggle, delete"),
        ];
        let first = |text: &str| best(text, &entries).first().map(|entry| entry.name.clone());
        let cases = [
            ("nv", "next-view"),
            ("TAKE", "take-out"),
            ("interv", "interventions"),
            ("zeroed", "take-out"),
            ("", "next-view"),
        ];
        for (text, expected) in cases {
            assert_eq!(first(text).as_deref(), Some(expected), "{text}");
        }
        assert_eq!(first("qqq"), None);
    }
}
