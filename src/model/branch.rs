//! Keys and values as a tree: what several sequences begin with is held once, and run once.
//!
//! It knows nothing of what is asked of a sequence, nor which of them are run together.

use std::sync::Arc;

use candle_core::Tensor;

use super::cache::Lying;
use super::{CancelToken, CausalLm, Error, KvCache, Result, ids_tensor};

/// Where a model that cannot run sequences together cuts them: at every multiple of this, whatever is asked of it.
pub const SEAM: usize = 32;

/// Keys and values of neighbouring positions of a sequence, after those of the branch that it grows from.
#[derive(Debug)]
pub struct Branch {
    below: Option<Arc<Self>>,
    start: usize,
    own: KvCache,
}

impl Branch {
    /// The beginning of a sequence, with no position yet.
    pub fn root(lm: &dyn CausalLm) -> Self {
        Self { below: None, start: 0, own: lm.new_cache() }
    }

    /// What comes after a branch, with no position yet.
    pub fn after(below: &Arc<Self>) -> Self {
        Self { start: below.len(), own: KvCache::new(below.own.n_layers()), below: Some(Arc::clone(below)) }
    }

    /// Positions from the beginning of the sequence.
    pub fn len(&self) -> usize {
        self.start + self.own.len()
    }

    /// Whether nothing was run.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of its own positions.
    pub fn bytes(&self) -> usize {
        self.own.bytes()
    }

    /// The first `len` positions; what they share with this branch is not copied.
    pub fn cut(self: &Arc<Self>, len: usize) -> Result<Arc<Self>> {
        match &self.below {
            _ if len >= self.len() => Ok(Arc::clone(self)),
            Some(below) if len <= self.start => below.cut(len),
            below => {
                let own = self.own.part(0..len.saturating_sub(self.start))?;
                Ok(Arc::new(Self { below: below.clone(), start: self.start, own }))
            }
        }
    }

    /// All positions from the beginning, in one piece.
    fn joined(&self) -> Result<KvCache> {
        let Some(below) = &self.below else { return Ok(self.own.clone()) };
        let mut all = below.joined()?;
        for layer in 0..self.own.n_layers() {
            if let Some((k, v)) = self.own.at(layer)? {
                all.append(layer, &k, &v)?;
            }
        }
        Ok(all)
    }

    /// Keys and values of one block in pieces, in order: where each starts, and how it lies in memory.
    pub(super) fn pieces(&self, layer: usize) -> Vec<(usize, Lying<'_>)> {
        let mut pieces = self.below.as_deref().map_or_else(Vec::new, |below| below.pieces(layer));
        pieces.extend(self.own.lying(layer).map(|kv| (self.start, kv)));
        pieces
    }

    /// Appends keys and values `[1, kv_head, pos, d_head]` of new positions.
    pub(super) fn append(&mut self, layer: usize, k: &Tensor, v: &Tensor) -> Result<()> {
        self.own.append(layer, k, v)
    }
}

/// Tokens to run after those of a branch, which grows by them.
#[derive(Debug)]
pub struct Stretch<'a> {
    /// The tokens: at least one.
    pub ids: &'a [u32],
    /// What is before them.
    pub branch: &'a mut Branch,
}

impl Stretch<'_> {
    /// That it fits into a context of so many tokens.
    pub(super) fn check(&self, n_ctx: usize) -> Result<()> {
        let found = self.branch.len() + self.ids.len();
        if found > n_ctx { Err(Error::TooLong { found, n_ctx }) } else { Ok(()) }
    }
}

/// What [`CausalLm::forward_all`] does where nothing is gained from running sequences together.
pub fn one_by_one<L: CausalLm + ?Sized>(lm: &L, stretches: &mut [Stretch<'_>], cancel: &CancelToken) -> Result<Tensor> {
    let mut hidden = Vec::new();
    for stretch in stretches {
        let (start, ids) = (stretch.branch.len(), stretch.ids);
        let mut cache = stretch.branch.joined()?;
        let mut from = 0;
        for to in (1..=ids.len()).filter(|&to| to == ids.len() || (start + to).is_multiple_of(SEAM)) {
            let piece = lm.forward(&ids_tensor(&ids[from..to])?, &mut cache, &mut cancel.clone())?;
            hidden.push(piece.squeeze(0)?);
            from = to;
        }
        stretch.branch.own = cache.part(stretch.branch.start..cache.len())?;
    }
    Ok(Tensor::cat(&hidden, 0)?)
}

/// A product of fewer than so many rows with a matrix of `n_out` rows takes other kernels of the `gemm` crate, or other
/// blocks, and adds up in another order. From here on, a row gets the same bits whatever rows are beside it.
pub const fn least_rows(n_out: usize) -> usize {
    /// Elements of a product that is computed without packing.
    const SMALL: usize = 16 * 16;
    /// Rows of both sides up to which blocks have a length of their own.
    const NARROW: usize = 64;
    match n_out {
        0..=NARROW => {
            let rows = SMALL / if n_out == 0 { 1 } else { n_out };
            1 + if rows < NARROW { NARROW } else { rows }
        }
        _ => {
            if n_out > SMALL {
                2
            } else {
                SMALL / n_out + 1
            }
        }
    }
}

/// Next-token logits `[row, d_vocab]` of some rows of what [`CausalLm::forward_all`] returned, each with the bits that it
/// has in any company; rows beyond those asked for may follow.
pub fn logits_of(lm: &dyn CausalLm, hidden: &Tensor, rows: &[usize]) -> Result<Tensor> {
    let mut rows: Vec<u32> = rows.iter().filter_map(|row| u32::try_from(*row).ok()).collect();
    let last = rows.last().copied().unwrap_or(0);
    rows.resize(rows.len().max(least_rows(lm.config().d_vocab)), last);
    lm.logits(&hidden.index_select(&Tensor::new(rows, hidden.device())?, 0)?)
}

#[cfg(test)]
mod tests {

    use super::*;
    use crate::noise::normal;

    #[test]
    fn from_so_many_rows_on_a_row_gets_the_same_bits() {
        for (n_out, n_in) in [(16, 64), (64, 1000), (64, 4544), (100, 576), (192, 576), (300, 1536), (1000, 2048)] {
            let weight = normal(1, (n_out, n_in)).t().unwrap();
            let x = normal(2, (700, n_in));
            let rows = |from: usize, n: usize| -> Vec<Vec<f32>> {
                x.narrow(0, from, n).unwrap().matmul(&weight).unwrap().to_vec2().unwrap()
            };
            let all = rows(0, 700);
            let least = least_rows(n_out);
            for (from, n) in [(0, least), (3, least), (17, least + 1), (100, 66.max(least)), (5, 129), (300, 400)] {
                assert_eq!(rows(from, n), all[from..from + n], "{n} rows times {n_out} x {n_in}");
            }
        }
    }
}
