//! Leave one out: what the answer would be without each piece of the prompt, in three senses of "without".
//!
//! `S_i = m(all) - m(without i)`, so that a piece that helped the answer has a positive score. **Delete**: the tokens
//! are taken out, and everything behind them moves up. **Replace**: each becomes the same ordinary token, and positions
//! stay. **Mask**: no later token can attend to them; positions stay, and so does everything before the piece. The three
//! differ, because each leaves something else in the place of the piece.

use std::ops::Range;

use candle_core::Tensor;

use super::input::{self, Asked};
use super::{Probe, ProbeError, Step, Subject};
use crate::figure::{Cell, Column, Figure};
use crate::hook::{HookPoint, Site};
use crate::model::decoder::Decoder;
use crate::model::{CancelToken, CausalLm as _, Result as ModelResult, Tap};
use crate::trace::Metric;

/// Sequences that are run at once.
const BATCH: usize = 16;

/// The probe.
pub struct LeaveOneOut;

/// What is left in the place of a piece of the prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Nothing: what follows moves up.
    Delete,
    /// This token, as many times as the piece has tokens.
    Replace(u32),
    /// The piece itself, but later tokens cannot attend to it.
    Mask,
}

/// Hides a range of keys from later queries, another range in each row of the batch.
struct Hide<'a>(&'a [Range<usize>]);

impl Tap for Hide<'_> {
    fn wants(&self, at: HookPoint) -> bool {
        at.site() == Site::AttnScores
    }

    fn visit(&mut self, _: HookPoint, scores: Tensor) -> ModelResult<Tensor> {
        let (_, _, n_pos, n_keys) = scores.dims4()?;
        let hidden = |unit: &Range<usize>, query: usize, key: usize| unit.contains(&key) && query >= unit.end;
        let mask: Vec<f32> = self
            .0
            .iter()
            .flat_map(|unit| (0..n_pos).flat_map(move |query| (0..n_keys).map(move |key| (unit, query, key))))
            .map(|(unit, query, key)| if hidden(unit, query, key) { f32::NEG_INFINITY } else { 0.0 })
            .collect();
        let mask = Tensor::from_vec(mask, (self.0.len(), 1, n_pos, n_keys), scores.device())?;
        Ok(scores.broadcast_add(&mask)?)
    }
}

/// A sequence without a piece, and where the question is asked in it.
struct Without {
    ids: Vec<u32>,
    position: usize,
    unit: Range<usize>,
}

impl Mode {
    /// `ids` without `unit`; `None` if nothing is left that the question could be asked of, or if it is asked of the
    /// piece itself, which still reads its own stream when it is masked.
    fn without(self, ids: &[u32], position: usize, unit: &Range<usize>) -> Option<Without> {
        let holds_question = unit.contains(&position);
        let (ids, position) = match self {
            Self::Delete => {
                let left: Vec<u32> = [&ids[..unit.start], &ids[unit.end..]].concat();
                let position = if holds_question { unit.start.checked_sub(1)? } else { position - unit.len() };
                (left, position)
            }
            Self::Replace(filler) => {
                let mut ids = ids.to_vec();
                ids[unit.clone()].fill(filler);
                (ids, position)
            }
            Self::Mask if holds_question => return None,
            Self::Mask => (ids.to_vec(), position),
        };
        Some(Without { ids, position, unit: unit.clone() })
    }
}

/// The metric without each of `units` of the prompt, which end at the metric's position or before it. `None` where there
/// is no such prompt.
///
/// # Errors
/// A model that cannot be run, or cancellation.
pub fn without_each(
    lm: &Decoder,
    ids: &[u32],
    units: &[Range<usize>],
    (metric, mode): (Metric, Mode),
    cancel: &CancelToken,
    tell: &mut dyn FnMut(usize),
) -> Result<Vec<Option<f64>>, ProbeError> {
    let runs: Vec<Option<Without>> = units.iter().map(|unit| mode.without(ids, metric.position, unit)).collect();
    let mut found = Vec::new();
    let all: Vec<&Without> = runs.iter().flatten().collect();
    for alike in all.chunk_by(|a, b| (a.ids.len(), a.position) == (b.ids.len(), b.position)) {
        for batch in alike.chunks(BATCH) {
            found.extend(run(lm, batch, metric, mode, cancel)?);
            tell(batch.len());
        }
    }
    let mut found = found.into_iter();
    Ok(runs.iter().map(|run| run.as_ref().and_then(|_| found.next())).collect())
}

/// The metric of sequences of one length.
fn run(
    lm: &Decoder,
    batch: &[&Without],
    metric: Metric,
    mode: Mode,
    cancel: &CancelToken,
) -> Result<Vec<f64>, ProbeError> {
    let rows = batch.iter().map(|run| Tensor::new(run.ids.as_slice(), &candle_core::Device::Cpu));
    let ids = Tensor::stack(&rows.collect::<candle_core::Result<Vec<_>>>()?, 0)?;
    let units: Vec<Range<usize>> = match mode {
        Mode::Mask => batch.iter().map(|run| run.unit.clone()).collect(),
        Mode::Delete | Mode::Replace(_) => vec![0..0; batch.len()],
    };
    let mut cache = lm.new_cache();
    let hidden = match mode {
        Mode::Mask => lm.forward(&ids, &mut cache, &mut (cancel.clone(), Hide(&units)))?,
        Mode::Delete | Mode::Replace(_) => lm.forward(&ids, &mut cache, &mut cancel.clone())?,
    };
    let metric = Metric { position: batch.first().map_or(metric.position, |run| run.position), ..metric };
    Ok(input::numbers(&metric.of(lm, &hidden)?)?)
}

impl Probe for LeaveOneOut {
    fn name(&self) -> &'static str {
        "leave-one-out"
    }

    fn about(&self) -> &'static str {
        "what the answer loses without each piece of the prompt: deleted, replaced, or masked from attention"
    }

    fn run(&self, subject: &Subject<'_>, tell: &mut dyn FnMut(Step)) -> Result<Vec<Figure>, ProbeError> {
        let asked = Asked::new(subject)?;
        let (ids, units, metric) = (&subject.prompt.ids, &asked.pieces.units, asked.metric());
        let filler = match subject.inputs.filler {
            Some(filler) => filler,
            None => input::filler(subject.tokenizer)?,
        };
        let (total, mut done) = (3 * units.len(), 0);
        let mut told = |n: usize| {
            done += n;
            tell(Step { done, total });
        };
        let mut columns = Vec::new();
        for mode in [Mode::Delete, Mode::Replace(filler), Mode::Mask] {
            columns.push(without_each(subject.lm, ids, units, (metric, mode), subject.cancel, &mut told)?);
        }
        let lost = |column: &Vec<Option<f64>>, at: usize| {
            column[at].map_or(Cell::Empty, |without| Cell::number(asked.value - without, 4))
        };
        let rows = (0..units.len()).map(|at| columns.iter().map(|column| lost(column, at)).collect());
        let names = ["deleted", "replaced", "masked"].map(|name| Column::new(name, ""));
        let caption = format!(
            "{} is {:.4}; how much of it is lost without each piece. deleted: taken out, what follows moves up, and the \
             question goes to the token before if it was asked of the piece. replaced: by {}. masked: later tokens \
             cannot attend to it; empty where the question is asked of the piece itself. {}",
            asked.describe(),
            asked.value,
            subject.tokenizer.visible(filler),
            input::LATER,
        );
        Ok(vec![asked.pieces.table("Leave one out", caption, &names, rows)?])
    }
}
