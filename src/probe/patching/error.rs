//! Why there is no patching grid.

use super::align::aligned;
use crate::figure::ShapeError;
use crate::lens::LensError;
use crate::trace::TraceError;

/// Two prompts that cannot be compared, or a model that cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum PatchError {
    /// The prompts have different numbers of tokens.
    #[error("the clean prompt has {} tokens, the corrupted one {}:\n{}", clean.len(), corrupted.len(), aligned(clean, corrupted))]
    Lengths {
        /// Tokens of the clean prompt.
        clean: Vec<String>,
        /// Tokens of the corrupted prompt.
        corrupted: Vec<String>,
    },
    /// The prompts are the same up to the position asked about.
    #[error("the clean and the corrupted prompt are the same up to position {position}")]
    Same {
        /// The position asked about.
        position: usize,
    },
    /// There is no difference to explain.
    #[error(
        "the clean and the corrupted prompt hardly differ: {what} is {clean:.4} on the clean one and {corrupted:.4} on \
         the corrupted one, less than {least} apart"
    )]
    NoDifference {
        /// The metric.
        what: &'static str,
        /// On the clean prompt.
        clean: f64,
        /// On the corrupted prompt.
        corrupted: f64,
        /// The least difference.
        least: f64,
    },
    /// A receiver that cannot be read.
    #[error("`{found}` does not name a receiver, expected logits, L3H0.q, L3H0.k, L3H0.v or L3.mlp")]
    Receiver {
        /// What was found.
        found: String,
    },
    /// A receiver that the model does not have.
    #[error(
        "receiver {found} does not exist: there are {n_layers} layers and {n_heads} heads of its kind, numbered from 0"
    )]
    NoReceiver {
        /// The receiver.
        found: String,
        /// How many layers there are.
        n_layers: usize,
        /// How many heads of this kind a layer has.
        n_heads: usize,
    },
    /// Attribution patching cannot estimate this.
    #[error("attribution patching has no estimate for {what} {found}")]
    NoEstimate {
        /// What it is.
        what: &'static str,
        /// Which.
        found: &'static str,
    },
    /// A word that is not known.
    #[error("`{found}` is not {what}, expected one of {}", known.join(", "))]
    Unknown {
        /// What was expected.
        what: &'static str,
        /// What was found.
        found: String,
        /// All that exist.
        known: Vec<&'static str>,
    },
    /// The question has no answer.
    #[error(transparent)]
    Lens(#[from] LensError),
    /// The model could not be run.
    #[error(transparent)]
    Model(#[from] crate::model::Error),
    /// An activation is missing.
    #[error(transparent)]
    Trace(#[from] TraceError),
    /// A tensor operation failed.
    #[error("a tensor operation failed")]
    Tensor(#[from] candle_core::Error),
    /// A figure's parts do not fit together.
    #[error(transparent)]
    Shape(#[from] ShapeError),
}

impl PatchError {
    pub(super) fn unknown(what: &'static str, found: &str, known: &[&'static str]) -> Self {
        Self::Unknown { what, found: found.into(), known: known.to_vec() }
    }

    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Lengths { .. } => Some("choose words of as many tokens in both prompts".into()),
            Self::Same { .. } => Some("change a word of the prompt before the position asked about".into()),
            Self::NoDifference { .. } => Some("ask about another --token or --versus, or corrupt another word".into()),
            Self::NoEstimate { .. } => Some("fill the whole grid instead: leave --estimate out".into()),
            Self::Unknown { found, known, .. } => {
                let likeness = |name: &&&'static str| strsim::normalized_damerau_levenshtein(name, found);
                let nearest = known.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)))?;
                Some(format!("did you mean `{nearest}`?"))
            }
            Self::Lens(error) => error.hint(),
            Self::Model(error) => error.hint(),
            Self::Receiver { .. } | Self::NoReceiver { .. } => {
                Some("several receivers are separated by commas: L3H0.k,L3H0.v".into())
            }
            Self::Trace(_) | Self::Tensor(_) | Self::Shape(_) => None,
        }
    }

    /// Whether the work was cancelled.
    pub const fn is_cancelled(&self) -> bool {
        matches!(self, Self::Model(crate::model::Error::Cancelled))
    }
}
