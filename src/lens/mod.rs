//! Reads a trace, returns figures. A lens declares what it needs and never runs a forward pass itself.

pub mod attention;
pub mod distribution;
pub mod logit_lens;

use crate::figure::{Figure, Provenance, ShapeError};
use crate::model::{CausalLm, DecoderConfig};
use crate::text::Tokenizer;
use crate::trace::{Trace, TraceError, TracePlan};

/// Why a lens has no answer.
#[derive(Debug, thiserror::Error)]
pub enum LensError {
    /// The trace lacks something.
    #[error(transparent)]
    Trace(#[from] TraceError),
    /// The model failed to unembed.
    #[error(transparent)]
    Model(#[from] crate::model::Error),
    /// A tensor operation failed.
    #[error("a tensor operation failed")]
    Tensor(#[from] candle_core::Error),
    /// A figure's parts do not fit together.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// No lens has this name.
    #[error("`{found}` is not a lens, expected one of {}", known.join(", "))]
    Unknown {
        /// What was asked for.
        found: String,
        /// All names.
        known: Vec<&'static str>,
    },
}

impl LensError {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Trace(TraceError::NotANumber { .. }) => {
                Some("the model file is damaged, or its arithmetic overflowed".into())
            }
            _ => None,
        }
    }
}

/// What a lens reads besides the trace.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The model, for its unembedding.
    pub lm: &'a dyn CausalLm,
    /// Names of tokens.
    pub tokenizer: &'a Tokenizer,
    /// Where the numbers come from.
    pub provenance: &'a Provenance,
}

impl Context<'_> {
    /// Visible labels of tokens, numbered so that repeated tokens stay apart: `3 ␣sat`.
    pub fn token_labels(&self, ids: &[u32]) -> Vec<String> {
        ids.iter().enumerate().map(|(position, &id)| format!("{position} {}", self.tokenizer.visible(id))).collect()
    }
}

/// A way of looking at a forward pass.
pub trait Lens: Sync {
    /// The word on the command line; also the file's name, with `_` for `-`.
    fn name(&self) -> &'static str;

    /// One sentence without a period, for help and pickers.
    fn about(&self) -> &'static str;

    /// The hooks to record; nothing else is.
    fn needs(&self, cfg: &DecoderConfig) -> TracePlan;

    /// Computes the figures; the first is the most telling.
    fn read(&self, trace: &Trace, context: Context<'_>) -> Result<Vec<Figure>, LensError>;
}

/// Every lens.
pub static LENSES: &[&dyn Lens] = &[&attention::Attention, &distribution::NextTokens, &logit_lens::LogitLens];

/// The lens of this name.
pub fn find(name: &str) -> Result<&'static dyn Lens, LensError> {
    let unknown = || LensError::Unknown { found: name.into(), known: LENSES.iter().map(|lens| lens.name()).collect() };
    LENSES.iter().copied().find(|lens| lens.name() == name).ok_or_else(unknown)
}
