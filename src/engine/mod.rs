//! Runs requests against a loaded model: the one way in for the command line and the terminal UI.
//!
//! [`Engine::run`] is synchronous; the command line calls it directly. [`worker`] puts a thread around it for a
//! caller that must not block. It holds no state of any screen.

mod chain;
mod compare;
mod description;
mod evaluate;
mod event;
mod facts;
mod figures;
mod hashes;
mod heads;
mod identity;
mod inputs;
mod job;
mod kv;
mod load;
mod overview;
mod patch;
mod request;
mod survey;
mod why;
pub mod worker;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

pub use self::chain::{Chain, Link};
use self::compare::Beside;
pub use self::compare::{CompareWork, Compared, Comparison, Other};
pub use self::description::{
    ChatFacts, ClassFacts, Description, FileFacts, Inquiry, Memory, Parameters, check_memory, describe, hash_files,
    readable_bytes, readable_count,
};
pub use self::evaluate::{EvalItem, Evaluated, Look, metric_name};
pub use self::event::{
    Branches, Candidate, Described, Distribution, Event, EventSink, HeadGrid, Inspection, JobEvent, Law, Outcome,
    Progress, Tokens, Unchanged, Verified,
};
pub use self::facts::{Facts, sections};
pub use self::figures::{Inspected, figures};
pub use self::hashes::HashStore;
pub use self::heads::HeadStore;
pub use self::identity::{Identity, TextSide, identity, open_text_side};
pub use self::inputs::{InputMethod, Inputs};
use self::kv::Remembered;
pub use self::load::{Loaded, ModelInfo, OpenError, open};
pub use self::overview::{Overview, overview, overview_plan};
pub use self::patch::{PatchFrame, PatchWork};
pub use self::request::{Panel, Request};
pub use self::why::{Answer, Named, Origin, Pair, Part, PartKind, Why};
pub use crate::eval::Outline;
pub use crate::eval::results::MetricResult;
use crate::model::source::ModelSource;
use crate::model::{CancelToken, LoadOptions, Loading};
use crate::probe::Step;
use crate::text::Spelling;

