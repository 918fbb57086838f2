//! What a GGUF header claims, compared with the bytes that are there: nothing is allocated by a number in the file.
//!
//! candle reads the header afterwards, and what it then allocates is in proportion to the limits below.

use std::collections::HashSet;

/// Bytes of a header. The longest vocabularies take 15 MB of it.
const MAX_HEADER_BYTES: u64 = 64 << 20;
/// Elements of all arrays together; each takes 32 bytes in memory. A vocabulary of 262,144 tokens with its scores,
/// types and merge rules has 1.3 million.
const MAX_ELEMENTS: u64 = 1 << 21;
/// Keys. Files have some dozens.
const MAX_KEYS: u64 = 1 << 16;
/// Tensors. The largest mixtures of experts have some ten thousand.
const MAX_TENSORS: u64 = 1 << 18;
/// Bytes of a key or a name, as the format has it.
const MAX_NAME: u64 = u16::MAX as u64;
/// Arrays inside arrays. No known file has any.
const MAX_DEPTH: usize = 4;
/// What data can be aligned to; files have 32. More than a page helps no reader.
const MAX_ALIGNMENT: u64 = 1 << 16;
/// The alignment of files that state none.
const DEFAULT_ALIGNMENT: u64 = 32;
/// Axes of a tensor.
const MAX_DIMS: u32 = 4;

/// Bytes of the smallest key with its value, and of the smallest description of a tensor.
const MIN_KEY: u64 = 13;
const MIN_TENSOR: u64 = 32;

