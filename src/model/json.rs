//! The JSON files of a model, read within limits: a parsed value takes up to seventy times the bytes it has in the file.

use std::path::Path;

use serde_json::Value;

use super::load::LoadError;

/// Bytes of a JSON file or of a header.
pub(crate) const MAX_BYTES: usize = 32 << 20;
/// Values in it. The index of the largest checkpoints has a hundred thousand.
pub(crate) const MAX_VALUES: usize = 1 << 19;
/// Values in a `config.json`, where some lists are multiplied by a number beside them. Files have some hundreds.
const MAX_CONFIG_VALUES: usize = 1 << 14;

/// How large a JSON file may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JsonLimits {
    /// Bytes.
    pub bytes: usize,
    /// Values, counted by the commas and brackets.
    pub values: usize,
}

impl JsonLimits {
    /// Of most files.
    pub const FILE: Self = Self { bytes: MAX_BYTES, values: MAX_VALUES };
    /// Of `config.json`.
    pub const CONFIG: Self = Self { bytes: MAX_BYTES, values: MAX_CONFIG_VALUES };

    /// Of the `tokenizer.json` of a model whose embedding has so many rows. A token takes at most eight values there,
    /// with its merge rules, and a hundred and thirty bytes.
    pub const fn tokenizer(d_vocab: usize) -> Self {
        Self { bytes: (1 << 20) + d_vocab.saturating_mul(512), values: (1 << 16) + d_vocab.saturating_mul(16) }
    }

    /// Whether a file keeps within them.
    ///
    /// # Errors
    /// [`LoadError::TooLarge`].
    pub fn check(self, file: &Path, bytes: &[u8]) -> Result<(), LoadError> {
        let too_large = |found: usize, what, limit| Err(LoadError::TooLarge { file: file.into(), found, what, limit });
        if bytes.len() > self.bytes {
            return too_large(bytes.len(), "bytes", self.bytes);
        }
        let found = count_values(bytes);
        if found > self.values { too_large(found, "values", self.values) } else { Ok(()) }
    }
}

/// At least as many values as there are: those in texts count as well.
pub(crate) fn count_values(json: &[u8]) -> usize {
    1 + json.iter().filter(|byte| matches!(byte, b',' | b'[' | b'{')).count()
}

/// Parses a file.
///
/// # Errors
/// [`LoadError::TooLarge`], or [`LoadError::Json`] if it is not JSON.
pub fn parse(file: &Path, bytes: &[u8], limits: JsonLimits) -> Result<Value, LoadError> {
    limits.check(file, bytes)?;
    serde_json::from_slice(bytes).map_err(|source| LoadError::Json { file: file.into(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_counted_before_they_are_parsed() {
        for (json, n) in [("1", 1), ("[]", 2), ("[1,2]", 3), ("{\"a\":[1,2],\"b\":{}}", 6)] {
            assert_eq!(count_values(json.as_bytes()), n, "{json}");
        }
        let limits = JsonLimits { bytes: 7, values: 3 };
        let found = |json: &str| parse(Path::new("x.json"), json.as_bytes(), limits).map_err(|error| error.to_string());
        assert_eq!(found("[1,2]"), Ok(serde_json::json!([1, 2])));
        assert_eq!(found("[1,2,3]").unwrap_err(), "`x.json` has 4 values, expected at most 3");
        assert_eq!(found("[1,2   ]").unwrap_err(), "`x.json` has 8 bytes, expected at most 7");
    }
}
