//! From files to a decoder that runs.

use std::collections::BTreeSet;
use std::io;
use std::path::{Component, Path, PathBuf};

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::arch::{self, ARCHITECTURES, Architecture, ConfigError, ConfigReader, Source};
use super::checkpoint::gguf::GgufCheckpoint;
use super::checkpoint::{
    Arithmetic, Checkpoint, GgufHeaderError, NameMap, SafetensorsCheckpoint, SafetensorsHeaderError, TensorProblem,
    Weights, fits, tensors,
};
use super::decoder::Decoder;
use super::header::Header;
use super::json::{self, JsonLimits};
use super::memory::{Budget, Needs};
use super::source::{FileBytes, ModelSource};
use super::{
    DecoderConfig, Dtype, Error, LoadOptions, Loading, Param, ParamId, Positions, Result, Rope, RopeScaling, Unembed,
    limits, memory,
};
use crate::hub;

/// Stands for the architecture of a model that names none.
const NO_NAME: &str = "(none)";

/// Why a model could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// There is nothing at the path.
    #[error("`{}` does not exist", path.display())]
    NotFound {
        /// The path.
        path: PathBuf,
    },
    /// The cache of the hub does not have it.
    #[error(transparent)]
    Hub(hub::Error),
    /// The file or directory is not a model.
    #[error("`{}` is not a model: {lacks}", path.display())]
    NotAModel {
        /// The path.
        path: PathBuf,
        /// What is missing.
        lacks: &'static str,
    },
    /// A file could not be read.
    #[error("cannot read `{}`", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A directory, a pipe or a device stands where a file should.
    #[error("`{}` is {found}, expected a file", file.display())]
    NotAFile {
        /// The path.
        file: PathBuf,
        /// What it is.
        found: &'static str,
    },
    /// A file is larger than any of its kind.
    #[error("`{}` has {found} {what}, expected at most {limit}", file.display())]
    TooLarge {
        /// The file.
        file: PathBuf,
        /// Its size.
        found: usize,
        /// What was counted.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// A file is not JSON.
    #[error("`{}` is not valid JSON", file.display())]
    Json {
        /// The file.
        file: PathBuf,
        /// Where and why.
        source: serde_json::Error,
    },
    /// A file is JSON, but not of the kind it should be.
    #[error("`{}` holds {found}, expected {expected}", file.display())]
    JsonKind {
        /// The file.
        file: PathBuf,
        /// What it holds.
        found: &'static str,
        /// What it should hold.
        expected: &'static str,
    },
    /// The index of the shards leads elsewhere.
    #[error("`{}` names the shard `{found}`, expected the name of a file beside it", file.display())]
    Shard {
        /// The index.
        file: PathBuf,
        /// The name.
        found: String,
    },
    /// Two shards have a tensor of the same name.
    #[error("tensor `{tensor}` is in `{}` and in `{}`", files[0].display(), files[1].display())]
    TwoShards {
        /// The tensor.
        tensor: String,
        /// The shards.
        files: [PathBuf; 2],
    },
    /// No architecture has this name.
    #[error("architecture `{found}` is not supported, expected one of {}", known.join(", "))]
    UnknownArchitecture {
        /// The name in the configuration.
        found: String,
        /// Every supported name.
        known: Vec<&'static str>,
    },
    /// The configuration asks for something the decoder does not compute.
    #[error("`{}` cannot be honoured", file.display())]
    Config {
        /// The file.
        file: PathBuf,
        /// The field.
        source: ConfigError,
    },
    /// The sizes in a configuration contradict each other.
    #[error("the sizes in `{}` contradict each other: {what}", file.display())]
    Sizes {
        /// The file.
        file: PathBuf,
        /// Which.
        what: String,
    },
    /// A safetensors file is damaged.
    #[error("`{}` ({n_bytes} bytes) is not a complete safetensors file", file.display())]
    Safetensors {
        /// The file.
        file: PathBuf,
        /// Its size.
        n_bytes: usize,
        /// What is wrong.
        source: safetensors::SafeTensorError,
    },
    /// A safetensors header contradicts its file, or itself.
    #[error("`{}` ({n_bytes} bytes) is not a complete safetensors file", file.display())]
    SafetensorsHeader {
        /// The file.
        file: PathBuf,
        /// Its size.
        n_bytes: usize,
        /// What is wrong.
        source: SafetensorsHeaderError,
    },
    /// A file does not begin as GGUF files do.
    #[error("`{}` begins with `{found}`, a GGUF file begins with `GGUF`", file.display())]
    GgufMagic {
        /// The file.
        file: PathBuf,
        /// The first bytes.
        found: String,
    },
    /// A GGUF header is damaged.
    #[error("the header of `{}` is damaged", file.display())]
    Gguf {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        source: candle_core::Error,
    },
    /// A GGUF header contradicts its file, or itself.
    #[error("the header of `{}` cannot be read", file.display())]
    GgufHeader {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        source: GgufHeaderError,
    },
    /// A file ends too early.
    #[error("`{}` has {found} bytes, its header promises {expected}", file.display())]
    Truncated {
        /// The file.
        file: PathBuf,
        /// Its size.
        found: u64,
        /// The size that the header implies.
        expected: u64,
    },
    /// Tensors are missing, left over or misshapen.
    #[error("{}", list(problems))]
    Tensors {
        /// All of them.
        problems: Vec<TensorProblem>,
    },
    /// The weights do not fit into memory.
    #[error("the weights take {}, {budget}", in_memory(*needs))]
    Memory {
        /// What they take.
        needs: Needs,
        /// What there is.
        budget: Budget,
    },
    /// Two things were asked for that exclude each other.
    #[error("quantised products compute in f32, not in {dtype}")]
    FastDtype {
        /// What was asked for.
        dtype: &'static str,
    },
    /// A weight is not a finite number.
    #[error("tensor `{tensor}` holds {found}, expected finite numbers")]
    NotFinite {
        /// The checkpoint's name for it.
        tensor: String,
        /// What was met first.
        found: f32,
    },
    /// Loading was cancelled.
    #[error("cancelled")]
    Cancelled,
    /// A tensor's data could not be read.
    #[error("a tensor cannot be read")]
    Data(#[source] candle_core::Error),
    /// The decoder could not be built.
    #[error("the decoder cannot be built")]
    Build(#[source] Error),
}

fn list(problems: &[TensorProblem]) -> String {
    const SHOWN: usize = 8;
    let mut text: Vec<String> = problems.iter().take(SHOWN).map(ToString::to_string).collect();
    if problems.len() > SHOWN {
        text.push(format!("and {} more", problems.len() - SHOWN));
    }
    text.join("; ")
}

const fn mib(bytes: u64) -> u64 {
    bytes.div_ceil(1 << 20)
}

impl LoadError {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            Self::NotFound { .. } => {
                "give a Hugging Face directory, a .gguf file, org/name of the hub, or an embedded model: slide, slide-chat"
            }
            Self::NotAModel { .. } => {
                "a model is a directory with config.json, tokenizer.json and *.safetensors, or one .gguf file"
            }
            Self::Safetensors { .. }
            | Self::SafetensorsHeader { .. }
            | Self::Truncated { .. }
            | Self::Gguf { .. }
            | Self::TwoShards { .. } => "download the file again; it was probably cut off",
            Self::GgufHeader { source, .. } => source.hint(),
            Self::Read { .. } | Self::NotAFile { .. } => "check that the file is there and that you may read it",
            Self::Json { .. } | Self::JsonKind { .. } | Self::TooLarge { .. } => {
                "download the file again; it is damaged, or is another file of the same name"
            }
            Self::Shard { .. } => "shards lie in the directory of the model; download the index again",
            Self::Memory { needs, budget } => return Some(memory_hint(*needs, *budget)),
            Self::NotFinite { .. } => "the weights are damaged, or overflowed while they were trained or converted",
            Self::GgufMagic { .. } => "name a .gguf file, or the directory that holds config.json",
            Self::Tensors { .. } => "config.json and the weights disagree: check that they come from the same model",
            Self::UnknownArchitecture { .. } => {
                "`model_type` in config.json (or general.architecture in a GGUF) names it"
            }
            Self::Config { .. } | Self::Sizes { .. } => {
                "lmscope refuses a model that it would compute differently from its reference"
            }
            Self::Hub(error) => return error.hint(),
            Self::FastDtype { .. } => "leave out --fast, or --dtype",
            Self::Cancelled => return None,
            Self::Data(_) | Self::Build(_) => {
                "the file may be damaged, or of a kind that is not read here; `lmscope info` lists what is in it"
            }
        };
        Some(text.to_owned())
    }
}

