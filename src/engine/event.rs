//! What the engine answers. Figures cross threads as `Arc`; tensors never cross.

use std::sync::Arc;
use std::time::Duration;

use super::{
    Chain, Comparison, Description, EngineError, EvalItem, Evaluated, Inputs, ModelInfo, Outline, PatchFrame, Why,
};
use crate::figure::Figure;
use crate::hook::Head;
use crate::lens::Ask;
use crate::lens::atlas::Atlas;
use crate::model::checkpoint::survey::Survey;
use crate::model::header::StoredTensor;
use crate::probe::patching::Cell;

/// How far a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Units finished.
    pub done: usize,
    /// Units in all.
    pub total: usize,
    /// What is counted, in the plural.
    pub unit: &'static str,
}

impl Progress {
    /// Bytes, in a unit of which there are enough to see that something moves and few enough to be read.
    pub(super) fn of_bytes(done: u64, total: u64) -> Self {
        const MEGA: u64 = 1_000_000;
        let (unit, size) = if total < 10 * MEGA { ("kB", 1000) } else { ("MB", MEGA) };
        let count = |bytes: u64| usize::try_from(bytes.div_ceil(size)).unwrap_or(usize::MAX);
        Self { done: count(done), total: count(total), unit }
    }
}

/// An intermediate result.
#[derive(Debug, Clone)]
pub enum Event {
    /// How far the job is.
    Progress(Progress),
    /// A patching grid is about to be filled.
    PatchBegun(Arc<PatchFrame>),
    /// Cells of a patching grid are done.
    Cells {
        /// The cells.
        cells: Vec<Cell>,
        /// How long the others will take, if they take as long each.
        left: Duration,
    },
    /// An item of a suite was scored.
    Scored {
        /// The item.
        item: Arc<EvalItem>,
        /// Items that are asked.
        total: usize,
        /// How long the others will take, if they take as long each.
        left: Duration,
    },
    /// A token was chosen.
    Token {
        /// Its id.
        id: u32,
        /// The piece of text it adds, as people see it.
        visible: String,
    },
}

/// Receives intermediate results, from whichever thread has them.
pub trait EventSink: Send {
    /// Takes one event; must return soon.
    fn send(&mut self, event: Event);
}

impl<F: FnMut(Event) + Send> EventSink for F {
    fn send(&mut self, event: Event) {
        self(event);
    }
}

/// The answer to a request.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// The model is ready.
    Loaded(Box<ModelInfo>),
    /// The text as tokens.
    Tokens(Tokens),
    /// What the forward pass showed.
    Inspected(Arc<Inspection>),
    /// Which laws hold.
    Verified(Verified),
    /// What the model's files say of it.
    Described(Arc<Described>),
    /// The numbers in a tensor.
    Surveyed(Arc<Survey>),
    /// What each head does.
    Heads(Arc<Atlas>),
    /// How the next token would be sampled.
    Chain(Arc<Chain>),
    /// What each token of the prompt does for the answer, by position.
    Attribution(Vec<f64>),
    /// The same by one of several methods, as rows.
    Inputs(Arc<Inputs>),
    /// The figures of every lens, under their names.
    Figures(Arc<Vec<(String, Vec<Figure>)>>),
    /// How two continuations differ.
    Branches(Arc<Branches>),
    /// Two runs side by side.
    Compared(Arc<Comparison>),
    /// The suites in the binary.
    Suites(Arc<Vec<Outline>>),
    /// What came of a suite.
    Evaluated(Arc<Evaluated>),
    /// A filled patching grid, and its strongest cells.
    Patched(Vec<Arc<Figure>>),
    /// The tokens that were appended.
    Generated {
        /// Their ids.
        ids: Vec<u32>,
    },
}

/// The answer to [`Request::Branches`](super::Request::Branches).
#[derive(Debug, Clone, PartialEq)]
pub struct Branches {
    /// The end of each, as people see it.
    pub ends: [String; 2],
    /// Where the tokens part, in words.
    pub parting: String,
    /// The layers at both ends, one row a block.
    pub figure: Figure,
}

/// A model as its files describe it.
#[derive(Debug, Clone)]
pub struct Described {
    /// Sizes, memory, tokenizer, files.
    pub description: Description,
    /// Every tensor in the files.
    pub tensors: Vec<StoredTensor>,
}

/// What was found about one law.
#[derive(Debug, Clone, PartialEq)]
pub struct Law {
    /// Its name.
    pub name: &'static str,
    /// What holds, in a sentence without a period.
    pub about: &'static str,
    /// `ok`, `FAILS` or `n/a`.
    pub verdict: String,
    /// The largest deviation, in the tolerance's scale.
    pub deviation: Option<f64>,
    /// How far off it may be, in words.
    pub tolerance: String,
    /// Where the deviation is largest, or why the law says nothing here.
    pub remark: Option<String>,
}