/// Why a request could not be answered.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The work was cancelled.
    #[error("cancelled")]
    Cancelled,
    /// No model is loaded.
    #[error("no model is loaded")]
    NoModel,
    /// The model could not be opened.
    #[error(transparent)]
    Open(OpenError),
    /// The text could not be tokenised.
    #[error(transparent)]
    Text(#[from] crate::text::Error),
    /// The forward pass failed.
    #[error(transparent)]
    Model(crate::model::Error),
    /// The trace could not be read.
    #[error(transparent)]
    Trace(#[from] crate::trace::TraceError),
    /// A lens failed.
    #[error(transparent)]
    Lens(#[from] crate::lens::LensError),
    /// An experiment failed.
    #[error(transparent)]
    Probe(crate::probe::ProbeError),
    /// A patching grid cannot be filled.
    #[error(transparent)]
    Patch(crate::probe::patching::PatchError),
    /// An intervention cannot be done.
    #[error(transparent)]
    Intervene(crate::intervene::Error),
    /// The laws could not be tried.
    #[error(transparent)]
    Verify(crate::verify::Error),
    /// A suite cannot be used.
    #[error(transparent)]
    Suite(#[from] crate::eval::prepare::Error),
    /// An item of a suite cannot be scored.
    #[error(transparent)]
    Eval(crate::eval::run::Error),
    /// An item of a suite cannot be asked.
    #[error(transparent)]
    Ask(crate::eval::scheduler::Error),
    /// A tensor that the files do not have.
    #[error("the model's files have no tensor `{name}`")]
    NoTensor {
        /// What was asked for.
        name: String,
    },
    /// The model was not read from files.
    #[error("the model was not read from files")]
    NoFiles,
    /// What was asked for lies outside the model or the prompt.
    #[error("{what} {found} does not exist, the last one is {last}")]
    OutOfRange {
        /// What was counted.
        what: &'static str,
        /// What was asked for.
        found: usize,
        /// The largest that exists.
        last: usize,
    },
}

impl From<crate::model::Error> for EngineError {
    fn from(error: crate::model::Error) -> Self {
        match error {
            crate::model::Error::Cancelled => Self::Cancelled,
            other => Self::Model(other),
        }
    }
}

impl From<OpenError> for EngineError {
    fn from(error: OpenError) -> Self {
        if error.is_cancelled() { Self::Cancelled } else { Self::Open(error) }
    }
}

impl From<crate::verify::Error> for EngineError {
    fn from(error: crate::verify::Error) -> Self {
        if error.is_cancelled() { Self::Cancelled } else { Self::Verify(error) }
    }
}

impl From<crate::eval::run::Error> for EngineError {
    fn from(error: crate::eval::run::Error) -> Self {
        if error.is_cancelled() { Self::Cancelled } else { Self::Eval(error) }
    }
}

impl From<crate::probe::ProbeError> for EngineError {
    fn from(error: crate::probe::ProbeError) -> Self {
        if error.is_cancelled() { Self::Cancelled } else { Self::Probe(error) }
    }
}

impl From<crate::probe::patching::PatchError> for EngineError {
    fn from(error: crate::probe::patching::PatchError) -> Self {
        if error.is_cancelled() { Self::Cancelled } else { Self::Patch(error) }
    }
}

impl From<crate::intervene::Error> for EngineError {
    fn from(error: crate::intervene::Error) -> Self {
        if error.is_cancelled() { Self::Cancelled } else { Self::Intervene(error) }
    }
}

impl EngineError {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Open(error) => error.hint(),
            Self::Text(error) => error.hint(),
            Self::Model(error) => error.hint(),
            Self::Lens(error) => error.hint(),
            Self::Probe(error) => error.hint(),
            Self::Patch(error) => error.hint(),
            Self::Intervene(error) => error.hint(),
            Self::Verify(error) => error.hint(),
            Self::Suite(error) => error.hint(),
            Self::Eval(error) => error.hint(),
            Self::Ask(error) => error.hint(),
            Self::Cancelled
            | Self::NoModel
            | Self::Trace(_)
            | Self::NoTensor { .. }
            | Self::NoFiles
            | Self::OutOfRange { .. } => None,
        }
    }
}

/// A model and the requests that can be made of it.
#[derive(Default)]
pub struct Engine {
    loaded: Option<Loaded>,
    /// Where the loaded model came from, and how.
    source: Option<(ModelSource, LoadOptions)>,
    /// Where measurements of heads are remembered.
    heads: Option<HeadStore>,
    /// What the loaded model has already run.
    remembered: Remembered,
    /// A second model, to compare the first with.
    beside: Option<Beside>,
    /// The hub's cache, where names of models are looked up.
    cache: Option<PathBuf>,
    /// The characters that tokens are shown in.
    spelling: Spelling,
}

impl Engine {
    /// An engine around a model that is already open.
    pub fn with(loaded: Loaded) -> Self {
        Self { loaded: Some(loaded), ..Self::default() }
    }

    /// An engine without a model, which remembers in this store what heads do.
    pub fn remembering(heads: Option<HeadStore>) -> Self {
        Self { heads, ..Self::default() }
    }

    /// The same engine, which shows tokens in these characters.
    #[must_use]
    pub fn spelling(self, spelling: Spelling) -> Self {
        Self { spelling, ..self }
    }

    /// The loaded model.
    pub const fn loaded(&self) -> Option<&Loaded> {
        self.loaded.as_ref()
    }

    /// Answers one request; intermediate results go to `sink`.
    ///
    /// # Errors
    /// [`EngineError::Cancelled`] soon after `cancel` is set.
    pub fn run(
        &mut self,
        request: Request,
        cancel: &CancelToken,
        sink: &mut dyn EventSink,
    ) -> Result<Outcome, EngineError> {
        if let Request::Load { source, options } = request {
            let sink = Mutex::new(sink);
            let progress = |done, total| {
                let progress = Event::Progress(Progress::of_bytes(done, total));
                sink.lock().unwrap_or_else(PoisonError::into_inner).send(progress);
            };
            let loaded = open(&source, &Loading { options, cancel: cancel.clone(), progress: &progress })?
                .spelled(self.spelling);
            let info = loaded.info.clone();
            self.loaded = Some(loaded);
            self.source = Some((source, options));
            self.remembered = Remembered::default();
            return Ok(Outcome::Loaded(Box::new(info)));
        }
        if let Request::Compare(work) = &request {
            return self.compare(work, cancel);
        }
        let loaded = self.loaded.as_ref().ok_or(EngineError::NoModel)?;
        if request == Request::Heads {
            return self.measure_heads(loaded, cancel, sink);
        }
        let request = match request {
            Request::Describe { n_tokens } => return self.describe(n_tokens),
            Request::Survey { tensor } => return self.survey(&tensor, cancel, sink),
            other => other,
        };
        job::run((loaded, &mut self.remembered), request, cancel, sink)
    }

    fn measure_heads(
        &self,
        loaded: &Loaded,
        cancel: &CancelToken,
        sink: &mut dyn EventSink,
    ) -> Result<Outcome, EngineError> {
        let mut tell = |step: Step| {
            sink.send(Event::Progress(Progress { done: step.done, total: step.total, unit: "passes" }));
        };
        let atlas = match (&self.heads, &self.source) {
            (Some(store), Some((source, _))) => store.measured(loaded, source, cancel, &mut tell)?,
            _ => heads::measured(loaded, cancel, &mut tell)?,
        };
        Ok(Outcome::Heads(Arc::new(atlas)))
    }
}
