//! Arguments that several commands share.

use std::io::Read as _;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, bail};
use clap::{Args, ValueEnum};

use super::folders;
use super::output::Output;
use super::progress::Progress;
use crate::config::{Config, ConfigError};
use crate::engine::{HeadStore, Loaded, check_memory, open};
use crate::export::{self, Exporter};
use crate::hub::{Cache, Settings};
use crate::lens::atlas::Atlas;
use crate::lens::{Ask, Versus};
use crate::model::checkpoint::Arithmetic;
use crate::model::sample::{Order, Penalties, Sampling};
use crate::model::source::ModelSource;
use crate::model::{Dtype, LoadOptions, Loading};
use crate::probe::{InputOptions, Step};
use crate::session::{EXTENSION, Saved};
use crate::text::{BosPolicy, Ending, Granularity, Message, Prompt, Tokenizer};

/// Which model, and how it computes.
#[derive(Args, Clone)]
pub(super) struct ModelArgs {
    /// A Hugging Face directory, a .gguf file, org/name in the Hugging Face cache (see `lmscope models`), or an embedded model: slide, slide-chat
    #[arg(short, long, value_name = "MODEL", default_value = "slide")]
    pub(super) model: String,
    /// Round what quantised weights are multiplied with to eight bits (bf16 weights: to bf16): faster, and logits move
    #[arg(long)]
    pub(super) fast: bool,
    /// What weights and activations are computed in
    #[arg(long, value_enum, value_name = "TYPE", default_value = "f32")]
    pub(super) dtype: DtypeArg,
    /// How many MiB of memory weights may take; without it, what is free. Quantised weights that would take more are dequantised on demand, which gives the same numbers; what does not fit then is refused
    #[arg(long, value_name = "MIB")]
    pub(super) max_memory: Option<u64>,
}

/// A type of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum DtypeArg {
    /// 32 bits
    F32,
    /// 64 bits: what the rounding of f32 is measured with
    F64,
    /// 16 bits, 8 of them significant
    Bf16,
    /// 16 bits, 11 of them significant
    F16,
}

impl From<DtypeArg> for Dtype {
    fn from(arg: DtypeArg) -> Self {
        match arg {
            DtypeArg::F32 => Self::F32,
            DtypeArg::F64 => Self::F64,
            DtypeArg::Bf16 => Self::Bf16,
            DtypeArg::F16 => Self::F16,
        }
    }
}

/// Something that would take more memory than was allowed.
#[derive(Debug, thiserror::Error)]
#[error("the {what} would take {needed} MiB, --max-memory allows {allowed} MiB")]
pub(super) struct TooMuchMemory {
    pub(super) what: &'static str,
    pub(super) needed: u64,
    pub(super) allowed: u64,
    pub(super) hint: &'static str,
}

/// MiB that activations may take unless --max-memory says otherwise.
const ACTIVATIONS: u64 = 4096;

impl ModelArgs {
    /// Refuses what takes more MiB of activations than is allowed.
    pub(super) fn allow(&self, what: &'static str, needed: u64, hint: &'static str) -> Result<(), TooMuchMemory> {
        let allowed = self.max_memory.unwrap_or(ACTIVATIONS);
        if needed > allowed { Err(TooMuchMemory { what, needed, allowed, hint }) } else { Ok(()) }
    }

    /// What the heads of the loaded model do, if that is known without work to speak of.
    pub(super) fn known_heads(&self, loaded: &Loaded, out: &Output) -> anyhow::Result<Option<Atlas>> {
        Ok(head_store().known(loaded, &self.source()?, &out.cancel())?)
    }

    /// What the heads of the loaded model do, measured now unless it is remembered.
    pub(super) fn measured_heads(&self, loaded: &Loaded, out: &Output) -> anyhow::Result<Atlas> {
        let mut bar = Progress::new("{msg} {wide_bar} {pos}/{len} {eta}");
        let mut tell = |step: Step| bar.tell(step.done as u64, step.total as u64, "what the heads do");
        Ok(head_store().measured(loaded, &self.source()?, &out.cancel(), &mut tell)?)
    }

