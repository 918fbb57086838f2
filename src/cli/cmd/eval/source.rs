//! Who is measured: a model, or the record of one.

use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::thread;

use crate::cli::args::{ModelArgs, hub_cache};
use crate::cli::folders;
use crate::cli::intervene::InterveneArgs;
use crate::cli::output::Output;
use crate::engine::{EngineError, Inquiry, Loaded, TextSide, describe, identity, open_text_side};
use crate::eval::record::{Model, Record, TokenizerInfo, read};
use crate::intervene::Interventions;
use crate::model::LoadOptions;
use crate::model::source::ModelSource;
use crate::text::{BosPolicy, ChatTemplate, Prompt, Tokenizer};

/// Who answers, with what the record says of it.
pub(super) enum Source {
    /// A model that is loaded, and the bytes that `--max-memory` leaves beside its weights.
    Model { loaded: Box<Loaded>, interventions: Interventions, room: Option<u64> },
    /// The record of a run.
    Record { folder: PathBuf, record: Box<Record>, words: Box<TextSide> },
}

/// What tells a source from others.
pub(super) struct Identified {
    pub(super) source: Source,
    pub(super) model: Model,
    pub(super) tokenizer: Option<TokenizerInfo>,
}

/// A record that was made with another tokenizer.
#[derive(Debug, thiserror::Error)]
#[error("replay `{}`: it was made with another tokenizer than that of `{given}`", folder.display())]
pub(super) struct OtherTokenizer {
    folder: PathBuf,
    given: String,
}

impl Source {
    pub(super) fn tokenizer(&self) -> &Tokenizer {
        match self {
            Self::Model { loaded, .. } => &loaded.tokenizer,
            Self::Record { words, .. } => &words.tokenizer,
        }
    }

    /// The chat template, if there is one.
    pub(super) fn chat(&self) -> Option<&ChatTemplate> {
        match self {
            Self::Model { loaded, .. } => loaded.chat.as_ref(),
            Self::Record { words, .. } => words.chat.as_ref(),
        }
    }
}

/// Opens the model, or the record after `replay:`, whose texts are cut by the tokenizer of `tokenizer`.
pub(super) fn open(
    model: &ModelArgs,
    intervene: &InterveneArgs,
    tokenizer: Option<&str>,
    out: &Output,
) -> anyhow::Result<Identified> {
    match model.model.strip_prefix("replay:") {
        Some(folder) => open_record(Path::new(folder), tokenizer.unwrap_or("slide")),
        None => open_model(model, intervene, out),
    }
}

fn open_model(model: &ModelArgs, intervene: &InterveneArgs, out: &Output) -> anyhow::Result<Identified> {
    let (source, cancel) = (model.source()?, out.cancel());
    // beside the loading, which one core does as fast; nobody waits for it if the model cannot be loaded
    let hashing = thread::Builder::new().name("hash".into()).spawn({
        let (source, known, cancel) = (source.clone(), folders::hashes(), cancel.clone());
        move || identity(&source, &known, &cancel)
    })?;
    let loaded = model.open(out)?;
    let tokenise = |text: &str| Ok(Prompt::new(&loaded.tokenizer, text, BosPolicy::Model)?);
    let interventions = intervene.prepare(&loaded, None, &tokenise, &cancel)?;
    let identity = hashing.join().unwrap_or_else(|panic| resume_unwind(panic))?;
    let known = Model {
        name: loaded.info.name.clone(),
        fingerprint: Some(loaded.info.fingerprint.clone()),
        sha256: Some(identity.model),
        precision: Some(loaded.info.precision.of_numbers().describe()),
        interventions: interventions.specs().to_vec(),
    };
    let tokenizer = TokenizerInfo { sha256: identity.tokenizer, adds_bos: loaded.tokenizer.adds_bos() };
    let source = Source::Model { loaded: Box::new(loaded), interventions, room: room(&source, model.options())? };
    Ok(Identified { source, model: known, tokenizer: Some(tokenizer) })
}

fn room(source: &ModelSource, options: LoadOptions) -> Result<Option<u64>, EngineError> {
    let Some(allowed) = options.max_memory else { return Ok(None) };
    let weights = describe(source, Inquiry { options, n_tokens: 1 })?.memory.weights;
    Ok(Some(allowed.saturating_sub(weights)))
}

fn open_record(folder: &Path, tokenizer: &str) -> anyhow::Result<Identified> {
    let record = read(folder)?;
    let source = ModelSource::from_arg(tokenizer, &hub_cache())?;
    let words = open_text_side(&source)?;
    let (model, known) = (record.run.model.clone(), record.run.tokenizer.clone());
    if known.as_ref().is_some_and(|known| known.sha256 != words.sha256) {
        return Err(OtherTokenizer { folder: folder.into(), given: tokenizer.into() }.into());
    }
    let source = Source::Record { folder: folder.into(), record: Box::new(record), words: Box::new(words) };
    Ok(Identified { source, model, tokenizer: known })
}
