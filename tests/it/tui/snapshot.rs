//! Every screen in every size and theme: the text, and with which style each cell is drawn.
//!
//! A file holds one screen. The text is that of the dark theme; another theme tells the rows that it draws otherwise.
//! Styles are runs: `a12.3b` is twelve cells of style a, three without a style, one of style b.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use lmscope::tui::screen;
use lmscope::tui::theme::{Depth, Ground, Theme};
use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::Rect;

use super::data::{DARK, Ui, in_theme};
use super::scenes::scenes;

/// The last is too small.
const SIZES: [(u16, u16); 5] = [(80, 24), (120, 40), (200, 60), (40, 10), (39, 9)];
const THEMES: [(&str, Theme); 3] = [
    ("dark", DARK),
    ("light", Theme { ground: Ground::Light, ..DARK }),
    ("no colour", Theme { depth: Depth::Mono, ..DARK }),
];

/// Letters of styles, as many as any screen has.
const LETTERS: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+-*/%&$§!?=<>^~@#äöüßéèêëàâîïôûç";

/// What the cells of a theme look like.
#[derive(Default)]
struct Legend(Vec<String>);

impl Legend {
    fn letter(&mut self, cell: &Cell) -> char {
        let look = |cell: &Cell| format!("{} {} {:?}", cell.fg, cell.bg, cell.modifier);
        if look(cell) == look(&Cell::EMPTY) {
            return '.';
        }
        let at = self.0.iter().position(|known| *known == look(cell)).unwrap_or_else(|| {
            self.0.push(look(cell));
            self.0.len() - 1
        });
        LETTERS.chars().nth(at).unwrap()
    }

    /// The runs of a row; nothing if no cell has a style.
    fn runs(&mut self, buffer: &Buffer, y: u16) -> String {
        let letters: Vec<char> = (0..buffer.area.width).map(|x| self.letter(&buffer[(x, y)])).collect();
        let mut out = String::new();
        for run in letters.chunk_by(|a, b| a == b) {
            out.push(run[0]);
            if run.len() > 1 {
                write!(out, "{}", run.len()).unwrap();
            }
        }
        if letters.iter().all(|letter| *letter == '.') { String::new() } else { out }
    }
}

fn drawn(ui: &Ui, (width, height): (u16, u16)) -> Buffer {
    let mut buffer = Buffer::empty(Rect::new(0, 0, width, height));
    screen::render(&ui.state, buffer.area, &mut buffer);
    buffer
}

fn texts(buffer: &Buffer) -> Vec<String> {
    let row = |y| (0..buffer.area.width).map(|x| buffer[(x, y)].symbol()).collect::<String>().trim_end().to_owned();
    (0..buffer.area.height).map(row).collect()
}

/// All sizes in all themes.
fn told(make: &dyn Fn() -> Ui) -> String {
    let uis = THEMES.map(|(_, theme)| in_theme(theme, make));
    let mut out = String::new();
    let mut legends = THEMES.map(|_| Legend::default());
    for size in SIZES {
        writeln!(out, "== {}x{}", size.0, size.1).unwrap();
        let dark = texts(&drawn(&uis[0], size));
        writeln!(out, "{}", dark.join("\n")).unwrap();
        for ((ui, (name, _)), legend) in uis.iter().zip(THEMES).zip(&mut legends) {
            writeln!(out, "-- {name}").unwrap();
            let buffer = drawn(ui, size);
            for ((y, text), dark) in (0..).zip(texts(&buffer)).zip(&dark) {
                if text != *dark {
                    writeln!(out, "{y} \"{text}\"").unwrap();
                }
                let runs = legend.runs(&buffer, y);
                if !runs.is_empty() {
                    writeln!(out, "{y} {runs}").unwrap();
                }
            }
        }
    }
    for ((name, _), legend) in THEMES.iter().zip(legends) {
        writeln!(out, "== {name}").unwrap();
        legend.0.iter().zip(LETTERS.chars()).for_each(|(look, letter)| writeln!(out, "{letter} {look}").unwrap());
    }
    out
}

fn check(part: usize) {
    for (name, make) in scenes().iter().skip(part).step_by(PARTS) {
        insta::assert_snapshot!(name.clone(), told(make));
    }
}

/// The screens are drawn by so many threads.
const PARTS: usize = 4;

#[test]
fn screens_first() {
    check(0);
}

#[test]
fn screens_second() {
    check(1);
}

#[test]
fn screens_third() {
    check(2);
}

#[test]
fn screens_fourth() {
    check(3);
}

#[test]
fn no_snapshot_is_left_over() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/tui/snapshots");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let found: BTreeSet<String> = files.collect();
    let expected = scenes().into_iter().map(|(name, _)| format!("it__tui__snapshot__{name}.snap"));
    let left: Vec<String> = found.difference(&expected.collect()).cloned().collect();
    assert!(left.is_empty(), "delete them: {left:?}");
}

#[test]
fn a_screen_that_is_too_small_says_what_is_needed() {
    let ui = Ui::with_data();
    for size in [(39, 10), (40, 9), (5, 1), (1, 1)] {
        let text = texts(&drawn(&ui, size)).concat();
        assert!(size.0 < 30 || text.contains("needs 40x10"), "{text}");
    }
}

#[test]
fn no_size_breaks_a_view() {
    for (_, make) in scenes() {
        let ui = make();
        for size in [1, 2, 5, 9, 10, 11, 17, 18, 19, 24, 50]
            .into_iter()
            .flat_map(|h| [1, 39, 40, 41, 69, 70, 79, 99, 100, 200].map(|w| (w, h)))
        {
            drawn(&ui, size);
        }
    }
}