    /// What of loading is open to choice.
    pub(super) fn options(&self) -> LoadOptions {
        let arithmetic = if self.fast { Arithmetic::Fast } else { Arithmetic::Exact };
        let max_memory = self.max_memory.map(|mib| mib.saturating_mul(1 << 20));
        LoadOptions { arithmetic, max_memory, dtype: self.dtype.into(), ..LoadOptions::default() }
    }

    /// Where the model is.
    pub(super) fn source(&self) -> anyhow::Result<ModelSource> {
        ModelSource::from_arg(&self.model, &hub_cache()).with_context(|| format!("cannot load model `{}`", self.model))
    }

    /// Where the model is, if its weights take no more memory than allowed.
    pub(super) fn source_within_memory(&self) -> anyhow::Result<ModelSource> {
        let source = self.source()?;
        check_memory(&source, self.options())?;
        Ok(source)
    }

    /// Loads it, with a bar if that takes long, until Ctrl-C.
    pub(super) fn open(&self, out: &Output) -> anyhow::Result<Loaded> {
        let bar = Mutex::new(Progress::new("{bar:30} {decimal_bytes}/{decimal_total_bytes} loaded"));
        let progress = |done, total| bar.lock().unwrap_or_else(PoisonError::into_inner).tell(done, total, "");
        let loading = Loading { options: self.options(), cancel: out.cancel(), progress: &progress };
        Ok(open(&self.source()?, &loading)?)
    }
}

/// Where measurements of heads are remembered.
pub(super) fn head_store() -> HeadStore {
    HeadStore::new(folders::cache().join("heads"))
}

/// The model of a session, computed as it was then.
pub(super) fn saved_model(saved: &Saved) -> ModelArgs {
    let dtype = DtypeArg::value_variants().iter().copied().find(|&dtype| Dtype::from(dtype) == saved.model.dtype);
    ModelArgs {
        model: saved.model.source.clone(),
        fast: saved.model.arithmetic == Arithmetic::Fast,
        dtype: dtype.unwrap_or(DtypeArg::F32),
        max_memory: None,
    }
}

/// The file that a session is rescued in when the terminal UI is ended from outside, from the environment.
pub(super) fn rescue_file(model: &str) -> PathBuf {
    let get = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let home = || get("HOME").or_else(|| get("USERPROFILE")).unwrap_or_default();
    let states = get("XDG_STATE_HOME").unwrap_or_else(|| home().join(".local").join("state"));
    let name: String = model.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    states.join("lmscope").join(format!("{name}.{EXTENSION}"))
}

/// Where the hub and its cache are, from the environment.
pub(super) fn settings() -> Settings {
    Settings::read(&|name| std::env::var_os(name))
}

/// The cache of the hub, from the environment.
pub(super) fn hub_cache() -> Cache {
    Cache::new(settings().cache)
}

/// The user's configuration.
#[derive(Args, Clone)]
pub(super) struct ConfigArgs {
    /// Read the configuration of the terminal UI from this file
    #[arg(long, value_name = "FILE", conflicts_with = "no_config")]
    config: Option<PathBuf>,
    /// Read no configuration: everything as it comes
    #[arg(long)]
    no_config: bool,
}

impl ConfigArgs {
    /// What the file says; everything as it comes where there is none.
    pub(super) fn load(&self) -> Result<Config, ConfigError> {
        match &self.config {
            Some(file) => Config::load(file),
            None if self.is_read() => Config::load(&folders::config()),
            None => Ok(Config::default()),
        }
    }

    /// Which file was read, in words.
    pub(super) fn standing(&self) -> String {
        match &self.config {
            Some(file) => file.display().to_string(),
            None if self.no_config => "no configuration is read: everything as it comes".to_owned(),
            None if self.is_read() => folders::config().display().to_string(),
            None => format!("there is no {}: everything as it comes", folders::config().display()),
        }
    }

    fn is_read(&self) -> bool {
        !self.no_config && folders::config().exists()
    }
}

/// The prompt.
#[derive(Args, Clone)]
pub(super) struct PromptArgs {
    /// The text; - reads standard input
    #[arg(value_name = "PROMPT")]
    pub(super) prompt: String,
    /// Render the prompt as a user's message with the model's chat template
    #[arg(long)]
    chat: bool,
    #[command(flatten)]
    bos: BosArgs,
}

