//! A compressed text as a file: what it is, which model reads it, and the bits.

use sha2::{Digest as _, Sha256};

use super::codec::{Codec, Stored, Stream};
use super::error::Error as CodecError;
use super::windows::Windows;
use crate::text::Tokenizer;

/// What files begin with: the last digit is the version of the format.
const MAGIC: &[u8] = b"LMZ1";
/// Bytes of a hash that are kept of a text.
const CHECK: usize = 8;
/// The largest text that a head may claim: longer ones are not read back in a lifetime.
const MOST: u64 = 1 << 40;

/// Which model writes and reads, and how it computes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reader {
    /// The model's name: only to be told.
    pub name: String,
    /// SHA-256 over all that decides a probability: weights, configuration, tokenizer, arithmetic.
    pub sha256: [u8; 32],
}

/// A compressed text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed {
    /// Who reads it.
    pub reader: Reader,
    /// The version of lmscope that wrote it.
    pub version: String,
    /// How it is stored.
    pub stored: Stored,
    /// What the model sees of it.
    pub windows: Windows,
    /// Its bytes.
    pub n_bytes: usize,
    /// Its tokens; none where it is stored as it is.
    pub n_tokens: usize,
    /// The beginning of the SHA-256 of the text.
    pub check: [u8; CHECK],
    /// The bits.
    pub bits: Vec<u8>,
}

/// A file that is not read back.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is something else.
    #[error("read the head of the file: it begins with {found:?}, a compressed text begins with {MAGIC:?}")]
    NoHead {
        /// Its first bytes.
        found: Vec<u8>,
    },
    /// It breaks off, or a field is not what any version writes.
    #[error("read the head of the file: {field} is missing or out of range")]
    Field {
        /// The field.
        field: &'static str,
    },
    /// Another model, or another arithmetic.
    #[error("read a text that was compressed with `{expected}`: `{found}` is another model, or computes otherwise")]
    OtherModel {
        /// Who wrote it.
        expected: String,
        /// Who was to read it.
        found: String,
    },
    /// The bits cannot be read.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// What was read is not what was written.
    #[error("read the text: its SHA-256 is not that of the text that lmscope {version} compressed")]
    Differs {
        /// Who wrote it.
        version: String,
    },
}

impl Error {
    /// Whether somebody stopped it.
    pub const fn is_cancelled(&self) -> bool {
        matches!(self, Self::Codec(error) if error.is_cancelled())
    }

    /// What to do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoHead { .. } => Some("`lmscope compress FILE` writes such files".into()),
            Self::Field { .. } => Some("the file is not whole, or was changed".into()),
            Self::OtherModel { expected, .. } => {
                Some(format!("give the model with -m: `{expected}`, with the --dtype and --fast of then"))
            }
            Self::Codec(error) => error.hint(),
            Self::Differs { .. } => Some(
                "the file was changed; or another version or another kind of processor computes other last digits"
                    .into(),
            ),
        }
    }
}

