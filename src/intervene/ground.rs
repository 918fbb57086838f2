//! What interventions are checked against: a model, a prompt, and other runs to take activations from.

use candle_core::Tensor;

use super::{Along, Edit, Op, Place, Problem};
use crate::hook::HookPoint;
use crate::model::DecoderConfig;
use crate::trace::{Trace, TraceError};

/// A run that activations can be taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum OtherRun {
    /// The prompt itself, without interventions.
    Prompt,
    /// Another prompt.
    Clean,
    /// A text whose mean activations are used, in place of the prompt.
    Reference,
    /// A prompt that a spec names, by its number.
    Named(usize),
}

/// What an intervention takes from another run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Needs(pub Option<(OtherRun, Vec<HookPoint>)>);

impl Needs {
    /// Nothing.
    pub const NOTHING: Self = Self(None);
}

/// The prompts of a forward pass with interventions.
#[derive(Debug, Clone, Copy, Default)]
pub struct Runs<'a> {
    /// The prompt; none where many are run, as in a suite.
    pub ids: Option<&'a [u32]>,
    /// The prompt that `patch` and `resample` take activations from.
    pub clean: Option<&'a [u32]>,
    /// The text whose mean activations `mean` uses in place of the prompt's.
    pub reference: Option<&'a [u32]>,
    /// The prompts that specs name, and their tokens.
    pub named: &'a [(String, Vec<u32>)],
}

impl<'a> Runs<'a> {
    /// The tokens of a run, if it is given.
    pub fn of(&self, run: OtherRun) -> Option<&'a [u32]> {
        match run {
            OtherRun::Prompt => self.ids,
            OtherRun::Clean => self.clean,
            OtherRun::Reference => self.reference,
            OtherRun::Named(at) => self.named.get(at).map(|(_, ids)| ids.as_slice()),
        }
    }
}

/// What interventions are checked against.
pub struct Ground<'a> {
    pub(super) cfg: &'a DecoderConfig,
    pub(super) runs: Runs<'a>,
    pub(super) traces: Vec<(OtherRun, Trace)>,
}

impl Ground<'_> {
    /// The model's sizes and axes.
    pub const fn cfg(&self) -> &DecoderConfig {
        self.cfg
    }

    /// How many tokens the prompt has, if there is one.
    pub fn n_pos(&self) -> Option<usize> {
        self.runs.ids.map(<[u32]>::len)
    }

    /// How many tokens another prompt has.
    pub(super) fn n_of(&self, run: OtherRun) -> Result<usize, Problem> {
        let missing = Problem::NoRun { run: "another prompt", option: "--clean PROMPT" };
        self.runs.of(run).map(<[u32]>::len).ok_or(missing)
    }

    /// The run of a prompt that a spec names.
    pub(super) fn named(&self, text: &str) -> Result<OtherRun, Problem> {
        let at = self.runs.named.iter().position(|(name, _)| name == text);
        at.map(OtherRun::Named).ok_or(Problem::NoPrompt)
    }

    /// The run whose mean activations are used.
    pub(super) fn mean_run(&self) -> Result<OtherRun, Problem> {
        let missing = Problem::NoRun { run: "a reference text", option: "--reference TEXT" };
        [OtherRun::Reference, OtherRun::Prompt].into_iter().find(|&run| self.runs.of(run).is_some()).ok_or(missing)
    }

    /// Puts another prompt's activations in a place, at the positions that it has.
    pub(super) fn patched_in(&self, place: &Place, run: OtherRun) -> Result<Vec<Edit>, Problem> {
        let n = self.n_of(run)?;
        let edit = |(at, mut along): (HookPoint, Vec<Along>)| {
            for along in &mut along {
                if let Along::Positions(span) = along {
                    *span = span.before(n);
                }
            }
            Ok(Edit { at, along, op: Op::Same(self.activation(run, at)?) })
        };
        place.hooks(self.cfg, self.n_pos())?.into_iter().map(edit).collect()
    }

    /// An activation of another run, `[pos, ..]`.
    pub(super) fn activation(&self, run: OtherRun, at: HookPoint) -> Result<Tensor, Problem> {
        let trace = self.traces.iter().find(|(of, _)| *of == run).map(|(_, trace)| trace);
        Ok(trace.ok_or(TraceError::NotRecorded { at })?.get(at)?.clone())
    }
}
