//! Hashes of what scores depend on.

use sha2::{Digest, Sha256};

/// SHA-256 of texts in a row, each ended by a zero byte, as hexadecimal digits.
pub(crate) fn hex(parts: &[&str]) -> String {
    let parts: Vec<&[u8]> = parts.iter().map(|part| part.as_bytes()).collect();
    hex_of_bytes(&parts)
}

/// The same of bytes, which need be no text.
pub(crate) fn hex_of_bytes(parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
        hash.update([0]);
    }
    let digit = |half: u8| char::from_digit(half.into(), 16).unwrap_or('0');
    hash.finalize().iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}
