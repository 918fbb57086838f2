//! One sweep through the layers for many cells that start at one position.
//!
//! A patch at layer `l` and position `p` leaves all earlier layers and positions as they were (the causal cone). So a
//! sweep runs positions from `p` on only, on keys and values of the base run before them, and a cell joins the batch at
//! its own layer with the base run's residual stream: before that it could not differ.

use std::ops::Range;

use candle_core::Tensor;

use super::pair::Pair;
use super::{CellAt, PatchError, PatchSite};
use crate::hook::HookPoint;
use crate::intervene::change;
use crate::model::decoder::Decoder;
use crate::model::{CancelToken, CausalLm as _, Result, Tap};

/// What all sweeps of a grid share.
pub(super) struct Sweeper<'a> {
    pub lm: &'a Decoder,
    pub site: PatchSite,
    pub pair: &'a Pair,
    pub cancel: &'a CancelToken,
}

impl Sweeper<'_> {
    /// Logits `[d_vocab]` at the last position of each cell, whose first changed position is `start` or later.
    pub(super) fn run(&self, start: usize, cells: &[CellAt]) -> Result<Vec<Vec<f32>>, PatchError> {
        let n_pos = self.pair.n_pos();
        let mut order: Vec<usize> = (0..cells.len()).collect();
        order.sort_by_key(|&index| cells[index].layer);
        let mut cache = self.pair.cache(start)?;
        let mut batch: Option<Tensor> = None;
        let mut joined = 0;
        let first = order.first().map_or(0, |&index| cells[index].layer);
        for layer in first..self.lm.config().n_layers {
            let new: Vec<CellAt> =
                order[joined..].iter().map(|&index| cells[index]).take_while(|cell| cell.layer == layer).collect();
            batch = Some(self.with_new_rows(batch, layer, start..n_pos, new.len())?);
            let mut patch = Patch { sweeper: self, start, first_row: joined, cells: &new };
            joined += new.len();
            let tap = &mut (self.cancel.clone(), &mut patch);
            batch = batch.map(|x| self.lm.blocks(layer..layer + 1, x, &mut cache, tap)).transpose()?;
        }
        let Some(resid) = batch else { return Ok(Vec::new()) };
        let last = resid.narrow(1, n_pos - 1 - start, 1)?.contiguous()?;
        let rows: Vec<Vec<f32>> = self.lm.unembed(&last)?.squeeze(1)?.to_vec2()?;
        let mut by_cell = vec![Vec::new(); cells.len()];
        for (index, row) in order.into_iter().zip(rows) {
            by_cell[index] = row;
        }
        Ok(by_cell)
    }

    /// The batch with `n` more rows of the base run before `layer`.
    fn with_new_rows(
        &self,
        batch: Option<Tensor>,
        layer: usize,
        positions: Range<usize>,
        n: usize,
    ) -> Result<Tensor, PatchError> {
        let resid = self.pair.base().get(HookPoint::block(layer, PatchSite::ResidPre.hook()))?;
        let resid = resid.narrow(0, positions.start, positions.len())?.unsqueeze(0)?;
        let (_, n_pos, d_model) = resid.dims3()?;
        let new = resid.broadcast_as((n, n_pos, d_model))?;
        Ok(match batch {
            Some(batch) if n == 0 => batch,
            Some(batch) => {
                let new = new.to_dtype(batch.dtype())?.contiguous()?;
                Tensor::cat(&[batch, new], 0)?
            }
            None => new.contiguous()?,
        })
    }
}

/// Patches the rows that join at one layer.
struct Patch<'a> {
    sweeper: &'a Sweeper<'a>,
    start: usize,
    first_row: usize,
    cells: &'a [CellAt],
}

impl Patch<'_> {
    /// One row `[1, ..]` of the hook's tensor with its cell's part replaced.
    fn row(&self, row: &Tensor, cell: CellAt) -> Result<Tensor> {
        let site = self.sweeper.site;
        let source = self.sweeper.pair.source().activations.get(&cell.hook(site));
        let Some(source) = source else { return Ok(row.clone()) };
        let mut part = site.part(cell, self.sweeper.pair.n_pos());
        // what lies before the start is the same in both runs
        let positions = &mut part[site.position_axis()];
        positions.start = positions.start.max(self.start);
        let mut new = source.unsqueeze(0)?.to_dtype(row.dtype())?;
        for (axis, range) in part.iter().enumerate() {
            new = new.narrow(axis + 1, range.start, range.len())?;
        }
        let positions = &mut part[site.position_axis()];
        *positions = positions.start - self.start..positions.end - self.start;
        change(row, 1, &part, &|_| Ok(new.clone()))
    }
}

impl Tap for Patch<'_> {
    fn wants(&self, at: HookPoint) -> bool {
        self.cells.first().is_some_and(|cell| cell.hook(self.sweeper.site) == at)
    }

    fn visit(&mut self, _: HookPoint, x: Tensor) -> Result<Tensor> {
        let mut rows = Vec::with_capacity(self.cells.len() + 1);
        if self.first_row > 0 {
            rows.push(x.narrow(0, 0, self.first_row)?);
        }
        for (index, &cell) in self.cells.iter().enumerate() {
            rows.push(self.row(&x.narrow(0, self.first_row + index, 1)?, cell)?);
        }
        Ok(Tensor::cat(&rows, 0)?)
    }
}
