//! Terminals that show only ASCII, and tokens that do not lie in a row of cells by themselves.

use lmscope::engine::Engine;
use lmscope::text::Spelling;
use lmscope::tui::glyph::{Glyphs, in_ascii};
use lmscope::tui::theme::{Depth, Theme};
use lmscope::tui::view::{VIEWS, ViewName};
use lmscope::tui::{TuiOptions, screen};
use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr as _;

use super::data::{DARK, Ui, in_theme, in_words};
use super::live::Live;
use super::scenes::{Condition, scenes, view};
use crate::support::project;

const SIZES: [(u16, u16); 3] = [(80, 24), (120, 40), (200, 60)];

fn drawn(ui: &Ui, (width, height): (u16, u16)) -> Buffer {
    let mut buffer = Buffer::empty(Rect::new(0, 0, width, height));
    screen::render(&ui.state, buffer.area, &mut buffer);
    buffer
}

/// Columns that a terminal needs for a row: a wide symbol hides the cell after it.
pub(super) fn columns(buffer: &Buffer, y: u16) -> usize {
    let (mut x, mut taken) = (0, 0);
    while x < buffer.area.width {
        let wide = buffer[(x, y)].symbol().width().max(1);
        taken += wide;
        x += u16::try_from(wide).unwrap();
    }
    taken
}

#[test]
fn a_terminal_with_ascii_alone_gets_ascii_alone() {
    // of the invented tokens and answers
    const INVENTED: &str = "東京";
    for (name, make) in scenes() {
        for depth in [Depth::Mono, Depth::Sixteen, Depth::True] {
            let unicode = in_theme(Theme { depth, ..DARK }, &make);
            let ascii = in_theme(Theme { depth, glyphs: Glyphs::Ascii, ..DARK }, &make);
            for size in SIZES {
                let (unicode, ascii) = (drawn(&unicode, size), drawn(&ascii, size));
                let unknown = unicode.content.iter().flat_map(|cell| cell.symbol().chars());
                let unknown: Vec<char> = unknown.filter(|c| in_ascii(*c).is_none() && !INVENTED.contains(*c)).collect();
                assert!(unknown.is_empty(), "{name}: nothing in ASCII stands for {unknown:?}");
                assert!(ascii.content.iter().all(|cell| cell.symbol().is_ascii()), "{name} {depth:?}");
                for y in 0..size.1 {
                    assert_eq!(columns(&ascii, y), usize::from(size.0), "{name} row {y}");
                }
            }
        }
    }
}

/// The characters of the texts in a source, without its comments and its tests.
fn written(source: &str) -> impl Iterator<Item = char> {
    let source = source.split("#[cfg(test)]").next().unwrap_or_default();
    let code = source.lines().filter(|line| !line.trim_start().starts_with("//"));
    code.flat_map(|line| line.split(" // ").next().unwrap_or_default().chars()).filter(|c| !c.is_ascii())
}

#[test]
fn every_character_that_a_source_draws_has_one_in_ascii() {
    let mut folders: Vec<_> = ["src/tui", "src/engine", "src/lens", "src/figure"].map(project).into();
    let mut n_files = 0;
    while let Some(path) = folders.pop() {
        if path.is_dir() {
            folders.extend(std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        n_files += 1;
        let unknown: Vec<char> =
            written(&std::fs::read_to_string(&path).unwrap()).filter(|c| in_ascii(*c).is_none()).collect();
        assert!(unknown.is_empty(), "{}: add {unknown:?} to src/tui/glyph.rs", path.display());
    }
    assert!(n_files > 50);
}

#[test]
fn tokens_are_spelled_in_ascii_by_the_engine() {
    let options = TuiOptions { prompt: Some("a~b é שלום 東".into()), ..TuiOptions::default() };
    let ascii = Theme { glyphs: Glyphs::Ascii, ..DARK };
    let mut live = in_theme(ascii, || Live::with_engine(options, Engine::default().spelling(Spelling::Ascii)));
    for name in VIEWS.iter().map(|make| make().name()) {
        live.chars(&name.digit().to_string());
        let visible = &live.ui.state.session().tokens().visible;
        assert!(visible.iter().all(|token| token.chars().all(|c| c.is_ascii() || c == '␣')), "{visible:?}");
        let text = drawn(&live.ui, (200, 60)).content.iter().map(|cell| cell.symbol().to_owned()).collect::<String>();
        assert!(text.is_ascii() && text.contains("<7E>"), "{name:?}: {text}");
    }
    assert_eq!(live.ui.state.session().text(), "a~b é שלום 東", "the codes lead back to the text");
}

/// Tokens from the right, with marks, wide, and made of several; and others of the same widths.
const ODD: [&[&str]; 2] = [
    // those of the prompt come first, where a text shows a mark alone as a dot
    &["<s>", "␣שלום", "مرحبا", "\u{644}\u{627}", "東京", "한국", "🙂", "e\u{301}e\u{301}", "👍<U+1F3FD>", "é"],
    &["<s>", "␣WWWW", "WWWWW", "WW", "WWWW", "WWWW", "WW", "WW", "WW<U+1F3FD>", "W"],
];

#[test]
fn tokens_of_any_script_leave_the_columns_where_they_are() {
    // a cut lies elsewhere in a wide token
    let is_token = |symbol: &str| matches!(symbol, "W" | "…") || symbol.trim().is_empty();
    for name in VIEWS.iter().map(|make| make().name()) {
        // the model view draws no token but those of the prompt
        let make = || match name {
            ViewName::Model => {
                let mut ui = Ui::with_data();
                ui.chars("9");
                ui
            }
            _ => view(name, Condition::Data),
        };
        let [odd, plain] = ODD.map(|words| in_words(words, make));
        for size in SIZES {
            let (odd, plain) = (drawn(&odd, size), drawn(&plain, size));
            for y in 0..size.1 {
                assert_eq!(columns(&odd, y), usize::from(size.0), "{name:?} row {y}");
                for x in 0..size.0 {
                    let (odd, plain) = (odd[(x, y)].symbol(), plain[(x, y)].symbol());
                    assert!(odd == plain || is_token(plain), "{name:?} {x},{y}: {odd:?} where {plain:?} was");
                }
            }
            let from_right = |c: char| ('\u{590}'..'\u{700}').contains(&c);
            let letters: Vec<&str> =
                odd.content.iter().map(Cell::symbol).filter(|symbol| symbol.contains(from_right)).collect();
            assert!(!letters.is_empty(), "{name:?}: nothing from the right is drawn");
            let is_held = |symbol: &&str| symbol.starts_with('\u{200e}') && symbol.ends_with('\u{200e}');
            assert!(letters.iter().all(is_held), "{name:?}: {letters:?}");
        }
    }
}
