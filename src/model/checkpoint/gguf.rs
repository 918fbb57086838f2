//! GGUF: metadata and tensors in one file, quantised or not.

use std::collections::HashMap;
use std::io::Cursor;
use std::path::Path;

use candle_core::quantized::gguf_file::{Content, TensorInfo, Value};
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Tensor};

use super::{Checkpoint, Part, gguf_header};
use crate::model::arch::ConfigError;
use crate::model::load::LoadError;
use crate::model::source::FileBytes;

/// The first four bytes of every GGUF file.
pub const MAGIC: &[u8; 4] = b"GGUF";

/// The largest size that the metadata can state.
const MAX_SIZE: usize = 1 << 28;
/// Divisors of rotary frequencies, one for every two dimensions of a head.
const MAX_DIVISORS: usize = 1 << 16;

/// A GGUF file whose header has been read.
pub struct GgufCheckpoint<'a> {
    content: Content,
    bytes: &'a [u8],
    /// What the bytes are mapped by.
    mapping: Option<&'a FileBytes>,
}

impl<'a> GgufCheckpoint<'a> {
    /// Reads the header; the tensors stay where they are.
    ///
    /// # Errors
    /// A wrong magic, a damaged header, or a file cut off before the end of its last tensor.
    pub fn new(path: &Path, bytes: &'a [u8]) -> Result<Self, LoadError> {
        if !bytes.starts_with(MAGIC) {
            let found = String::from_utf8_lossy(&bytes[..bytes.len().min(4)]).escape_default().to_string();
            return Err(LoadError::GgufMagic { file: path.into(), found });
        }
        let file = path.to_owned();
        let expected = match gguf_header::check(bytes) {
            Ok(expected) => expected,
            Err(source) => return Err(LoadError::GgufHeader { file, source }),
        };
        let found = bytes.len() as u64;
        if found < expected {
            return Err(LoadError::Truncated { file, found, expected });
        }
        let content = Content::read(&mut Cursor::new(bytes)).map_err(|source| LoadError::Gguf { file, source })?;
        Ok(Self { content, bytes, mapping: None })
    }

    /// The same of a file whose pages are given back once they were read.
    ///
    /// # Errors
    /// Those of [`new`](Self::new).
    pub fn mapped(path: &Path, file: &'a FileBytes) -> Result<Self, LoadError> {
        Ok(Self { mapping: Some(file), ..Self::new(path, file)? })
    }

    /// Typed access to the metadata.
    pub fn metadata(&self) -> Metadata<'_> {
        Metadata { file: self }
    }

    /// A tensor, or a part of it, and the bytes it takes.
    fn info(&self, part: Part<'_>) -> candle_core::Result<(TensorInfo, usize)> {
        let missing = || candle_core::Error::CannotFindTensor { path: part.tensor.into() }.bt();
        let whole = self.content.tensor_infos.get(part.tensor).ok_or_else(missing)?;
        let n_bytes = usize::try_from(size(whole)).map_err(candle_core::Error::wrap)?;
        let (shape, first, n_bytes) = part.place(whole.shape.dims(), n_bytes)?;
        let info = TensorInfo {
            ggml_dtype: whole.ggml_dtype,
            shape: shape.into(),
            offset: whole.offset.saturating_add(first as u64),
        };
        Ok((info, n_bytes))
    }

    fn read(&self, part: Part<'_>) -> candle_core::Result<QTensor> {
        let (info, _) = self.info(part)?;
        info.read(&mut Cursor::new(self.bytes), self.content.tensor_data_offset, &Device::Cpu)
    }
}