fn in_memory(needs: Needs) -> String {
    let on_demand = needs.on_demand.map(|bytes| format!(" (dequantised on demand {} MiB)", mib(bytes)));
    format!("{} MiB of memory{}", mib(needs.asked), on_demand.unwrap_or_default())
}

fn memory_hint(needs: Needs, budget: Budget) -> String {
    let least = needs.on_demand.unwrap_or(needs.asked);
    let mut ways = match budget {
        Budget::Allowed(_) => vec![format!("raise --max-memory to {}", mib(least))],
        Budget::Free(_) => Vec::new(),
    };
    let fast = needs.fast.filter(|&fast| fast < least);
    ways.extend(fast.map(|fast| format!("--fast keeps quantised weights as they are, {} MiB", mib(fast))));
    ways.push("take a smaller quantisation of the model (GGUF), or close other programs".into());
    ways.join("; or ")
}

/// What kind of numbers a model was loaded from, and how they are computed with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Precision {
    /// Types in the file, such as `Q4_1, Q8_0, F32`.
    pub stored: String,
    /// What is done with quantised weights.
    pub arithmetic: Arithmetic,
    /// What is computed in.
    pub dtype: Dtype,
}

impl Precision {
    /// A few words for a narrow screen.
    pub fn brief(&self) -> String {
        let what = match (self.dtype, self.arithmetic) {
            (Dtype::F32, Arithmetic::Exact) => "exact",
            (Dtype::F32, Arithmetic::OnDemand) => "exact, on demand",
            (dtype, Arithmetic::Exact) => return format!("{} in {}", self.stored, dtype.name()),
            (dtype, Arithmetic::OnDemand) => return format!("{} in {}, on demand", self.stored, dtype.name()),
            (_, Arithmetic::Fast) => "fast: activations rounded",
        };
        format!("{} {what}", self.stored)
    }

