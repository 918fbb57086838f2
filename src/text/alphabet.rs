//! The spelling of tokens in a vocabulary. Vocabularies are lists of strings, but tokens stand for bytes; two
//! conventions close the gap, and this file knows both.

use serde_json::Value;

/// How the strings of a vocabulary spell bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Alphabet {
    /// Every byte is one printable character, as in GPT-2: `Ġ` is a space.
    ByteLevel,
    /// Text as it is with `▁` for a space, and `<0xE2>` for a lone byte, as in `SentencePiece`.
    Spm,
    /// Text as it is.
    Plain,
}

const SPM_SPACE: char = '▁';

impl Alphabet {
    /// Reads the convention off the decoder, which is the part of a tokenizer that has to know it.
    pub(super) fn of(tokenizer: &tokenizers::Tokenizer) -> Self {
        let parts = [
            serde_json::to_value(tokenizer.get_decoder()).unwrap_or_default(),
            serde_json::to_value(tokenizer.get_pre_tokenizer()).unwrap_or_default(),
        ];
        let has = |kind: &str| parts.iter().any(|part| mentions_type(part, kind));
        if has("ByteLevel") {
            Self::ByteLevel
        } else if has("Metaspace") || has("ByteFallback") {
            Self::Spm
        } else {
            Self::Plain
        }
    }

    /// The bytes that the vocabulary entry `token` stands for.
    pub(super) fn bytes(self, token: &str) -> Vec<u8> {
        match self {
            Self::ByteLevel => {
                let bytes: Option<Vec<u8>> = token.chars().map(byte_of).collect();
                bytes.unwrap_or_else(|| token.as_bytes().to_vec())
            }
            Self::Spm => match fallback_byte(token) {
                Some(byte) => vec![byte],
                None => token.replace(SPM_SPACE, " ").into_bytes(),
            },
            Self::Plain => token.as_bytes().to_vec(),
        }
    }

    /// The vocabulary entries that may stand for exactly `text`.
    pub(super) fn spellings(self, text: &str) -> Vec<String> {
        match (self, text.as_bytes()) {
            (Self::ByteLevel, bytes) => vec![bytes.iter().copied().map(Self::char_of).collect()],
            (Self::Spm, [byte]) => vec![text.replace(' ', "▁"), format!("<0x{byte:02X}>")],
            (Self::Spm, _) => vec![text.replace(' ', "▁")],
            (Self::Plain, _) => vec![text.to_owned()],
        }
    }

    /// The character that spells a byte in the byte-level alphabet.
    pub(super) fn char_of(byte: u8) -> char {
        let code = match byte {
            33..=126 | 161..=172 | 174..=255 => u32::from(byte),
            0..=32 => u32::from(byte) + 256,
            127..=160 => u32::from(byte) + 162,
            173 => 323,
        };
        char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
    }
}

/// Whether a serialised part of a tokenizer is, or contains, a component of this type.
fn mentions_type(part: &Value, kind: &str) -> bool {
    match part {
        Value::Object(map) => {
            map.get("type").is_some_and(|t| t == kind) || map.values().any(|v| mentions_type(v, kind))
        }
        Value::Array(list) => list.iter().any(|v| mentions_type(v, kind)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// The byte that a character of the byte-level alphabet stands for: printable Latin-1 is itself, the 68 other bytes
/// follow from U+0100 on, in order.
fn byte_of(c: char) -> Option<u8> {
    let byte = match u32::from(c) {
        n @ (33..=126 | 161..=172 | 174..=255) => n,
        n @ 256..=288 => n - 256,
        n @ 289..=322 => n - 162,
        323 => 173,
        _ => return None,
    };
    u8::try_from(byte).ok()
}

/// `<0xE2>` is the byte E2.
fn fallback_byte(token: &str) -> Option<u8> {
    let digits = token.strip_prefix("<0x")?.strip_suffix('>')?;
    let is_byte = digits.len() == 2 && digits.bytes().all(|b| b.is_ascii_hexdigit());
    u8::from_str_radix(digits, 16).ok().filter(|_| is_byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn byte_level_spells_each_byte_with_its_own_character() {
        for byte in 0..=u8::MAX {
            assert_eq!(byte_of(Alphabet::char_of(byte)), Some(byte));
        }
        let theirs = tokenizers::pre_tokenizers::byte_level::ByteLevel::alphabet();
        assert!((0..=u8::MAX).all(|byte| theirs.contains(&Alphabet::char_of(byte))));
        assert_eq!(theirs.len(), 256);
    }

    #[test]
    fn tokens_stand_for_these_bytes() {
        let cases: &[(Alphabet, &str, &[u8])] = &[
            (Alphabet::ByteLevel, "Ġmat", b" mat"),
            (Alphabet::ByteLevel, "Ċ", b"\n"),
            (Alphabet::ByteLevel, "âĢ", b"\xe2\x80"),
            (Alphabet::ByteLevel, "Ń", b"\xad"),
            (Alphabet::ByteLevel, "東", "東".as_bytes()),
            (Alphabet::ByteLevel, "<0x0A>", b"<0x0A>"),
            (Alphabet::Spm, "▁mat", b" mat"),
            (Alphabet::Spm, "▁▁", b"  "),
            (Alphabet::Spm, "<0xE2>", b"\xe2"),
            (Alphabet::Spm, "<0x0A>", b"\n"),
            (Alphabet::Spm, "<0x+A>", b"<0x+A>"),
            (Alphabet::Spm, "<0xABC>", b"<0xABC>"),
            (Alphabet::Spm, "Ġ", "Ġ".as_bytes()),
            (Alphabet::Plain, "▁Ġ", "▁Ġ".as_bytes()),
        ];
        for (alphabet, token, bytes) in cases {
            assert_eq!(alphabet.bytes(token), *bytes, "{alphabet:?} {token}");
        }
    }
}