/// Whether a BOS token is added.
#[derive(Args, Clone)]
pub(super) struct BosArgs {
    /// Add a beginning-of-sequence token: as the model asks, always or never
    #[arg(long, value_name = "model|always|never", default_value = "model")]
    pub(super) bos: BosPolicy,
}

impl PromptArgs {
    /// The prompt as tokens.
    pub(super) fn tokenise(&self, loaded: &Loaded) -> anyhow::Result<Prompt> {
        self.tokenise_as_well(loaded, &text_or_stdin(&self.prompt)?)
    }

    /// Another text, in the same way.
    pub(super) fn tokenise_as_well(&self, loaded: &Loaded, text: &str) -> anyhow::Result<Prompt> {
        let mut text = text.to_owned();
        if self.chat {
            let Some(chat) = &loaded.chat else { bail!("`{}` has no chat template", loaded.info.name) };
            text = chat.render(&[Message::new("user", text)], Ending::OpenForAssistant)?;
        }
        Ok(Prompt::new(&loaded.tokenizer, &text, self.bos.bos)?)
    }
}

/// The text itself, or standard input for `-`.
pub(super) fn text_or_stdin(text: &str) -> anyhow::Result<String> {
    if text != "-" {
        return Ok(text.to_owned());
    }
    let mut input = String::new();
    std::io::stdin().read_to_string(&mut input).context("cannot read standard input")?;
    Ok(input)
}

/// How the next token is chosen.
#[derive(Args, Clone)]
pub(super) struct SamplingArgs {
    /// Divide the logits by T; 0 takes the most probable token
    #[arg(long, value_name = "T", value_parser = not_negative)]
    temperature: Option<f64>,
    /// Sample from the K most probable tokens
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u32).range(1..))]
    top_k: Option<u32>,
    /// Sample from the most probable tokens that together reach P
    #[arg(long, value_name = "P", value_parser = share)]
    top_p: Option<f64>,
    /// Sample from tokens that are at least P times as probable as the most probable one
    #[arg(long, value_name = "P", value_parser = share)]
    min_p: Option<f64>,
    /// Divide positive logits of tokens that were said by R, and multiply negative ones with it
    #[arg(long, value_name = "R", default_value_t = 1.0, value_parser = positive)]
    repetition_penalty: f64,
    /// Take A from the logits of tokens that were said
    #[arg(long, value_name = "A", default_value_t = 0.0, allow_hyphen_values = true, value_parser = finite)]
    presence_penalty: f64,
    /// Take A from the logits of tokens for each time they were said
    #[arg(long, value_name = "A", default_value_t = 0.0, allow_hyphen_values = true, value_parser = finite)]
    frequency_penalty: f64,
    /// How many of the last tokens the penalties count; all of them unless given
    #[arg(long, value_name = "N")]
    penalty_window: Option<usize>,
    /// Whose order penalties, truncation and temperature have: llama.cpp divides by the temperature last
    #[arg(long, value_enum, default_value = "transformers")]
    chain: ChainOrder,
    /// Seed of the random numbers
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

/// Whose order the chain has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ChainOrder {
    /// Penalties, temperature, top-k, top-p, min-p
    Transformers,
    /// Penalties, top-k, top-p, min-p, temperature
    #[value(name = "llama.cpp")]
    LlamaCpp,
}

impl SamplingArgs {
    /// The choice, at this temperature unless one is given.
    pub(super) fn sampling(&self, temperature: f64) -> Sampling {
        Sampling {
            temperature: self.temperature.unwrap_or(temperature),
            top_k: self.top_k.map(|k| k as usize),
            top_p: self.top_p,
            min_p: self.min_p,
            penalties: Penalties {
                repetition: self.repetition_penalty,
                presence: self.presence_penalty,
                frequency: self.frequency_penalty,
                window: self.penalty_window,
            },
            order: match self.chain {
                ChainOrder::Transformers => Order::Transformers,
                ChainOrder::LlamaCpp => Order::LlamaCpp,
            },
            seed: self.seed,
        }
    }
}

fn number(text: &str, expected: &str, is_right: impl Fn(f64) -> bool) -> Result<f64, String> {
    let value = text.parse().ok().filter(|value: &f64| value.is_finite() && is_right(*value));
    value.ok_or_else(|| format!("expected {expected}"))
}

