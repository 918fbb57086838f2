//! Attention patterns: one head as a heatmap, all heads as thumbnails, and a line of statistics a head.

use super::{Context, Lens, LensError, Question};
use crate::figure::{Cell, Column, Content, Figure, Heatmap, HeatmapAxis, Scale, Table};
use crate::hook::{HookPoint, Site};
use crate::model::{CausalLm as _, DecoderConfig};
use crate::trace::{Trace, TracePlan};

/// The lens: statistics of every head.
pub struct Attention;

impl Lens for Attention {
    fn name(&self) -> &'static str {
        "attention"
    }

    fn about(&self) -> &'static str {
        "where each head looks: entropy, distance, share of the first token"
    }

    fn needs(&self, cfg: &DecoderConfig, _: &Question) -> TracePlan {
        TracePlan::sites(cfg, &[Site::Pattern])
    }

    fn read(&self, trace: &Trace, context: Context<'_>) -> Result<Vec<Figure>, LensError> {
        let cfg = context.lm.config();
        let mut rows = Vec::new();
        for layer in 0..cfg.n_layers {
            let heads = trace.get(HookPoint::block(layer, Site::Pattern))?.to_vec3::<f32>()?;
            let row = |(head, pattern): (usize, &Vec<Vec<f32>>)| head_row(layer, head, pattern, trace, context);
            rows.extend(heads.iter().enumerate().map(row));
        }
        let columns = ["layer", "head", "entropy_bits", "mean_distance", "first_token", "last_looks_at", "weight"];
        let columns = columns.iter().map(|name| Column::new(name, "")).collect();
        Ok(vec![Figure {
            title: "Attention heads".into(),
            caption: "Means over query positions of the pattern's entropy, distance in tokens and weight on the first \
                      token; then the key that the last position weighs most."
                .into(),
            provenance: context.provenance.clone(),
            content: Content::Table(Table::new(columns, rows)?),
        }])
    }
}

fn head_row(layer: usize, head: usize, pattern: &[Vec<f32>], trace: &Trace, context: Context<'_>) -> Vec<Cell> {
    let n = pattern.len().max(1) as f64;
    let mean =
        |of: &dyn Fn(usize, &[f32]) -> f64| pattern.iter().enumerate().map(|(q, row)| of(q, row)).sum::<f64>() / n;
    let entropy = |_: usize, row: &[f32]| {
        let terms =
            row.iter().filter(|&&weight| weight > 0.0).map(|&weight| f64::from(weight) * f64::from(weight).log2());
        -terms.sum::<f64>()
    };
    let distance = |query: usize, row: &[f32]| {
        row.iter().enumerate().take(query + 1).map(|(key, &weight)| f64::from(weight) * (query - key) as f64).sum()
    };
    let last = pattern.last().map(Vec::as_slice).unwrap_or_default();
    let top = last.iter().enumerate().fold(0, |best, (key, &weight)| if weight > last[best] { key } else { best });
    let label = trace.ids.get(top).map(|&id| format!("{top} {}", context.tokenizer.visible(id)));
    let number = |n: usize| Cell::Integer(i64::try_from(n).unwrap_or(i64::MAX));
    vec![
        number(layer),
        number(head),
        Cell::number(mean(&entropy).max(0.0), 2),
        Cell::number(mean(&distance), 2),
        Cell::number(mean(&|_, row| f64::from(row[0])), 3),
        Cell::Text(label.unwrap_or_default()),
        Cell::number(last.get(top).copied().map_or(0.0, f64::from), 3),
    ]
}

/// One head's pattern: query rows, key columns.
pub fn head_figure(trace: &Trace, context: Context<'_>, layer: usize, head: usize) -> Result<Figure, LensError> {
    let pattern = trace.get(HookPoint::block(layer, Site::Pattern))?.get(head)?.flatten_all()?.to_vec1::<f32>()?;
    let labels = context.token_labels(&trace.ids);
    let queries = HeatmapAxis { name: "query".into(), labels: labels.clone() };
    let keys = HeatmapAxis { name: "key".into(), labels };
    Ok(Figure {
        title: format!("Attention of layer {layer}, head {head}"),
        caption: "Attention weights after the softmax (hook_pattern); every row sums to 1.".into(),
        provenance: context.provenance.clone(),
        content: Content::Heatmap(Heatmap::new(queries, keys, pattern, Scale::Probability, "weight")?),
    })
}

/// Thumbnails of all heads, `[layer][head][query][key]`: the largest weight within each of `side x side` cells.
///
/// Returns the side, which is smaller for short sequences.
pub fn thumbnails(trace: &Trace, cfg: &DecoderConfig, side: usize) -> Result<(usize, Vec<f32>), LensError> {
    let n_pos = trace.ids.len();
    let side = side.clamp(1, n_pos.max(1));
    let size = side * side;
    let mut cells = vec![0.0f32; cfg.n_layers * cfg.n_heads * size];
    for layer in 0..cfg.n_layers {
        let heads = trace.get(HookPoint::block(layer, Site::Pattern))?.to_vec3::<f32>()?;
        for (head, pattern) in heads.iter().enumerate() {
            let first = (layer * cfg.n_heads + head) * size;
            for (query, row) in pattern.iter().enumerate() {
                for (key, &weight) in row.iter().enumerate().take(query + 1) {
                    let cell = &mut cells[first + query * side / n_pos * side + key * side / n_pos];
                    *cell = cell.max(weight);
                }
            }
        }
    }
    Ok((side, cells))
}
