//! What a safetensors header claims, compared with the bytes that are there.
//!
//! The crate that reads the file afterwards checks most of this, too, but names neither tensor nor numbers; it keeps the
//! last of two tensors of one name, and allocates for a header whatever its hundred megabytes hold.

use std::collections::HashSet;
use std::fmt;

use serde::Deserialize;
use serde::de::{self, IgnoredAny, MapAccess, Visitor};

use crate::model::json::{MAX_BYTES, MAX_VALUES, count_values};

/// Bytes before the header, which say how long it is.
const PREFIX: usize = 8;

/// Every number type of the format, with its bits.
const TYPES: &[(&str, u64)] = &[
    ("BOOL", 8),
    ("F4", 4),
    ("F6_E2M3", 6),
    ("F6_E3M2", 6),
    ("U8", 8),
    ("I8", 8),
    ("F8_E5M2", 8),
    ("F8_E4M3", 8),
    ("F8_E8M0", 8),
    ("I16", 16),
    ("U16", 16),
    ("F16", 16),
    ("BF16", 16),
    ("I32", 32),
    ("U32", 32),
    ("F32", 32),
    ("C64", 64),
    ("F64", 64),
    ("I64", 64),
    ("U64", 64),
];

/// A header that contradicts the file it is in, or itself.
#[derive(Debug, thiserror::Error)]
pub enum SafetensorsHeaderError {
    /// There is no room for a header.
    #[error("it has {found} bytes, expected at least {PREFIX} that say how long the header is")]
    Short {
        /// Bytes of the file.
        found: usize,
    },
    /// The header is longer than the file, or than any header is.
    #[error("its first {PREFIX} bytes claim a header of {claimed} bytes, expected at most {limit}")]
    Length {
        /// The claim.
        claimed: u64,
        /// What the file, or any header, has.
        limit: usize,
    },
    /// The header is not the JSON that it should be.
    #[error("its header is not an object of tensors")]
    Json(#[source] serde_json::Error),
    /// The header has more values than it needs.
    #[error("its header has about {found} values, expected at most {MAX_VALUES}")]
    Values {
        /// How many.
        found: usize,
    },
    /// A name that is there twice.
    #[error("tensor `{tensor}` is there twice")]
    Twice {
        /// The name.
        tensor: String,
    },
    /// A type that does not exist.
    #[error("tensor `{tensor}` has the type `{found}`, expected one of {}", type_names())]
    Type {
        /// The tensor.
        tensor: String,
        /// The name of the type.
        found: String,
    },
    /// Sizes whose product is none.
    #[error("tensor `{tensor}` has the sizes {found:?}, expected a product that is a size")]
    Shape {
        /// The tensor.
        tensor: String,
        /// The sizes.
        found: Vec<u64>,
    },
    /// A tensor outside the data.
    #[error("tensor `{tensor}` lies at {begin} to {end} of the data, which have {n_bytes} bytes")]
    Outside {
        /// The tensor.
        tensor: String,
        /// Its first byte.
        begin: u64,
        /// The byte after its last one.
        end: u64,
        /// Bytes of the data.
        n_bytes: u64,
    },
    /// A tensor whose shape takes another number of bytes.
    #[error("tensor `{tensor}` has {found} bytes, expected {expected} for {dtype} {shape:?}")]
    Size {
        /// The tensor.
        tensor: String,
        /// Its bytes.
        found: u64,
        /// What type and shape take.
        expected: u64,
        /// The type.
        dtype: String,
        /// The shape.
        shape: Vec<u64>,
    },
    /// Tensors that overlap, or bytes that belong to none.
    #[error("{what} begins at {found} of the data, expected {expected}, where the tensor before it ends")]
    Begins {
        /// The tensor, or the end of the file.
        what: String,
        /// Where it begins.
        found: u64,
        /// Where the tensor before it ends.
        expected: u64,
    },
}

fn type_names() -> String {
    TYPES.iter().map(|known| known.0).collect::<Vec<_>>().join(", ")
}

/// A tensor as the header describes it.
#[derive(Deserialize)]
struct Entry {
    dtype: String,
    shape: Vec<u64>,
    data_offsets: (u64, u64),
}

/// All of them, in the order of the header.
struct Entries(Vec<(String, Entry)>);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EntriesVisitor)
    }
}

