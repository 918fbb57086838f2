//! The logit lens (nostalgebraist 2020): what the model would predict if it stopped after each layer.
//!
//! `softmax(unembed(ln_final(resid)))`, with the norm's statistics recomputed from the residual itself; at the last
//! layer this is the model's own distribution.

use candle_core::Tensor;

use super::{Context, Lens, LensError};
use crate::figure::{Cell, Column, Content, Figure, Heatmap, HeatmapAxis, Scale, Table};
use crate::hook::{HookPoint, Site};
use crate::model::sample::{argmax, entropy_bits, log_softmax};
use crate::model::{CausalLm as _, DecoderConfig};
use crate::trace::{Trace, TraceError, TracePlan};

/// The lens.
pub struct LogitLens;

/// One layer at one position.
struct Reading {
    stage: usize,
    position: usize,
    top: u32,
    prob: f64,
    entropy_bits: f64,
    /// Forward divergence KL(final ‖ lens) in nats.
    kl: f64,
    /// Rank of the final top token, 1 for the most probable.
    final_rank: usize,
}

/// The residual stream before the first block, then after each.
fn stages(cfg: &DecoderConfig) -> Vec<HookPoint> {
    let first = HookPoint::block(0, Site::ResidPre);
    std::iter::once(first).chain((0..cfg.n_layers).map(|layer| HookPoint::block(layer, Site::ResidPost))).collect()
}

impl Lens for LogitLens {
    fn name(&self) -> &'static str {
        "logit-lens"
    }

    fn about(&self) -> &'static str {
        "what the model would predict if it stopped after each layer"
    }

    fn needs(&self, cfg: &DecoderConfig) -> TracePlan {
        TracePlan::new(stages(cfg))
    }

    fn read(&self, trace: &Trace, context: Context<'_>) -> Result<Vec<Figure>, LensError> {
        let stages = stages(context.lm.config());
        let last: Vec<Vec<f64>> = rows(&trace.logits)?.iter().map(|row| log_softmax(row)).collect();
        let mut readings = Vec::new();
        for (stage, &at) in stages.iter().enumerate() {
            let logits = rows(&context.lm.unembed(trace.get(at)?)?)?;
            readings.extend(
                logits.iter().enumerate().map(|(position, row)| read_one(stage, position, row, &last[position])),
            );
        }
        Ok(vec![grid(trace, context, &readings, stages.len())?, table(trace, context, &readings)?])
    }
}

/// `[pos, d_vocab]` as rows, refusing values that are not numbers.
fn rows(logits: &Tensor) -> Result<Vec<Vec<f32>>, LensError> {
    let rows = logits.to_vec2::<f32>()?;
    if rows.iter().flatten().any(|logit| logit.is_nan()) {
        return Err(TraceError::NotANumber { at: "logits".into() }.into());
    }
    Ok(rows)
}

fn read_one(stage: usize, position: usize, logits: &[f32], last: &[f64]) -> Reading {
    let logprobs = log_softmax(logits);
    let top = argmax(logits);
    let final_top = last.iter().enumerate().fold(0, |best, (id, &p)| if p > last[best] { id } else { best });
    let kl =
        last.iter().zip(&logprobs).map(|(&p, &q)| if p.is_finite() { p.exp() * (p - q) } else { 0.0 }).sum::<f64>();
    Reading {
        stage,
        position,
        top,
        prob: logprobs[top as usize].exp(),
        entropy_bits: entropy_bits(&logprobs),
        kl: kl.max(0.0),
        final_rank: 1 + logits.iter().filter(|&&logit| logit > logits[final_top]).count(),
    }
}

/// `embed` for the stream before the first block, then the block's number.
fn stage_name(stage: usize) -> String {
    match stage.checked_sub(1) {
        None => "embed".into(),
        Some(layer) => layer.to_string(),
    }
}

fn grid(trace: &Trace, context: Context<'_>, readings: &[Reading], n_stages: usize) -> Result<Figure, LensError> {
    let layers = HeatmapAxis { name: "layer".into(), labels: (0..n_stages).map(stage_name).collect() };
    let positions = HeatmapAxis { name: "position".into(), labels: context.token_labels(&trace.ids) };
    #[expect(clippy::cast_possible_truncation, reason = "probabilities are shown in f32")]
    let values = readings.iter().map(|reading| reading.prob as f32).collect();
    let cells = readings.iter().map(|reading| context.tokenizer.visible(reading.top)).collect();
    let heatmap = Heatmap::new(layers, positions, values, Scale::Probability, "probability")?.with_cells(cells)?;
    Ok(Figure {
        title: "Logit lens".into(),
        caption: "Top token, and its probability, of ln_final and the unembedding applied to the residual stream \
                  before the first block (embed) and after each block; norm statistics of each residual itself."
            .into(),
        provenance: context.provenance.clone(),
        content: Content::Heatmap(heatmap),
    })
}

fn table(trace: &Trace, context: Context<'_>, readings: &[Reading]) -> Result<Figure, LensError> {
    let columns = vec![
        Column::new("layer", ""),
        Column::new("position", ""),
        Column::new("token", ""),
        Column::new("top", ""),
        Column::new("prob", ""),
        Column::new("entropy_bits", "bits"),
        Column::new("kl", "nats"),
        Column::new("final_rank", ""),
    ];
    let row = |reading: &Reading| {
        vec![
            Cell::Text(stage_name(reading.stage)),
            Cell::Integer(i64::try_from(reading.position).unwrap_or(i64::MAX)),
            Cell::Text(context.tokenizer.visible(trace.ids[reading.position])),
            Cell::Text(context.tokenizer.visible(reading.top)),
            Cell::number(reading.prob, 4),
            Cell::number(reading.entropy_bits, 2),
            Cell::number(reading.kl, 3),
            Cell::Integer(i64::try_from(reading.final_rank).unwrap_or(i64::MAX)),
        ]
    };
    Ok(Figure {
        title: "Logit lens".into(),
        caption:
            "kl: divergence KL(final ‖ lens); final_rank: rank, at this layer, of the token that is the final top \
                  token."
                .into(),
        provenance: context.provenance.clone(),
        content: Content::Table(Table::new(columns, readings.iter().map(row).collect())?),
    })
}
