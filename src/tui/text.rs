//! Texts on a grid of columns: widths, cuts, and the way back from visible pieces to a text.

use unicode_segmentation::UnicodeSegmentation as _;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Columns a text takes: those of its graphemes, each of which has a cell of its own, though neighbours (lam and alef)
/// may be one picture.
pub(super) fn width(text: &str) -> usize {
    if text.is_ascii() { text.width() } else { text.graphemes(true).map(UnicodeWidthStr::width).sum() }
}

/// The text in exactly `columns` columns: cut with an ellipsis or padded with spaces.
pub(super) fn fit(text: &str, columns: usize) -> String {
    let mut out = cut(text, columns);
    out.extend(std::iter::repeat_n(' ', columns.saturating_sub(width(&out))));
    out
}

/// The text in at most `columns` columns, cut with an ellipsis.
pub(super) fn cut(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut taken = 0;
    let fits = |grapheme: &&str| {
        taken += grapheme.width();
        taken < columns
    };
    let mut out: String = text.graphemes(true).take_while(fits).collect();
    if columns > 0 {
        out.push('…');
    }
    out
}

/// A character as shown in an input line: one that can be seen and keeps the line in order.
pub(super) fn shown(c: char) -> char {
    match c {
        '\n' => '↵',
        '\t' => '⇥',
        c if c.is_control() || c.width().unwrap_or(0) == 0 => '·',
        c => c,
    }
}

/// A line of text without control characters.
pub(super) fn one_line(text: &str) -> String {
    text.chars().map(shown).collect()
}

/// The text in lines of at most `columns` columns, broken at spaces where there are any.
pub(super) fn wrap(text: &str, columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let mut word = word.to_owned();
        let last = lines.last_mut().map_or(0, |line| if line.is_empty() { 0 } else { width(line) + 1 });
        if last > 0 && last + width(&word) > columns {
            lines.push(String::new());
        }
        while width(&word) > columns && columns > 1 {
            let end: String = cut(&word, columns).trim_end_matches('…').to_owned();
            word = word.split_off(end.len());
            if let Some(line) = lines.last_mut() {
                *line = end;
            }
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            let gap = if line.is_empty() { "" } else { " " };
            *line = format!("{line}{gap}{word}");
        }
    }
    lines
}

/// The text that visible pieces stand for: the reverse of how the engine shows tokens.
///
/// A piece that spells such a symbol itself is read as the symbol; nobody is the worse for an editor's first text.
pub(super) fn of_visible(pieces: &[String]) -> String {
    let joined = pieces.concat();
    let mut bytes = Vec::with_capacity(joined.len());
    let mut rest = joined.as_str();
    while let Some(c) = rest.chars().next() {
        let (len, out) = code(rest).unwrap_or_else(|| (c.len_utf8(), plain(c).to_string().into_bytes()));
        bytes.extend(out);
        rest = rest.get(len..).unwrap_or("");
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

const fn plain(c: char) -> char {
    match c {
        '␣' => ' ',
        '↵' => '\n',
        '⇥' => '\t',
        '␍' => '\r',
        c => c,
    }
}

/// `<E2>` or `<U+200B>` at the start: its length and its bytes.
fn code(text: &str) -> Option<(usize, Vec<u8>)> {
    let inner = text.strip_prefix('<')?.split_once('>')?.0;
    let len = inner.len() + 2;
    if let Some(hex) = inner.strip_prefix("U+") {
        let c = char::from_u32(u32::from_str_radix(hex, 16).ok()?)?;
        return Some((len, c.to_string().into_bytes()));
    }
    let is_byte = inner.len() == 2 && inner.bytes().all(|b| b.is_ascii_digit() || (b'A'..=b'F').contains(&b));
    is_byte.then(|| u8::from_str_radix(inner, 16).ok().map(|byte| (len, vec![byte])))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_fit_their_columns() {
        let cases = [("abc", 5, "abc  "), ("abcdef", 4, "abc…"), ("東京都", 4, "東… "), ("", 2, "  "), ("ab", 0, "")];
        for (text, columns, expected) in cases {
            assert_eq!(fit(text, columns), expected, "{text}");
        }
        assert_eq!(fit("לשל", 5), "לשל  ");
        assert_eq!(fit("\u{644}\u{627}", 3), "\u{644}\u{627} ", "a ligature is two cells");
        assert_eq!(fit("e\u{301}e\u{301}e", 2), "e\u{301}…", "a mark stays with its letter");
    }

    #[test]
    fn visible_pieces_lead_back_to_the_text() {
        let cases: [(&[&str], &str); 4] = [
            (&["The", "␣cat", "↵"], "The cat\n"),
            (&["<D0>", "<9F>", "ри"], "При"),
            (&["a<U+200B>b", "<s>"], "a\u{200b}b<s>"),
            (&["<", "A>", "<b>"], "<A><b>"),
        ];
        for (pieces, text) in cases {
            let pieces: Vec<String> = pieces.iter().map(|&piece| piece.into()).collect();
            assert_eq!(of_visible(&pieces), text);
        }
    }

    #[test]
    fn an_input_line_shows_no_control_characters() {
        assert_eq!(one_line("a\n\x1b[2J\u{202e}é"), "a↵·[2J·é");
    }
}
