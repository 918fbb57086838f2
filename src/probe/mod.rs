//! WHAT HAPPENS IF: experiments that run the model more than once, and return figures.
//!
//! A lens reads one trace; a probe runs forward passes of its own, with interventions or gradients, and says how far it
//! is. It knows no screen and no file format.

pub mod diff;
pub mod explain;
pub mod gradient_norm;
pub mod gradient_x_input;
pub mod head_atlas;
pub mod input;
pub mod integrated_gradients;
pub mod leave_one_out;
pub mod patching;
pub mod path;
pub mod steering;
pub mod value_zeroing;

pub use self::input::InputOptions;
use crate::figure::{Figure, Provenance, ShapeError};
use crate::lens::atlas::Atlas;
use crate::lens::{LensError, Question};
use crate::model::CancelToken;
use crate::model::decoder::Decoder;
use crate::text::{Prompt, Tokenizer};
use crate::trace::TraceError;

/// Why a probe has no answer.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// The model could not be run.
    #[error(transparent)]
    Model(#[from] crate::model::Error),
    /// A trace lacks something.
    #[error(transparent)]
    Trace(#[from] TraceError),
    /// The question, or a lens, failed.
    #[error(transparent)]
    Lens(#[from] LensError),
    /// An intervention does not fit.
    #[error(transparent)]
    Intervene(#[from] crate::intervene::Error),
    /// Two models whose distributions cannot be compared.
    #[error("the first model has {a} tokens and the second {b}, expected as many: their distributions differ in kind")]
    Vocabularies {
        /// Tokens of the first.
        a: usize,
        /// Tokens of the second.
        b: usize,
    },
    /// A tensor operation failed.
    #[error("a tensor operation failed")]
    Tensor(#[from] candle_core::Error),
    /// A text could not be tokenised.
    #[error(transparent)]
    Text(#[from] crate::text::Error),
    /// A figure's parts do not fit together.
    #[error(transparent)]
    Shape(#[from] ShapeError),
}

impl ProbeError {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Model(error) => error.hint(),
            Self::Lens(error) => error.hint(),
            Self::Intervene(error) => error.hint(),
            Self::Text(error) => error.hint(),
            Self::Trace(_) | Self::Vocabularies { .. } | Self::Tensor(_) | Self::Shape(_) => None,
        }
    }

    /// Whether the work was cancelled.
    pub const fn is_cancelled(&self) -> bool {
        use crate::model::Error::Cancelled;
        match self {
            Self::Model(Cancelled) | Self::Trace(TraceError::Model(Cancelled)) => true,
            Self::Intervene(error) => error.is_cancelled(),
            _ => false,
        }
    }
}

/// What a probe works on.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// The model.
    pub lm: &'a Decoder,
    /// Names of tokens.
    pub tokenizer: &'a Tokenizer,
    /// The prompt.
    pub prompt: &'a Prompt,
    /// Where the numbers come from.
    pub provenance: &'a Provenance,
    /// What is asked.
    pub question: &'a Question,
    /// How attributions to the prompt's tokens are made.
    pub inputs: InputOptions,
    /// What the heads do, if that was measured before.
    pub atlas: Option<&'a Atlas>,
    /// Stops the work at the next sublayer.
    pub cancel: &'a CancelToken,
}

/// How far a probe is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Forward passes, or batches of them, that are done.
    pub done: usize,
    /// How many there will be.
    pub total: usize,
}

/// An experiment.
pub trait Probe: Sync {
    /// The word on the command line; also the file's name, with `_` for `-`.
    fn name(&self) -> &'static str;

    /// One sentence without a period, for help and pickers.
    fn about(&self) -> &'static str;

    /// Whether it tells what heads do: then [`Subject::atlas`] spares it the measurement.
    fn reads_atlas(&self) -> bool {
        false
    }

    /// Runs it; the first figure is the most telling. `tell` hears how far it is.
    ///
    /// # Errors
    /// A question that has no answer, a model that cannot be run, or [`is_cancelled`](ProbeError::is_cancelled).
    fn run(&self, subject: &Subject<'_>, tell: &mut dyn FnMut(Step)) -> Result<Vec<Figure>, ProbeError>;
}

/// Every probe.
pub static PROBES: &[&dyn Probe] = &[
    &head_atlas::HeadAtlas,
    &gradient_norm::GradientNorm,
    &gradient_x_input::GradientXInput,
    &integrated_gradients::IntegratedGradients,
    &leave_one_out::LeaveOneOut,
    &value_zeroing::ValueZeroing,
];

/// The probe of this name.
pub fn find(name: &str) -> Option<&'static dyn Probe> {
    PROBES.iter().copied().find(|probe| probe.name() == name)
}
