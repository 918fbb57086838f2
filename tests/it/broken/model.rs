//! Models to be damaged: the files of a good one in memory, and the cases that are made of them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::support::project;

/// A model that must be refused.
pub(super) struct Case {
    pub(super) name: String,
    /// What `-m` is given.
    pub(super) path: PathBuf,
    /// What the error must name.
    pub(super) names: &'static str,
    pub(super) seen: Seen,
    /// Whether it is also traced.
    pub(super) traced: bool,
}

/// When the damage is seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    /// In the headers and small files, which `info` reads as well.
    Header,
    /// Only when all of the model is loaded.
    Load,
}

impl Case {
    pub(super) fn new(name: &str, path: PathBuf, names: &'static str) -> Self {
        Self { name: name.into(), path, names, seen: Seen::Header, traced: false }
    }

    pub(super) fn seen(self, seen: Seen) -> Self {
        Self { seen, ..self }
    }

    /// The same, and `trace` is run on it.
    pub(super) fn traced(self) -> Self {
        Self { traced: true, ..self }
    }
}

/// The files of a model directory.
#[derive(Clone)]
pub(super) struct Model {
    files: BTreeMap<String, Vec<u8>>,
}

impl Model {
    /// A model of the fixtures, such as `models/tiny-llama`, without what only tests read.
    pub(super) fn good(name: &str) -> Self {
        let entries = fs::read_dir(project("fixtures").join(name)).unwrap().map(|entry| entry.unwrap().path());
        let file = |path: PathBuf| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(&path).unwrap());
        let mut files: BTreeMap<_, _> = entries.map(file).collect();
        files.retain(|name, _| !name.starts_with("golden") && name != "README.md");
        Self { files }
    }

    pub(super) fn file(&self, name: &str) -> &[u8] {
        &self.files[name]
    }

    pub(super) fn json(&self, name: &str) -> Map<String, Value> {
        serde_json::from_slice(self.file(name)).unwrap()
    }

    pub(super) fn with(mut self, name: &str, bytes: impl Into<Vec<u8>>) -> Self {
        self.files.insert(name.into(), bytes.into());
        self
    }

    pub(super) fn without(mut self, name: &str) -> Self {
        self.files.remove(name).unwrap();
        self
    }

    /// The same with fields of a JSON file changed, or removed where they are null.
    pub(super) fn changed(self, name: &str, fields: &Value) -> Self {
        let mut json = self.json(name);
        for (field, value) in fields.as_object().unwrap() {
            if value.is_null() {
                json.remove(field).unwrap();
            } else {
                json.insert(field.clone(), value.clone());
            }
        }
        self.with(name, Value::Object(json).to_string())
    }

    /// Writes it into a directory of this name.
    pub(super) fn write(&self, root: &Path, name: &str) -> PathBuf {
        let dir = root.join(name);
        fs::create_dir_all(&dir).unwrap();
        for (file, bytes) in &self.files {
            fs::write(dir.join(file), bytes).unwrap();
        }
        dir
    }

    /// Writes it as a case.
    pub(super) fn case(&self, root: &Path, name: &str, names: &'static str) -> Case {
        Case::new(name, self.write(root, name), names)
    }
}

/// The header of a safetensors file, and its data.
#[derive(Clone)]
pub(super) struct Safetensors {
    pub(super) header: Map<String, Value>,
    pub(super) data: Vec<u8>,
}

impl Safetensors {
    pub(super) fn parse(bytes: &[u8]) -> Self {
        let n = usize::try_from(u64::from_le_bytes(bytes[..8].try_into().unwrap())).unwrap();
        Self { header: serde_json::from_slice(&bytes[8..8 + n]).unwrap(), data: bytes[8 + n..].to_vec() }
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        with_header(Value::Object(self.header.clone()).to_string().as_bytes(), &self.data)
    }

    /// The same with one field of a tensor changed.
    pub(super) fn changed(&self, tensor: &str, field: &str, value: Value) -> Vec<u8> {
        let mut changed = self.clone();
        changed.header[tensor][field] = value;
        changed.bytes()
    }

    /// Where the data of a tensor are.
    pub(super) fn place(&self, tensor: &str) -> (usize, usize) {
        let end = |index: usize| usize::try_from(self.header[tensor]["data_offsets"][index].as_u64().unwrap()).unwrap();
        (end(0), end(1))
    }
}

/// A safetensors file of this header.
pub(super) fn with_header(header: &[u8], data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header, data].concat()
}
