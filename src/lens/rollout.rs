//! Attention rollout (Abnar & Zuidema 2020): attention followed through the layers, as if values were never mixed.
//!
//! Each block's pattern is averaged over its heads and mixed half and half with the identity, for the residual stream;
//! the products of these matrices say how much of each token reaches each position. Rows sum to 1 and stay causal. It was
//! meant for encoders: in a causal model the first token collects what heads rest on it, so that the sink can be masked.

use super::pattern::patterns;
use super::{Context, Lens, LensError, Question, Sink};
use crate::figure::{Content, Figure, Heatmap, HeatmapAxis, Scale};
use crate::hook::Site;
use crate::model::{CausalLm as _, DecoderConfig};
use crate::trace::{Trace, TracePlan};

/// The lens.
pub struct Rollout;

impl Lens for Rollout {
    fn name(&self) -> &'static str {
        "rollout"
    }

    fn about(&self) -> &'static str {
        "attention rollout: how much of each token reaches a position, layer by layer, if only attention moved it"
    }

    fn needs(&self, cfg: &DecoderConfig, _: &Question) -> TracePlan {
        TracePlan::sites(cfg, &[Site::Pattern])
    }

    fn read(&self, trace: &Trace, context: Context<'_>) -> Result<Vec<Figure>, LensError> {
        let position = context.question.ask.position_in(trace.ids.len())?;
        let n_layers = context.lm.config().n_layers;
        let (mut layers, mut rolled) = (Vec::new(), identity(trace.ids.len()));
        for layer in 0..n_layers {
            let heads = patterns(trace, context.question.sink, layer)?;
            rolled = product(&mixed(&heads), &rolled);
            layers.extend(rolled[position].iter().copied());
        }
        let keys = HeatmapAxis { name: "token".into(), labels: context.token_labels(&trace.ids) };
        let numbers =
            HeatmapAxis { name: "layer".into(), labels: (0..n_layers).map(|layer| layer.to_string()).collect() };
        let queries = HeatmapAxis { name: "position".into(), labels: keys.labels.clone() };
        let note = match context.question.sink {
            Sink::Kept => "",
            Sink::Masked => " The first token's weight is left out and rows scaled up to 1: a variant of ours.",
        };
        let figure = |title: String, caption: &str, rows, values| {
            Ok::<_, LensError>(Figure {
                title,
                caption: format!("{caption}{note}"),
                provenance: context.provenance.clone(),
                content: Content::Heatmap(Heatmap::new(rows, keys.clone(), values, Scale::Probability, "share")?),
            })
        };
        Ok(vec![
            figure(
                format!("Rollout to {}", context.label(trace, position)),
                "How much of each token has reached the position after each layer: products of (A + I) / 2, with A the \
                 mean over the heads.",
                numbers,
                layers,
            )?,
            figure(
                "Rollout to every position".into(),
                "The same after the last layer, for every position.",
                queries,
                rolled.concat(),
            )?,
        ])
    }
}

type Matrix = Vec<Vec<f32>>;

fn identity(n: usize) -> Matrix {
    (0..n).map(|row| (0..n).map(|column| if row == column { 1.0 } else { 0.0 }).collect()).collect()
}

/// The mean of the heads' patterns, half and half with the identity.
fn mixed(heads: &[Matrix]) -> Matrix {
    let n = heads.first().map_or(0, Vec::len);
    let mut mixed = identity(n);
    for (row, mixed) in mixed.iter_mut().enumerate() {
        for (key, value) in mixed.iter_mut().enumerate() {
            let mean = heads.iter().map(|head| head[row][key]).sum::<f32>() / heads.len() as f32;
            *value = 0.5 * (mean + *value);
        }
    }
    mixed
}

/// The product of lower triangular matrices.
fn product(a: &Matrix, b: &Matrix) -> Matrix {
    let n = a.len();
    let mut product = vec![vec![0.0; n]; n];
    for row in 0..n {
        for middle in 0..=row {
            for column in 0..=middle {
                product[row][column] += a[row][middle] * b[middle][column];
            }
        }
    }
    product
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_layers_worked_by_hand() {
        // one head that always looks at the first token
        let head: Matrix = vec![vec![1.0, 0.0], vec![1.0, 0.0]];
        let layer = mixed(std::slice::from_ref(&head));
        assert_eq!(layer, [[1.0, 0.0], [0.5, 0.5]]);
        let rolled = product(&layer, &product(&layer, &identity(2)));
        assert_eq!(rolled, [[1.0, 0.0], [0.75, 0.25]]);
    }

    #[test]
    fn rows_keep_summing_to_one() {
        let heads = [vec![vec![1.0, 0.0, 0.0], vec![0.3, 0.7, 0.0], vec![0.2, 0.5, 0.3]]];
        let mut rolled = identity(3);
        for _ in 0..5 {
            rolled = product(&mixed(&heads), &rolled);
        }
        assert!(rolled.iter().all(|row| (row.iter().sum::<f32>() - 1.0).abs() < 1e-6));
    }
}
