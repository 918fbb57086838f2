//! A model with interventions, which runs wherever a model runs.

use std::collections::{BTreeMap, BTreeSet};

use candle_core::Tensor;

use super::{Edit, Error, Ground, Needs, OtherRun, Problem, Runs, Spec, blind};
use crate::hook::HookPoint;
use crate::model::{CancelToken, CausalLm, DecoderConfig, KvCache, Result, SEAM, Stretch, Tap, one_by_one};
use crate::trace::{Trace, TracePlan};

/// Interventions that fit a model and a prompt.
#[derive(Debug, Clone, Default)]
pub struct Interventions {
    specs: Vec<String>,
    edits: BTreeMap<HookPoint, Vec<Edit>>,
}

impl Interventions {
    /// Checks all specs, then records what they take from other runs.
    ///
    /// # Errors
    /// The first spec that does not fit, before anything runs.
    pub fn prepare(specs: &[Spec], lm: &dyn CausalLm, runs: Runs<'_>, cancel: &CancelToken) -> Result<Self, Error> {
        let mut ground = Ground { cfg: lm.config(), runs, traces: Vec::new() };
        let mut plans: BTreeMap<OtherRun, BTreeSet<HookPoint>> = BTreeMap::new();
        for spec in specs {
            if let Needs(Some((run, points))) = spec.check(&ground)? {
                plans.entry(run).or_default().extend(points);
            }
        }
        for (run, points) in plans {
            let ids = runs.of(run).unwrap_or_default();
            ground.traces.push((run, Trace::record(lm, ids, &TracePlan::new(points), &mut cancel.clone())?));
        }
        let mut edits = Vec::new();
        for spec in specs {
            edits.extend(spec.edits(&ground)?);
            let check = |source: Problem| Error::Check { spec: spec.to_string(), source };
            blind::check(&edits, ground.cfg, ground.n_pos()).map_err(check)?;
        }
        Ok(Self::new(specs, edits))
    }

    fn new(specs: &[Spec], all: Vec<Edit>) -> Self {
        let mut edits: BTreeMap<HookPoint, Vec<Edit>> = BTreeMap::new();
        for edit in all {
            edits.entry(edit.at).or_default().push(edit);
        }
        Self { specs: specs.iter().map(ToString::to_string).collect(), edits }
    }

    /// What was asked for, as typed.
    pub fn specs(&self) -> &[String] {
        &self.specs
    }

    /// Whether there is nothing to do.
    pub const fn is_empty(&self) -> bool {
        self.specs.is_empty()
    }

    /// The tap for a forward pass that starts at this position of the sequence.
    pub const fn tap(&self, start: usize) -> EditTap<'_> {
        EditTap { edits: &self.edits, start }
    }
}

/// Makes the edits of one forward pass, in the order they were asked for.
#[derive(Debug, Clone, Copy)]
pub struct EditTap<'a> {
    edits: &'a BTreeMap<HookPoint, Vec<Edit>>,
    start: usize,
}

impl Tap for EditTap<'_> {
    fn wants(&self, at: HookPoint) -> bool {
        self.edits.contains_key(&at)
    }

    fn visit(&mut self, at: HookPoint, x: Tensor) -> Result<Tensor> {
        let edits = self.edits.get(&at).into_iter().flatten();
        edits.into_iter().try_fold(x, |x, edit| edit.apply(x, self.start))
    }
}

/// A model with interventions. Other taps see what they have made of it.
pub struct Intervened<'a> {
    lm: &'a dyn CausalLm,
    interventions: &'a Interventions,
}

impl<'a> Intervened<'a> {
    /// `lm` with these interventions.
    pub const fn new(lm: &'a dyn CausalLm, interventions: &'a Interventions) -> Self {
        Self { lm, interventions }
    }
}

impl CausalLm for Intervened<'_> {
    fn config(&self) -> &DecoderConfig {
        self.lm.config()
    }

    fn forward(&self, ids: &Tensor, cache: &mut KvCache, tap: &mut dyn Tap) -> Result<Tensor> {
        let edits = self.interventions.tap(cache.len());
        self.lm.forward(ids, cache, &mut (edits, tap))
    }

    fn forward_all(&self, stretches: &mut [Stretch<'_>], cancel: &CancelToken) -> Result<Tensor> {
        if self.interventions.is_empty() {
            return self.lm.forward_all(stretches, cancel);
        }
        one_by_one(self, stretches, cancel)
    }

    fn seam(&self) -> usize {
        if self.interventions.is_empty() { self.lm.seam() } else { SEAM }
    }

    fn logits(&self, hidden: &Tensor) -> Result<Tensor> {
        self.lm.logits(hidden)
    }

    fn unembed(&self, resid: &Tensor) -> Result<Tensor> {
        self.lm.unembed(resid)
    }
}