    /// The same for all that computes the same bits.
    #[must_use]
    pub fn of_numbers(&self) -> Self {
        let arithmetic = match self.arithmetic {
            Arithmetic::Exact | Arithmetic::OnDemand => Arithmetic::Exact,
            Arithmetic::Fast => Arithmetic::Fast,
        };
        Self { arithmetic, ..self.clone() }
    }

    /// One line for people and records.
    pub fn describe(&self) -> String {
        let dtype = self.dtype.name();
        let how = match self.dtype {
            Dtype::F32 | Dtype::F64 => "exact",
            Dtype::Bf16 | Dtype::F16 => "weights and activations are rounded to it",
        };
        match self.arithmetic {
            Arithmetic::Exact => format!("{} weights, {dtype} arithmetic ({how})", self.stored),
            Arithmetic::OnDemand => {
                format!("{} weights, {dtype} arithmetic ({how}, dequantised on demand)", self.stored)
            }
            Arithmetic::Fast => {
                format!("{} weights, quantised arithmetic (fast: activations are rounded)", self.stored)
            }
        }
    }
}

/// A decoder and what is known about the files it came from.
pub struct LoadedModel {
    /// The model.
    pub decoder: Decoder,
    /// Its configuration.
    pub config: DecoderConfig,
    /// Number types.
    pub precision: Precision,
    /// SHA-256 over configuration and tensor names, types and shapes; the first 16 hex digits.
    pub fingerprint: String,
}

/// Loads the decoder of a directory-like source.
pub fn load_directory(source: &ModelSource, loading: &Loading<'_>) -> Result<LoadedModel, LoadError> {
    with_directory(source, |config, file| build(config, file, loading))
}

/// What the headers of a directory-like source say; no weight is read.
pub fn directory_header(source: &ModelSource) -> Result<Header, LoadError> {
    with_directory(source, Header::read)
}

/// A checkpoint, the names of its tensors, and what identifies its configuration.
#[derive(Clone, Copy)]
pub(super) struct Described<'a> {
    pub(super) checkpoint: &'a dyn Checkpoint,
    pub(super) names: NameMap<'a>,
    pub(super) identity: &'a [u8],
}

