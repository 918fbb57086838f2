//! Who is measured: a model, or the record of one.

use std::path::{Path, PathBuf};

use crate::cli::args::{ModelArgs, settings};
use crate::cli::intervene::InterveneArgs;
use crate::cli::output::Output;
use crate::engine::{Loaded, TextSide, identity, open_text_side};
use crate::eval::record::{Model, Record, TokenizerInfo, read};
use crate::hub::Cache;
use crate::intervene::Interventions;
use crate::model::source::ModelSource;
use crate::text::{BosPolicy, ChatTemplate, Prompt, Tokenizer};

/// Who answers, with what the record says of it.
pub(super) enum Source {
    /// A model that is loaded.
    Model { loaded: Box<Loaded>, interventions: Interventions },
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
    let (loaded, source, cancel) = (model.open(out)?, model.source()?, out.cancel());
    let tokenise = |text: &str| Ok(Prompt::new(&loaded.tokenizer, text, BosPolicy::Model)?);
    let interventions = intervene.prepare(&loaded, None, &tokenise, &cancel)?;
    let identity = identity(&source, &cancel)?;
    let known = Model {
        name: loaded.info.name.clone(),
        fingerprint: Some(loaded.info.fingerprint.clone()),
        sha256: Some(identity.model),
        precision: Some(loaded.info.precision.of_numbers().describe()),
        interventions: interventions.specs().to_vec(),
    };
    let tokenizer = TokenizerInfo { sha256: identity.tokenizer, adds_bos: loaded.tokenizer.adds_bos() };
    let source = Source::Model { loaded: Box::new(loaded), interventions };
    Ok(Identified { source, model: known, tokenizer: Some(tokenizer) })
}

fn open_record(folder: &Path, tokenizer: &str) -> anyhow::Result<Identified> {
    let record = read(folder)?;
    let source = ModelSource::from_arg(tokenizer, &Cache::new(settings().cache))?;
    let words = open_text_side(&source)?;
    let (model, known) = (record.run.model.clone(), record.run.tokenizer.clone());
    if known.as_ref().is_some_and(|known| known.sha256 != words.sha256) {
        return Err(OtherTokenizer { folder: folder.into(), given: tokenizer.into() }.into());
    }
    let source = Source::Record { folder: folder.into(), record: Box::new(record), words: Box::new(words) };
    Ok(Identified { source, model, tokenizer: known })
}
