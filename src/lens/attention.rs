//! Attention patterns: where every head looks, and how much of what it finds there it writes.

mod each;
mod thumbnails;

use candle_core::{D, Tensor};

pub use self::each::{EachPattern, TakePattern};
pub use self::thumbnails::Thumbnails;
use super::pattern::{pattern, patterns, sink_note};
use super::{Context, Lens, LensError, Question};
use crate::figure::{Cell, Column, Content, Figure, Heatmap, HeatmapAxis, Scale, Table};
use crate::hook::{Head, HookPoint, Site};
use crate::model::{CausalLm as _, DecoderConfig};
use crate::trace::{Trace, TracePlan};

/// From this share on, what a head hands on is not what it took: rounding is far below it.
const EDITED_FROM: f32 = 0.02;

/// The lens: statistics of every head, then all heads from and to the position, or one head large.
pub struct Attention;

impl Lens for Attention {
    fn name(&self) -> &'static str {
        "attention"
    }

    fn about(&self) -> &'static str {
        "where each head looks, from and to a position, and how much it writes of what it finds there"
    }

    fn reads_atlas(&self) -> bool {
        true
    }

    fn needs(&self, cfg: &DecoderConfig, _: &Question) -> TracePlan {
        TracePlan::sites(cfg, &[Site::Pattern, Site::V, Site::Z])
    }

    fn read(&self, trace: &Trace, context: Context<'_>) -> Result<Vec<Figure>, LensError> {
        let position = context.question.ask.position_in(trace.ids.len())?;
        if let Some(head) = context.question.head {
            check(head, context.lm.config())?;
            return Ok(vec![head_figure(trace, context, head)?, written_figure(trace, context, head)?]);
        }
        let mut heads = Vec::new();
        for layer in 0..context.lm.config().n_layers {
            let patterns = patterns(trace, context.question.sink, layer)?;
            let norms = context.lm.value_norms(layer, trace.get(HookPoint::block(layer, Site::V))?)?;
            for (head, (pattern, norms)) in patterns.into_iter().zip(norms).enumerate() {
                heads.push(Looks { head: Head { layer, head }, pattern, norms });
            }
        }
        Ok(vec![
            statistics(&heads, position, trace, context)?,
            every_head(&heads, Side::From(position), trace, context)?,
            every_head(&heads, Side::To(position), trace, context)?,
        ])
    }
}

fn check(found: Head, cfg: &DecoderConfig) -> Result<(), LensError> {
    let (n_layers, n_heads) = (cfg.n_layers, cfg.n_heads);
    let exists = found.layer < n_layers && found.head < n_heads;
    if exists { Ok(()) } else { Err(LensError::Head { found, n_layers, n_heads }) }
}

/// One head's pattern and the lengths of what it could write.
struct Looks {
    head: Head,
    /// `[query][key]`.
    pattern: Vec<Vec<f32>>,
    /// Norms of `v_j W_O`.
    norms: Vec<f32>,
}

fn largest(row: impl Iterator<Item = f32>) -> (usize, f32) {
    row.enumerate().fold((0, 0.0), |best, (key, value)| if value > best.1 { (key, value) } else { best })
}

fn statistics(heads: &[Looks], position: usize, trace: &Trace, context: Context<'_>) -> Result<Figure, LensError> {
    let row = |looks: &Looks| head_row(looks, position, trace, context);
    let names = [
        "head",
        "role",
        "entropy_bits",
        "mean_distance",
        "first_token",
        "looks_at",
        "weight",
        "writes_most_from",
        "norm",
    ];
    let columns = names.iter().map(|name| Column::new(name, "")).collect();
    Ok(Figure {
        title: "Attention heads".into(),
        caption: format!(
            "Means over query positions of the pattern's entropy, distance in tokens and weight on the first token; \
             then, from {}, the key that weighs most, and the key that most of what is written comes from: the norm of \
             A v W_O.{}",
            context.label(trace, position),
            sink_note(context.question.sink)
        ),
        provenance: context.provenance.clone(),
        content: Content::Table(Table::new(columns, heads.iter().map(row).collect())?),
    })
}

fn head_row(looks: &Looks, position: usize, trace: &Trace, context: Context<'_>) -> Vec<Cell> {
    let pattern = &looks.pattern;
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
    let here = pattern.get(position).map(Vec::as_slice).unwrap_or_default();
    let (key, weight) = largest(here.iter().copied());
    let (source, norm) = largest(here.iter().zip(&looks.norms).map(|(weight, norm)| weight * norm));
    vec![
        Cell::Text(looks.head.to_string()),
        context.question.role(looks.head).map_or(Cell::Empty, |role| Cell::Text(role.into())),
        Cell::number(mean(&entropy).max(0.0), 2),
        Cell::number(mean(&distance), 2),
        Cell::number(mean(&|_, row| f64::from(row[0])), 3),
        Cell::Text(context.label(trace, key)),
        Cell::number(f64::from(weight), 3),
        Cell::Text(context.label(trace, source)),
        Cell::number(f64::from(norm), 3),
    ]
}

/// A head's name, with its role if it has one.
fn named(head: Head, context: Context<'_>) -> String {
    context.question.role(head).map_or_else(|| head.to_string(), |role| format!("{head} {role}"))
}

/// Which side of attention a position is on.
#[derive(Debug, Clone, Copy)]
enum Side {
    /// The position looks.
    From(usize),
    /// The position is looked at.
    To(usize),
}

