//! Attribution patching (Nanda 2023): a first-order estimate of what patching each activation would do.
//!
//! `attr = Σ (a_clean - a_corrupt) ⊙ ∂m/∂a`, with the gradient of the corrupted run, summed over what is patched
//! together. Two forward passes and one backward pass estimate every patch at once. It fails where the model is far
//! from linear between the two runs, as behind a saturated softmax, and most in early layers (Kramár et al. 2024): it is
//! good for the order in which patches are tried, and no replacement for trying them.

use candle_core::{D, Tensor};

use super::{Gradients, Metric, Trace, TraceError, TracePlan};
use crate::hook::{Axis, HookPoint, Site};
use crate::model::decoder::Differentiable;
use crate::model::{CausalLm as _, DecoderConfig, Tap, ids_tensor};

/// An estimate for each layer, position and, at sites that have them, head: how much the metric of the corrupted run
/// would rise if that activation were the clean run's.
#[derive(Debug, Clone, PartialEq)]
pub struct PatchEstimates {
    /// The metric of the corrupted run.
    pub corrupt: f64,
    n_pos: usize,
    n_heads: usize,
    values: Vec<f64>,
}

impl PatchEstimates {
    /// The estimate of patching a position of a layer, all heads together; 0 outside the grid.
    pub fn at(&self, layer: usize, position: usize) -> f64 {
        (0..self.n_heads).map(|head| self.at_head(layer, position, head)).sum()
    }

    /// The estimate of patching one head there.
    pub fn at_head(&self, layer: usize, position: usize, head: usize) -> f64 {
        let is_inside = position < self.n_pos && head < self.n_heads;
        let index = (layer * self.n_pos + position) * self.n_heads + head;
        self.values.get(index).copied().filter(|_| is_inside).unwrap_or(0.0)
    }

    /// How many heads the site has, 1 where it has none.
    pub const fn n_heads(&self) -> usize {
        self.n_heads
    }
}

/// Whether activations at a site belong to a position each, so that one position can be patched alone.
fn is_by_position(site: Site) -> bool {
    site.axes().first() == Some(&Axis::Pos)
}

/// Estimates every patch of `site` from the clean run into the corrupted one, which has as many tokens.
///
/// `tap` sees every hook of both runs: a cancel token.
///
/// # Errors
/// [`TraceError::NotRecorded`] for a site that the model lacks, or whose activations belong to no single position.
pub fn estimate_patches(
    lm: &Differentiable,
    [clean, corrupt]: [&[u32]; 2],
    metric: Metric,
    site: Site,
    tap: &mut dyn Tap,
) -> Result<PatchEstimates, TraceError> {
    let cfg = lm.decoder().config();
    let points: Vec<HookPoint> = (0..cfg.n_layers).map(|layer| HookPoint::block(layer, site)).collect();
    let lacking = points.iter().find(|&&at| !cfg.has_at(at) || !is_by_position(site));
    if let Some(&at) = lacking {
        return Err(TraceError::NotRecorded { at });
    }
    let plan = TracePlan::new(points.iter().copied());
    let clean = Trace::record(lm.decoder(), clean, &plan, tap)?;
    let run = Gradients::record(lm, &ids_tensor(corrupt)?, metric, &plan, tap)?;
    let mut values = Vec::new();
    for &at in &points {
        let change = (clean.get(at)? - run.activation(at)?.squeeze(0)?)?;
        let product = (change * run.gradient(at)?.squeeze(0)?)?;
        values.extend(sums(&product)?);
    }
    Ok(PatchEstimates { corrupt: run.values[0], n_pos: corrupt.len(), n_heads: n_heads(cfg, site), values })
}

/// `[pos, ..]` summed over the last axis, row by row.
fn sums(product: &Tensor) -> candle_core::Result<Vec<f64>> {
    let sums = product.sum(D::Minus1)?.flatten_all()?.to_vec1::<f32>()?;
    Ok(sums.into_iter().map(f64::from).collect())
}

fn n_heads(cfg: &DecoderConfig, site: Site) -> usize {
    let heads = site.axes().iter().find(|axis| matches!(axis, Axis::Head | Axis::KvHead));
    heads.map_or(1, |&axis| cfg.axis_len(axis, 1))
}