/// A number type of ggml that can be read: its number in files, its name, how many numbers a block holds and its bytes.
struct GgmlType(u32, &'static str, u64, u64);

const TYPES: &[GgmlType] = &[
    GgmlType(0, "F32", 1, 4),
    GgmlType(1, "F16", 1, 2),
    GgmlType(2, "Q4_0", 32, 18),
    GgmlType(3, "Q4_1", 32, 20),
    GgmlType(6, "Q5_0", 32, 22),
    GgmlType(7, "Q5_1", 32, 24),
    GgmlType(8, "Q8_0", 32, 34),
    GgmlType(10, "Q2_K", 256, 84),
    GgmlType(11, "Q3_K", 256, 110),
    GgmlType(12, "Q4_K", 256, 144),
    GgmlType(13, "Q5_K", 256, 176),
    GgmlType(14, "Q6_K", 256, 210),
    GgmlType(30, "BF16", 1, 2),
];

/// The names of these types.
pub(super) const READABLE: &[&str] =
    &["F32", "F16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "BF16"];

/// Types that are in files and are not read here, for the error that says so.
const OTHER_TYPES: &[(u32, &str)] = &[
    (9, "Q8_1"),
    (15, "Q8_K"),
    (16, "IQ2_XXS"),
    (17, "IQ2_XS"),
    (18, "IQ3_XXS"),
    (19, "IQ1_S"),
    (20, "IQ4_NL"),
    (21, "IQ3_S"),
    (22, "IQ2_S"),
    (23, "IQ4_XS"),
    (24, "I8"),
    (25, "I16"),
    (26, "I32"),
    (27, "I64"),
    (28, "F64"),
    (29, "IQ1_M"),
    (34, "TQ1_0"),
    (35, "TQ2_0"),
    (39, "MXFP4"),
];

/// A header that contradicts the file it is in, or itself. Places are bytes from the beginning of the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GgufHeaderError {
    /// The file ends inside the header.
    #[error("{what} at byte {at} takes {needed} bytes, {left} are left")]
    Ends {
        /// What was read.
        what: &'static str,
        /// Where it begins.
        at: u64,
        /// Its length.
        needed: u64,
        /// What the file still has.
        left: u64,
    },
    /// A number is beyond what any model needs.
    #[error("{what} at byte {at}: {found}, expected at most {limit}")]
    Limit {
        /// What was counted.
        what: &'static str,
        /// Where.
        at: u64,
        /// The claim.
        found: u64,
        /// The limit.
        limit: u64,
    },
    /// Another version of the format, or another byte order.
    #[error("the version is {found}, expected 2 or 3, little-endian")]
    Version {
        /// The number in the file.
        found: u32,
    },
    /// A value of a type that does not exist.
    #[error("the value of `{key}` at byte {at} has the type {found}, expected 0 to 12")]
    ValueType {
        /// The key.
        key: String,
        /// Where the type is.
        at: u64,
        /// The type's number.
        found: u32,
    },
    /// A truth value that is neither.
    #[error("the value of `{key}` at byte {at} is {found}, expected 0 or 1")]
    Bool {
        /// The key.
        key: String,
        /// Where it is.
        at: u64,
        /// The byte.
        found: u8,
    },
    /// Arrays in arrays.
    #[error("the arrays of `{key}` at byte {at} are nested more than {MAX_DEPTH} deep")]
    Depth {
        /// The key.
        key: String,
        /// Where the array begins.
        at: u64,
    },
    /// A name that is there twice.
    #[error("{what} `{name}` at byte {at} is there twice")]
    Twice {
        /// `key` or `tensor`.
        what: &'static str,
        /// The name.
        name: String,
        /// Where it is for the second time.
        at: u64,
    },
    /// A tensor of no or of too many axes.
    #[error("tensor `{tensor}` at byte {at} has {found} axes, expected 1 to {MAX_DIMS}")]
    Axes {
        /// The tensor.
        tensor: String,
        /// Where the number of axes is.
        at: u64,
        /// The number.
        found: u32,
    },
    /// A tensor of a size that cannot be.
    #[error("tensor `{tensor}` at byte {at} has the sizes {found:?}, expected positive ones whose product is a size")]
    Shape {
        /// The tensor.
        tensor: String,
        /// Where the sizes are.
        at: u64,
        /// The sizes, as in the file.
        found: Vec<u64>,
    },
    /// A tensor of a type that is not read.
    #[error("tensor `{tensor}` at byte {at} has the type {found}, expected one of {}", READABLE.join(", "))]
    Type {
        /// The tensor.
        tensor: String,
        /// Where the type is.
        at: u64,
        /// Its name, or number.
        found: String,
    },
    /// Rows that no whole number of blocks fills.
    #[error("tensor `{tensor}` has rows of {row} numbers, {dtype} stores {block} at a time")]
    Row {
        /// The tensor.
        tensor: String,
        /// Numbers a row.
        row: u64,
        /// The type.
        dtype: &'static str,
        /// Numbers a block.
        block: u64,
    },
    /// An alignment that is none.
    #[error("`general.alignment` is {found}, expected a power of two from 8 to {MAX_ALIGNMENT} (u32)")]
    Alignment {
        /// The value.
        found: String,
    },
    /// A tensor whose data begin where none may.
    #[error("the data of tensor `{tensor}` begin at {offset}, expected a multiple of {alignment}")]
    Unaligned {
        /// The tensor.
        tensor: String,
        /// Bytes from the beginning of the data.
        offset: u64,
        /// The alignment.
        alignment: u64,
    },
    /// Two tensors share bytes.
    #[error("the data of tensor `{tensor}` begin at {offset}, those of `{before}` end at {end}")]
    Overlap {
        /// The tensor.
        tensor: String,
        /// Bytes from the beginning of the data.
        offset: u64,
        /// The tensor before it.
        before: String,
        /// Where that ends.
        end: u64,
    },
}

impl GgufHeaderError {
    /// What the user can do about it.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Type { .. } => "take another quantisation of the model, such as Q4_K_M or Q8_0",
            Self::Version { .. } => "convert the model again with a current llama.cpp",
            _ => "download the file again; it is damaged, or was written by a faulty program",
        }
    }
}

/// Where a tensor's data lie, in bytes from the beginning of the data.
struct Extent<'a> {
    name: &'a [u8],
    offset: u64,
    end: u64,
}

