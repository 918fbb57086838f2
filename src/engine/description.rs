//! What a model is made of: a parameter file, and the code that runs it. Only headers are read.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::load::{OpenError, fitting_vocab, text_files};
use crate::hook::Site;
use crate::model::checkpoint::Arithmetic;
use crate::model::checkpoint::gguf::GgufCheckpoint;
use crate::model::header::{Header, StoredTensor, TensorClass};
use crate::model::load::{LoadError, Precision, directory_header, gguf_header, weight_files};
use crate::model::memory::{self, Budget};
use crate::model::source::{FileBytes, ModelSource};
use crate::model::{self, CancelToken, DecoderConfig, Fact, LoadOptions, Param};
use crate::text::{self, TokenizerFacts};
use crate::trace::TracePlan;

/// All that can be said of a model without running it.
#[derive(Debug, Clone, Serialize)]
pub struct Description {
    /// The model's name.
    pub name: String,
    /// Sizes and axes of the code, under the names of [`DecoderConfig`]'s fields.
    #[serde(serialize_with = "as_map")]
    pub model: Vec<(&'static str, Fact)>,
    /// The numbers in the parameter file.
    pub parameters: Parameters,
    /// The tensors by what they are for.
    pub tensor_classes: Vec<ClassFacts>,
    /// What it takes to run and to trace.
    pub memory: Memory,
    /// From text to ids.
    pub tokenizer: TokenizerFacts,
    /// The chat template's first lines, if it has one.
    pub chat_template: Option<ChatFacts>,
    /// The files it is read from.
    pub files: Vec<FileFacts>,
    /// SHA-256 over configuration and tensor headers, shortened.
    pub fingerprint: String,
}

/// The numbers in the parameter file.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Parameters {
    /// How many the decoder has; a tied embedding counts once.
    pub count: u64,
    /// How many of them embed or unembed.
    pub embedding: u64,
    /// Types in the file, and how they are computed with.
    pub precision: String,
    /// Bytes of all tensors in the file.
    pub bytes: u64,
    /// Bytes a number in the file.
    pub bytes_per_parameter: f64,
}

/// The tensors of one class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClassFacts {
    /// What they are for.
    pub class: TensorClass,
    /// How many.
    pub tensors: usize,
    /// How many numbers.
    pub parameters: u64,
    /// Bytes in the file.
    pub bytes: u64,
    /// How many numbers are stored in which type.
    pub types: BTreeMap<String, u64>,
}

/// Bytes of memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Memory {
    /// The weights as loaded.
    pub weights: u64,
    /// The weights with every number on its own.
    pub weights_exact: u64,
    /// The weights dequantised on demand, where those are fewer.
    pub weights_on_demand: Option<u64>,
    /// The weights with fast arithmetic, where those are fewer.
    pub weights_fast: Option<u64>,
    /// The tokenizer, an estimate from its number of tokens.
    pub tokenizer: u64,
    /// The program itself: its code, and what its threads work with.
    pub program: u64,
    /// A process that has loaded the model and answered a short prompt: weights, tokenizer and program.
    pub at_start: u64,
    /// Keys and values of one token.
    pub kv_cache_per_token: u64,
    /// The tokens that the rest is about.
    pub n_tokens: usize,
    /// Keys and values of these tokens.
    pub kv_cache: u64,
    /// A trace of every hook, with the logits.
    pub trace_all_hooks: u64,
    /// A trace of the attention patterns, with the logits.
    pub trace_patterns: u64,
    /// A trace of the residual stream, with the logits.
    pub trace_residuals: u64,
}

/// A chat template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChatFacts {
    /// How many lines it has.
    pub n_lines: usize,
    /// The first of them, shortened.
    pub first_lines: Vec<String>,
}

/// A file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileFacts {
    /// Its name.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// Whether it holds weights.
    pub is_weights: bool,
    /// The SHA-256 of a weights file, if it was asked for.
    pub sha256: Option<String>,
}

