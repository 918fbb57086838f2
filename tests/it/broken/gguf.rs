//! Damaged GGUF files.

use std::fs;
use std::path::Path;

use super::model::{Case, Model, Seen};

/// A GGUF file in parts that can be changed one by one.
#[derive(Clone)]
pub(super) struct Gguf {
    version: u32,
    /// What the header says, if it is not the truth.
    n_tensors: Option<u64>,
    n_keys: Option<u64>,
    keys: Vec<Key>,
    tensors: Vec<Tensor>,
    data: Vec<u8>,
}

#[derive(Clone)]
struct Key {
    name: Vec<u8>,
    kind: u32,
    value: Vec<u8>,
}

#[derive(Clone)]
struct Tensor {
    name: Vec<u8>,
    sizes: Vec<u64>,
    kind: u32,
    offset: u64,
}

const U32: u32 = 4;
const F32: u32 = 6;
const STRING: u32 = 8;
const ARRAY: u32 = 9;

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, n: u64) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(usize::try_from(n).unwrap());
        self.0 = rest;
        taken
    }

    fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.take(4).try_into().unwrap())
    }

    fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.take(8).try_into().unwrap())
    }

    fn string(&mut self) -> Vec<u8> {
        let n = self.u64();
        self.take(n).to_vec()
    }

    fn skip(&mut self, kind: u32) {
        let n = match kind {
            STRING => self.u64(),
            ARRAY => {
                let (kind, n) = (self.u32(), self.u64());
                return (0..n).for_each(|_| self.skip(kind));
            }
            0 | 1 | 7 => 1,
            2 | 3 => 2,
            U32 | 5 | F32 => 4,
            _ => 8,
        };
        self.take(n);
    }

    fn key(&mut self) -> Key {
        let (name, kind, before) = (self.string(), self.u32(), self.0);
        self.skip(kind);
        Key { name, kind, value: before[..before.len() - self.0.len()].to_vec() }
    }

    fn tensor(&mut self) -> Tensor {
        let name = self.string();
        let n_axes = self.u32();
        let sizes = (0..n_axes).map(|_| self.u64()).collect();
        Tensor { name, sizes, kind: self.u32(), offset: self.u64() }
    }
}

fn string(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u64).to_le_bytes(), bytes].concat()
}

fn array(kind: u32, n: u64, values: &[u8]) -> Vec<u8> {
    [&kind.to_le_bytes()[..], &n.to_le_bytes(), values].concat()
}

impl Gguf {
    pub(super) fn parse(bytes: &[u8]) -> Self {
        let mut reader = Reader(&bytes[4..]);
        let (version, n_tensors, n_keys) = (reader.u32(), reader.u64(), reader.u64());
        let keys = (0..n_keys).map(|_| reader.key()).collect();
        let tensors = (0..n_tensors).map(|_| reader.tensor()).collect();
        let at = (bytes.len() - reader.0.len()).next_multiple_of(32);
        Self { version, n_tensors: None, n_keys: None, keys, tensors, data: bytes[at..].to_vec() }
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.header();
        bytes.resize(bytes.len().next_multiple_of(32), 0);
        [bytes, self.data.clone()].concat()
    }

    pub(super) fn header(&self) -> Vec<u8> {
        let mut bytes = b"GGUF".to_vec();
        bytes.extend(self.version.to_le_bytes());
        bytes.extend(self.n_tensors.unwrap_or(self.tensors.len() as u64).to_le_bytes());
        bytes.extend(self.n_keys.unwrap_or(self.keys.len() as u64).to_le_bytes());
        for key in &self.keys {
            bytes.extend([&string(&key.name)[..], &key.kind.to_le_bytes(), &key.value].concat());
        }
        for tensor in &self.tensors {
            bytes.extend(string(&tensor.name));
            bytes.extend(u32::try_from(tensor.sizes.len()).unwrap().to_le_bytes());
            bytes.extend(tensor.sizes.iter().flat_map(|size| size.to_le_bytes()));
            bytes.extend([&tensor.kind.to_le_bytes()[..], &tensor.offset.to_le_bytes()].concat());
        }
        bytes
    }

    fn with(&self, change: impl FnOnce(&mut Self)) -> Vec<u8> {
        let mut changed = self.clone();
        change(&mut changed);
        changed.bytes()
    }

    /// The same with another value of a key, or with one key more.
    fn set(&self, name: &str, kind: u32, value: &[u8]) -> Vec<u8> {
        self.with(|file| {
            let key = Key { name: name.into(), kind, value: value.to_vec() };
            match file.keys.iter_mut().find(|key| key.name == name.as_bytes()) {
                Some(old) => *old = key,
                None => file.keys.insert(0, key),
            }
        })
    }

    fn without(&self, name: &str) -> Vec<u8> {
        self.with(|file| file.keys.retain(|key| key.name != name.as_bytes()))
    }

    fn tensor(&self, change: impl FnOnce(&mut Tensor)) -> Vec<u8> {
        self.with(|file| change(file.tensors.iter_mut().find(|tensor| tensor.name == TENSOR.as_bytes()).unwrap()))
    }
}