fn not_negative(text: &str) -> Result<f64, String> {
    number(text, "a number that is not negative", |value| value >= 0.0)
}

fn positive(text: &str) -> Result<f64, String> {
    number(text, "a number above 0", |value| value > 0.0)
}

fn finite(text: &str) -> Result<f64, String> {
    number(text, "a number", |_| true)
}

fn share(text: &str) -> Result<f64, String> {
    number(text, "a number above 0 and at most 1", |value| value > 0.0 && value <= 1.0)
}

/// What a question about one token is about.
#[derive(Args, Clone)]
pub(super) struct TargetArgs {
    /// The position whose next token is asked about; -1 is the last
    #[arg(long, value_name = "P", allow_hyphen_values = true)]
    position: Option<isize>,
    /// Token A, as its exact text (" mat") or as #ID; the most probable one unless given
    #[arg(long, value_name = "A")]
    token: Option<String>,
    /// Token B that A is compared with, or `none`; the most probable other one unless given
    #[arg(long, value_name = "B")]
    versus: Option<String>,
}

/// How attributions to the prompt's tokens are made.
#[derive(Args, Clone)]
#[command(next_help_heading = "Attribution to the prompt's tokens")]
pub(super) struct InputArgs {
    /// How large a piece of the prompt gets a number of its own: token, word, sentence or line
    #[arg(long, value_name = "SIZE", default_value_t)]
    granularity: Granularity,
    /// How many gradients integrated-gradients may take
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(8..))]
    steps: Option<u32>,
    /// What leave-one-out puts in the place of a token, as its exact text or as #ID
    #[arg(long, value_name = "TOKEN")]
    filler: Option<String>,
}

impl InputArgs {
    /// The options.
    pub(super) fn options(&self, tokenizer: &Tokenizer) -> anyhow::Result<InputOptions> {
        let filler = self.filler.as_deref().map(|text| token_id(text, tokenizer)).transpose()?;
        Ok(InputOptions { granularity: self.granularity, steps: self.steps.map(|steps| steps as usize), filler })
    }
}

/// A text that is not one token.
#[derive(Debug, thiserror::Error)]
#[error("`{text}` is {} tokens to this model ({}), expected one", pieces.len(), pieces.join(" | "))]
pub(super) struct NotOneToken {
    text: String,
    pieces: Vec<String>,
    /// The same text after a space, if that is one token.
    instead: Option<String>,
}

impl NotOneToken {
    /// What the user can do about it.
    pub(super) fn hint(&self) -> Option<String> {
        self.instead.as_ref().map(|instead| format!("`{instead}` with its space is one token"))
    }
}

impl TargetArgs {
    /// The question.
    pub(super) fn ask(&self, tokenizer: &Tokenizer) -> anyhow::Result<Ask> {
        let versus = match self.versus.as_deref() {
            None => Versus::BestOther,
            Some("none") => Versus::Nothing,
            Some(text) => Versus::Token(token_id(text, tokenizer)?),
        };
        let token = self.token.as_deref().map(|text| token_id(text, tokenizer)).transpose()?;
        Ok(Ask { position: self.position, token, versus })
    }
}

/// The token of this exact text, or of this `#id`.
pub(super) fn token_id(text: &str, tokenizer: &Tokenizer) -> anyhow::Result<u32> {
    if let Some(id) = text.strip_prefix('#').and_then(|id| id.parse().ok()) {
        return Ok(id);
    }
    if let Some(id) = tokenizer.id_of(text) {
        return Ok(id);
    }
    let pieces = tokenizer.encode(text)?.into_iter().map(|id| tokenizer.visible(id)).collect();
    let spaced = format!(" {text}");
    let instead = tokenizer.id_of(&spaced).map(|_| spaced);
    Err(NotOneToken { text: text.into(), pieces, instead }.into())
}

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// Aligned text
    Table,
    /// JSON
    Json,
    /// Comma-separated values
    Csv,
}

impl Format {
    /// The exporter of figures.
    pub(super) fn exporter(self) -> &'static dyn Exporter {
        let name = match self {
            Self::Table => "table",
            Self::Json => "json",
            Self::Csv => "csv",
        };
        export::find(name).unwrap_or(export::EXPORTERS[0])
    }
}