struct EntriesVisitor;

impl<'de> Visitor<'de> for EntriesVisitor {
    type Value = Entries;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of tensors")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries, A::Error> {
        let mut entries = Vec::new();
        while let Some(name) = map.next_key::<String>()? {
            if name == "__metadata__" {
                map.next_value::<IgnoredAny>()?;
            } else {
                let named = |error| de::Error::custom(format_args!("tensor `{name}`: {error}"));
                let entry = map.next_value().map_err(named)?;
                entries.push((name, entry));
            }
        }
        Ok(Entries(entries))
    }
}

/// Checks everything that the header of a file claims.
pub(super) fn check(bytes: &[u8]) -> Result<(), SafetensorsHeaderError> {
    let Some((length, rest)) = bytes.split_first_chunk::<PREFIX>() else {
        return Err(SafetensorsHeaderError::Short { found: bytes.len() });
    };
    let claimed = u64::from_le_bytes(*length);
    let limit = rest.len().min(MAX_BYTES);
    let length = usize::try_from(claimed).ok().filter(|&length| length <= limit);
    let (header, data) = rest.split_at(length.ok_or(SafetensorsHeaderError::Length { claimed, limit })?);
    let found = count_values(header);
    if found > MAX_VALUES {
        return Err(SafetensorsHeaderError::Values { found });
    }
    let Entries(mut entries) = serde_json::from_slice(header).map_err(SafetensorsHeaderError::Json)?;
    let mut seen = HashSet::new();
    if let Some((tensor, _)) = entries.iter().find(|(name, _)| !seen.insert(name)) {
        return Err(SafetensorsHeaderError::Twice { tensor: tensor.clone() });
    }
    entries.sort_by_key(|(_, entry)| entry.data_offsets);
    check_places(&entries, data.len() as u64)
}

/// Checks that the tensors, which are in the order of their places, fill the data without overlap and without a gap.
fn check_places(entries: &[(String, Entry)], n_bytes: u64) -> Result<(), SafetensorsHeaderError> {
    let mut expected = 0;
    for (tensor, entry) in entries {
        let (begin, end) = entry.data_offsets;
        if begin > end || end > n_bytes {
            return Err(SafetensorsHeaderError::Outside { tensor: tensor.clone(), begin, end, n_bytes });
        }
        if begin != expected {
            let what = format!("tensor `{tensor}`");
            return Err(SafetensorsHeaderError::Begins { what, found: begin, expected });
        }
        check_size(tensor, entry, end - begin)?;
        expected = end;
    }
    if expected == n_bytes {
        Ok(())
    } else {
        Err(SafetensorsHeaderError::Begins { what: "the end of the file".into(), found: n_bytes, expected })
    }
}

fn check_size(tensor: &str, entry: &Entry, found: u64) -> Result<(), SafetensorsHeaderError> {
    let (tensor, shape, dtype) = (tensor.to_owned(), entry.shape.clone(), entry.dtype.clone());
    let Some(&(_, bits)) = TYPES.iter().find(|known| known.0 == dtype) else {
        return Err(SafetensorsHeaderError::Type { tensor, found: dtype });
    };
    let n = shape.iter().try_fold(1u64, |n, &size| n.checked_mul(size));
    // in memory every number takes four bytes
    let n_bits = n.filter(|n| n.checked_mul(4).is_some()).and_then(|n| n.checked_mul(bits));
    let Some(n_bits) = n_bits else {
        return Err(SafetensorsHeaderError::Shape { tensor, found: shape });
    };
    let expected = n_bits.div_ceil(8);
    if found == expected { Ok(()) } else { Err(SafetensorsHeaderError::Size { tensor, found, expected, dtype, shape }) }
}
