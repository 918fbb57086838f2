//! The bundled font: what it can show, and how wide that is. Nothing depends on the fonts of the machine.

use std::borrow::Cow;
use std::sync::LazyLock;

use skrifa::{FontRef, MetadataProvider as _};

/// The font's file; src/export/font/README.md says what is in it.
pub(in crate::export) const BYTES: &[u8] = include_bytes!("../font/DejaVuSansMono-subset.ttf");

/// Its family.
pub(in crate::export) const FAMILY: &str = "DejaVu Sans Mono";

/// How wide a character is, in sizes of the font.
const ADVANCE: f64 = 0.602;

/// What stands for characters that were left out.
const ELLIPSIS: char = '…';

static FONT: LazyLock<Option<FontRef<'static>>> = LazyLock::new(|| FontRef::new(BYTES).ok());

/// A text in which every character has a glyph: others become their code point, as in ⟨4E2D⟩.
///
/// Nothing that passes through here can steer a viewer: control characters have no glyph.
pub(super) fn visible(text: &str) -> Cow<'_, str> {
    if text.chars().all(has_glyph) {
        return Cow::Borrowed(text);
    }
    let shown = |c: char| if has_glyph(c) { c.to_string() } else { format!("⟨{:04X}⟩", u32::from(c)) };
    Cow::Owned(text.chars().map(shown).collect())
}

fn has_glyph(c: char) -> bool {
    /// It is mapped, and invisible.
    const SOFT_HYPHEN: char = '\u{ad}';
    c != SOFT_HYPHEN && FONT.as_ref().is_some_and(|font| font.charmap().map(c).is_some())
}

/// The first characters of a text that fit.
pub(super) fn shorten(text: &str, characters: usize) -> String {
    if text.chars().count() <= characters {
        return text.into();
    }
    text.chars().take(characters.saturating_sub(1)).chain([ELLIPSIS]).collect()
}

/// A unit or the name of an axis, cut to what stands beside a plot.
pub(super) fn axis(name: &str) -> String {
    const CHARACTERS: usize = 60;
    shorten(&visible(name), CHARACTERS)
}

/// Lines of at most so many characters, broken at spaces where there are any.
pub(super) fn wrap(text: &str, characters: usize) -> Vec<String> {
    let characters = characters.max(1);
    let mut lines = vec![String::new()];
    let pieces = |word: &str| {
        let letters: Vec<char> = word.chars().collect();
        letters.chunks(characters).map(|chunk| chunk.iter().collect()).collect::<Vec<String>>()
    };
    for piece in text.split_whitespace().flat_map(pieces) {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(&piece),
            Some(line) if line.chars().count() + 1 + piece.chars().count() <= characters => {
                line.push(' ');
                line.push_str(&piece);
            }
            _ => lines.push(piece),
        }
    }
    lines
}

/// The width of so many characters.
#[expect(clippy::cast_possible_truncation, reason = "a float as wide as a picture becomes an integer")]
pub(super) fn width(characters: usize, size: i32) -> i32 {
    (characters as f64 * ADVANCE * f64::from(size)).ceil() as i32
}

/// How many characters fit into a width.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is made not negative")]
pub(super) fn fit(width: i32, size: i32) -> usize {
    (f64::from(width.max(0)) / (ADVANCE * f64::from(size))).floor() as usize
}

#[cfg(test)]
mod tests {
    use skrifa::instance::{LocationRef, Size};

    use super::*;

    #[test]
    fn what_has_no_glyph_is_its_code_point() {
        for text in ["␣cat", "Тест кот", "naïve Đường", "a → b ‖ c ⟨"] {
            assert_eq!(visible(text), text);
        }
        assert_eq!(visible("中\u{1b}[2J\u{202e}\0"), "⟨4E2D⟩⟨001B⟩[2J⟨202E⟩⟨0000⟩");
        assert_eq!(visible("\u{ad}"), "⟨00AD⟩");
    }

    #[test]
    fn every_glyph_is_as_wide_as_we_say() {
        let font = FONT.as_ref().unwrap();
        let metrics = font.glyph_metrics(Size::new(1.0), LocationRef::default());
        for c in ['i', 'W', '␣', 'Ж', '…'] {
            let advance = metrics.advance_width(font.charmap().map(c).unwrap()).unwrap();
            assert!((f64::from(advance) - ADVANCE).abs() < 1e-3, "{c} {advance}");
        }
    }

    #[test]
    fn texts_are_shortened_and_wrapped() {
        assert_eq!((shorten("abcdef", 4), shorten("abcd", 4)), ("abc…".into(), "abcd".into()));
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("abcdefgh i", 3), ["abc", "def", "gh", "i"]);
        assert_eq!(wrap("", 3), [""]);
    }

    #[test]
    fn what_fits_is_no_wider() {
        for characters in [1, 7, 100] {
            assert_eq!(fit(width(characters, 11), 11), characters);
        }
    }
}
