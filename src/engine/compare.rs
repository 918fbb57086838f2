//! Two runs side by side: another prompt in the loaded model, or the same text in another model beside it.

use std::path::PathBuf;
use std::sync::Arc;

use super::{Engine, EngineError, Inquiry, Loaded, Named, OpenError, Outcome, Tokens, describe, open};
use crate::figure::Figure;
use crate::hub::Cache;
use crate::lens::{Ask, Question};
use crate::model::source::ModelSource;
use crate::model::{CancelToken, LoadOptions, Loading};
use crate::probe::diff::{AtPosition, Side, diff_at};
use crate::text::{BosPolicy, Prompt};

/// What is compared with what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompareWork {
    /// The tokens of run A, in the loaded model.
    pub ids: Vec<u32>,
    /// The position and the tokens that are asked about, in run A.
    pub ask: Ask,
    /// Run B.
    pub with: Other,
    /// Whether a BOS is put before run B's text.
    pub bos: BosPolicy,
    /// How many of the most probable tokens of each run are told at each position.
    pub top: usize,
}

/// The other run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Other {
    /// Another text in the loaded model.
    Prompt {
        /// The text.
        text: String,
    },
    /// The same text in another model, which stays loaded beside the first.
    Model {
        /// What `--model` would be told.
        name: String,
        /// The text.
        text: String,
    },
}

/// Two runs, as far as they can be compared.
#[derive(Debug, Clone)]
pub struct Comparison {
    /// The models.
    pub models: [String; 2],
    /// The tokens of both runs.
    pub tokens: [Tokens; 2],
    /// Positions that belong together, first to last.
    pub positions: Vec<Compared>,
    /// The strip, what the components add, and, of models of one shape, layers, streams and heads.
    pub figures: Vec<Arc<Figure>>,
}

/// A position of both runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Compared {
    /// The position in run A and in run B.
    pub at: [usize; 2],
    /// KL(A ‖ B) and KL(B ‖ A) in nats.
    pub kl: [f64; 2],
    /// The most probable token of each.
    pub top: [Named; 2],
    /// The most probable tokens of either, and what both give them; the largest first.
    pub tokens: Vec<(Named, [f64; 2])>,
}

impl Compared {
    /// Whether both runs find the same token most probable.
    pub fn agrees(&self) -> bool {
        self.top[0].id == self.top[1].id
    }
}

/// A model beside the loaded one.
pub(super) struct Beside {
    name: String,
    loaded: Loaded,
}

impl Engine {
    /// The same engine, which looks up names of models in this folder of the hub's cache.
    #[must_use]
    pub fn finding_in(self, cache: Option<PathBuf>) -> Self {
        Self { cache, ..self }
    }

    pub(super) fn compare(&mut self, work: &CompareWork, cancel: &CancelToken) -> Result<Outcome, EngineError> {
        if let Other::Model { name, .. } = &work.with {
            self.load_beside(name, cancel)?;
        }
        let first = self.loaded.as_ref().ok_or(EngineError::NoModel)?;
        let (second, text) = match &work.with {
            Other::Prompt { text } => (first, text),
            Other::Model { text, .. } => (self.beside.as_ref().map_or(first, |beside| &beside.loaded), text),
        };
        let prompts = [
            Prompt::from_ids(work.ids.clone(), first.info.config.d_vocab)?,
            Prompt::new(&second.tokenizer, text, work.bos)?,
        ];
        let question = Question { ask: work.ask, ..Question::default() };
        let loaded = [first, second];
        let provenance = [0, 1].map(|at| loaded[at].provenance(Some(&prompts[at])));
        let side = |at: usize| Side {
            lm: &loaded[at].decoder,
            tokenizer: &loaded[at].tokenizer,
            prompt: &prompts[at],
            provenance: &provenance[at],
        };
        let (figures, positions) = diff_at(side(0), side(1), &question, work.top, cancel)?;
        let tokens = |at: usize| Tokens {
            ids: prompts[at].ids.clone(),
            visible: prompts[at].ids.iter().map(|&id| loaded[at].tokenizer.visible(id)).collect(),
            bos: prompts[at].bos.to_string(),
        };
        Ok(Outcome::Compared(Arc::new(Comparison {
            models: [0, 1].map(|at| loaded[at].info.name.clone()),
            tokens: [tokens(0), tokens(1)],
            positions: positions.into_iter().map(|at| compared(at, loaded)).collect(),
            figures: figures.into_iter().map(Arc::new).collect(),
        })))
    }

    /// Loads a model beside the first, unless it is there; what the first takes is not free for it.
    fn load_beside(&mut self, name: &str, cancel: &CancelToken) -> Result<(), EngineError> {
        if self.beside.as_ref().is_some_and(|beside| beside.name == name) {
            return Ok(());
        }
        self.beside = None;
        let (source, options) = self.source.as_ref().ok_or(EngineError::NoFiles)?;
        let taken = describe(source, Inquiry { options: *options, n_tokens: 1 })?.memory.weights;
        let max_memory = options.max_memory.map(|bytes| bytes.saturating_sub(taken));
        let options = LoadOptions { max_memory, ..*options };
        let cache = Cache::new(self.cache.clone().unwrap_or_default());
        let found = ModelSource::from_arg(name, &cache);
        let other = found.map_err(|error| OpenError::Load { model: name.to_owned(), source: error })?;
        let loaded = open(&other, &Loading { options, cancel: cancel.clone(), progress: &|_, _| () })?;
        self.beside = Some(Beside { name: name.to_owned(), loaded: loaded.spelled(self.spelling) });
        Ok(())
    }
}

fn compared(at: AtPosition, [first, second]: [&Loaded; 2]) -> Compared {
    let named = |loaded: &Loaded, id| Named { id, visible: loaded.tokenizer.visible(id) };
    Compared {
        at: at.positions,
        kl: at.kl,
        top: [named(first, at.top[0]), named(second, at.top[1])],
        tokens: at.tokens.into_iter().map(|(id, probs)| (named(first, id), probs)).collect(),
    }
}