fn with_directory<T>(
    source: &ModelSource,
    work: impl FnOnce(&DecoderConfig, Described<'_>) -> Result<T, LoadError>,
) -> Result<T, LoadError> {
    let (file, json) = read_config(source)?;
    if let Some(how) = json.get("quantization_config").filter(|how| !how.is_null()) {
        let source =
            ConfigError::unsupported("quantization_config", how, "weights that are not quantised, or a GGUF file");
        return Err(LoadError::Config { file, source });
    }
    let refuse = |source| LoadError::Config { file: file.clone(), source };
    let arch = architecture(limits::model_type(&json).map_err(refuse)?)?;
    limits::check_layers(&json).map_err(refuse)?;
    let mut config = arch.config(&ConfigReader::new(&json)).map_err(refuse)?;
    check_sizes(&config, &file)?;
    let files = weight_files(source)?;
    let checkpoint = SafetensorsCheckpoint::new(&files)?;
    let bare = checkpoint.names().iter().all(|name| !name.starts_with(arch.prefix()));
    let strip = |mut source: Source| {
        if bare && let Some(stripped) = source.tensor.strip_prefix(arch.prefix()) {
            source.tensor = stripped.to_owned();
        }
        source
    };
    if has_own_unembedding(arch, &config, &checkpoint, &strip) {
        config.unembed = Unembed::Own;
    }
    let is_there = |id: ParamId, source: &Source| {
        tensors(source, &id.param.shape(&config)).iter().all(|name| checkpoint.shape(name).is_some())
    };
    let locate = |id| {
        let usual = arch.source(id, &config).map(strip);
        let other = arch.alternative(id, &config).map(strip).filter(|other| is_there(id, other));
        usual.clone().filter(|usual| is_there(id, usual)).or(other).or(usual)
    };
    let names = NameMap { source: &locate, ignores: &|tensor| arch.ignores(tensor) };
    work(&config, Described { checkpoint: &checkpoint, names, identity: json.to_string().as_bytes() })
}

/// Whether a model that is said to have a tied unembedding comes with another one. The reference then takes that.
fn has_own_unembedding(
    arch: &dyn Architecture,
    config: &DecoderConfig,
    checkpoint: &SafetensorsCheckpoint<'_>,
    strip: &dyn Fn(Source) -> Source,
) -> bool {
    let own = DecoderConfig { unembed: Unembed::Own, ..config.clone() };
    let tensor = |param| arch.source(ParamId::model(param), &own).map(|source| strip(source).tensor);
    match (config.unembed, tensor(Param::Embed), tensor(Param::Unembed)) {
        (Unembed::Tied, Some(embed), Some(unembed)) => {
            checkpoint.shape(&unembed).is_some() && !checkpoint.are_alike(&embed, &unembed)
        }
        _ => false,
    }
}

/// Loads the decoder of a GGUF file.
pub fn load_gguf(
    checkpoint: &GgufCheckpoint<'_>,
    file: PathBuf,
    loading: &Loading<'_>,
) -> Result<LoadedModel, LoadError> {
    with_gguf(checkpoint, file, |config, file| build(config, file, loading))
}

/// What the header of a GGUF file says; no weight is read.
pub fn gguf_header(checkpoint: &GgufCheckpoint<'_>, file: PathBuf) -> Result<Header, LoadError> {
    with_gguf(checkpoint, file, Header::read)
}

fn with_gguf<T>(
    checkpoint: &GgufCheckpoint<'_>,
    file: PathBuf,
    work: impl FnOnce(&DecoderConfig, Described<'_>) -> Result<T, LoadError>,
) -> Result<T, LoadError> {
    let meta = checkpoint.metadata();
    let name = meta.text("general.architecture").unwrap_or(NO_NAME);
    let refuse = |source| LoadError::Config { file: file.clone(), source };
    limits::check_gguf_layers(&meta, name).map_err(refuse)?;
    let (arch, config) = arch::find_gguf(name)
        .and_then(|arch| Some((arch, arch.gguf_config(&meta)?)))
        .ok_or_else(|| unknown(name, Architecture::gguf_name))?;
    let config = config.map_err(refuse)?;
    check_sizes(&config, &file)?;
    let locate = |id| {
        let fits = |source: &Source| fits(&config, checkpoint, id, source);
        let usual = arch.gguf_source(id, &config);
        let other = || arch::gguf_alternative(id, &config).filter(fits);
        usual.clone().filter(fits).or_else(other).or(usual)
    };
    let names = NameMap { source: &locate, ignores: &arch::is_gguf_rotation };
    let identity = format!("{config:?}");
    work(&config, Described { checkpoint, names, identity: identity.as_bytes() })
}

fn build(config: &DecoderConfig, file: Described<'_>, loading: &Loading<'_>) -> Result<LoadedModel, LoadError> {
    let LoadOptions { dtype, kernels, .. } = loading.options;
    if dtype != Dtype::F32 && loading.options.arithmetic == Arithmetic::Fast {
        return Err(LoadError::FastDtype { dtype: dtype.name() });
    }
    let arithmetic = memory::plan(&Header::read(config, file)?, loading.options)?;
    let mut weights = Weights::read(config, file.checkpoint, file.names, arithmetic, loading)?;
    let decoder = Decoder::new(config.clone(), &mut weights, kernels).map_err(LoadError::Build)?;
    let precision = Precision { stored: stored_types(file.checkpoint), arithmetic, dtype };
    let fingerprint = fingerprint(file.checkpoint, file.identity);
    Ok(LoadedModel { decoder, config: config.clone(), precision, fingerprint })
}

/// The architecture that a model says it has, from its header alone; it need not be one that the decoder knows.
pub fn architecture_of(source: &ModelSource) -> Result<String, LoadError> {
    let ModelSource::Gguf(path) = source else {
        let (_, json) = read_config(source)?;
        return Ok(json.get("model_type").and_then(Value::as_str).unwrap_or(NO_NAME).to_owned());
    };
    let bytes = FileBytes::map(path)?;
    let checkpoint = GgufCheckpoint::new(path, &bytes)?;
    Ok(checkpoint.metadata().text("general.architecture").unwrap_or(NO_NAME).to_owned())
}

pub(super) fn stored_types(checkpoint: &dyn Checkpoint) -> String {
    let matrices =
        checkpoint.names().into_iter().filter(|name| checkpoint.shape(name).is_some_and(|shape| shape.len() > 1));
    let types: BTreeSet<String> = matrices.filter_map(|name| checkpoint.dtype(&name)).collect();
    types.into_iter().collect::<Vec<_>>().join("+")
}

pub(super) fn fingerprint(checkpoint: &dyn Checkpoint, identity: &[u8]) -> String {
    let mut hash = Sha256::new();
    hash.update(identity);
    let mut names = checkpoint.names();
    names.sort();
    for name in names {
        hash.update(format!("{name} {:?} {:?}\n", checkpoint.dtype(&name), checkpoint.shape(&name)));
    }
    let hex = |text: String, byte: &u8| text + &format!("{byte:02x}");
    hash.finalize().iter().take(8).fold(String::new(), hex)
}

fn architecture(name: &str) -> Result<&'static dyn Architecture, LoadError> {
    arch::find(name).ok_or_else(|| unknown(name, |arch| Some(arch.name())))
}

/// An architecture that the decoder does not know, with those it does by the same kind of name.
fn unknown(found: &str, name: impl Fn(&'static dyn Architecture) -> Option<&'static str>) -> LoadError {
    let known = ARCHITECTURES.iter().copied().filter_map(name).collect();
    LoadError::UnknownArchitecture { found: found.into(), known }
}

fn read_config(source: &ModelSource) -> Result<(PathBuf, Value), LoadError> {
    let Some((file, bytes)) = source.open("config.json")? else {
        return Err(not_a_model(source, "it has no config.json"));
    };
    let json = json::parse(&file, &bytes, JsonLimits::CONFIG)?;
    object(json, &file).map(|json| (file, json))
}

/// The value, if it is an object.
fn object(json: Value, file: &Path) -> Result<Value, LoadError> {
    let found = match &json {
        Value::Object(_) => return Ok(json),
        Value::Array(_) => "an array",
        Value::String(_) => "a text",
        Value::Number(_) => "a number",
        Value::Bool(_) => "a truth value",
        Value::Null => "null",
    };
    Err(LoadError::JsonKind { file: file.into(), found, expected: "an object" })
}

fn not_a_model(source: &ModelSource, lacks: &'static str) -> LoadError {
    let path = match source {
        ModelSource::Embedded(name) => PathBuf::from(name),
        ModelSource::Directory(path) | ModelSource::Gguf(path) => path.clone(),
    };
    LoadError::NotAModel { path, lacks }
}

/// The safetensors files: one, or the shards that the index names.
pub fn weight_files(source: &ModelSource) -> Result<Vec<(PathBuf, FileBytes)>, LoadError> {
    if let Some(single) = source.open("model.safetensors")? {
        return Ok(vec![single]);
    }
    let Some((file, bytes)) = source.open("model.safetensors.index.json")? else {
        return Err(not_a_model(source, lacks_weights(source)));
    };
    let index = json::parse(&file, &bytes, JsonLimits::FILE)?;
    let mut shards = BTreeSet::new();
    for shard in weight_map(&index, &file)?.values() {
        shards.insert(shard_name(shard).ok_or_else(|| LoadError::Shard { file: file.clone(), found: plain(shard) })?);
    }
    let open =
        |shard: &str| source.open(shard)?.ok_or_else(|| LoadError::NotFound { path: file.with_file_name(shard) });
    shards.into_iter().map(open).collect()
}

fn weight_map<'a>(index: &'a Value, file: &Path) -> Result<&'a Map<String, Value>, LoadError> {
    const FIELD: &str = "weight_map";
    let config = |source| LoadError::Config { file: file.into(), source };
    let map = index.get(FIELD).ok_or_else(|| config(ConfigError::Missing { field: FIELD.into() }))?;
    let expected = "an object that names the shard of each tensor";
    let map = map.as_object().filter(|map| !map.is_empty());
    map.ok_or_else(|| config(ConfigError::unsupported(FIELD, "something else", expected)))
}