/// Checks everything that a header claims. Returns the length that the whole file must have.
pub(super) fn check(bytes: &[u8]) -> Result<u64, GgufHeaderError> {
    let mut cursor = Cursor { bytes, at: 4 };
    let version = cursor.u32("the version")?;
    if !matches!(version, 2 | 3) {
        return Err(GgufHeaderError::Version { found: version });
    }
    let n_tensors = cursor.count("the number of tensors", MAX_TENSORS)?;
    let n_keys = cursor.count("the number of keys", MAX_KEYS)?;
    cursor.room("the keys", n_keys * MIN_KEY)?;
    let alignment = check_keys(&mut cursor, n_keys)?;
    cursor.room("the list of tensors", n_tensors * MIN_TENSOR)?;
    let mut extents = check_tensors(&mut cursor, n_tensors, alignment)?;
    extents.sort_by_key(|extent| (extent.offset, extent.end));
    for pair in extents.windows(2) {
        if pair[1].offset < pair[0].end {
            let (tensor, before) = (lossy(pair[1].name), lossy(pair[0].name));
            return Err(GgufHeaderError::Overlap { tensor, offset: pair[1].offset, before, end: pair[0].end });
        }
    }
    let data = cursor.at.next_multiple_of(alignment);
    Ok(extents.last().map_or(cursor.at, |last| data.saturating_add(last.end)))
}

/// Checks the keys and their values; returns the alignment.
fn check_keys(cursor: &mut Cursor<'_>, n_keys: u64) -> Result<u64, GgufHeaderError> {
    let mut seen = HashSet::new();
    let mut elements = 0;
    let mut alignment = DEFAULT_ALIGNMENT;
    for _ in 0..n_keys {
        let at = cursor.at;
        let key = cursor.name("a key")?;
        if !seen.insert(key) {
            return Err(GgufHeaderError::Twice { what: "key", name: lossy(key), at });
        }
        let kind = cursor.u32("the type of a value")?;
        let begin = cursor.at;
        Value { key, elements: &mut elements }.check(cursor, kind, 0)?;
        if key == b"general.alignment" {
            alignment = read_alignment(kind, cursor.since(begin))?;
        }
    }
    Ok(alignment)
}

fn read_alignment(kind: u32, value: &[u8]) -> Result<u64, GgufHeaderError> {
    let value = <[u8; 4]>::try_from(value).ok().filter(|_| kind == U32).map(u32::from_le_bytes);
    let found = || value.map_or_else(|| format!("a value of type {kind}"), |value| value.to_string());
    value
        .map(u64::from)
        .filter(|value| value.is_power_of_two() && (8..=MAX_ALIGNMENT).contains(value))
        .ok_or_else(|| GgufHeaderError::Alignment { found: found() })
}

fn check_tensors<'a>(
    cursor: &mut Cursor<'a>,
    n_tensors: u64,
    alignment: u64,
) -> Result<Vec<Extent<'a>>, GgufHeaderError> {
    let mut seen = HashSet::new();
    let mut extents = Vec::new();
    for _ in 0..n_tensors {
        let at = cursor.at;
        let extent = check_tensor(cursor, alignment)?;
        if !seen.insert(extent.name) {
            return Err(GgufHeaderError::Twice { what: "tensor", name: lossy(extent.name), at });
        }
        extents.push(extent);
    }
    Ok(extents)
}

