//! Steering vectors from contrasting prompts: contrastive activation addition (Rimsky et al. 2023).
//!
//! The direction of a layer is the mean, over pairs of prompts, of the difference of their residual streams before that
//! layer at their last tokens.

use candle_core::Tensor;

use super::{ProbeError, Step};
use crate::figure::{Cell, Column, Content, Figure, Provenance, Table};
use crate::hook::{HookPoint, Site};
use crate::intervene::vector::SteeringVector;
use crate::model::decoder::Decoder;
use crate::model::{CancelToken, Result};
use crate::trace::{Trace, TracePlan};

/// The direction of one layer, and how much the pairs agree on it.
#[derive(Debug, Clone)]
pub struct Direction {
    /// The mean difference.
    pub vector: SteeringVector,
    /// Its length.
    pub norm: f64,
    /// The mean length of the residual streams it was taken from.
    pub stream_norm: f64,
    /// The mean cosine between a pair's difference and the direction.
    pub agreement: f64,
}

/// The directions from the second prompt of each pair to the first, before each of `layers`.
///
/// # Errors
/// A prompt that is too long, a NaN, or cancellation.
pub fn directions(
    lm: &Decoder,
    pairs: &[[Vec<u32>; 2]],
    layers: &[usize],
    cancel: &CancelToken,
    tell: &mut dyn FnMut(Step),
) -> Result<Vec<Direction>, ProbeError> {
    let plan = TracePlan::new(layers.iter().map(|&layer| HookPoint::block(layer, Site::ResidPre)));
    let mut streams = [Vec::new(), Vec::new()];
    for (number, pair) in pairs.iter().enumerate() {
        for (streams, ids) in streams.iter_mut().zip(pair) {
            let trace = Trace::record(lm, ids, &plan, &mut cancel.clone())?;
            trace.check_finite()?;
            let last = |x: &Tensor| x.get(ids.len().saturating_sub(1));
            // one row a layer
            let rows = trace.activations.values().map(last).collect::<candle_core::Result<Vec<_>>>()?;
            streams.push(Tensor::stack(&rows, 0)?);
        }
        tell(Step { done: number + 1, total: pairs.len() });
    }
    let streams = [Tensor::stack(&streams[0], 0)?, Tensor::stack(&streams[1], 0)?]; // [pair, layer, d_model]
    let mut sorted = layers.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    sorted.iter().enumerate().map(|(row, &layer)| direction(layer, row, &streams)).collect()
}

fn direction(layer: usize, row: usize, streams: &[Tensor; 2]) -> Result<Direction, ProbeError> {
    let rows = |streams: &Tensor| streams.narrow(1, row, 1)?.squeeze(1);
    let (positive, negative) = (rows(&streams[0])?, rows(&streams[1])?); // [pair, d_model]
    let differences = (&positive - &negative)?;
    let vector = differences.mean(0)?;
    let norm = length(&vector)?;
    let mut agreement = 0.0;
    let mut stream_norm = 0.0;
    let n_pairs = differences.dim(0)?;
    for pair in 0..n_pairs {
        let difference = differences.get(pair)?;
        let scale = norm * length(&difference)?;
        let product = f64::from((&difference * &vector)?.sum_all()?.to_scalar::<f32>()?);
        agreement += if scale > 0.0 { product / scale } else { 0.0 };
        stream_norm += f64::midpoint(length(&positive.get(pair)?)?, length(&negative.get(pair)?)?);
    }
    let n = n_pairs.max(1) as f64;
    let vector = SteeringVector { layer, direction: vector };
    Ok(Direction { vector, norm, stream_norm: stream_norm / n, agreement: agreement / n })
}

fn length(x: &Tensor) -> candle_core::Result<f64> {
    Ok(f64::from(x.sqr()?.sum_all()?.to_scalar::<f32>()?).sqrt())
}

/// What is known of directions from `n_pairs` pairs.
pub fn figure(directions: &[Direction], n_pairs: usize, provenance: Provenance) -> Result<Figure, ProbeError> {
    let row = |direction: &Direction| {
        vec![
            Cell::Integer(i64::try_from(direction.vector.layer).unwrap_or(i64::MAX)),
            Cell::number(direction.norm, 3),
            Cell::number(direction.stream_norm, 3),
            Cell::number(direction.agreement, 3),
        ]
    };
    let columns = ["layer", "norm", "stream_norm", "agreement"].map(|name| Column::new(name, "")).to_vec();
    Ok(Figure {
        title: format!("Steering vectors from {n_pairs} pairs"),
        caption: "The mean difference of the residual streams before the layer at the last tokens; its length beside \
                  the mean length of the streams; the mean cosine between a pair's difference and the direction."
            .into(),
        provenance,
        content: Content::Table(Table::new(columns, directions.iter().map(row).collect())?),
    })
}
