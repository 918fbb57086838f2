//! A grid that is mostly estimated: attribution patching says which cells are worth a run.

use super::grid::Filling;
use super::{Cell, CellAt, Direction, Filled, Grid, Metric, Origin, PatchError};
use crate::model::CancelToken;
use crate::trace::{self, PatchEstimates, Quantity, estimate_patches};

impl Grid<'_> {
    /// Estimates every cell to first order and runs the `n` with the largest estimates; the others keep theirs, as
    /// [`Origin::Estimate`].
    ///
    /// # Errors
    /// A site or metric that has no estimate, weights that are still quantised, or cancellation.
    pub fn fill_best(
        &self,
        n: usize,
        cancel: &CancelToken,
        tell: &mut dyn FnMut(Filled),
    ) -> Result<Vec<Cell>, PatchError> {
        let (base, estimates) = (self.base_value()?, self.estimates(cancel)?);
        let mut changes: Vec<(CellAt, f64)> = self
            .cells()
            .into_iter()
            .filter(|&at| self.changes_something(at))
            .map(|at| (at, self.change(&estimates, at)))
            .collect();
        changes.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()));
        let rest = changes.split_off(n.min(changes.len()));
        let mut filling = Filling { total: self.cells().len(), cells: Vec::new(), tell };
        self.fill_unchanged(&mut filling)?;
        for (at, change) in rest {
            filling.add(Cell { at, value: base + change, origin: Origin::Estimate });
        }
        self.run(changes.into_iter().map(|(at, change)| (at, change.abs())).collect(), cancel, &mut filling)?;
        Ok(filling.sorted())
    }

    fn estimates(&self, cancel: &CancelToken) -> Result<PatchEstimates, PatchError> {
        let target = self.pair.target;
        let quantity = match (self.pair.measure.metric, target.versus) {
            (Metric::Kl, _) => return Err(PatchError::NoEstimate { what: "metric", found: Metric::Kl.name() }),
            (Metric::Logprob, _) => Quantity::Logprob(target.token),
            (Metric::LogitDiff | Metric::Recovery, Some(versus)) => Quantity::Difference(target.token, versus),
            (Metric::LogitDiff | Metric::Recovery, None) => Quantity::Logit(target.token),
        };
        if self.site.position_axis() != 0 {
            return Err(PatchError::NoEstimate { what: "site", found: self.site.name() });
        }
        let metric = trace::Metric { position: target.position, quantity };
        let ids = [self.pair.source().ids.as_slice(), &self.pair.base().ids];
        let lm = self.lm.differentiable()?;
        Ok(estimate_patches(&lm, ids, metric, self.site.hook(), &mut cancel.clone())?)
    }

    /// The estimated change of the metric by a cell.
    fn change(&self, estimates: &PatchEstimates, at: CellAt) -> f64 {
        let of = |position| match at.head {
            Some(head) => estimates.at_head(at.layer, position, head),
            None => estimates.at(at.layer, position),
        };
        let change = at.position.map_or_else(|| (0..self.n_pos()).map(of).sum(), of);
        match (self.pair.measure.metric, self.pair.measure.direction, self.pair.plain) {
            (Metric::Recovery, Direction::Denoise, [clean, corrupted]) => change / (clean - corrupted),
            (Metric::Recovery, Direction::Noise, [clean, corrupted]) => change / (corrupted - clean),
            _ => change,
        }
    }
}
