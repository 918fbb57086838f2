//! Two runs to patch into each other, and what is measured between them.

use super::{Direction, Metric, MetricOf, PatchError};
use crate::lens::{Ask, Target, Versus};
use crate::model::decoder::Decoder;
use crate::model::sample::argmax;
use crate::model::{CancelToken, CausalLm as _, KvCache, ids_tensor};
use crate::text::{Prompt, Tokenizer};
use crate::trace::{Recorder, Trace, TracePlan};

/// Which run is patched, and what is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Measure {
    /// Which run is patched.
    pub direction: Direction,
    /// What is measured.
    pub metric: Metric,
    /// The position and the tokens. Unless given, A is what the clean prompt is followed by, and B what the corrupted
    /// one is, or else A's best rival.
    pub ask: Ask,
}

/// The clean and the corrupted run, up to the position asked about.
pub(in crate::probe) struct Pair {
    pub measure: Measure,
    pub target: Target,
    pub metric: MetricOf,
    runs: [Trace; 2],
    cache: KvCache,
    /// The metric on the clean and on the corrupted prompt; logit differences where recovery is measured.
    pub plain: [f64; 2],
}

/// Refuses prompts of different lengths.
pub(in crate::probe) fn same_length(tokenizer: &Tokenizer, [clean, corrupted]: [&Prompt; 2]) -> Result<(), PatchError> {
    if clean.ids.len() == corrupted.ids.len() {
        return Ok(());
    }
    let visible = |prompt: &Prompt| prompt.ids.iter().map(|&id| tokenizer.visible(id)).collect();
    Err(PatchError::Lengths { clean: visible(clean), corrupted: visible(corrupted) })
}

impl Pair {
    /// Runs both prompts and keeps the hooks of the plan.
    pub(in crate::probe) fn new(
        lm: &Decoder,
        [clean, corrupted]: [&[u32]; 2],
        measure: Measure,
        plan: &TracePlan,
        cancel: &CancelToken,
    ) -> Result<Self, PatchError> {
        let position = measure.ask.position_in(clean.len().min(corrupted.len()))?;
        let prompts = [&clean[..=position], &corrupted[..=position]];
        if prompts[0] == prompts[1] {
            return Err(PatchError::Same { position });
        }
        let (clean, clean_cache) = record(lm, prompts[0], plan, cancel)?;
        let (corrupted, corrupted_cache) = record(lm, prompts[1], plan, cancel)?;
        let logits = [clean.logits_at(position)?, corrupted.logits_at(position)?];
        let logits = [logits[0].as_slice(), logits[1].as_slice()];
        let target = target(measure.ask, position, logits)?;
        let metric = MetricOf::new(measure.metric, measure.direction, target, logits);
        let plain = logits.map(|logits| metric.plain(logits));
        let least = measure.metric.least_difference();
        if (plain[0] - plain[1]).abs() < least {
            let (what, [clean, corrupted]) = (measure.metric.plain_name(), plain);
            return Err(PatchError::NoDifference { what, clean, corrupted, least });
        }
        let cache = match measure.direction {
            Direction::Denoise => corrupted_cache,
            Direction::Noise => clean_cache,
        };
        Ok(Self { measure, target, metric, runs: [clean, corrupted], cache, plain })
    }

    /// The run that is patched.
    pub(in crate::probe) const fn base(&self) -> &Trace {
        match self.measure.direction {
            Direction::Denoise => &self.runs[1],
            Direction::Noise => &self.runs[0],
        }
    }

    /// The run that activations come from.
    pub(in crate::probe) const fn source(&self) -> &Trace {
        match self.measure.direction {
            Direction::Denoise => &self.runs[0],
            Direction::Noise => &self.runs[1],
        }
    }

    /// Keys and values of the run that is patched, before `start`.
    pub(in crate::probe) fn cache(&self, start: usize) -> Result<KvCache, PatchError> {
        let mut cache = self.cache.clone();
        cache.truncate(start)?;
        Ok(cache)
    }

    pub(in crate::probe) const fn n_pos(&self) -> usize {
        self.runs[0].ids.len()
    }

    /// How many patched runs from `start` on a sweep runs at once.
    pub(in crate::probe) const fn batch(&self, start: usize) -> usize {
        /// Rows of a batch, times positions.
        const ROWS: usize = 768;
        let n = ROWS / (self.n_pos() - start);
        if n == 0 { 1 } else { n }
    }

    /// The tokens of the clean and of the corrupted prompt.
    pub(in crate::probe) fn ids(&self) -> [&[u32]; 2] {
        [&self.runs[0].ids, &self.runs[1].ids]
    }

    /// Whether the prompts have different tokens here.
    pub(in crate::probe) fn differs(&self, position: usize) -> bool {
        self.runs[0].ids[position] != self.runs[1].ids[position]
    }

    pub(in crate::probe) fn first_difference(&self) -> usize {
        (0..self.n_pos()).find(|&position| self.differs(position)).unwrap_or(0)
    }

    /// The metric of the run that is patched, as it is.
    pub(in crate::probe) fn base_value(&self) -> f64 {
        let [clean, corrupted] = self.plain;
        match (self.measure.metric, self.measure.direction) {
            (Metric::Recovery, _) => 0.0,
            (_, Direction::Denoise) => corrupted,
            (_, Direction::Noise) => clean,
        }
    }

    /// What is measured, between what, in words.
    pub(in crate::probe) fn describe(&self, tokenizer: &Tokenizer) -> String {
        let ([clean, corrupted], target, metric) = (self.plain, self.target, self.measure.metric);
        let rival = target.versus.map_or_else(String::new, |id| format!(", B = {}", tokenizer.visible(id)));
        format!(
            "Metric: {metric}, {}; A = {}{rival}, after position {}. {} is {clean:.3} on the clean prompt and \
             {corrupted:.3} on the corrupted one.",
            metric.about(),
            tokenizer.visible(target.token),
            target.position,
            metric.plain_name(),
        )
    }
}

/// A run, with its keys and values.
fn record(lm: &Decoder, ids: &[u32], plan: &TracePlan, cancel: &CancelToken) -> Result<(Trace, KvCache), PatchError> {
    let (mut recorder, mut cache) = (Recorder::new(plan), lm.new_cache());
    let hidden = lm.forward(&ids_tensor(ids)?, &mut cache, &mut (cancel.clone(), &mut recorder))?;
    let logits = lm.logits(&hidden)?.squeeze(0)?;
    Ok((Trace { ids: ids.to_vec(), activations: recorder.into_activations(), logits }, cache))
}

/// What is asked about, given the logits of the clean and of the corrupted run.
fn target(ask: Ask, position: usize, [clean, corrupted]: [&[f32]; 2]) -> Result<Target, PatchError> {
    let token = match (ask.token, ask.versus) {
        (None, Versus::Token(rival)) if argmax(clean) == rival => None,
        (None, _) => Some(argmax(clean)),
        (given, _) => given,
    };
    let instead = argmax(corrupted);
    let versus = match ask.versus {
        Versus::BestOther if token != Some(instead) => Versus::Token(instead),
        other => other,
    };
    Ok(Ask { token, versus, ..ask }.resolve(position, clean)?)
}