/// Every head's weights from or to a position: head rows, position columns.
fn every_head(heads: &[Looks], side: Side, trace: &Trace, context: Context<'_>) -> Result<Figure, LensError> {
    let n_pos = trace.ids.len();
    let weight = |looks: &Looks, other: usize| match side {
        Side::From(query) => looks.pattern[query][other],
        Side::To(key) => looks.pattern[other][key],
    };
    let values = heads.iter().flat_map(|looks| (0..n_pos).map(move |other| weight(looks, other))).collect();
    let rows =
        HeatmapAxis { name: "head".into(), labels: heads.iter().map(|looks| named(looks.head, context)).collect() };
    let (title, name) = match side {
        Side::From(query) => (format!("Attention from {}", context.label(trace, query)), "key"),
        Side::To(key) => (format!("Attention to {}", context.label(trace, key)), "query"),
    };
    let columns = HeatmapAxis { name: name.into(), labels: context.token_labels(&trace.ids) };
    Ok(Figure {
        title,
        caption: format!("Weights after the softmax (hook_pattern).{}", sink_note(context.question.sink)),
        provenance: context.provenance.clone(),
        content: Content::Heatmap(Heatmap::new(rows, columns, values, Scale::Probability, "weight")?),
    })
}

/// The hooks that [`head_figure`] and [`written_figure`] read.
pub fn head_needs(layer: usize) -> TracePlan {
    TracePlan::new([Site::Pattern, Site::V, Site::Z].map(|site| HookPoint::block(layer, site)))
}

/// How much one head writes of what it finds where: the norm of `A_ij v_j W_O` (Kobayashi et al. 2020, "Attention is Not
/// Only a Weight"), query rows, key columns.
///
/// Nothing is written of any token where an intervention put something else into the head.
///
/// # Errors
/// A trace without what [`head_needs`] asks for.
pub fn written_figure(trace: &Trace, context: Context<'_>, head: Head) -> Result<Figure, LensError> {
    let pattern = pattern(trace, context.question.sink, head)?;
    let v = trace.get(HookPoint::block(head.layer, Site::V))?;
    let norms = &context.lm.value_norms(head.layer, v)?[head.head];
    let is_carried = carried(trace, head)?;
    let row = |(row, is_carried): (&Vec<f32>, bool)| -> Vec<f32> {
        row.iter().zip(norms).map(|(weight, norm)| if is_carried { weight * norm } else { 0.0 }).collect()
    };
    let values: Vec<f32> = pattern.iter().zip(is_carried).flat_map(row).collect();
    let (queries, keys) = token_axes(trace, context);
    let scale = Scale::Sequential { low: 0.0, high: values.iter().copied().fold(0.0, f32::max) };
    Ok(Figure {
        title: format!("What {head} writes, by where it is from"),
        caption: format!(
            "Norm of A v W_O (Kobayashi et al. 2020), before any norm that follows attention: a head may look at a \
             token whose value is small.{}",
            sink_note(context.question.sink)
        ),
        provenance: context.provenance.clone(),
        content: Content::Heatmap(Heatmap::new(queries, keys, values, scale, "norm")?),
    })
}

/// Whether a head hands on, at each query, what it took from the keys: not where an intervention wrote something else
/// into it, which came from no token.
fn carried(trace: &Trace, head: Head) -> Result<Vec<bool>, LensError> {
    let of = |site: Site| trace.get(HookPoint::block(head.layer, site));
    let (patterns, v) = (of(Site::Pattern)?, of(Site::V)?);
    let group = patterns.dim(0)? / v.dim(1)?;
    let v = v.narrow(1, head.head / group, 1)?.squeeze(1)?.contiguous()?; // [pos, d_head]
    let pattern = patterns.get(head.head)?.contiguous()?;
    let z = of(Site::Z)?.narrow(1, head.head, 1)?.squeeze(1)?; // [pos, d_head]
    let length = |x: Tensor| x.sqr()?.sum(D::Minus1)?.sqrt()?.to_vec1::<f32>();
    let (apart, all) = (length((pattern.matmul(&v)? - z)?)?, length(pattern.matmul(&v.abs()?)?)?);
    Ok(apart.iter().zip(&all).map(|(apart, all)| *apart <= EDITED_FROM * all).collect())
}

fn token_axes(trace: &Trace, context: Context<'_>) -> (HeatmapAxis, HeatmapAxis) {
    let labels = context.token_labels(&trace.ids);
    let queries = HeatmapAxis { name: "query".into(), labels: labels.clone() };
    (queries, HeatmapAxis { name: "key".into(), labels })
}

/// One head's pattern: query rows, key columns.
pub fn head_figure(trace: &Trace, context: Context<'_>, head: Head) -> Result<Figure, LensError> {
    let sink = context.question.sink;
    let pattern = pattern(trace, sink, head)?.concat();
    let (queries, keys) = token_axes(trace, context);
    Ok(Figure {
        title: format!("Attention of layer {}, head {}", head.layer, head.head),
        caption: format!("Attention weights after the softmax (hook_pattern); every row sums to 1.{}", sink_note(sink)),
        provenance: context.provenance.clone(),
        content: Content::Heatmap(Heatmap::new(queries, keys, pattern, Scale::Probability, "weight")?),
    })
}