const TENSOR: &str = "blk.0.attn_norm.weight";
const TOKENS: &str = "tokenizer.ggml.tokens";

pub(super) fn cases(root: &Path) -> Vec<Case> {
    let model = Model::good("models/tiny-llama-gguf");
    let good = model.file("model.gguf").to_vec();
    let file = Gguf::parse(&good);
    assert_eq!(file.bytes(), good);
    let case = |(name, bytes, names): (&str, Vec<u8>, &'static str)| {
        let path = root.join(format!("gguf-{name}.gguf"));
        fs::write(&path, bytes).unwrap();
        Case::new(&format!("gguf-{name}"), path, names)
    };
    let mut cases: Vec<Case> = [frames(&file, &good), values(&file), tensors(&file), metadata(&file)]
        .into_iter()
        .flatten()
        .map(case)
        .collect();
    cases.extend(vocabularies(&file).into_iter().map(|broken| case(broken).seen(Seen::Load)));
    for index in [0, 20] {
        cases[index].traced = true;
    }
    cases
}

type Broken = (&'static str, Vec<u8>, &'static str);

/// Counts and ends.
fn frames(file: &Gguf, good: &[u8]) -> Vec<Broken> {
    let n = file.header().len();
    let counts = |n_tensors, n_keys| file.with(|file| (file.n_tensors, file.n_keys) = (n_tensors, n_keys));
    vec![
        ("empty", Vec::new(), "gguf-empty.gguf"),
        ("of-another-magic", [b"GGML", &good[4..]].concat(), "GGML"),
        ("of-four-bytes", good[..4].to_vec(), "the version at byte 4"),
        ("version-1", file.with(|file| file.version = 1), "version is 1"),
        ("version-of-all-ones", file.with(|file| file.version = u32::MAX), "4294967295"),
        ("version-big-endian", file.with(|file| file.version = 3u32.swap_bytes()), "little-endian"),
        ("tensors-of-all-ones", counts(Some(u64::MAX), None), "18446744073709551615"),
        ("keys-of-all-ones", counts(None, Some(u64::MAX)), "18446744073709551615"),
        ("tensors-too-many", counts(Some(22), None), "byte"),
        ("tensors-too-few", counts(Some(20), None), "tensor `blk."),
        ("keys-too-many", counts(None, Some(26)), "byte"),
        ("keys-too-few", counts(None, Some(24)), "byte"),
        ("cut-off-in-the-keys", good[..3000].to_vec(), "byte"),
        ("cut-off-in-the-tensors", good[..n - 9].to_vec(), "byte"),
        ("cut-off-in-the-data", good[..good.len() / 2].to_vec(), "promises"),
        ("cut-off-before-the-data", good[..n].to_vec(), "promises"),
    ]
}

/// Types and lengths of values.
fn values(file: &Gguf) -> Vec<Broken> {
    const KEY: &str = "general.extra";
    let text = |claimed: u64| file.set(KEY, STRING, &claimed.to_le_bytes());
    let deep: Vec<u8> = (0..10_000).flat_map(|_| array(ARRAY, 1, &[])).collect();
    let wide = vec![0; 3 << 20];
    vec![
        ("text-of-all-ones", text(u64::MAX), "18446744073709551615"),
        ("text-beyond-the-file", text(1 << 40), "1099511627776"),
        ("array-of-all-ones", file.set(KEY, ARRAY, &array(U32, u64::MAX, &[])), "18446744073709551615"),
        ("array-of-texts-of-all-ones", file.set(KEY, ARRAY, &array(STRING, u64::MAX, &[])), "18446744073709551615"),
        ("array-whose-size-overflows", file.set(KEY, ARRAY, &array(12, 1 << 61, &[])), "2305843009213693952"),
        ("array-of-three-million-bytes", file.set(KEY, ARRAY, &array(0, wide.len() as u64, &wide)), "3145728"),
        ("arrays-nested-10000-deep", file.set(KEY, ARRAY, &deep), "nested"),
        ("array-of-an-unknown-type", file.set(KEY, ARRAY, &array(99, 1, &[0; 8])), KEY),
        ("value-of-an-unknown-type", file.set(KEY, 13, &[0; 8]), KEY),
        ("truth-value-of-seven", file.set(KEY, 7, &[7]), KEY),
        ("key-of-all-ones", file.with(|file| file.keys[0].name = vec![b'k'; 70_000]), "65535"),
        ("key-twice", file.with(|file| file.keys.push(file.keys[3].clone())), "llama.block_count"),
        ("alignment-zero", file.set("general.alignment", U32, &0u32.to_le_bytes()), "general.alignment"),
        ("alignment-of-three", file.set("general.alignment", U32, &3u32.to_le_bytes()), "general.alignment"),
        ("alignment-huge", file.set("general.alignment", U32, &(1u32 << 31).to_le_bytes()), "general.alignment"),
        ("alignment-a-text", file.set("general.alignment", STRING, &string(b"32")), "general.alignment"),
    ]
}

