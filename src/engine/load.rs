//! Opens a model with everything that belongs to it: decoder, tokenizer, chat template.

use std::path::PathBuf;

use serde_json::Value;

use crate::allocator::in_small_pages;
use crate::figure::Provenance;
use crate::model::checkpoint::gguf::{GgufCheckpoint, Metadata};
use crate::model::decoder::Decoder;
use crate::model::json::{self, JsonLimits};
use crate::model::load::{LoadError, LoadedModel, Precision, directory_header, load_directory, load_gguf};
use crate::model::source::{FileBytes, ModelSource};
use crate::model::{DecoderConfig, Loading};
use crate::text::{self, BosPolicy, ChatTemplate, GgufVocab, HfFiles, Prompt, Spelling, Tokenizer};
use crate::verify;

/// What is known about a loaded model.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelInfo {
    /// Its name.
    pub name: String,
    /// Sizes and axes.
    pub config: DecoderConfig,
    /// Number types and arithmetic.
    pub precision: Precision,
    /// SHA-256 over configuration and tensor headers, shortened.
    pub fingerprint: String,
    /// Tokens the tokenizer knows.
    pub n_tokens: usize,
    /// Whether the tokenizer adds a BOS.
    pub adds_bos: bool,
    /// Whether there is a chat template.
    pub has_chat_template: bool,
}

/// A model that is ready to run.
pub struct Loaded {
    /// The decoder.
    pub decoder: Decoder,
    /// Its tokenizer.
    pub tokenizer: Tokenizer,
    /// Its chat template, if it has one.
    pub chat: Option<ChatTemplate>,
    /// What is known about it.
    pub info: ModelInfo,
}

/// A model that could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The weights or the configuration.
    #[error("cannot load model `{model}`")]
    Load {
        /// The model's name.
        model: String,
        /// The reason.
        source: LoadError,
    },
    /// The tokenizer or the chat template.
    #[error("cannot load the tokenizer of `{model}`")]
    Text {
        /// The model's name.
        model: String,
        /// The reason.
        source: text::Error,
    },
}

impl OpenError {
    /// Whether it was only stopped.
    pub const fn is_cancelled(&self) -> bool {
        matches!(self, Self::Load { source: LoadError::Cancelled, .. })
    }

    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Load { source, .. } => source.hint(),
            Self::Text { source, .. } => source.hint(),
        }
    }
}

impl Loaded {
    /// The same model, which shows tokens in these characters.
    pub(super) fn spelled(self, spelling: Spelling) -> Self {
        Self { tokenizer: self.tokenizer.spelled(spelling), ..self }
    }

    /// Where figures of this model, of this prompt, come from.
    pub fn provenance(&self, prompt: Option<&Prompt>) -> Provenance {
        Provenance {
            model: self.info.name.clone(),
            fingerprint: self.info.fingerprint.clone(),
            precision: self.info.precision.describe(),
            prompt: prompt.map(|prompt| prompt.text.clone()),
            bos: prompt.map(|prompt| prompt.bos.to_string()),
            interventions: Vec::new(),
            version: env!("CARGO_PKG_VERSION").into(),
        }
    }

    /// What a model is verified on unless a prompt is given: a fixed text, or fixed ids where the vocabulary is too
    /// small for one.
    pub fn verification_prompt(&self) -> Result<Prompt, text::Error> {
        let cfg = &self.info.config;
        if self.info.n_tokens < verify::SMALL_VOCABULARY {
            return Prompt::from_ids(verify::small_ids(cfg.d_vocab), cfg.d_vocab);
        }
        let mut prompt = Prompt::new(&self.tokenizer, verify::TEXT, BosPolicy::Model)?;
        prompt.ids.truncate(cfg.n_ctx);
        Ok(prompt)
    }
}

/// Opens a model.
///
/// # Errors
/// The first thing that is wrong; [`LoadError::Cancelled`] soon after `loading` is cancelled.
pub fn open(source: &ModelSource, loading: &Loading<'_>) -> Result<Loaded, OpenError> {
    let model = match source {
        ModelSource::Gguf(path) | ModelSource::Directory(path) => path.display().to_string(),
        ModelSource::Embedded(name) => (*name).to_owned(),
    };
    let load = |error| OpenError::Load { model: model.clone(), source: error };
    let text = |error| OpenError::Text { model: model.clone(), source: error };
    match source {
        ModelSource::Gguf(path) => {
            let bytes = FileBytes::map(path).map_err(load)?;
            let checkpoint = in_small_pages(|| GgufCheckpoint::mapped(path, &bytes)).map_err(load)?;
            let meta = checkpoint.metadata();
            let tokenizer = in_small_pages(|| Tokenizer::from_gguf(&fitting_vocab(&meta)?)).map_err(text)?;
            let chat = chat(gguf_template(&meta).as_deref(), &tokenizer).map_err(text)?;
            let loaded = load_gguf(&checkpoint, path.clone(), loading).map_err(load)?;
            Ok(assemble(source, loaded, tokenizer, chat))
        }
        ModelSource::Directory(_) | ModelSource::Embedded(_) => {
            // weights last: they take the memory that was needed to read the tokenizer
            let d_vocab = directory_header(source).map_err(load)?.config.d_vocab;
            let files = text_files(source, d_vocab).map_err(load)?;
            let tokenizer = in_small_pages(|| files.tokenizer(d_vocab)).map_err(text)?;
            let chat = chat(files.chat_template.as_deref(), &tokenizer).map_err(text)?;
            let loaded = load_directory(source, loading).map_err(load)?;
            Ok(assemble(source, loaded, tokenizer, chat))
        }
    }
}

