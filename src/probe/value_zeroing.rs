//! Value zeroing (Mohebbi et al. 2023): how much of each token's new representation is due to each earlier token.
//!
//! In one block at a time, the values of token `j` become zero in every head, patterns as they are, and the outputs of
//! the block are compared: `C_ij = 1 - cos(x̃_i, x_i)` with `x` the residual stream after the block, rows divided by
//! their sums. Unlike attention weights it counts the values, the residual stream and the MLP. Blocks are put together
//! by the product of their matrices (rollout; the residual stream is in them already) and by their mean. It asks what a
//! position is made of, and nothing of the answer's tokens.

use candle_core::Tensor;

use super::input::Pieces;
use super::{Probe, ProbeError, Step, Subject};
use crate::figure::{Cell, Column, Content, Figure, Heatmap, HeatmapAxis, Scale};
use crate::hook::{HookPoint, Site};
use crate::model::decoder::Decoder;
use crate::model::{CancelToken, CausalLm as _, Result as ModelResult, Tap, ids_tensor};
use crate::trace::{Trace, TracePlan};

/// Sequences that are run at once.
const BATCH: usize = 16;

/// The probe.
pub struct ValueZeroing;

/// Zeroes the values of another token in each row of the batch, and keeps what the block puts out.
struct ZeroValues {
    layer: usize,
    first: usize,
    n: usize,
    out: Option<Tensor>,
}

impl Tap for ZeroValues {
    fn wants(&self, at: HookPoint) -> bool {
        at.layer() == Some(self.layer) && matches!(at.site(), Site::V | Site::ResidPost)
    }

    fn visit(&mut self, at: HookPoint, x: Tensor) -> ModelResult<Tensor> {
        if at.site() == Site::ResidPost {
            self.out = Some(x.clone());
            return Ok(x);
        }
        let n_pos = x.dim(1)?;
        let kept = |(row, position): (usize, usize)| if position == self.first + row { 0f32 } else { 1.0 };
        let places = (0..self.n).flat_map(|row| (0..n_pos).map(move |position| (row, position)));
        let mask = Tensor::from_vec(places.map(kept).collect(), (self.n, n_pos, 1, 1), x.device())?;
        Ok(x.broadcast_mul(&mask)?)
    }
}

/// `1 - cos` of two vectors.
fn distance(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    let lengths = (dot(a, a) * dot(b, b)).sqrt();
    if lengths > 0.0 { (1.0 - dot(a, b) / lengths).max(0.0) } else { 0.0 }
}

/// Rows divided by their sums; a row of zeros is left to the token itself.
fn normalise(matrix: &mut [Vec<f64>]) {
    for (token, row) in matrix.iter_mut().enumerate() {
        let sum: f64 = row.iter().sum();
        if sum > 0.0 {
            for value in row {
                *value /= sum;
            }
        } else {
            row[token] = 1.0;
        }
    }
}

/// The matrix of a block, `[token][source]`, each row of which sums to 1, given what the block puts out for the prompt.
fn matrix(
    lm: &Decoder,
    ids: &[u32],
    (layer, usual): (usize, &Tensor),
    cancel: &CancelToken,
) -> Result<Vec<Vec<f64>>, ProbeError> {
    let usual = usual.to_vec2::<f32>()?;
    let mut matrix = vec![vec![0.0; ids.len()]; ids.len()];
    for first in (0..ids.len()).step_by(BATCH) {
        let n = BATCH.min(ids.len() - first);
        let mut zero = ZeroValues { layer, first, n, out: None };
        lm.forward(&ids_tensor(ids)?.repeat((n, 1))?, &mut lm.new_cache(), &mut (cancel.clone(), &mut zero))?;
        let changed = zero.out.map(|out| out.to_vec3::<f32>()).transpose()?.unwrap_or_default();
        for (source, changed) in (first..).zip(&changed) {
            for token in source..ids.len() {
                matrix[token][source] = distance(&changed[token], &usual[token]);
            }
        }
    }
    normalise(&mut matrix);
    Ok(matrix)
}

