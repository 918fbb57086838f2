//! A grid of patches: its two runs, its cells in the order of a best guess, and the sweeps that fill it.

use std::collections::BTreeMap;

use candle_core::Tensor;

use super::sweep::Sweeper;
use super::{Cell, CellAt, Direction, Metric, MetricOf, PatchError, PatchSite};
use crate::hook::{HookPoint, Site};
use crate::lens::{Ask, Target, Versus};
use crate::model::decoder::Decoder;
use crate::model::sample::argmax;
use crate::model::{CancelToken, CausalLm, KvCache, ids_tensor};
use crate::text::{Prompt, Tokenizer};
use crate::trace::{Recorder, Trace, TracePlan};

/// What is patched, how, and what is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    /// What a cell patches.
    pub site: PatchSite,
    /// Which run is patched.
    pub direction: Direction,
    /// What is measured.
    pub metric: Metric,
    /// The position and the tokens. Unless given, A is what the clean prompt is followed by, and B what the corrupted
    /// one is, or else A's best rival.
    pub ask: Ask,
}

/// A cell that has just been filled.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Filled {
    /// Cells that are done.
    pub done: usize,
    /// Cells in all.
    pub total: usize,
    /// The cell.
    pub cell: Cell,
}

/// How far the metric must be apart in the two runs.
const LEAST_DIFFERENCE: f64 = 0.1;

/// Rows of a batch, times positions, that a sweep runs at once.
const BATCH_ROWS: usize = 768;

/// Two runs, ready to be patched into each other.
pub struct Grid<'a> {
    lm: &'a Decoder,
    request: Request,
    target: Target,
    metric: MetricOf,
    /// The clean and the corrupted run, up to the position asked about.
    pub(super) runs: [Trace; 2],
    cache: KvCache,
    /// The metric on the clean and on the corrupted prompt; logit differences where recovery is measured.
    plain: [f64; 2],
}

impl<'a> Grid<'a> {
    /// Runs both prompts.
    ///
    /// # Errors
    /// Prompts of different lengths, and prompts that hardly differ by the metric.
    pub fn new(
        lm: &'a Decoder,
        tokenizer: &Tokenizer,
        [clean, corrupted]: [&Prompt; 2],
        request: Request,
        cancel: &CancelToken,
    ) -> Result<Self, PatchError> {
        if clean.ids.len() != corrupted.ids.len() {
            let visible = |prompt: &Prompt| prompt.ids.iter().map(|&id| tokenizer.visible(id)).collect();
            return Err(PatchError::Lengths { clean: visible(clean), corrupted: visible(corrupted) });
        }
        Self::of_ids(lm, [&clean.ids, &corrupted.ids], request, cancel)
    }

    /// The same of token ids, equally many.
    pub fn of_ids(
        lm: &'a Decoder,
        [clean, corrupted]: [&[u32]; 2],
        request: Request,
        cancel: &CancelToken,
    ) -> Result<Self, PatchError> {
        let position = request.ask.position_in(clean.len().min(corrupted.len()))?;
        let prompts = [&clean[..=position], &corrupted[..=position]];
        if prompts[0] == prompts[1] {
            return Err(PatchError::Same { position });
        }
        let plan = TracePlan::sites(lm.config(), &[Site::ResidPre, request.site.hook()]);
        let (clean, clean_cache) = record(lm, prompts[0], &plan, cancel)?;
        let (corrupted, corrupted_cache) = record(lm, prompts[1], &plan, cancel)?;
        let logits = [clean.logits_at(position)?, corrupted.logits_at(position)?];
        let target = target(request.ask, position, [&logits[0], &logits[1]])?;
        let metric = MetricOf::new(request.metric, request.direction, target, [&logits[0], &logits[1]]);
        let plain = [metric.plain(&logits[0]), metric.plain(&logits[1])];
        if (plain[0] - plain[1]).abs() < LEAST_DIFFERENCE {
            let what = if request.metric == Metric::Recovery { Metric::LogitDiff } else { request.metric }.name();
            let [clean, corrupted] = plain;
            return Err(PatchError::NoDifference { what, clean, corrupted, least: LEAST_DIFFERENCE });
        }
        let cache = match request.direction {
            Direction::Denoise => corrupted_cache,
            Direction::Noise => clean_cache,
        };
        Ok(Self { lm, request, target, metric, runs: [clean, corrupted], cache, plain })
    }

    /// What was asked for.
    pub const fn request(&self) -> &Request {
        &self.request
    }

    /// What is asked about.
    pub const fn target(&self) -> Target {
        self.target
    }

    /// The metric on the clean and on the corrupted prompt; logit differences where recovery is measured.
    pub const fn plain(&self) -> [f64; 2] {
        self.plain
    }

    /// The tokens of the clean and of the corrupted prompt, up to the position asked about.
    pub fn ids(&self) -> [&[u32]; 2] {
        [&self.runs[0].ids, &self.runs[1].ids]
    }

    /// Every cell, in the order of the grid.
    pub fn cells(&self) -> Vec<CellAt> {
        self.request.site.cells(self.lm.config(), self.n_pos())
    }

