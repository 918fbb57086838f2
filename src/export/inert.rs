//! Texts that do nothing where they are read: what would steer a terminal or turn the order of letters is spelled out, and
//! a cell of a spreadsheet is no formula.

use std::borrow::Cow;

/// Whether a character is drawn, and as itself: no control, nothing that turns the order of letters around it.
fn is_inert(c: char) -> bool {
    const TURNS: [char; 3] = ['\u{61c}', '\u{200e}', '\u{200f}'];
    let turns = matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        || c == TURNS[0]
        || c == TURNS[1]
        || c == TURNS[2];
    !turns && !c.is_control() && !matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}')
}

/// On one line: white space between words is a space, what does something is spelled, as in `\u{1b}`.
pub(super) fn line(text: &str) -> Cow<'_, str> {
    if text.chars().all(is_inert) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\r' | '\t' => out.push(' '),
            c if is_inert(c) => out.push(c),
            c => out.extend(c.escape_unicode()),
        }
    }
    Cow::Owned(out)
}

/// A text that a spreadsheet does not compute: one that would be a formula begins with `'`, which it does not show.
pub(super) fn cell(text: &str) -> Cow<'_, str> {
    let text = line(text);
    if text.trim_start().starts_with(['=', '+', '-', '@', '|', '%']) { Cow::Owned(format!("'{text}")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_is_spelled_and_the_rest_is_as_it_was() {
        for text in ["␣cat", "кот 中", "a\u{301}", "<b>&"] {
            assert_eq!(line(text), text);
        }
        assert_eq!(line("a\u{1b}[2J\u{202e}b\0\u{9b}c"), "a\\u{1b}[2J\\u{202e}b\\u{0}\\u{9b}c");
        assert_eq!(line("one\ntwo\tthree\r"), "one two three ");
        assert_eq!(line("\u{2028}\u{200f}"), "\\u{2028}\\u{200f}");
    }

    #[test]
    fn no_cell_is_a_formula() {
        for (text, expected) in
            [("=cmd()", "'=cmd()"), ("+1", "'+1"), ("-a", "'-a"), ("@x", "'@x"), (" =1", "' =1"), ("a=b", "a=b")]
        {
            assert_eq!(cell(text), expected);
        }
        assert_eq!(cell("\t=1"), "' =1");
    }
}
