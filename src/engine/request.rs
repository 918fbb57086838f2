//! What can be asked of the engine.

use super::{CompareWork, InputMethod, Inspected, PatchWork};
use crate::lens::Ask;
use crate::model::LoadOptions;
use crate::model::sample::Sampling;
use crate::model::source::ModelSource;
use crate::text::BosPolicy;

/// One piece of work.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    /// Load a model in place of the current one, which stays if that fails or is cancelled. Answer: [`Outcome::Loaded`](super::Outcome::Loaded).
    Load {
        /// Where it is.
        source: ModelSource,
        /// What of loading is open to choice.
        options: LoadOptions,
    },
    /// Tokenise a text. Answer: [`Outcome::Tokens`](super::Outcome::Tokens).
    Tokenise {
        /// The text.
        text: String,
        /// Whether a BOS is added.
        bos: BosPolicy,
    },
    /// Try the laws of every decoder on this model. Answer: [`Outcome::Verified`](super::Outcome::Verified).
    Verify,
    /// What each head does: remembered, or measured. Answer: [`Outcome::Heads`](super::Outcome::Heads).
    Heads,
    /// Look into the forward pass of these tokens. Answer: [`Outcome::Inspected`](super::Outcome::Inspected).
    Inspect {
        /// The tokens.
        ids: Vec<u32>,
        /// The position and the tokens that are asked about.
        ask: Ask,
        /// What is changed in the forward pass, as typed; what panels say of the model as it is comes beside it.
        interventions: Vec<String>,
        /// What to compute; nothing else is recorded.
        panels: Vec<Panel>,
    },
    /// Follow every token of the vocabulary through the chain after the last of `ids`.
    /// Answer: [`Outcome::Chain`](super::Outcome::Chain).
    Chain {
        /// The tokens.
        ids: Vec<u32>,
        /// What is changed in the forward pass, as typed.
        interventions: Vec<String>,
        /// How a token is sampled.
        sampling: Sampling,
    },
    /// Gradient × input of each token, for the question. Answer: [`Outcome::Attribution`](super::Outcome::Attribution).
    Attribution {
        /// The tokens.
        ids: Vec<u32>,
        /// The position and the tokens that are asked about.
        ask: Ask,
    },
    /// What each token of the prompt does for the answer. Answer: [`Outcome::Inputs`](super::Outcome::Inputs).
    Inputs {
        /// The tokens.
        ids: Vec<u32>,
        /// The position and the tokens that are asked about.
        ask: Ask,
        /// How that is found.
        method: InputMethod,
    },
    /// The figures of every lens. Answer: [`Outcome::Figures`](super::Outcome::Figures).
    Figures(Inspected),
    /// Compare two continuations at their ends. Answer: [`Outcome::Branches`](super::Outcome::Branches).
    Branches {
        /// The tokens of one.
        a: Vec<u32>,
        /// The tokens of the other.
        b: Vec<u32>,
    },
    /// All that the model's files say of it. Answer: [`Outcome::Described`](super::Outcome::Described).
    Describe {
        /// How many tokens a trace is estimated for.
        n_tokens: usize,
    },
    /// The numbers in a tensor of the model's files. Answer: [`Outcome::Surveyed`](super::Outcome::Surveyed).
    Survey {
        /// Its name in the files.
        tensor: String,
    },
    /// What the suites in the binary are. Answer: [`Outcome::Suites`](super::Outcome::Suites).
    Suites,
    /// Ask a suite; items are also sent as [`Event::Scored`](super::Event::Scored).
    /// Answer: [`Outcome::Evaluated`](super::Outcome::Evaluated).
    Evaluate {
        /// Its name, or its path.
        suite: String,
        /// How many items of each task are drawn; all if none.
        limit: Option<usize>,
        /// The seed they are drawn with.
        seed: u64,
    },
    /// Compare two runs. Answer: [`Outcome::Compared`](super::Outcome::Compared).
    Compare(Box<CompareWork>),
    /// Fill a patching grid; cells are also sent as [`Event::Cells`](super::Event::Cells).
    /// Answer: [`Outcome::Patched`](super::Outcome::Patched).
    Patch(Box<PatchWork>),
    /// Choose and append tokens; each is also sent as [`Event::Token`](super::Event::Token).
    /// Answer: [`Outcome::Generated`](super::Outcome::Generated).
    Generate {
        /// The tokens so far.
        ids: Vec<u32>,
        /// How many to append at most; generation also stops at the end-of-sequence token.
        n_tokens: usize,
        /// How they are chosen.
        sampling: Sampling,
        /// What is changed in the forward pass, as typed.
        interventions: Vec<String>,
    },
}

/// One thing to compute about a forward pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Panel {
    /// The next-token distribution at every position, the `top` most probable tokens of each.
    Distributions {
        /// Tokens a position.
        top: usize,
    },
    /// The attention pattern of one head, as a heatmap with query rows and key columns.
    AttentionHead {
        /// The block.
        layer: usize,
        /// The head.
        head: usize,
    },
    /// A thumbnail of every head's attention pattern.
    HeadGrid {
        /// Cells a side at most; longer sequences are averaged into so many.
        side: usize,
    },
    /// The logit lens: layer by position, the top token of each and its probability; tokens through the layers.
    LogitLens {
        /// Tokens to follow besides A and B.
        watch: Vec<u32>,
    },
    /// Why A rather than B after the position that is asked about: what each part adds to the difference.
    Why,
}