impl Checkpoint for GgufCheckpoint<'_> {
    fn names(&self) -> Vec<String> {
        self.content.tensor_infos.keys().cloned().collect()
    }

    fn shape(&self, name: &str) -> Option<Vec<usize>> {
        self.content.tensor_infos.get(name).map(|info| info.shape.dims().to_vec())
    }

    fn dtype(&self, name: &str) -> Option<String> {
        self.content.tensor_infos.get(name).map(|info| ggml_name(info.ggml_dtype))
    }

    fn readable(&self) -> &'static [&'static str] {
        gguf_header::READABLE
    }

    fn n_bytes(&self, name: &str) -> Option<u64> {
        self.content.tensor_infos.get(name).map(size)
    }

    fn dense(&self, part: Part<'_>) -> candle_core::Result<Tensor> {
        self.read(part)?.dequantize(&Device::Cpu)
    }

    fn blocks(&self, name: &str) -> Option<GgmlDType> {
        self.content.tensor_infos.get(name).map(|info| info.ggml_dtype).filter(|dtype| *dtype != GgmlDType::F32)
    }

    fn stored(&self, part: Part<'_>) -> candle_core::Result<QTensor> {
        self.read(part)
    }

    fn raw(&self, part: Part<'_>) -> candle_core::Result<Option<(&[u8], GgmlDType)>> {
        let (info, n_bytes) = self.info(part)?;
        let first = self.content.tensor_data_offset.saturating_add(info.offset);
        let first = usize::try_from(first).map_err(candle_core::Error::wrap)?;
        let bytes = self.bytes.get(first..first.saturating_add(n_bytes));
        Ok(bytes.map(|bytes| (bytes, info.ggml_dtype)))
    }

    fn release(&self, raw: &[u8]) {
        self.mapping.into_iter().for_each(|file| file.release(raw));
    }
}

/// The bytes of a tensor.
fn size(info: &TensorInfo) -> u64 {
    let blocks = info.shape.elem_count() / info.ggml_dtype.block_size();
    (blocks as u64).saturating_mul(info.ggml_dtype.type_size() as u64)
}

/// The name users know a GGML type by: `Q4_1`, `Q6_K`.
fn ggml_name(dtype: GgmlDType) -> String {
    let name = format!("{dtype:?}").to_uppercase();
    match name.strip_prefix('Q') {
        Some(rest) if rest.ends_with('K') => format!("Q{}_K", rest.trim_end_matches('K')),
        Some(rest) if rest.len() == 2 => format!("Q{}_{}", &rest[..1], &rest[1..]),
        _ => name,
    }
}

/// The key-value part of a GGUF header.
#[derive(Clone, Copy)]
pub struct Metadata<'a> {
    file: &'a GgufCheckpoint<'a>,
}

