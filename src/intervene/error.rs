//! What can be wrong with an intervention: how it is written, or what it asks of this model and prompt.

use std::path::PathBuf;

use super::INTERVENTIONS;
use crate::hook::HookPoint;

/// An intervention that was not done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be read.
    #[error("`{spec}` is not an intervention")]
    Parse {
        /// As typed.
        spec: String,
        /// Why.
        source: ParseError,
    },
    /// It does not fit this model or prompt.
    #[error("`{spec}` cannot be done")]
    Check {
        /// As typed.
        spec: String,
        /// Why.
        source: Problem,
    },
    /// A run that it takes activations from failed.
    #[error(transparent)]
    Model(#[from] crate::model::Error),
}

impl Error {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Parse { source, .. } => Some(source.hint()),
            Self::Check { source, .. } => source.hint(),
            Self::Model(error) => error.hint(),
        }
    }
}

impl Error {
    /// Whether the work was cancelled.
    pub const fn is_cancelled(&self) -> bool {
        matches!(self, Self::Model(crate::model::Error::Cancelled))
    }
}

/// A text that is no intervention.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Its first word is not a kind of intervention.
    #[error("`{found}` is not a kind of intervention, expected one of {}", names().join(", "))]
    Kind {
        /// The word.
        found: String,
        /// The nearest kind.
        nearest: &'static str,
    },
    /// A place was expected.
    #[error("`{found}` is not a place, expected L and a layer")]
    Place {
        /// What was found.
        found: String,
    },
    /// A part of a block was expected.
    #[error("`{found}` is not a part of a block, expected .attn, .mlp, H and a head, or N and a neuron")]
    Part {
        /// What was found.
        found: String,
    },
    /// A number or a range was expected.
    #[error("`{found}` is not a {what}, expected a number, a range such as 3-5 or 3-, -1 for the last, or *")]
    Range {
        /// What is counted.
        what: &'static str,
        /// What was found.
        found: String,
    },
    /// Edges of attention were expected.
    #[error("`{found}` does not name edges of attention, expected L5H3:9->2")]
    Edges {
        /// What was found.
        found: String,
    },
    /// A factor was expected.
    #[error("`{found}` is not a factor, expected a number")]
    Factor {
        /// What was found.
        found: String,
    },
    /// Something is missing at the end.
    #[error("`{found}` lacks {what}")]
    Lacks {
        /// What was found.
        found: String,
        /// What should follow.
        what: &'static str,
    },
}

impl ParseError {
    /// What the user can do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Kind { nearest, .. } => format!("did you mean `{nearest}:`? {SEE_HELP}"),
            Self::Part { found } => {
                let likeness = |part: &str| strsim::normalized_damerau_levenshtein(part, found);
                let nearest = if likeness(".attn") >= likeness(".mlp") { ".attn" } else { ".mlp" };
                format!("did you mean `{nearest}`? {SEE_HELP}")
            }
            Self::Lacks { what, .. } if what.contains('+') => "a negative factor is written +-1.5".into(),
            Self::Place { .. } => format!("for example zero:L5, zero:L5.mlp, zero:L5H3, zero:L5N12@7; {SEE_HELP}"),
            _ => SEE_HELP.into(),
        }
    }
}

const SEE_HELP: &str = "docs/interventions.md has them all";

fn names() -> Vec<&'static str> {
    INTERVENTIONS.iter().map(|kind| kind.name()).collect()
}

/// What an intervention asks that this model or prompt does not have.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// A number beyond the last.
    #[error("{what} {found} does not exist, there are {n}, numbered from 0")]
    Outside {
        /// What is counted.
        what: &'static str,
        /// The number asked for.
        found: String,
        /// How many there are.
        n: usize,
    },
    /// A range that ends before it starts.
    #[error("the {what} range {found} is empty: there are {n}")]
    Empty {
        /// What is counted.
        what: &'static str,
        /// The range.
        found: String,
        /// How many there are.
        n: usize,
    },
    /// A position is counted from the end of a prompt that is not known.
    #[error("position {found} is counted from the end, and there is more than one prompt")]
    NoEnd {
        /// The position.
        found: String,
    },
    /// This block has no such hook.
    #[error("this model has no `{at}`")]
    NoHook {
        /// The hook.
        at: HookPoint,
    },
    /// No query sees any of the keys.
    #[error("no query of {queries} sees a key of {keys}: keys come first, within the layer's window")]
    NeverSeen {
        /// The queries.
        queries: String,
        /// The keys.
        keys: String,
    },
    /// A query would see nothing, and a softmax of nothing is no number.
    #[error("query {query} would see no key in head {head} of layer {layer}")]
    Blind {
        /// The query position.
        query: usize,
        /// The head.
        head: usize,
        /// The layer.
        layer: usize,
    },
    /// It takes activations from a run that was not asked for.
    #[error("it takes activations from {run}, and none is given")]
    NoRun {
        /// Which.
        run: &'static str,
        /// The option that gives it.
        option: &'static str,
    },
    /// The other prompt has another number of tokens.
    #[error("the prompt has {found} tokens, the one it takes activations from has {other}")]
    Lengths {
        /// Tokens of the prompt.
        found: usize,
        /// Tokens of the other prompt.
        other: usize,
    },
    /// The other text is too short.
    #[error("it takes activations from {needed} positions of a text of {found} tokens")]
    TooShort {
        /// Tokens of the text.
        found: usize,
        /// Positions that are needed.
        needed: usize,
    },
    /// It needs one prompt, and many are run.
    #[error("it compares a prompt with another position by position, and here many prompts are run")]
    NoPrompt,
    /// The steering vector could not be read.
    #[error("cannot read steering vector `{}`", file.display())]
    Vector {
        /// The file.
        file: PathBuf,
        /// Why.
        source: candle_core::Error,
    },
    /// The file holds several tensors, none of which has the name of the place.
    #[error("`{}` has no tensor `{expected}`, it has {}", file.display(), found.join(", "))]
    NoVector {
        /// The file.
        file: PathBuf,
        /// The name looked for.
        expected: String,
        /// What it has.
        found: Vec<String>,
    },
    /// The vector is of another width, or no vector.
    #[error("`{name}` in `{}` is {found:?}, expected [{d_model}]", file.display())]
    Width {
        /// The file.
        file: PathBuf,
        /// The tensor.
        name: String,
        /// Its shape.
        found: Vec<usize>,
        /// The residual stream's width.
        d_model: usize,
    },
    /// The activation was not recorded.
    #[error(transparent)]
    Trace(#[from] crate::trace::TraceError),
    /// A tensor operation failed.
    #[error("a tensor operation failed")]
    Tensor(#[from] candle_core::Error),
}

impl Problem {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoRun { option, .. } => Some(format!("give it with {option}")),
            Self::NoHook { .. } => Some("`lmscope hooks` lists the hooks of a model; a mixture has no neurons".into()),
            Self::Blind { query, .. } => {
                Some(format!("leave it at least one key, or begin at query {}; zero-attention needs none", query + 1))
            }
            Self::Lengths { .. } => {
                Some("choose prompts of the same number of tokens; `--format json` shows them".into())
            }
            Self::TooShort { .. } => Some("give a longer text with --clean, or name positions: resample:L5H3@2".into()),
            Self::NoPrompt => Some("resample takes activations from the same positions of any text".into()),
            Self::NoEnd { .. } => Some("count positions from the start, or leave them out".into()),
            Self::Width { .. } => Some("the vector was made for another model".into()),
            _ => None,
        }
    }
}