impl Packed {
    /// Compresses a text; `done` is told how many tokens.
    pub fn pack(
        text: &[u8],
        (codec, tokenizer): (&Codec<'_>, &Tokenizer),
        (reader, version): (Reader, &str),
        done: &mut dyn FnMut(usize, usize),
    ) -> Result<Self, CodecError> {
        let (stored, ids) = Stored::of(text, tokenizer)?;
        let bits =
            if stored == Stored::Raw { text.to_vec() } else { codec.encode(&ids, &mut |n| done(n, ids.len()))?.bytes };
        Ok(Self {
            reader,
            version: version.to_owned(),
            stored,
            windows: codec.windows(),
            n_bytes: text.len(),
            n_tokens: ids.len(),
            check: check(text),
            bits,
        })
    }

    /// The text again. `codec` has the windows of the file; `done` is told how many tokens were read.
    pub fn unpack(
        &self,
        (codec, tokenizer): (&Codec<'_>, &Tokenizer),
        reader: &Reader,
        done: &mut dyn FnMut(usize, usize),
    ) -> Result<Vec<u8>, Error> {
        if self.stored != Stored::Raw && reader.sha256 != self.reader.sha256 {
            return Err(Error::OtherModel { expected: self.reader.name.clone(), found: reader.name.clone() });
        }
        let text = if self.stored == Stored::Raw {
            Some(self.bits.clone())
        } else {
            let stream = Stream { bytes: &self.bits, n_tokens: self.n_tokens };
            let ids = codec.decode(&[stream], &mut |n| done(n, self.n_tokens))?.pop().unwrap_or_default();
            self.stored.text(&ids, tokenizer)
        };
        match text {
            Some(text) if text.len() == self.n_bytes && check(&text) == self.check => Ok(text),
            Some(_) | None => Err(Error::Differs { version: self.version.clone() }),
        }
    }

    /// The file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.push(self.stored.code());
        bytes.extend(self.reader.sha256);
        bytes.extend(self.check);
        let numbers = [self.windows.length(), self.windows.stride(), self.n_bytes, self.n_tokens];
        for number in numbers {
            push_number(&mut bytes, number as u64);
        }
        for text in [&self.reader.name, &self.version] {
            push_number(&mut bytes, text.len() as u64);
            bytes.extend(text.as_bytes());
        }
        bytes.extend(&self.bits);
        bytes
    }

    /// Reads a file.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let Some(rest) = bytes.strip_prefix(MAGIC) else {
            return Err(Error::NoHead { found: bytes[..bytes.len().min(MAGIC.len())].to_vec() });
        };
        let mut head = Head { rest };
        let stored = head.some("the kind of storage", |head| Stored::by_code(head.bytes::<1>()?[0]))?;
        let sha256 = head.some("the hash of the model", Head::bytes)?;
        let check = head.some("the hash of the text", Head::bytes)?;
        let length = head.number("the length of windows")?;
        let stride = head.number("the stride of windows")?;
        let n_bytes = head.number("the number of bytes")?;
        let n_tokens = head.number("the number of tokens")?;
        if length == 0 || stride == 0 || stride > length {
            return Err(Error::Field { field: "the stride of windows" });
        }
        if n_tokens > n_bytes + 1 {
            return Err(Error::Field { field: "the number of tokens" });
        }
        let name = head.some("the name of the model", Head::text)?;
        let version = head.some("the version", Head::text)?;
        let reader = Reader { name, sha256 };
        let (windows, bits) = (Windows::new(length, stride), head.rest.to_vec());
        Ok(Self { reader, version, stored, windows, n_bytes, n_tokens, check, bits })
    }
}

impl Stored {
    const CODES: [(u8, Self); 3] = [(0, Self::Raw), (1, Self::Tokens), (2, Self::AfterSpace)];

    fn code(self) -> u8 {
        Self::CODES.iter().find(|(_, stored)| *stored == self).map_or(0, |(code, _)| *code)
    }

    fn by_code(code: u8) -> Option<Self> {
        Self::CODES.iter().find(|(known, _)| *known == code).map(|(_, stored)| *stored)
    }
}

fn check(text: &[u8]) -> [u8; CHECK] {
    let hash = Sha256::digest(text);
    let mut check = [0; CHECK];
    check.copy_from_slice(&hash[..CHECK]);
    check
}

/// How many bytes a number takes in a file: seven bits in each.
pub fn number_len(number: u64) -> usize {
    let mut bytes = Vec::new();
    push_number(&mut bytes, number);
    bytes.len()
}

fn push_number(bytes: &mut Vec<u8>, mut number: u64) {
    const MORE: u8 = 0x80;
    loop {
        let low = number.to_le_bytes()[0] & !MORE;
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return;
        }
        bytes.push(low | MORE);
    }
}

/// What of a head was not read yet.
struct Head<'a> {
    rest: &'a [u8],
}

impl Head<'_> {
    fn some<T>(&mut self, field: &'static str, read: impl Fn(&mut Self) -> Option<T>) -> Result<T, Error> {
        read(self).ok_or(Error::Field { field })
    }

    fn bytes<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (found, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(*found)
    }

    fn number(&mut self, field: &'static str) -> Result<usize, Error> {
        self.some(field, Self::any_number)
    }

    fn any_number(&mut self) -> Option<usize> {
        let mut number = 0u64;
        for shift in (0..64).step_by(7) {
            let [byte] = self.bytes()?;
            number |= u64::from(byte & 0x7f).checked_shl(shift)?;
            if byte < 0x80 {
                return usize::try_from(number).ok().filter(|_| number <= MOST);
            }
        }
        None
    }

    fn text(&mut self) -> Option<String> {
        let n = self.any_number()?;
        let (text, rest) = self.rest.split_at_checked(n)?;
        self.rest = rest;
        String::from_utf8(text.to_vec()).ok()
    }
}
