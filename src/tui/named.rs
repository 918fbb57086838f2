//! Frames on their way to the terminal: each in one piece, and sixteen colours as every terminal with sixteen reads them.
//!
//! crossterm writes `38;5;1` for red, which a terminal must know 256 colours to understand; `31` is the same to all of them.
//! What is written waits for the flush at the end of a frame.

use std::io::{self, Write};

/// Begins a sequence.
const ESCAPE: u8 = 0x1b;

/// A writer that puts colours of sixteen into their own words.
pub(super) struct Named<W> {
    inner: W,
    /// A sequence that has not ended yet.
    sequence: Vec<u8>,
    /// What waits for the flush.
    waiting: Vec<u8>,
}

impl<W: Write> Named<W> {
    /// Writes to this.
    pub(super) const fn new(inner: W) -> Self {
        Self { inner, sequence: Vec::new(), waiting: Vec::new() }
    }

    fn take(&mut self, byte: u8) {
        if self.sequence.is_empty() && byte != ESCAPE {
            self.waiting.push(byte);
            return;
        }
        self.sequence.push(byte);
        if has_ended(&self.sequence) {
            self.waiting.extend(renamed(&self.sequence));
            self.sequence.clear();
        }
    }
}

impl<W: Write> Write for Named<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for &byte in bytes {
            self.take(byte);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let written = self.inner.write_all(&self.waiting);
        self.waiting.clear();
        written.and_then(|()| self.inner.flush())
    }
}

/// Whether a sequence is all there; of others than those with parameters, the first two bytes are enough.
fn has_ended(sequence: &[u8]) -> bool {
    match sequence {
        [_] | [_, b'['] => false,
        [_, b'[', .., last] => (0x40..=0x7e).contains(last),
        _ => true,
    }
}

/// The sequence, with other words for colours of sixteen if it sets a style.
fn renamed(sequence: &[u8]) -> Vec<u8> {
    let inner = sequence.strip_prefix(b"\x1b[").and_then(|rest| rest.strip_suffix(b"m"));
    match inner.and_then(|inner| std::str::from_utf8(inner).ok()) {
        Some(parameters) if parameters.contains(";5;") => format!("\x1b[{}m", shortened(parameters)).into_bytes(),
        Some(_) | None => sequence.to_vec(),
    }
}

fn shortened(parameters: &str) -> String {
    let words: Vec<&str> = parameters.split(';').collect();
    let (mut out, mut rest) = (Vec::new(), &words[..]);
    while let [first, after @ ..] = rest {
        let (word, left) = match after {
            ["5", number, left @ ..] => match named(first, number) {
                Some(name) => (name, left),
                None => (format!("{first};5;{number}"), left),
            },
            // three numbers that are no colour of a list
            ["2", r, g, b, left @ ..] if matches!(*first, "38" | "48" | "58") => {
                (format!("{first};2;{r};{g};{b}"), left)
            }
            left => ((*first).to_owned(), left),
        };
        out.push(word);
        rest = left;
    }
    out.join(";")
}

/// The own word of a colour of sixteen, of the text or of what lies behind it.
fn named(what: &str, number: &str) -> Option<String> {
    let number: u16 = number.parse().ok().filter(|number| *number < 16)?;
    let (plain, bright) = match what {
        "38" => (30, 90),
        "48" => (40, 100),
        _ => return None,
    };
    let word = if number < 8 { plain + number } else { bright + number - 8 };
    Some(word.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(pieces: &[&str]) -> String {
        let mut out = Named::new(Vec::new());
        for piece in pieces {
            out.write_all(piece.as_bytes()).unwrap();
        }
        assert!(out.inner.is_empty(), "it waits for the end of the frame");
        out.flush().unwrap();
        String::from_utf8(out.inner).unwrap()
    }

    #[test]
    fn colours_of_sixteen_get_their_own_words_and_nothing_else_changes() {
        for (before, after) in [
            ("\x1b[38;5;1mred", "\x1b[31mred"),
            ("\x1b[38;5;15m\x1b[48;5;8m", "\x1b[97m\x1b[100m"),
            ("\x1b[38;5;6;49m", "\x1b[36;49m"),
            ("\x1b[39;48;5;7m", "\x1b[39;47m"),
            ("\x1b[38;5;16m", "\x1b[38;5;16m"),
            ("\x1b[38;5;246;48;5;4m", "\x1b[38;5;246;44m"),
            ("\x1b[38;2;5;5;1;48;5;1m", "\x1b[38;2;5;5;1;41m"),
            ("\x1b[58;5;3m", "\x1b[58;5;3m"),
            ("\x1b[5;1m\x1b[2J\x1b[3;5;9H", "\x1b[5;1m\x1b[2J\x1b[3;5;9H"),
            ("\x1b]52;c;bTsm\x07", "\x1b]52;c;bTsm\x07"),
            ("␣m 38;5;1m", "␣m 38;5;1m"),
        ] {
            assert_eq!(written(&[before]), after);
            let bytes: Vec<String> = before.chars().map(String::from).collect();
            assert_eq!(written(&bytes.iter().map(String::as_str).collect::<Vec<_>>()), after, "one by one");
        }
    }
}