/// Shapes, types and places of tensors.
fn tensors(file: &Gguf) -> Vec<Broken> {
    let sizes = |sizes: &[u64]| file.tensor(|tensor| tensor.sizes = sizes.to_vec());
    let kind = |kind: u32| file.tensor(|tensor| tensor.kind = kind);
    let offset = |offset: u64| file.tensor(|tensor| tensor.offset = offset);
    vec![
        ("tensor-of-five-axes", sizes(&[2, 2, 2, 2, 4]), TENSOR),
        ("tensor-of-no-axis", sizes(&[]), TENSOR),
        ("tensor-of-size-zero", sizes(&[64, 0]), TENSOR),
        ("tensor-whose-size-overflows", sizes(&[1 << 40, 1 << 40]), TENSOR),
        ("tensor-of-all-ones", sizes(&[u64::MAX]), TENSOR),
        ("tensor-of-another-shape", sizes(&[32, 2]), TENSOR),
        ("tensor-beyond-the-end", offset(1 << 40), "promises"),
        ("tensor-at-the-last-byte", offset(!31), TENSOR),
        ("tensor-unaligned", offset(33), TENSOR),
        ("tensors-overlapping", offset(0), "those of"),
        ("type-unknown", kind(99), "99"),
        ("type-that-was-removed", kind(4), TENSOR),
        ("type-not-read", kind(20), "IQ4_NL"),
        ("type-of-integers", kind(27), "I64"),
        ("type-whose-blocks-do-not-fit", kind(12), "Q4_K"),
        ("tensor-twice", file.with(|file| file.tensors.push(file.tensors[2].clone())), TENSOR),
        ("tensor-missing", file.with(|file| drop(file.tensors.remove(2))), TENSOR),
        ("without-tensors", file.with(|file| file.tensors.clear()), "token_embd.weight"),
    ]
}

/// Well-formed metadata that describe no model.
fn metadata(file: &Gguf) -> Vec<Broken> {
    let number = |key, n: u32| file.set(key, U32, &n.to_le_bytes());
    vec![
        ("architecture-unknown", file.set("general.architecture", STRING, &string(b"mamba")), "mamba"),
        ("architecture-missing", file.without("general.architecture"), "(none)"),
        ("without-a-number-of-layers", file.without("llama.block_count"), "llama.block_count"),
        ("without-a-width", file.without("llama.embedding_length"), "llama.embedding_length"),
        ("layers-of-all-ones", number("llama.block_count", u32::MAX), "llama.block_count"),
        ("layers-zero", number("llama.block_count", 0), "llama.block_count"),
        ("heads-zero", number("llama.attention.head_count", 0), "llama.attention.head_count"),
        ("heads-that-do-not-divide", number("llama.attention.head_count_kv", 3), "3 key/value heads"),
        ("width-of-all-ones", number("llama.embedding_length", u32::MAX), "llama.embedding_length"),
        ("width-a-text", file.set("llama.embedding_length", STRING, &string(b"64")), "llama.embedding_length"),
        ("heads-in-an-array", file.set("llama.attention.head_count", ARRAY, &array(U32, 2, &[4; 8])), "head_count"),
        ("eps-not-a-number", file.set("llama.rope.freq_base", F32, &f32::NAN.to_le_bytes()), "llama.rope.freq_base"),
        ("without-tokens", file.without(TOKENS), "0 tokens"),
        ("tokens-too-few", file.set(TOKENS, ARRAY, &array(STRING, 1, &string(b"a"))), "1 tokens"),
        ("tokens-of-numbers", file.set(TOKENS, ARRAY, &array(U32, 288, &[0; 1152])), "0 tokens"),
        ("tokenizer-unknown", file.set("tokenizer.ggml.model", STRING, &string(b"oracle")), "oracle"),
        ("pre-tokenizer-unknown", file.set("tokenizer.ggml.pre", STRING, &string(b"oracle")), "oracle"),
    ]
}

/// Vocabularies that only building the tokenizer finds wrong.
fn vocabularies(file: &Gguf) -> Vec<Broken> {
    let merges = |rule: &[u8]| file.set("tokenizer.ggml.merges", ARRAY, &array(STRING, 1, &string(rule)));
    let long: Vec<u8> = (0..288).flat_map(|_| string(&[b'a'; 2000])).collect();
    vec![
        ("merges-nonsense", merges(b"nonsense"), "tokenizer.ggml.merges"),
        ("merges-of-what-is-not-there", merges(b"qqq www"), "vocabulary"),
        ("token-types-too-few", file.set("tokenizer.ggml.token_type", ARRAY, &array(5, 1, &[0; 4])), "token_type"),
        ("tokens-too-long", file.set(TOKENS, ARRAY, &array(STRING, 288, &long)), "2000 bytes"),
        ("weight-not-a-number", not_a_number(file), TENSOR),
    ]
}

fn not_a_number(file: &Gguf) -> Vec<u8> {
    file.with(|file| {
        let tensor = file.tensors.iter().find(|tensor| tensor.name == TENSOR.as_bytes()).unwrap();
        let at = usize::try_from(tensor.offset).unwrap();
        file.data[at..at + 4].copy_from_slice(&f32::NAN.to_le_bytes());
    })
}