/// What became of the laws of every decoder.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Verified {
    /// How many hold.
    pub n_hold: usize,
    /// The names of those that do not.
    pub failed: Vec<&'static str>,
    /// Every law, in the order they were tried.
    pub laws: Vec<Law>,
}

/// Tokens as people see them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tokens {
    /// Ids.
    pub ids: Vec<u32>,
    /// One visible piece a token: `␣mat`.
    pub visible: Vec<String>,
    /// The BOS decision, in words.
    pub bos: String,
}

/// The answer to [`Request::Inspect`](super::Request::Inspect): what its panels asked for, and nothing else.
#[derive(Debug, Clone, Default)]
pub struct Inspection {
    /// The tokens that were run.
    pub tokens: Tokens,
    /// What was asked.
    pub ask: Ask,
    /// What was changed in the forward pass, as typed.
    pub interventions: Vec<String>,
    /// One a position, if asked for.
    pub distributions: Option<Vec<Distribution>>,
    /// The head that was asked for.
    pub head: Option<Head>,
    /// Its attention pattern.
    pub attention: Option<Arc<Figure>>,
    /// How much that head writes of what it finds where, with its pattern.
    pub written: Option<Arc<Figure>>,
    /// Thumbnails of all heads.
    pub head_grid: Option<Arc<HeadGrid>>,
    /// The logit lens: layer rows, position columns, probability of the top token, which is the cell's text.
    pub logit_lens: Option<Arc<Figure>>,
    /// A, B and the followed tokens through the layers at the position that is asked about, with the logit lens.
    pub trajectory: Option<Arc<Figure>>,
    /// The ids of the logit lens's top tokens, row by row.
    pub lens_tops: Vec<u32>,
    /// Tokens that the logit lens followed besides A and B.
    pub watched: Vec<u32>,
    /// Why A rather than B.
    pub why: Option<Arc<Why>>,
    /// The same of the model as it is, where interventions change it.
    pub base: Unchanged,
}

/// Figures of the model as it is, beside those of an [`Inspection`] with interventions.
#[derive(Debug, Clone, Default)]
pub struct Unchanged {
    /// The attention pattern.
    pub attention: Option<Arc<Figure>>,
    /// What the head writes.
    pub written: Option<Arc<Figure>>,
    /// The logit lens.
    pub logit_lens: Option<Arc<Figure>>,
    /// Tokens through the layers.
    pub trajectory: Option<Arc<Figure>>,
}

/// The distribution over the next token after one position.
#[derive(Debug, Clone, PartialEq)]
pub struct Distribution {
    /// The position.
    pub position: usize,
    /// Entropy in bits.
    pub entropy_bits: f64,
    /// The most probable tokens, best first.
    pub top: Vec<Candidate>,
    /// The token that actually follows in the prompt, if one does.
    pub actual: Option<Candidate>,
}

/// One possible next token.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// 1 for the most probable.
    pub rank: usize,
    /// Its id.
    pub id: u32,
    /// Its text, exactly (` mat`); broken UTF-8 is replaced.
    pub text: String,
    /// Its text as people see it (`␣mat`).
    pub visible: String,
    /// Logit.
    pub logit: f32,
    /// Natural log of the probability.
    pub logprob: f64,
    /// Probability.
    pub prob: f64,
    /// The model's own probability, where interventions change it.
    pub base: Option<f64>,
}

/// Small attention maps of all heads.
#[derive(Debug, Clone, PartialEq)]
pub struct HeadGrid {
    /// Blocks.
    pub n_layers: usize,
    /// Heads a block.
    pub n_heads: usize,
    /// Cells a side of one thumbnail.
    pub side: usize,
    /// `[layer][head][query][key]`: the largest weight within the cell, 0 above the diagonal.
    pub cells: Vec<f32>,
}

impl HeadGrid {
    /// The `side * side` cells of one head, row by row.
    pub fn head(&self, layer: usize, head: usize) -> &[f32] {
        let size = self.side * self.side;
        let at = (layer * self.n_heads + head) * size;
        self.cells.get(at..at + size).unwrap_or(&[])
    }
}

/// What a worker reports about a job.
#[derive(Debug)]
pub enum JobEvent {
    /// An intermediate result.
    Event(Event),
    /// The answer.
    Finished(Outcome),
    /// There is no answer.
    Failed(EngineError),
    /// The job panicked; the worker goes on.
    Panicked(String),
}
