//! Reads a trace, returns figures. A lens declares what it needs and never runs a forward pass itself.

pub mod atlas;
pub mod attention;
pub mod distribution;
pub mod dla;
pub mod logit_lens;
mod pattern;
pub mod rollout;
mod target;
pub mod tuned;

use self::atlas::Atlas;
pub use self::target::{Ask, Target, Versus};
use self::tuned::Translators;
use crate::figure::{Figure, Provenance, ShapeError};
use crate::hook::Head;
use crate::model::DecoderConfig;
use crate::model::decoder::Decoder;
use crate::model::sample::Sampling;
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
    /// A tuned lens cannot be applied.
    #[error(transparent)]
    Tuned(#[from] tuned::TunedError),
    /// The position is outside the prompt.
    #[error("position {found} is not in a prompt of {n_pos} tokens")]
    Position {
        /// What was asked for.
        found: isize,
        /// Tokens of the prompt.
        n_pos: usize,
    },
    /// The token is outside the vocabulary.
    #[error("token {found} is not in a vocabulary of {d_vocab}")]
    Token {
        /// What was asked for.
        found: u32,
        /// Size of the vocabulary.
        d_vocab: usize,
    },
    /// The head is outside the model.
    #[error("head {found} does not exist: the model has {n_layers} layers of {n_heads} heads")]
    Head {
        /// What was asked for.
        found: Head,
        /// Layers of the model.
        n_layers: usize,
        /// Heads of a layer.
        n_heads: usize,
    },
    /// A token is compared with itself.
    #[error("token {token} is compared with itself")]
    SameToken {
        /// The token.
        token: u32,
    },
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
            Self::Position { n_pos, .. } => {
                Some(format!("positions are 0 to {}; -1 is the last one", n_pos.saturating_sub(1)))
            }
            Self::SameToken { .. } => Some("name two different tokens, or only one of them".into()),
            _ => None,
        }
    }
}

/// What every lens is asked; a lens reads what concerns it.
#[derive(Debug, Clone, Default)]
pub struct Question {
    /// The position and the tokens it is about.
    pub ask: Ask,
    /// How many entries of each kind to show.
    pub top: usize,
    /// Tokens to follow besides the target's.
    pub watch: Vec<u32>,
    /// How closely the residual stream is read.
    pub stream: Stream,
    /// The head that is shown large, if one is.
    pub head: Option<Head>,
    /// What attention to the first token counts.
    pub sink: Sink,
    /// How the next token would be chosen.
    pub sampling: Sampling,
    /// What the heads do, if that was measured.
    pub atlas: Option<Atlas>,
    /// Maps that make the logit lens a tuned lens.
    pub tuned: Option<Translators>,
}

impl Question {
    /// What a head is called, if it has a role.
    pub fn role(&self, head: Head) -> Option<&'static str> {
        self.atlas.as_ref()?.head(head).role()
    }
}

/// What attention to the first token counts: many heads rest there when they have nothing to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sink {
    /// As much as any other.
    #[default]
    Kept,
    /// Nothing: it is left out and the rest of each row is scaled up to 1.
    Masked,
}

/// How closely the residual stream is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Stream {
    /// After every block.
    #[default]
    Blocks,
    /// Also between a block's attention and MLP.
    Sublayers,
}

/// What a lens reads besides the trace.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The model, for its parameters.
    pub lm: &'a Decoder,
    /// Names of tokens.
    pub tokenizer: &'a Tokenizer,
    /// Where the numbers come from.
    pub provenance: &'a Provenance,
    /// What is asked.
    pub question: &'a Question,
}

impl Context<'_> {
    /// The target of the question in this trace.
    ///
    /// # Errors
    /// A position or a token that does not exist.
    pub fn target(&self, trace: &Trace) -> Result<Target, LensError> {
        let position = self.question.ask.position_in(trace.ids.len())?;
        self.question.ask.resolve(position, &trace.logits_at(position)?)
    }

    /// The target in words: `␣mat rather than ␣chair, after 5 ␣a`.
    pub fn describe(&self, trace: &Trace, target: Target) -> String {
        let visible = |id: u32| self.tokenizer.visible(id);
        let rival = target.versus.map_or_else(String::new, |rival| format!(" rather than {}", visible(rival)));
        format!("{}{rival}, after {}", visible(target.token), self.label(trace, target.position))
    }

    /// A position and its token: `5 ␣a`.
    pub fn label(&self, trace: &Trace, position: usize) -> String {
        let visible = trace.ids.get(position).map_or_else(String::new, |&id| self.tokenizer.visible(id));
        format!("{position} {visible}")
    }

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
    fn needs(&self, cfg: &DecoderConfig, question: &Question) -> TracePlan;

    /// Whether it names heads: then [`Question::atlas`] tells it what they are called.
    fn reads_atlas(&self) -> bool {
        false
    }

    /// Computes the figures; the first is the most telling.
    fn read(&self, trace: &Trace, context: Context<'_>) -> Result<Vec<Figure>, LensError>;
}

/// Every lens.
pub static LENSES: &[&dyn Lens] = &[
    &distribution::NextTokens,
    &logit_lens::LogitLens,
    &dla::DirectLogitAttribution,
    &attention::Attention,
    &rollout::Rollout,
];

/// The lens of this name.
pub fn find(name: &str) -> Option<&'static dyn Lens> {
    LENSES.iter().copied().find(|lens| lens.name() == name)
}
