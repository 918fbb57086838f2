//! Arguments that several commands share.

use std::io::Read as _;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, bail};
use clap::{Args, ValueEnum};

use super::output::Output;
use super::progress::Progress;
use crate::engine::{Loaded, check_memory, open};
use crate::export::{self, Exporter};
use crate::hub::{Cache, Settings};
use crate::model::checkpoint::Arithmetic;
use crate::model::source::ModelSource;
use crate::model::{Dtype, LoadOptions, Loading};
use crate::text::{BosPolicy, Ending, Message, Prompt};

/// Which model, and how it computes.
#[derive(Args, Clone)]
pub(super) struct ModelArgs {
    /// A Hugging Face directory, a .gguf file, org/name in the Hugging Face cache (see `lmscope models`), or an embedded model: slide, slide-chat
    #[arg(short, long, value_name = "MODEL", default_value = "slide")]
    pub(super) model: String,
    /// Keep quantised weights quantised: faster, less memory, and activations are rounded
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

impl ModelArgs {
    /// What of loading is open to choice.
    pub(super) fn options(&self) -> LoadOptions {
        let arithmetic = if self.fast { Arithmetic::Fast } else { Arithmetic::Exact };
        let max_memory = self.max_memory.map(|mib| mib.saturating_mul(1 << 20));
        LoadOptions { arithmetic, max_memory, dtype: self.dtype.into(), ..LoadOptions::default() }
    }

    /// Where the model is.
    pub(super) fn source(&self) -> anyhow::Result<ModelSource> {
        ModelSource::from_arg(&self.model, &Cache::new(settings().cache))
            .with_context(|| format!("cannot load model `{}`", self.model))
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

/// Where the hub and its cache are, from the environment.
pub(super) fn settings() -> Settings {
    Settings::read(&|name| std::env::var_os(name))
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
        let mut text = text_or_stdin(&self.prompt)?;
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
