//! A grid of patches: its two runs, its cells in the order of a best guess, and the sweeps that fill it.

use std::collections::{BTreeMap, BTreeSet};

use candle_core::Tensor;

use super::pair::{Pair, same_length};
use super::sweep::Sweeper;
use super::{Cell, CellAt, Measure, Origin, PatchError, PatchSite};
use crate::hook::{HookPoint, Site};
use crate::lens::Target;
use crate::model::decoder::Decoder;
use crate::model::{CancelToken, CausalLm as _};
use crate::text::{Prompt, Tokenizer};
use crate::trace::TracePlan;

/// What is patched, how, and what is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    /// What a cell patches.
    pub site: PatchSite,
    /// Which run is patched, and what is measured.
    pub measure: Measure,
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

/// The cells so far.
pub(super) struct Filling<'a> {
    pub total: usize,
    pub cells: Vec<Cell>,
    pub tell: &'a mut dyn FnMut(Filled),
}

impl Filling<'_> {
    fn places(&self) -> BTreeSet<CellAt> {
        self.cells.iter().map(|cell| cell.at).collect()
    }

    /// Keeps a cell and tells of it.
    pub(super) fn add(&mut self, cell: Cell) {
        self.cells.push(cell);
        (self.tell)(Filled { done: self.cells.len(), total: self.total, cell });
    }

    /// The cells in the order of the grid.
    pub(super) fn sorted(mut self) -> Vec<Cell> {
        self.cells.sort_by_key(|cell| cell.at);
        self.cells
    }
}

/// Two runs, ready to be patched into each other.
pub struct Grid<'a> {
    pub(super) lm: &'a Decoder,
    pub(super) site: PatchSite,
    pub(super) pair: Pair,
    /// The only block whose cells there are.
    layer: Option<usize>,
}

impl<'a> Grid<'a> {
    /// Runs both prompts.
    ///
    /// # Errors
    /// Prompts of different lengths, and prompts that hardly differ by the metric.
    pub fn new(
        lm: &'a Decoder,
        tokenizer: &Tokenizer,
        prompts: [&Prompt; 2],
        request: Request,
        cancel: &CancelToken,
    ) -> Result<Self, PatchError> {
        same_length(tokenizer, prompts)?;
        Self::of_ids(lm, prompts.map(|prompt| prompt.ids.as_slice()), request, cancel)
    }

    /// The same of token ids, equally many.
    pub fn of_ids(
        lm: &'a Decoder,
        prompts: [&[u32]; 2],
        request: Request,
        cancel: &CancelToken,
    ) -> Result<Self, PatchError> {
        let plan = TracePlan::sites(lm.config(), &[Site::ResidPre, request.site.hook()]);
        let pair = Pair::new(lm, prompts, request.measure, &plan, cancel)?;
        Ok(Self { lm, site: request.site, pair, layer: None })
    }

    /// The same grid with the cells of one block only.
    #[must_use]
    pub fn of_layer(self, layer: usize) -> Self {
        Self { layer: Some(layer), ..self }
    }

    /// What was asked for.
    pub const fn request(&self) -> Request {
        Request { site: self.site, measure: self.pair.measure }
    }

    /// What is asked about.
    pub const fn target(&self) -> Target {
        self.pair.target
    }

    /// The metric on the clean and on the corrupted prompt; logit differences where recovery is measured.
    pub const fn plain(&self) -> [f64; 2] {
        self.pair.plain
    }

    /// Every cell, in the order of the grid.
    pub fn cells(&self) -> Vec<CellAt> {
        let mut cells = self.site.cells(self.lm.config(), self.n_pos());
        cells.retain(|at| self.layer.is_none_or(|layer| layer == at.layer));
        cells
    }

    pub(super) const fn n_pos(&self) -> usize {
        self.pair.n_pos()
    }

    /// Fills the grid, best guess first; `tell` hears of every cell as soon as it is known.
    ///
    /// # Errors
    /// [`is_cancelled`](PatchError::is_cancelled) soon after `cancel` is set; what was told remains true.
    pub fn fill(&self, cancel: &CancelToken, tell: &mut dyn FnMut(Filled)) -> Result<Vec<Cell>, PatchError> {
        self.fill_rest(Vec::new(), cancel, tell)
    }

