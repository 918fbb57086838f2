//! Which tokens make a word, a sentence or a line.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use super::error::Error;
use super::tokenizer::Tokenizer;

/// How large a piece of text gets a number of its own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Granularity {
    /// A token.
    #[default]
    Token,
    /// What white space separates.
    Word,
    /// Up to a full stop, a question or exclamation mark before white space, or the end of a line.
    Sentence,
    /// Up to the end of a line.
    Line,
}

impl Granularity {
    /// Every granularity.
    pub const ALL: [Self; 4] = [Self::Token, Self::Word, Self::Sentence, Self::Line];

    /// The name as written on a command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Word => "word",
            Self::Sentence => "sentence",
            Self::Line => "line",
        }
    }

    /// The units of a sequence in order, as ranges of positions that cover it. A marker is a unit of its own.
    pub fn units(self, tokenizer: &Tokenizer, ids: &[u32]) -> Vec<Range<usize>> {
        let mut before: Vec<u8> = Vec::new();
        let mut first_byte = 0;
        let mut units: Vec<Range<usize>> = Vec::new();
        for (position, &id) in ids.iter().enumerate() {
            let piece = tokenizer.bytes(id);
            let is_marked = |id: Option<&u32>| id.is_some_and(|&id| tokenizer.is_special(id));
            let starts = is_marked(Some(&id))
                || is_marked(position.checked_sub(1).and_then(|at| ids.get(at)))
                || self.starts(&before[first_byte..], &piece);
            match units.last_mut() {
                Some(unit) if !starts => unit.end = position + 1,
                _ => {
                    units.push(position..position + 1);
                    first_byte = before.len();
                }
            }
            before.extend(piece);
        }
        units
    }

    /// Whether a new unit starts with `piece`, after the bytes of the latest unit. White space belongs to what follows it, as in most tokens; only the end of a line belongs to its line.
    fn starts(self, unit: &[u8], piece: &[u8]) -> bool {
        let is_space = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_whitespace);
        let is_gap = is_space(unit.last()) || is_space(piece.first());
        let line_ended = unit.last() == Some(&b'\n');
        let has_text = !unit.trim_ascii().is_empty();
        match self {
            Self::Token => true,
            Self::Word => is_gap && has_text,
            Self::Sentence => has_text && (line_ended || (is_gap && ends_sentence(unit)) || ends_wide_sentence(unit)),
            Self::Line => line_ended,
        }
    }
}

/// Whether a text ends with a mark that ends sentences before white space, quotes and brackets after it aside.
fn ends_sentence(text: &[u8]) -> bool {
    let mut rest = text.iter().rev().skip_while(|byte| byte.is_ascii_whitespace() || b"\"')]".contains(byte));
    rest.next().is_some_and(|byte| b".!?".contains(byte))
}

/// Whether a text ends with a mark that ends sentences without white space.
fn ends_wide_sentence(text: &[u8]) -> bool {
    ["。", "！", "？"].iter().any(|mark| text.ends_with(mark.as_bytes()))
}

impl fmt::Display for Granularity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Granularity {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        let found = Self::ALL.into_iter().find(|granularity| granularity.name() == name);
        found.ok_or_else(|| Error::Granularity { found: name.escape_debug().to_string() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::sample::bpe;

    /// The texts of the units of a text, one token a byte.
    fn units(granularity: Granularity, text: &str) -> Vec<String> {
        let tokenizer = Tokenizer::from_gguf(&bpe("gpt-2", &[])).unwrap();
        let ids = tokenizer.encode(text).unwrap();
        granularity.units(&tokenizer, &ids).into_iter().map(|unit| tokenizer.decode(&ids[unit])).collect()
    }

    #[test]
    fn units_of_each_granularity() {
        let cases: &[(Granularity, &str, &[&str])] = &[
            (Granularity::Token, "a b", &["a", " ", "b"]),
            (Granularity::Word, "ab cd", &["ab", " cd"]),
            (Granularity::Sentence, "A. \"B!\" 1.5 c?\nd", &["A.", " \"B!\"", " 1.5 c?", "\nd"]),
            (Granularity::Sentence, "a\nb。c", &["a\n", "b。", "c"]),
            (Granularity::Line, "a b\n\nc", &["a b\n", "\n", "c"]),
            (Granularity::Line, "<|bos|>a", &["<|bos|>", "a"]),
        ];
        for (granularity, text, expected) in cases {
            assert_eq!(units(*granularity, text), *expected, "{granularity} {text:?}");
        }
    }

    #[test]
    fn a_word_is_its_tokens_and_the_space_before_it() {
        let tokenizer = Tokenizer::from_gguf(&bpe("gpt-2", &["Ġ m"])).unwrap();
        let ids = tokenizer.encode("a mat mad").unwrap();
        assert_eq!(Granularity::Word.units(&tokenizer, &ids), [0..1, 1..4, 4..7]);
        assert_eq!(Granularity::Line.units(&tokenizer, &ids), std::iter::once(0..7).collect::<Vec<_>>());
        assert!(Granularity::Line.units(&tokenizer, &[]).is_empty());
    }

    #[test]
    fn names_are_read_back() {
        for granularity in Granularity::ALL {
            assert_eq!(granularity.name().parse::<Granularity>().unwrap(), granularity);
        }
        assert!("page".parse::<Granularity>().is_err());
    }
}