    /// The run that is patched, and the one that activations come from.
    fn base_and_source(&self) -> (&Trace, &Trace) {
        let [clean, corrupted] = &self.runs;
        match self.request.direction {
            Direction::Denoise => (corrupted, clean),
            Direction::Noise => (clean, corrupted),
        }
    }

    fn n_pos(&self) -> usize {
        self.runs[0].ids.len()
    }

    /// Whether the prompts have different tokens here.
    pub(super) fn differs(&self, position: usize) -> bool {
        self.runs[0].ids[position] != self.runs[1].ids[position]
    }

    fn first_difference(&self) -> usize {
        (0..self.n_pos()).find(|&position| self.differs(position)).unwrap_or(0)
    }

    /// Fills the grid, best guess first; `tell` hears of every cell as soon as it is known.
    ///
    /// # Errors
    /// [`is_cancelled`](PatchError::is_cancelled) soon after `cancel` is set; what was told remains true.
    pub fn fill(&self, cancel: &CancelToken, tell: &mut dyn FnMut(Filled)) -> Result<Vec<Cell>, PatchError> {
        let (base, source) = self.base_and_source();
        let sweeper = Sweeper { lm: self.lm, site: self.request.site, base, source, cache: &self.cache, cancel };
        let total = self.cells().len();
        let mut cells = Vec::with_capacity(total);
        let mut found = |at, value, cells: &mut Vec<Cell>| {
            let cell = Cell { at, value };
            cells.push(cell);
            tell(Filled { done: cells.len(), total, cell });
        };
        for (start, group) in self.groups()? {
            for batch in group.chunks((BATCH_ROWS / (self.n_pos() - start)).max(1)) {
                cancel.check()?;
                let logits = sweeper.run(start, batch)?;
                for (&at, logits) in batch.iter().zip(logits) {
                    found(at, self.metric.of(&logits), &mut cells);
                }
            }
        }
        let as_it_is = self.metric.of(&base.logits_at(self.n_pos() - 1)?);
        for at in self.cells().into_iter().filter(|&at| !self.changes_something(at)) {
            found(at, as_it_is, &mut cells);
        }
        cells.sort_by_key(|cell| cell.at);
        Ok(cells)
    }

    /// Whether the prompts are not the same up to a cell's position.
    fn changes_something(&self, at: CellAt) -> bool {
        at.position.is_none_or(|position| position >= self.first_difference())
    }

    /// Cells that change something, by the position from which they do, most promising first.
    fn groups(&self) -> Result<Vec<(usize, Vec<CellAt>)>, PatchError> {
        let first = self.first_difference();
        let mut by_start: BTreeMap<usize, Vec<(f64, CellAt)>> = BTreeMap::new();
        for (at, promise) in self.promises()? {
            if self.changes_something(at) {
                by_start.entry(at.position.unwrap_or(first)).or_default().push((promise, at));
            }
        }
        let mut groups: Vec<(f64, usize, Vec<CellAt>)> = Vec::new();
        for (start, mut cells) in by_start {
            cells.sort_by(|a, b| b.0.total_cmp(&a.0));
            let promise = cells.first().map_or(0.0, |cell| cell.0);
            groups.push((promise, start, cells.into_iter().map(|(_, at)| at).collect()));
        }
        let last = self.n_pos() - 1;
        let rank = |start: usize| (start != last, !self.differs(start));
        groups.sort_by(|a, b| rank(a.1).cmp(&rank(b.1)).then(b.0.total_cmp(&a.0)));
        Ok(groups.into_iter().map(|(_, start, cells)| (start, cells)).collect())
    }

    /// How much a cell's patch differs from what it replaces, relative to the layer's largest difference: deeper
    /// layers write more.
    fn promises(&self) -> Result<Vec<(CellAt, f64)>, PatchError> {
        let (base, source) = self.base_and_source();
        let mut promises = Vec::new();
        let mut cells = self.cells().into_iter().peekable();
        while let Some(&CellAt { layer, .. }) = cells.peek() {
            let at = HookPoint::block(layer, self.request.site.hook());
            let squares = (source.get(at)? - base.get(at)?)?.sqr()?;
            let mut found = Vec::new();
            while let Some(cell) = cells.next_if(|cell| cell.layer == layer) {
                found.push((cell, self.norm(&squares, cell)?));
            }
            let most = found.iter().map(|(_, norm)| *norm).fold(0.0, f64::max);
            promises.extend(found.into_iter().map(|(cell, norm)| (cell, if most > 0.0 { norm / most } else { 0.0 })));
        }
        Ok(promises)
    }

    fn norm(&self, squares: &Tensor, cell: CellAt) -> Result<f64, PatchError> {
        let part = self.request.site.part(cell, self.n_pos());
        let mut part = part.iter().enumerate();
        let part = part.try_fold(squares.clone(), |x, (axis, range)| x.narrow(axis, range.start, range.len()))?;
        Ok(f64::from(part.sum_all()?.to_scalar::<f32>()?).sqrt())
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