/// A shard's name, if it is that of a file in the same directory.
fn shard_name(shard: &Value) -> Option<&str> {
    let name = shard.as_str()?;
    let mut parts = Path::new(name).components();
    let is_plain = matches!((parts.next(), parts.next()), (Some(Component::Normal(part)), None) if part == name);
    Some(name).filter(|_| is_plain)
}

/// A text without its quotes; other values as they are.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}

fn lacks_weights(source: &ModelSource) -> &'static str {
    match source {
        ModelSource::Directory(dir) if dir.join("pytorch_model.bin").exists() => {
            "its weights are pytorch_model.bin, a pickle, which can run any code and is not read"
        }
        _ => "it has no model.safetensors and no model.safetensors.index.json",
    }
}

fn check_sizes(cfg: &DecoderConfig, file: &Path) -> Result<(), LoadError> {
    let refuse = |what: String| Err(LoadError::Sizes { file: file.into(), what });
    if cfg.d_head == 0 {
        return refuse(format!("{} heads do not fit into a width of {}", cfg.n_heads, cfg.d_model));
    }
    if !cfg.n_heads.is_multiple_of(cfg.n_kv_heads) {
        return refuse(format!("{} query heads cannot share {} key/value heads evenly", cfg.n_heads, cfg.n_kv_heads));
    }
    if cfg.norm.eps() < 0.0 {
        return refuse(format!("{} is added to the variance of norms", cfg.norm.eps()));
    }
    if let Some(experts) = cfg.experts
        && (experts.n_active > experts.n || u16::try_from(experts.n).is_err())
    {
        return refuse(format!("each token is sent to {} of {} experts", experts.n_active, experts.n));
    }
    if let Some(n) = limits::too_many_tensors(cfg) {
        return refuse(format!(
            "its layers, heads and experts would take {n} tensors, at most {}",
            limits::MAX_TENSORS
        ));
    }
    let Positions::Rotary { main, local } = &cfg.positions else { return Ok(()) };
    std::iter::once(main).chain(local).find_map(|rope| contradiction(rope, cfg.d_head)).map_or(Ok(()), refuse)
}

fn contradiction(rope: &Rope, d_head: usize) -> Option<String> {
    if rope.n_rot % 2 == 1 || rope.n_rot == 0 || rope.n_rot > d_head {
        return Some(format!("{} rotated dimensions of a head of {d_head}", rope.n_rot));
    }
    let lengths = match &rope.scaling {
        RopeScaling::Divisors(divisors) => vec![divisors.len()],
        RopeScaling::LongRope { short, long, .. } => vec![short.len(), long.len()],
        _ => Vec::new(),
    };
    let wrong = lengths.into_iter().find(|&n| n != rope.n_rot / 2);
    wrong.map(|n| format!("{n} frequency divisors for {} rotated dimensions", rope.n_rot))
}
