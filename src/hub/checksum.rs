//! The checksums by which the hub names its files.

use sha1::Sha1;
use sha2::{Digest as _, Sha256};

/// What the bytes of a file must hash to; also the file's name among the blobs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Checksum {
    /// Of a large file: SHA-256 of its bytes.
    Sha256(String),
    /// Of a small file: SHA-1 of a git blob.
    Git(String),
}

impl Checksum {
    /// Reads an `ETag` header.
    pub(super) fn from_etag(etag: &str) -> Option<Self> {
        let text = etag.trim().trim_start_matches("W/").trim_matches('"');
        let is_hex = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        match text.len() {
            64 if is_hex => Some(Self::Sha256(text.to_owned())),
            40 if is_hex => Some(Self::Git(text.to_owned())),
            _ => None,
        }
    }

    /// Its hexadecimal digits.
    pub(super) fn hex(&self) -> &str {
        match self {
            Self::Sha256(hex) | Self::Git(hex) => hex,
        }
    }

    /// Begins to hash a file of `size` bytes.
    pub(super) fn hasher(&self, size: u64) -> Hasher {
        match self {
            Self::Sha256(_) => Hasher::Sha256(Sha256::new()),
            Self::Git(_) => Hasher::Git(Sha1::new_with_prefix(format!("blob {size}\0"))),
        }
    }
}

/// A checksum in the making.
pub(super) enum Hasher {
    Sha256(Sha256),
    Git(Sha1),
}

impl Hasher {
    /// Takes the next bytes.
    pub(super) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hash) => hash.update(bytes),
            Self::Git(hash) => hash.update(bytes),
        }
    }

    /// The hexadecimal digits of what was taken.
    pub(super) fn finish(self) -> String {
        match self {
            Self::Sha256(hash) => hex(&hash.finalize()),
            Self::Git(hash) => hex(&hash.finalize()),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn etags_are_hashes() {
        // `printf hello | git hash-object --stdin` and `printf hello | sha256sum`
        let git = "b6fc4c620b67d95f953a5c1c1230aaab5db5a1b0";
        let sha256 = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
        for (etag, hex) in [(format!("\"{git}\""), git), (format!("W/\"{git}\""), git), (sha256.to_owned(), sha256)] {
            let checksum = Checksum::from_etag(&etag).unwrap();
            assert_eq!(checksum.hex(), hex);
            let mut hasher = checksum.hasher(5);
            hasher.update(b"hel");
            hasher.update(b"lo");
            assert_eq!(hasher.finish(), hex);
        }
        for etag in ["\"abc\"", "", "../../../../../../../../../../../../../x"] {
            assert_eq!(Checksum::from_etag(etag), None);
        }
    }
}