fn assemble(source: &ModelSource, loaded: LoadedModel, tokenizer: Tokenizer, chat: Option<ChatTemplate>) -> Loaded {
    let info = ModelInfo {
        name: source.name(),
        config: loaded.config,
        precision: loaded.precision,
        fingerprint: loaded.fingerprint,
        n_tokens: tokenizer.vocab_size(),
        adds_bos: tokenizer.adds_bos(),
        has_chat_template: chat.is_some(),
    };
    Loaded { decoder: loaded.decoder, tokenizer, chat, info }
}

/// The source of the chat template in a GGUF file.
pub(super) fn gguf_template(meta: &Metadata<'_>) -> Option<String> {
    meta.text("tokenizer.chat_template").map(ToOwned::to_owned)
}

/// A chat template, compiled.
pub(super) fn chat(template: Option<&str>, tokenizer: &Tokenizer) -> Result<Option<ChatTemplate>, text::Error> {
    let name = |id: Option<u32>| id.map(|id| tokenizer.text(id));
    let (bos, eos) = (name(tokenizer.bos()), name(tokenizer.eos()));
    template.map(|source| ChatTemplate::new(source, bos.as_deref(), eos.as_deref())).transpose()
}

pub(super) struct TextFiles {
    tokenizer: FileBytes,
    config: Option<Value>,
    tokenizer_config: Option<Value>,
    pub(super) chat_template: Option<String>,
}

impl TextFiles {
    /// The tokenizer of a model whose embedding has `d_vocab` rows.
    pub(super) fn tokenizer(&self, d_vocab: usize) -> Result<Tokenizer, text::Error> {
        let hf = HfFiles { config: self.config.as_ref(), tokenizer_config: self.tokenizer_config.as_ref() };
        let tokenizer = Tokenizer::from_hf(&self.tokenizer, hf)?;
        tokenizer.check_fits(d_vocab)?;
        Ok(tokenizer)
    }
}

/// The files about text of a model whose embedding has `d_vocab` rows.
pub(super) fn text_files(source: &ModelSource, d_vocab: usize) -> Result<TextFiles, LoadError> {
    /// A template is a few thousand bytes of text.
    const TEMPLATE: JsonLimits = JsonLimits { bytes: 1 << 20, values: usize::MAX };
    let open = |name: &str, limits: JsonLimits| {
        let file = source.open(name)?;
        file.map(|(file, bytes)| limits.check(&file, &bytes).map(|()| bytes)).transpose()
    };
    let missing = || LoadError::NotAModel { path: PathBuf::from(source.name()), lacks: "it has no tokenizer.json" };
    let json = |name: &str, limits: JsonLimits| {
        source.open(name)?.map(|(file, bytes)| json::parse(&file, &bytes, limits)).transpose()
    };
    let tokenizer_config: Option<Value> = json("tokenizer_config.json", JsonLimits::FILE)?;
    let in_config = tokenizer_config.as_ref().and_then(|config| config.get("chat_template")).and_then(Value::as_str);
    let in_config = in_config.map(ToOwned::to_owned);
    let own_file = open("chat_template.jinja", TEMPLATE)?;
    let own_file = own_file.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    Ok(TextFiles {
        tokenizer: open("tokenizer.json", JsonLimits::tokenizer(d_vocab))?.ok_or_else(missing)?,
        config: json("config.json", JsonLimits::CONFIG)?,
        tokenizer_config,
        chat_template: own_file.or(in_config),
    })
}

/// The vocabulary of a GGUF file, which has a token for every row of the embedding.
pub(super) fn fitting_vocab(meta: &Metadata<'_>) -> Result<GgufVocab, text::Error> {
    let vocab = gguf_vocab(meta);
    match meta.rows("token_embd.weight") {
        Ok(d_vocab) => vocab.check_fits(d_vocab).map(|()| vocab),
        // that the embedding is missing is told where the weights are read
        Err(_) => Ok(vocab),
    }
}

fn gguf_vocab(meta: &Metadata<'_>) -> GgufVocab {
    let id = |key: &str| meta.integer(key).and_then(|id| u32::try_from(id).ok());
    let types = meta.integers("tokenizer.ggml.token_type");
    GgufVocab {
        name: meta.text("general.name").map(ToOwned::to_owned),
        model: meta.text("tokenizer.ggml.model").unwrap_or_default().to_owned(),
        pre: meta.text("tokenizer.ggml.pre").map(ToOwned::to_owned),
        tokens: meta.texts("tokenizer.ggml.tokens"),
        token_types: types.into_iter().filter_map(|kind| i32::try_from(kind).ok()).collect(),
        merges: meta.texts("tokenizer.ggml.merges"),
        scores: meta.numbers("tokenizer.ggml.scores"),
        bos: id("tokenizer.ggml.bos_token_id"),
        eos: id("tokenizer.ggml.eos_token_id"),
        add_bos: meta.bool("tokenizer.ggml.add_bos_token"),
        add_space_prefix: meta.bool("tokenizer.ggml.add_space_prefix"),
    }
}
