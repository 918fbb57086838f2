//! How bytes of a token are shown to a person: every byte can be seen, none can reach the terminal as a control code.

use std::fmt::Write as _;

/// Characters that std calls printable but that show as nothing.
const BLANK: [std::ops::RangeInclusive<char>; 6] = [
    '\u{115f}'..='\u{1160}',   // Hangul fillers
    '\u{2800}'..='\u{2800}',   // Braille blank
    '\u{3164}'..='\u{3164}',   // Hangul filler
    '\u{fe00}'..='\u{fe0f}',   // variation selectors
    '\u{ffa0}'..='\u{ffa0}',   // halfwidth Hangul filler
    '\u{e0100}'..='\u{e01ef}', // variation selectors
];

/// Characters that merge with their neighbours into one picture, of whose width terminals differ.
const MERGING: [std::ops::RangeInclusive<char>; 4] = [
    '\u{1160}'..='\u{11ff}',   // vowels and endings of Hangul syllables
    '\u{d7b0}'..='\u{d7fb}',   // more of them
    '\u{1f1e6}'..='\u{1f1ff}', // the letters that flags are spelled with
    '\u{1f3fb}'..='\u{1f3ff}', // colours of skin
];

/// The characters that a token is shown in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Spelling {
    /// All that can be seen.
    #[default]
    Unicode,
    /// Only ASCII: everything else as its code. The one exception is `␣`, which whoever draws it replaces by `~`; a tilde
    /// is `<7E>`.
    Ascii,
}

/// Shows raw bytes: space as `␣`, newline `↵`, tab `⇥`, carriage return `␍`; characters that cannot be seen, or that
/// would act on a terminal, as `<U+200B>`; bytes that are not UTF-8 on their own as `<E2>`.
///
/// A combining mark is shown as it is after a base character and by its code at the start, where it would otherwise
/// change whatever is printed before it.
///
/// So ` mat` and a newline is `␣mat↵`, and the first two bytes of a dash are `<E2><80>`.
pub fn visible_bytes(bytes: &[u8]) -> String {
    spelled_bytes(bytes, Spelling::Unicode)
}

/// Shows raw bytes as [`visible_bytes`], in these characters.
pub fn spelled_bytes(bytes: &[u8], spelling: Spelling) -> String {
    let mut printer = Printer { spelling, ..Printer::default() };
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                ' ' => printer.symbol('␣'),
                '\n' | '\t' | '\r' | '~' if spelling == Spelling::Ascii => {
                    printer.code(format_args!("<{:02X}>", u32::from(c)));
                }
                '\n' => printer.symbol('↵'),
                '\t' => printer.symbol('⇥'),
                '\r' => printer.symbol('␍'),
                _ => printer.char(c),
            }
        }
        for byte in chunk.invalid() {
            printer.code(format_args!("<{byte:02X}>"));
        }
    }
    printer.out
}

/// Shows a special token, or a line of text: unchanged, except for characters that would act on a terminal.
pub fn visible_name(name: &str) -> String {
    spelled_name(name, Spelling::Unicode)
}

/// Shows a special token as [`visible_name`], in these characters.
pub fn spelled_name(name: &str, spelling: Spelling) -> String {
    let mut printer = Printer { spelling, ..Printer::default() };
    name.chars().for_each(|c| printer.char(c));
    printer.out
}

/// The text so far, and whether its end is a character that a combining mark may attach to.
#[derive(Default)]
struct Printer {
    out: String,
    has_base: bool,
    spelling: Spelling,
}

impl Printer {
    fn char(&mut self, c: char) {
        match Look::of(c) {
            _ if self.spelling == Spelling::Ascii && !c.is_ascii() => {
                self.code(format_args!("<U+{:04X}>", u32::from(c)));
            }
            Look::Plain => {
                self.out.push(c);
                self.has_base = c != ' ';
            }
            Look::Combining if self.has_base => self.out.push(c),
            Look::Combining | Look::Hidden => self.code(format_args!("<U+{:04X}>", u32::from(c))),
        }
    }

    fn symbol(&mut self, c: char) {
        self.out.push(c);
        self.has_base = false;
    }

    fn code(&mut self, code: std::fmt::Arguments<'_>) {
        // Writing to a `String` cannot fail.
        let _ = self.out.write_fmt(code);
        self.has_base = false;
    }
}