/// The matrices of all blocks, `[layer][token][source]`.
///
/// # Errors
/// A model that cannot be run, or cancellation.
pub fn matrices(
    lm: &Decoder,
    ids: &[u32],
    cancel: &CancelToken,
    tell: &mut dyn FnMut(Step),
) -> Result<Vec<Vec<Vec<f64>>>, ProbeError> {
    let cfg = lm.config();
    let plan = TracePlan::sites(cfg, &[Site::ResidPost]);
    let trace = Trace::record(lm, ids, &plan, &mut cancel.clone())?;
    let of = |layer: usize| {
        let found = matrix(lm, ids, (layer, trace.get(HookPoint::block(layer, Site::ResidPost))?), cancel);
        tell(Step { done: layer + 1, total: cfg.n_layers });
        found
    };
    (0..cfg.n_layers).map(of).collect()
}

/// The product of the blocks' matrices, the first block's on the right: `[token][source]`.
pub fn rollout(matrices: &[Vec<Vec<f64>>]) -> Vec<Vec<f64>> {
    let multiply = |product: Vec<Vec<f64>>, matrix: &Vec<Vec<f64>>| {
        let entry = |row: &Vec<f64>, source: usize| row.iter().zip(&product).map(|(a, b)| a * b[source]).sum();
        matrix.iter().map(|row| (0..row.len()).map(|source| entry(row, source)).collect()).collect()
    };
    matrices.split_first().map_or_else(Vec::new, |(first, rest)| rest.iter().fold(first.clone(), multiply))
}

impl Probe for ValueZeroing {
    fn name(&self) -> &'static str {
        "value-zeroing"
    }

    fn about(&self) -> &'static str {
        "which tokens a position is made of: how far it turns in each block without the values of each of them"
    }

    fn run(&self, subject: &Subject<'_>, tell: &mut dyn FnMut(Step)) -> Result<Vec<Figure>, ProbeError> {
        let pieces = Pieces::new(subject)?;
        let position = pieces.position();
        let matrices = matrices(subject.lm, &subject.prompt.ids[..=position], subject.cancel, tell)?;
        let layers: Vec<Vec<f64>> = matrices.iter().map(|matrix| pieces.sums(&matrix[position])).collect();
        let total = rollout(&matrices).get(position).map(|row| pieces.sums(row)).unwrap_or_default();
        let mean = |at: usize| layers.iter().map(|layer| layer[at]).sum::<f64>() / layers.len().max(1) as f64;
        let row = |(at, &share): (usize, &f64)| [share, mean(at)].map(|share| Cell::number(100.0 * share, 1)).to_vec();
        let columns = [Column::new("rollout", "%"), Column::new("mean", "%")];
        let caption = format!(
            "What position {} is made of. In each block: how far its residual stream turns (1 - cosine) when the values \
             of each token are zero, as a share. rollout: the product of the blocks' matrices. mean: over the blocks.",
            pieces.position_label(),
        );
        let table = pieces.table("Value zeroing", caption, &columns, total.iter().enumerate().map(row))?;
        Ok(vec![table, grid(subject, &pieces, &layers)?])
    }
}

/// The row of the position in each block.
fn grid(subject: &Subject<'_>, pieces: &Pieces<'_>, layers: &[Vec<f64>]) -> Result<Figure, ProbeError> {
    let rows = HeatmapAxis { name: "layer".into(), labels: (0..layers.len()).map(|layer| layer.to_string()).collect() };
    let labels = pieces.units.iter().map(|unit| pieces.label(unit)).collect();
    let columns = HeatmapAxis { name: subject.inputs.granularity.name().into(), labels };
    #[expect(clippy::cast_possible_truncation, reason = "shares are shown in f32")]
    let values = layers.iter().flatten().map(|&share| share as f32).collect();
    let content = Content::Heatmap(Heatmap::new(rows, columns, values, Scale::Probability, "share")?);
    let caption = "The share of each piece in the position's row, in each block on its own.";
    Ok(pieces.figure("Value zeroing by block", caption.into(), content))
}