fn check_tensor<'a>(cursor: &mut Cursor<'a>, alignment: u64) -> Result<Extent<'a>, GgufHeaderError> {
    let name = cursor.name("the name of a tensor")?;
    let tensor = || lossy(name);
    let at = cursor.at;
    let n_axes = cursor.u32("the axes of a tensor")?;
    if n_axes == 0 || n_axes > MAX_DIMS {
        return Err(GgufHeaderError::Axes { tensor: tensor(), at, found: n_axes });
    }
    let at = cursor.at;
    let sizes = (0..n_axes).map(|_| cursor.u64("the sizes of a tensor")).collect::<Result<Vec<_>, _>>()?;
    let type_at = cursor.at;
    let number = cursor.u32("the type of a tensor")?;
    let Some(&GgmlType(_, dtype, block, block_bytes)) = TYPES.iter().find(|known| known.0 == number) else {
        let name = OTHER_TYPES.iter().find(|(other, _)| *other == number).map(|(_, name)| (*name).to_owned());
        let found = name.unwrap_or_else(|| number.to_string());
        return Err(GgufHeaderError::Type { tensor: tensor(), at: type_at, found });
    };
    if !sizes[0].is_multiple_of(block) {
        return Err(GgufHeaderError::Row { tensor: tensor(), row: sizes[0], dtype, block });
    }
    let offset = cursor.u64("the place of a tensor")?;
    if !offset.is_multiple_of(alignment) {
        return Err(GgufHeaderError::Unaligned { tensor: tensor(), offset, alignment });
    }
    let n = sizes.iter().try_fold(1u64, |n, &size| n.checked_mul(size)).filter(|&n| n > 0);
    let end = n.and_then(|n| (n / block).checked_mul(block_bytes)).and_then(|size| offset.checked_add(size));
    // in memory every number takes four bytes
    match (n.and_then(|n| n.checked_mul(4)), end) {
        (Some(_), Some(end)) => Ok(Extent { name, offset, end }),
        _ => Err(GgufHeaderError::Shape { tensor: tensor(), at, found: sizes }),
    }
}

const U32: u32 = 4;
const BOOL: u32 = 7;
const STRING: u32 = 8;
const ARRAY: u32 = 9;

/// Bytes of a value of one of the types of a fixed size.
const fn fixed_size(kind: u32) -> Option<u64> {
    match kind {
        0 | 1 | BOOL => Some(1),
        2 | 3 => Some(2),
        U32 | 5 | 6 => Some(4),
        10..=12 => Some(8),
        _ => None,
    }
}

/// The value of a key, while it is checked.
struct Value<'a> {
    key: &'a [u8],
    /// Elements of all arrays so far.
    elements: &'a mut u64,
}

impl Value<'_> {
    fn check(&mut self, cursor: &mut Cursor<'_>, kind: u32, depth: usize) -> Result<(), GgufHeaderError> {
        match kind {
            STRING => cursor.string("a text").map(drop),
            ARRAY => self.check_array(cursor, depth),
            _ => self.check_fixed(cursor, kind, 1),
        }
    }

    /// `n` values of a type of a fixed size.
    fn check_fixed(&self, cursor: &mut Cursor<'_>, kind: u32, n: u64) -> Result<(), GgufHeaderError> {
        let (key, at) = (|| lossy(self.key), cursor.at);
        let Some(size) = fixed_size(kind) else {
            return Err(GgufHeaderError::ValueType { key: key(), at: at.saturating_sub(4), found: kind });
        };
        let values = cursor.take("a value", n.saturating_mul(size))?;
        match values.iter().find(|byte| **byte > 1) {
            Some(&found) if kind == BOOL => Err(GgufHeaderError::Bool { key: key(), at, found }),
            _ => Ok(()),
        }
    }

    fn check_array(&mut self, cursor: &mut Cursor<'_>, depth: usize) -> Result<(), GgufHeaderError> {
        let at = cursor.at;
        if depth >= MAX_DEPTH {
            return Err(GgufHeaderError::Depth { key: lossy(self.key), at });
        }
        let kind = cursor.u32("the type of an array")?;
        let n = cursor.u64("the length of an array")?;
        *self.elements = self.elements.saturating_add(n);
        if *self.elements > MAX_ELEMENTS {
            let what = "elements of arrays";
            return Err(GgufHeaderError::Limit { what, at, found: *self.elements, limit: MAX_ELEMENTS });
        }
        if !matches!(kind, STRING | ARRAY) {
            return self.check_fixed(cursor, kind, n);
        }
        (0..n).try_for_each(|_| self.check(cursor, kind, depth + 1))
    }
}

/// A place in the header; it never leaves the file.
struct Cursor<'a> {
    bytes: &'a [u8],
    at: u64,
}