/// How a character looks in a terminal.
enum Look {
    Plain,
    Combining,
    Hidden,
}

impl Look {
    /// The standard library's `escape_debug` holds the Unicode tables: it writes a code for every character that is
    /// not printable, and for a combining mark only where it stands first.
    fn of(c: char) -> Self {
        let escaped_after = |prefix: &str| format!("{prefix}{c}").escape_debug().count() > prefix.len() + 2;
        if c.is_control() || BLANK.iter().chain(&MERGING).any(|range| range.contains(&c)) {
            Self::Hidden
        } else if c.is_ascii() || !escaped_after("") {
            Self::Plain
        } else if escaped_after("a") {
            Self::Hidden
        } else {
            Self::Combining
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_shown_so_that_each_can_be_seen() {
        let cases: &[(&[u8], &str)] = &[
            (b"", ""),
            (b" mat", "␣mat"),
            (b"a\n\t\r\n", "a↵⇥␍↵"),
            (b"\"it's\" \\", "\"it's\"␣\\"),
            (b"\0\x1b[31m\x7f", "<U+0000><U+001B>[31m<U+007F>"),
            ("\u{9b}2J".as_bytes(), "<U+009B>2J"),
            ("é東🙂ل".as_bytes(), "é東🙂ل"),
            ("\u{200b}\u{202e}\u{feff}\u{ad}".as_bytes(), "<U+200B><U+202E><U+FEFF><U+00AD>"),
            ("\u{a0}\u{3000}\u{2028}\u{2066}".as_bytes(), "<U+00A0><U+3000><U+2028><U+2066>"),
            ("❤\u{fe0f}\u{3164}\u{2800}".as_bytes(), "❤<U+FE0F><U+3164><U+2800>"),
            ("👍\u{1f3fd}🇩".as_bytes(), "👍<U+1F3FD><U+1F1E9>"),
            ("\u{1112}\u{1161}".as_bytes(), "\u{1112}<U+1161>"),
            ("\u{e0041}\u{f8ff}\u{378}".as_bytes(), "<U+E0041><U+F8FF><U+0378>"),
            ("e\u{301}\u{327}".as_bytes(), "e\u{301}\u{327}"),
            ("\u{301}".as_bytes(), "<U+0301>"),
            (" \u{301}\n\u{302}".as_bytes(), "␣<U+0301>↵<U+0302>"),
            (b"\xe2\x80", "<E2><80>"),
            (b"a\xff\xe6\x9db", "a<FF><E6><9D>b"),
            (b"\x9b31m", "<9B>31m"),
            (b"\xed\xa0\x80", "<ED><A0><80>"),
        ];
        for (bytes, expected) in cases {
            assert_eq!(visible_bytes(bytes), *expected, "{bytes:?}");
        }
    }

    #[test]
    fn ascii_spells_everything_else_as_its_code() {
        let cases: &[(&[u8], &str)] = &[
            (b" mat", "␣mat"),
            (b"a~b\n\t\r", "a<7E>b<0A><09><0D>"),
            ("é東".as_bytes(), "<U+00E9><U+6771>"),
            ("e\u{301}".as_bytes(), "e<U+0301>"),
            (b"\xe2\x80", "<E2><80>"),
        ];
        for (bytes, expected) in cases {
            assert_eq!(spelled_bytes(bytes, Spelling::Ascii), *expected, "{bytes:?}");
        }
        assert_eq!(spelled_name("<｜end｜>", Spelling::Ascii), "<<U+FF5C>end<U+FF5C>>");
    }

    #[test]
    fn no_character_and_no_byte_reaches_the_terminal_as_a_control() {
        let harmless = |shown: &str| !shown.is_empty() && !shown.chars().any(char::is_control);
        for c in ('\0'..=char::MAX).filter(|c| u32::from(*c) < 0x3_0000) {
            assert!(harmless(&visible_bytes(c.to_string().as_bytes())), "U+{:04X}", u32::from(c));
        }
        for byte in 0..=u8::MAX {
            assert!(harmless(&visible_bytes(&[byte])), "{byte:02X}");
        }
    }

    #[test]
    fn special_tokens_keep_their_spaces_but_not_their_controls() {
        assert_eq!(visible_name("<|im_start|>"), "<|im_start|>");
        assert_eq!(visible_name("<a b\x1b>"), "<a b<U+001B>>");
    }
}