/// What of a description is open to choice.
#[derive(Debug, Clone, Copy)]
pub struct Inquiry {
    /// What of loading is open to choice.
    pub options: LoadOptions,
    /// How many tokens a trace is estimated for.
    pub n_tokens: usize,
}

fn as_map<S: serde::Serializer>(facts: &[(&'static str, Fact)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(facts.iter().map(|(name, fact)| (name, fact)))
}

/// Describes a model from its headers.
///
/// # Errors
/// What loading the model would refuse, but for damage inside the weights, and weights that do not fit into what is
/// free now: those are described as they were asked for.
pub fn describe(source: &ModelSource, inquiry: Inquiry) -> Result<Description, OpenError> {
    let name = source.name();
    let load = |error| OpenError::Load { model: name.clone(), source: error };
    let text = |error| OpenError::Text { model: name.clone(), source: error };
    let (header, tokenizer, template) = match source {
        ModelSource::Gguf(path) => {
            let bytes = FileBytes::map(path).map_err(load)?;
            let checkpoint = GgufCheckpoint::new(path, &bytes).map_err(load)?;
            let meta = checkpoint.metadata();
            let header = gguf_header(&checkpoint, path.clone()).map_err(load)?;
            let tokenizer = fitting_vocab(&meta).and_then(|vocab| vocab.facts()).map_err(text)?;
            (header, tokenizer, meta.text("tokenizer.chat_template").map(ToOwned::to_owned))
        }
        ModelSource::Directory(_) | ModelSource::Embedded(_) => {
            let header = directory_header(source).map_err(load)?;
            let files = text_files(source, header.config.d_vocab).map_err(load)?;
            let tokenizer = files.tokenizer(header.config.d_vocab).map_err(text)?;
            (header, tokenizer.facts(), files.chat_template)
        }
    };
    let arithmetic = arithmetic(&header, inquiry.options).map_err(load)?;
    let dtype = inquiry.options.dtype;
    Ok(Description {
        model: header.config.facts(),
        parameters: parameters(&header, Precision { stored: header.stored.clone(), arithmetic, dtype }),
        tensor_classes: classes(&header.tensors),
        memory: memory_facts(&header, &tokenizer, arithmetic, inquiry),
        tokenizer,
        chat_template: template.as_deref().map(chat),
        files: files(source).map_err(load)?.iter().map(|file| file.facts(None)).collect(),
        fingerprint: header.fingerprint,
        name,
    })
}

/// Whether a model's weights fit into memory, from its headers.
///
/// # Errors
/// What loading the weights would refuse, but for damage inside them.
pub fn check_memory(source: &ModelSource, options: LoadOptions) -> Result<(), OpenError> {
    let header = match source {
        ModelSource::Gguf(path) => {
            FileBytes::map(path).and_then(|bytes| gguf_header(&GgufCheckpoint::new(path, &bytes)?, path.clone()))
        }
        ModelSource::Directory(_) | ModelSource::Embedded(_) => directory_header(source),
    };
    let fits = header.and_then(|header| memory::plan(&header, options));
    fits.map(|_| ()).map_err(|error| OpenError::Load { model: source.name(), source: error })
}

/// What will be done with quantised weights.
fn arithmetic(header: &Header, options: LoadOptions) -> Result<Arithmetic, LoadError> {
    match memory::plan(header, options) {
        Err(LoadError::Memory { budget: Budget::Free(_), .. }) => Ok(options.arithmetic),
        planned => planned,
    }
}

fn parameters(header: &Header, precision: Precision) -> Parameters {
    let cfg = &header.config;
    let embeds = [Param::Embed, Param::PosEmbed, Param::Unembed];
    let size = |param: Param| param.shape(cfg).into_iter().map(|n| n as u64).product::<u64>();
    let embedding = cfg.params().iter().filter(|id| embeds.contains(&id.param)).map(|id| size(id.param)).sum();
    let in_file = |number: fn(&StoredTensor) -> u64| header.tensors.iter().map(number).sum::<u64>();
    let (bytes, stored) = (in_file(|tensor| tensor.n_bytes), in_file(|tensor| tensor.n_params));
    Parameters {
        count: cfg.n_params() as u64,
        embedding,
        precision: precision.describe(),
        bytes,
        bytes_per_parameter: bytes as f64 / stored.max(1) as f64,
    }
}

fn classes(tensors: &[StoredTensor]) -> Vec<ClassFacts> {
    let of = |class: TensorClass| {
        let mut facts = ClassFacts { class, tensors: 0, parameters: 0, bytes: 0, types: BTreeMap::new() };
        for tensor in tensors.iter().filter(|tensor| tensor.class == class) {
            facts.tensors += 1;
            facts.parameters += tensor.n_params;
            facts.bytes += tensor.n_bytes;
            *facts.types.entry(tensor.dtype.clone()).or_default() += tensor.n_params;
        }
        facts
    };
    TensorClass::ALL.into_iter().map(of).filter(|facts| facts.tensors > 0).collect()
}

fn memory_facts(header: &Header, tokenizer: &TokenizerFacts, arithmetic: Arithmetic, inquiry: Inquiry) -> Memory {
    /// Measured with two threads; each more takes one or two MiB.
    const PROGRAM: u64 = 36 << 20;
    let cfg: &DecoderConfig = &header.config;
    let (n_tokens, dtype) = (inquiry.n_tokens, inquiry.options.dtype);
    let bytes = |arithmetic| header.n_bytes_loaded(arithmetic, dtype);
    let exact = bytes(Arithmetic::Exact);
    let fewer = |arithmetic| Some(bytes(arithmetic)).filter(|&bytes| bytes < exact);
    let kv_cache_per_token = (dtype.size() * 2 * cfg.n_layers * cfg.n_kv_heads * cfg.d_head) as u64;
    let trace = |sites: &[Site]| TracePlan::sites(cfg, sites).bytes(cfg, n_tokens);
    Memory {
        weights: bytes(arithmetic),
        weights_exact: exact,
        weights_on_demand: fewer(Arithmetic::OnDemand),
        weights_fast: fewer(Arithmetic::Fast),
        tokenizer: tokenizer.bytes(),
        program: PROGRAM,
        at_start: bytes(arithmetic) + tokenizer.bytes() + PROGRAM,
        kv_cache_per_token,
        n_tokens,
        kv_cache: kv_cache_per_token * n_tokens as u64,
        trace_all_hooks: trace(Site::ALL),
        trace_patterns: trace(&[Site::Pattern]),
        trace_residuals: trace(&[Site::ResidPre, Site::ResidMid, Site::ResidPost]),
    }
}

fn chat(template: &str) -> ChatFacts {
    const LINES: usize = 3;
    const COLUMNS: usize = 90;
    let shorten = |line: &str| {
        let line = text::visible_name(line);
        if line.chars().count() <= COLUMNS { line } else { line.chars().take(COLUMNS - 1).chain(['…']).collect() }
    };
    ChatFacts { n_lines: template.lines().count(), first_lines: template.lines().take(LINES).map(shorten).collect() }
}

/// A file of a model, open.
pub(super) struct OpenFile {
    path: PathBuf,
    pub(super) bytes: FileBytes,
    pub(super) is_weights: bool,
}

impl OpenFile {
    /// One that holds weights.
    pub(super) const fn weights(path: PathBuf, bytes: FileBytes) -> Self {
        Self { path, bytes, is_weights: true }
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether this is its name.
    pub(super) fn is(&self, name: &str) -> bool {
        self.path.file_name().is_some_and(|found| found == name)
    }

    fn facts(&self, sha256: Option<String>) -> FileFacts {
        let name = self.path.file_name().unwrap_or(self.path.as_os_str()).to_string_lossy().into_owned();
        FileFacts { name, bytes: self.bytes.len() as u64, is_weights: self.is_weights, sha256 }
    }
}

/// The files that loading reads, those with weights last.
pub(super) fn files(source: &ModelSource) -> Result<Vec<OpenFile>, LoadError> {
    const TEXTS: [&str; 5] = [
        "config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "chat_template.jinja",
        "model.safetensors.index.json",
    ];
    if let ModelSource::Gguf(path) = source {
        return Ok(vec![OpenFile::weights(path.clone(), FileBytes::map(path)?)]);
    }
    let mut files = Vec::new();
    for name in TEXTS {
        files.extend(source.open(name)?.map(|(path, bytes)| OpenFile { path, bytes, is_weights: false }));
    }
    files.extend(weight_files(source)?.into_iter().map(|(path, bytes)| OpenFile::weights(path, bytes)));
    Ok(files)
}

/// The files again, with the SHA-256 of those that hold weights; `progress` is told bytes done and bytes in all.
///
/// # Errors
/// [`OpenError::Load`] if a file is gone, [`model::Error::Cancelled`] soon after `cancel` is set.
pub fn hash_files(
    source: &ModelSource,
    cancel: &CancelToken,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Vec<FileFacts>, super::EngineError> {
    let load = |error| OpenError::Load { model: source.name(), source: error };
    let files = files(source).map_err(load)?;
    let total = files.iter().filter(|file| file.is_weights).map(|file| file.bytes.len() as u64).sum();
    let mut done = 0;
    let mut facts = Vec::new();
    for file in &files {
        let mut tell = |n: usize| {
            done += n as u64;
            progress(done, total);
        };
        let sha256 = file.is_weights.then(|| sha256(&file.bytes, cancel, &mut tell)).transpose()?;
        facts.push(file.facts(sha256));
    }
    Ok(facts)
}

pub(super) fn sha256(bytes: &[u8], cancel: &CancelToken, tell: &mut dyn FnMut(usize)) -> model::Result<String> {
    const CHUNK: usize = 4 << 20;
    let mut hash = Sha256::new();
    for chunk in bytes.chunks(CHUNK) {
        cancel.check()?;
        hash.update(chunk);
        tell(chunk.len());
    }
    Ok(hash.finalize().iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}")))
}

/// Bytes as people read them: `538.1 MB`. Powers of a thousand, as disks are sold.
pub fn readable_bytes(n: u64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    let mut value = n as f64;
    let mut unit = 0;
    while value >= 999.95 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    if unit == 0 { format!("{n} B") } else { format!("{value:.1} {}", UNITS[unit]) }
}

/// A count with its thousands apart: `134,515,008`.
pub fn readable_count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Loading;

    #[test]
    fn sizes_are_readable() {
        for (n, text) in [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (999_999, "1.0 MB"), (538_090_408, "538.1 MB")]
        {
            assert_eq!(readable_bytes(n), text);
        }
        for (n, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (134_515_008, "134,515,008")] {
            assert_eq!(readable_count(n), text);
        }
    }

    #[test]
    fn a_hash_can_be_told_cancelled_and_checked() {
        let mut told = 0;
        let cancel = CancelToken::default();
        let abc = sha256(b"abc", &cancel, &mut |n| told += n).unwrap();
        assert_eq!(abc, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(told, 3);
        cancel.cancel();
        assert!(matches!(sha256(b"abc", &cancel, &mut |_| ()), Err(model::Error::Cancelled)));
    }

    #[test]
    fn the_embedded_model_is_described_as_it_loads() {
        let source = ModelSource::default();
        let inquiry = Inquiry { options: LoadOptions::default(), n_tokens: 10 };
        let found = describe(&source, inquiry).unwrap();
        let loaded = super::super::open(&source, &Loading::unwatched(Arithmetic::Exact)).unwrap().info;
        assert_eq!(found.fingerprint, loaded.fingerprint);
        assert_eq!(found.parameters.count, loaded.config.n_params() as u64);
        assert_eq!(found.parameters.precision, loaded.precision.describe());
        assert_eq!(found.tokenizer.n_tokens, loaded.n_tokens);
        let in_classes: u64 = found.tensor_classes.iter().map(|class| class.parameters).sum();
        assert_eq!(in_classes, found.parameters.count);
        assert_eq!(found.memory.kv_cache, 10 * found.memory.kv_cache_per_token);
        assert!(found.files.iter().any(|file| file.is_weights && file.sha256.is_none()));
    }
}