impl<'a> Cursor<'a> {
    /// The next `needed` bytes.
    fn take(&mut self, what: &'static str, needed: u64) -> Result<&'a [u8], GgufHeaderError> {
        self.room(what, needed)?;
        let begin = self.at;
        self.at += needed;
        Ok(self.since(begin))
    }

    /// The bytes from `begin` to here.
    fn since(&self, begin: u64) -> &'a [u8] {
        let place = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
        self.bytes.get(place(begin)..place(self.at)).unwrap_or_default()
    }

    /// Whether the file, and a header of a size that is sensible, have so many bytes more.
    fn room(&self, what: &'static str, needed: u64) -> Result<(), GgufHeaderError> {
        let left = (self.bytes.len() as u64).saturating_sub(self.at);
        if needed > left {
            return Err(GgufHeaderError::Ends { what, at: self.at, needed, left });
        }
        let found = self.at + needed;
        if found > MAX_HEADER_BYTES {
            let (what, limit) = ("bytes of the header", MAX_HEADER_BYTES);
            return Err(GgufHeaderError::Limit { what, at: self.at, found, limit });
        }
        Ok(())
    }

    fn u32(&mut self, what: &'static str) -> Result<u32, GgufHeaderError> {
        let bytes = self.take(what, 4)?;
        Ok(bytes.iter().rev().fold(0, |number, &byte| number << 8 | u32::from(byte)))
    }

    fn u64(&mut self, what: &'static str) -> Result<u64, GgufHeaderError> {
        let bytes = self.take(what, 8)?;
        Ok(bytes.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte)))
    }

    fn count(&mut self, what: &'static str, limit: u64) -> Result<u64, GgufHeaderError> {
        let at = self.at;
        let found = self.u64(what)?;
        if found > limit { Err(GgufHeaderError::Limit { what, at, found, limit }) } else { Ok(found) }
    }

    fn string(&mut self, what: &'static str) -> Result<&'a [u8], GgufHeaderError> {
        let n = self.u64(what)?;
        self.take(what, n)
    }

    fn name(&mut self, what: &'static str) -> Result<&'a [u8], GgufHeaderError> {
        let at = self.at;
        let name = self.string(what)?;
        let found = name.len() as u64;
        if found > MAX_NAME { Err(GgufHeaderError::Limit { what, at, found, limit: MAX_NAME }) } else { Ok(name) }
    }
}

fn lossy(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}

#[cfg(test)]
mod tests {
    use candle_core::quantized::GgmlDType;

    use super::*;

    #[test]
    fn sizes_of_types_are_those_that_the_reader_uses() {
        let of_candle = [
            GgmlDType::F32,
            GgmlDType::F16,
            GgmlDType::Q4_0,
            GgmlDType::Q4_1,
            GgmlDType::Q5_0,
            GgmlDType::Q5_1,
            GgmlDType::Q8_0,
            GgmlDType::Q2K,
            GgmlDType::Q3K,
            GgmlDType::Q4K,
            GgmlDType::Q5K,
            GgmlDType::Q6K,
            GgmlDType::BF16,
        ];
        assert_eq!(TYPES.len(), of_candle.len());
        assert_eq!(READABLE, TYPES.iter().map(|known| known.1).collect::<Vec<_>>());
        for (&GgmlType(_, name, block, bytes), dtype) in TYPES.iter().zip(of_candle) {
            assert_eq!((block, bytes), (dtype.block_size() as u64, dtype.type_size() as u64), "{name}");
            assert_eq!(name.replace('_', ""), format!("{dtype:?}").replace('_', "").to_uppercase());
        }
    }

    #[test]
    fn a_header_that_ends_says_where() {
        let ends = |bytes: &[u8]| check(bytes).unwrap_err();
        let mut header = b"GGUF\x03\0\0\0".to_vec();
        let what = "the number of tensors";
        assert_eq!(ends(&header), GgufHeaderError::Ends { what, at: 8, needed: 8, left: 0 });
        header.extend([0; 16]);
        assert_eq!(check(&header), Ok(24));
        header[16] = 2;
        assert_eq!(ends(&header), GgufHeaderError::Ends { what: "the keys", at: 24, needed: 26, left: 0 });
    }
}