    /// The same where some cells are known; `tell` hears of the others.
    ///
    /// # Errors
    /// As [`fill`](Self::fill).
    pub fn fill_rest(
        &self,
        known: Vec<Cell>,
        cancel: &CancelToken,
        tell: &mut dyn FnMut(Filled),
    ) -> Result<Vec<Cell>, PatchError> {
        let all: BTreeSet<CellAt> = self.cells().into_iter().collect();
        let mut filling = Filling { total: all.len(), cells: known, tell };
        filling.cells.retain(|cell| all.contains(&cell.at));
        let known = filling.places();
        let mut promises = self.promises()?;
        promises.retain(|(at, _)| !known.contains(at));
        self.run(promises, cancel, &mut filling)?;
        self.fill_unchanged(&mut filling)?;
        Ok(filling.sorted())
    }

    /// Runs the cells, those first that promise most.
    pub(super) fn run(
        &self,
        promises: Vec<(CellAt, f64)>,
        cancel: &CancelToken,
        filling: &mut Filling<'_>,
    ) -> Result<(), PatchError> {
        let sweeper = Sweeper { lm: self.lm, site: self.site, pair: &self.pair, cancel };
        for (start, group) in self.groups(promises) {
            for batch in group.chunks(self.pair.batch(start)) {
                cancel.check()?;
                let logits = sweeper.run(start, batch)?;
                for (&at, logits) in batch.iter().zip(logits) {
                    filling.add(Cell { at, value: self.pair.metric.of(&logits), origin: Origin::Run });
                }
            }
        }
        Ok(())
    }

    /// Cells before the first difference of the prompts put in what is there already.
    pub(super) fn fill_unchanged(&self, filling: &mut Filling<'_>) -> Result<(), PatchError> {
        let value = self.base_value()?;
        let known = filling.places();
        let rest = |at: &CellAt| !self.changes_something(*at) && !known.contains(at);
        for at in self.cells().into_iter().filter(rest) {
            filling.add(Cell { at, value, origin: Origin::Run });
        }
        Ok(())
    }

    /// The metric of the run that is patched.
    pub fn base_value(&self) -> Result<f64, PatchError> {
        Ok(self.pair.metric.of(&self.pair.base().logits_at(self.n_pos() - 1)?))
    }

    /// Whether the prompts are not the same up to a cell's position.
    pub(super) fn changes_something(&self, at: CellAt) -> bool {
        at.position.is_none_or(|position| position >= self.pair.first_difference())
    }

    /// Cells that change something, by the position from which they do, most promising first.
    fn groups(&self, promises: Vec<(CellAt, f64)>) -> Vec<(usize, Vec<CellAt>)> {
        let first = self.pair.first_difference();
        let mut by_start: BTreeMap<usize, Vec<(f64, CellAt)>> = BTreeMap::new();
        for (at, promise) in promises {
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
        let rank = |start: usize| (start != last, !self.pair.differs(start));
        groups.sort_by(|a, b| rank(a.1).cmp(&rank(b.1)).then(b.0.total_cmp(&a.0)));
        groups.into_iter().map(|(_, start, cells)| (start, cells)).collect()
    }

    /// How much a cell's patch differs from what it replaces, relative to the layer's largest difference: deeper
    /// layers write more.
    fn promises(&self) -> Result<Vec<(CellAt, f64)>, PatchError> {
        let (base, source) = (self.pair.base(), self.pair.source());
        let mut promises = Vec::new();
        let mut cells = self.cells().into_iter().peekable();
        while let Some(&CellAt { layer, .. }) = cells.peek() {
            let at = HookPoint::block(layer, self.site.hook());
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
        let part = self.site.part(cell, self.n_pos());
        let mut part = part.iter().enumerate();
        let part = part.try_fold(squares.clone(), |x, (axis, range)| x.narrow(axis, range.start, range.len()))?;
        Ok(f64::from(part.sum_all()?.to_scalar::<f32>()?).sqrt())
    }
}
