//! The characters of the screen: what stands for them where there is only ASCII, and what holds right-to-left letters
//! in their columns.
//!
//! `settle` is done to a whole frame after everything is drawn, so that no view and no widget has to know of it. Each
//! symbol keeps its columns. Tokens are spelled in ASCII before they get here: a code has other columns than its letter.

use ratatui::buffer::Buffer;
use unicode_bidi::{BidiClass, bidi_class};
use unicode_width::UnicodeWidthStr as _;

use crate::text::Spelling;

/// The characters a terminal shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Glyphs {
    /// All of them.
    #[default]
    Unicode,
    /// Only ASCII.
    Ascii,
}

impl Glyphs {
    /// Those of a locale: `C`, `de_DE.UTF-8`.
    pub fn of_locale(locale: &str) -> Self {
        let locale = locale.to_ascii_lowercase();
        if locale.contains("utf-8") || locale.contains("utf8") { Self::Unicode } else { Self::Ascii }
    }

    /// How tokens are spelled in them.
    pub const fn spelling(self) -> Spelling {
        match self {
            Self::Unicode => Spelling::Unicode,
            Self::Ascii => Spelling::Ascii,
        }
    }
}

/// What stands for a character of the screen where there is only ASCII.
const IN_ASCII: &[(&str, char)] = &[
    ("─═━", '-'),
    ("│┃║", '|'),
    ("┌┐└┘├┤┬┴┼╭╮╰╯", '+'),
    ("█", '#'),
    ("▉▊▋▐▀▄", '='),
    ("▌▍", '-'),
    ("▎▏▂", '.'),
    ("▁", '_'),
    ("▃▒", ':'),
    ("▅▓", '*'),
    ("▆", '%'),
    ("▇", '@'),
    ("░·", '.'),
    ("●•", 'o'),
    ("◀←", '<'),
    ("▶→…⇥↳", '>'),
    ("↑", '^'),
    ("↓", 'v'),
    ("↵", '$'),
    ("␣", '~'),
    ("␍", '%'),
    ("✓", '+'),
    ("✗×", 'x'),
    ("–−", '-'),
    ("‖", '|'),
    ("“”", '"'),
    ("∇", 'd'),
    ("Σ", 'S'),
    ("√", 'v'),
    ("∫", 'S'),
    ("α", 'a'),
    ("χ", 'X'),
    ("²₂", '2'),
    ("≥", '>'),
    ("≤", '<'),
    ("⠋⠼", '|'),
    ("⠙⠴", '/'),
    ("⠸⠦⠧", '-'),
    ("⠇", '\\'),
];

/// What stands where nothing is known to.
const UNKNOWN: char = '?';

/// What stands for a character where there is only ASCII, if something is known to.
pub fn in_ascii(c: char) -> Option<char> {
    if c.is_ascii() {
        return Some(c);
    }
    IN_ASCII.iter().find(|(all, _)| all.contains(c)).map(|(_, ascii)| *ascii).or_else(|| braille(c))
}

/// The dots of a curve by their height.
fn braille(c: char) -> Option<char> {
    let dots = u32::from(c).checked_sub(0x2800).filter(|dots| *dots < 0x100)?;
    let [upper, middle, lower] = [0x09, 0x12, 0xe4].map(|rows| dots & rows != 0);
    Some(match (upper, middle, lower) {
        (false, false, false) => ' ',
        (true, false, false) => '\'',
        (false, true, false) => '-',
        (false, false, true) => '.',
        _ => ':',
    })
}

/// Makes of a frame what the terminal can show, in the same columns.
pub(super) fn settle(buffer: &mut Buffer, glyphs: Glyphs) {
    for cell in &mut buffer.content {
        if cell.symbol().is_ascii() {
            continue;
        }
        let symbol = match glyphs {
            Glyphs::Ascii => Some(plain(cell.symbol())),
            Glyphs::Unicode => isolated(cell.symbol()),
        };
        if let Some(symbol) = symbol {
            cell.set_symbol(&symbol);
        }
    }
}

/// A symbol in ASCII, as wide as it was.
fn plain(symbol: &str) -> String {
    let first = symbol.chars().next().and_then(in_ascii).unwrap_or(UNKNOWN);
    std::iter::repeat_n(first, symbol.width().max(1)).collect()
}

/// Stands at both sides of a right-to-left letter: a left-to-right mark, which has no width.
const MARK: char = '\u{200e}';

/// A right-to-left symbol between marks: a terminal that orders lines by direction leaves the row as it is.
fn isolated(symbol: &str) -> Option<String> {
    let is_from_right = |c| matches!(bidi_class(c), BidiClass::R | BidiClass::AL | BidiClass::AN);
    let is_isolated = symbol.starts_with(MARK);
    (!is_isolated && symbol.chars().any(is_from_right)).then(|| format!("{MARK}{symbol}{MARK}"))
}

#[cfg(test)]
mod tests {
    use ratatui::layout::Rect;
    use ratatui::style::Style;

    use super::*;

    fn settled(text: &str, glyphs: Glyphs) -> Vec<String> {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 8, 1));
        buffer.set_string(0, 0, text, Style::new());
        settle(&mut buffer, glyphs);
        buffer.content.iter().map(|cell| cell.symbol().to_owned()).collect()
    }

    #[test]
    fn ascii_takes_the_same_columns() {
        assert_eq!(settled("┌─█…東é", Glyphs::Ascii), ["+", "-", "#", ">", "??", " ", "?", " "]);
        assert_eq!(settled("abc", Glyphs::Ascii).concat(), "abc     ");
    }

    #[test]
    fn letters_from_the_right_stand_between_marks() {
        let cells = settled("aשב1ل", Glyphs::Unicode);
        assert_eq!(cells[..5], ["a", "\u{200e}ש\u{200e}", "\u{200e}ב\u{200e}", "1", "\u{200e}ل\u{200e}"]);
        assert!(cells.iter().all(|symbol| symbol.width() == 1), "{cells:?}");
        assert_eq!(settled("é東🙂", Glyphs::Unicode).concat().trim_end(), "é東 🙂");
    }

    #[test]
    fn no_character_is_told_twice() {
        let all: Vec<char> = IN_ASCII.iter().flat_map(|(all, _)| all.chars()).collect();
        for (at, c) in all.iter().enumerate() {
            assert!(!all[..at].contains(c) && !c.is_ascii(), "{c}");
        }
    }
}