impl<'a> Metadata<'a> {
    fn values(&self) -> &'a HashMap<String, Value> {
        &self.file.content.metadata
    }

    /// A text.
    pub fn text(&self, key: &str) -> Option<&'a str> {
        match self.values().get(key) {
            Some(Value::String(text)) => Some(text),
            _ => None,
        }
    }

    /// A truth value.
    pub fn bool(&self, key: &str) -> Option<bool> {
        match self.values().get(key) {
            Some(Value::Bool(on)) => Some(*on),
            _ => None,
        }
    }

    /// A whole number, whatever its width.
    pub fn integer(&self, key: &str) -> Option<i64> {
        self.values().get(key).and_then(as_integer)
    }

    /// A positive whole number.
    pub fn size(&self, key: &str) -> Result<usize, ConfigError> {
        self.size_or(key, None)
    }

    /// A positive whole number, or `default` where the key is absent.
    pub fn size_or(&self, key: &str, default: Option<usize>) -> Result<usize, ConfigError> {
        let Some(value) = self.values().get(key) else {
            return default.ok_or_else(|| ConfigError::Missing { field: key.into() });
        };
        let size =
            as_integer(value).and_then(|size| usize::try_from(size).ok()).filter(|size| (1..=MAX_SIZE).contains(size));
        size.ok_or_else(|| {
            ConfigError::unsupported(key, describe(value), format!("a whole number from 1 to {MAX_SIZE}"))
        })
    }

    /// A number, or `default` where the key is absent.
    pub fn number_or(&self, key: &str, default: f64) -> Result<f64, ConfigError> {
        match self.values().get(key) {
            None => Ok(default),
            // the shortest decimal of the stored f32: 1e-5 and not 9.999999747e-6
            Some(Value::F32(number)) if number.is_finite() => {
                Ok(number.to_string().parse().unwrap_or(f64::from(*number)))
            }
            Some(Value::F64(number)) if number.is_finite() => Ok(*number),
            Some(other) => as_integer(other)
                .map(|number| number as f64)
                .ok_or_else(|| ConfigError::unsupported(key, describe(other), "a number")),
        }
    }

    /// A list of texts.
    pub fn texts(&self, key: &str) -> Vec<String> {
        self.list(key, |value| match value {
            Value::String(text) => Some(text.clone()),
            _ => None,
        })
    }

    /// A list of numbers.
    pub fn numbers(&self, key: &str) -> Vec<f32> {
        self.list(key, |value| match value {
            Value::F32(number) => Some(*number),
            _ => None,
        })
    }

    /// A list of whole numbers.
    pub fn integers(&self, key: &str) -> Vec<i64> {
        self.list(key, as_integer)
    }

    /// A list of truth values, which may be written as whole numbers.
    pub fn flags(&self, key: &str) -> Vec<bool> {
        self.list(key, |value| match value {
            Value::Bool(on) => Some(*on),
            other => as_integer(other).map(|number| number != 0),
        })
    }

    fn list<T>(&self, key: &str, get: impl Fn(&Value) -> Option<T>) -> Vec<T> {
        match self.values().get(key) {
            Some(Value::Array(values)) => values.iter().filter_map(get).collect(),
            _ => Vec::new(),
        }
    }

    /// Whether the metadata have this key.
    pub fn has_key(&self, key: &str) -> bool {
        self.values().contains_key(key)
    }

    /// Whether the file has a tensor of this name.
    pub fn has_tensor(&self, name: &str) -> bool {
        self.file.content.tensor_infos.contains_key(name)
    }

    /// The number of rows of a matrix.
    pub fn rows(&self, tensor: &str) -> Result<usize, ConfigError> {
        let shape = self.file.shape(tensor).unwrap_or_default();
        shape.first().copied().ok_or_else(|| ConfigError::Missing { field: format!("tensor {tensor}") })
    }

    /// A tensor of divisors of the rotary frequencies, if the file has it.
    pub fn divisors(&self, tensor: &str) -> Result<Option<Vec<f32>>, ConfigError> {
        let refuse = |found: String| Err(ConfigError::unsupported(tensor, found, "a vector of positive numbers"));
        let Some(shape) = self.file.shape(tensor) else { return Ok(None) };
        if !matches!(shape.as_slice(), [n] if *n <= MAX_DIVISORS) {
            return refuse(format!("{shape:?}"));
        }
        match self.file.dense(Part::whole(tensor)).and_then(|values| values.to_vec1::<f32>()) {
            Ok(divisors) => match divisors.iter().find(|divisor| !(divisor.is_finite() && **divisor > 0.0)) {
                Some(divisor) => refuse(divisor.to_string()),
                None => Ok(Some(divisors)),
            },
            Err(error) => refuse(error.to_string()),
        }
    }
}

/// A value for an error, shortened.
fn describe(value: &Value) -> String {
    match value {
        Value::Array(values) => format!("an array of {}", values.len()),
        other => format!("{other:?}"),
    }
}

fn as_integer(value: &Value) -> Option<i64> {
    match value {
        Value::U8(n) => Some(i64::from(*n)),
        Value::I8(n) => Some(i64::from(*n)),
        Value::U16(n) => Some(i64::from(*n)),
        Value::I16(n) => Some(i64::from(*n)),
        Value::U32(n) => Some(i64::from(*n)),
        Value::I32(n) => Some(i64::from(*n)),
        Value::I64(n) => Some(*n),
        Value::U64(n) => i64::try_from(*n).ok(),
        Value::F32(_) | Value::F64(_) | Value::Bool(_) | Value::String(_) | Value::Array(_) => None,
    }
}
