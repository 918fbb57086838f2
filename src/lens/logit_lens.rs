//! The logit lens (nostalgebraist 2020): what the model would predict if it stopped after each layer.
//!
//! `unembed(ln_final(resid))` with soft-cap and logit scale, the norm's statistics recomputed from the residual itself;
//! at the last layer this is the model's own distribution. Rows of logits are read in batches and dropped: what is
//! kept is the top tokens, entropy, divergence from the final distribution, and the rank of followed tokens.

use candle_core::{CpuStorage, Storage, Tensor};

use super::{Context, Lens, LensError, Question, Stream, Target};
use crate::figure::{Cell, Column, Content, Figure, Heatmap, HeatmapAxis, Scale, Table};
use crate::hook::{HookPoint, Site};
use crate::model::kernel::team;
use crate::model::logits::{RowStats, dot, n_larger, probabilities, row_stats};
use crate::model::{CausalLm as _, DecoderConfig};
use crate::trace::{Trace, TraceError, TracePlan};

/// The lens.
pub struct LogitLens;

/// Bytes of logits that exist at a time, unless a single position takes more: they are read from the cache.
const BATCH_BYTES: usize = 16 << 20;

/// A place in the residual stream that the lens reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stage {
    /// The hook.
    pub at: HookPoint,
}

impl std::fmt::Display for Stage {
    /// `embed` for the stream before the first block, `3.mid` between a block's sublayers, `3` after the block.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.at.layer(), self.at.site()) {
            (Some(layer), Site::ResidMid) => write!(f, "{layer}.mid"),
            (Some(layer), Site::ResidPost) => write!(f, "{layer}"),
            _ => f.write_str("embed"),
        }
    }
}

/// A token that is followed, at one stage and position.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Watched {
    /// 1 for the most probable; equals share the better rank.
    pub rank: usize,
    /// Natural log of its probability.
    pub logprob: f64,
}

/// One stage at one position.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// The most probable tokens with their log-probabilities, best first.
    pub top: Vec<(u32, f64)>,
    /// Entropy in nats.
    pub entropy: f64,
    /// Forward divergence KL(final ‖ lens) in nats.
    pub kl: f64,
    /// Of the token that is on top at the end.
    pub final_top: Watched,
    /// Of the followed tokens, in their order.
    pub watched: Vec<Watched>,
}

/// What the lens saw: every stage at every position.
#[derive(Debug, Clone, PartialEq)]
pub struct Readings {
    /// The stages, first to last.
    pub stages: Vec<Stage>,
    /// How many positions.
    pub n_pos: usize,
    /// `[position][stage]`.
    cells: Vec<Reading>,
}

impl Readings {
    /// The reading of a stage at a position.
    pub fn at(&self, stage: usize, position: usize) -> &Reading {
        &self.cells[position * self.stages.len() + stage]
    }

    /// The stages at a position, first to last.
    pub fn of_position(&self, position: usize) -> &[Reading] {
        let n = self.stages.len();
        &self.cells[position * n..(position + 1) * n]
    }

    /// The first stage from which on the top token is the final one.
    pub fn settles(&self, position: usize) -> usize {
        let stages = self.of_position(position);
        let last_other = stages.iter().rposition(|reading| reading.final_top.rank > 1);
        last_other.map_or(0, |stage| (stage + 1).min(stages.len() - 1))
    }
}

/// The places it reads.
pub fn stages(cfg: &DecoderConfig, stream: Stream) -> Vec<Stage> {
    let has_mid = cfg.hook_points().contains(&HookPoint::block(0, Site::ResidMid));
    let of_layer = |layer| {
        let mid = (has_mid && stream == Stream::Sublayers).then_some(HookPoint::block(layer, Site::ResidMid));
        mid.into_iter().chain([HookPoint::block(layer, Site::ResidPost)])
    };
    let first = HookPoint::block(0, Site::ResidPre);
    std::iter::once(first).chain((0..cfg.n_layers).flat_map(of_layer)).map(|at| Stage { at }).collect()
}

/// Reads every stage at every position; `top` tokens each, and the ranks of `watch`.
///
/// # Errors
/// A trace without the stages, or a logit that is not a number.
pub fn read(trace: &Trace, context: Context<'_>, top: usize, watch: &[u32]) -> Result<Readings, LensError> {
    let cfg = context.lm.config();
    let stages = stages(cfg, context.question.stream);
    let n_pos = trace.ids.len();
    let batch = (BATCH_BYTES / 4 / cfg.d_vocab.max(1) / stages.len()).clamp(1, n_pos.max(1));
    let stream = |(number, stage): (usize, &Stage)| -> Result<Tensor, LensError> {
        let resid = trace.get(stage.at)?;
        match &context.question.tuned {
            // the stages of blocks are numbered as the maps: the stream before block 0 is the first
            Some(tuned) if context.question.stream == Stream::Blocks => Ok(tuned.translate(number, resid)?),
            _ => Ok(resid.clone()),
        }
    };
    let streams = stages.iter().enumerate().map(stream).collect::<Result<Vec<_>, _>>()?;
    let mut readings = Vec::with_capacity(n_pos * stages.len());
    for first in (0..n_pos).step_by(batch) {
        let n = batch.min(n_pos - first);
        // [position, stage, d_model]
        let rows = streams.iter().map(|stream| stream.narrow(0, first, n)).collect::<Result<Vec<_>, _>>()?;
        let logits = context.lm.unembed(&Tensor::stack(&rows, 1)?.flatten_to(1)?)?;
        let last = trace.logits.narrow(0, first, n)?;
        let batch = Batch { n_stages: stages.len(), top, watch };
        readings.extend(with_rows(&last, |last| with_rows(&logits, |logits| batch.read(last, logits, cfg.d_vocab)))?);
    }
    Ok(Readings { stages, n_pos, cells: readings })
}

/// The numbers of a tensor in place.
fn with_rows<T>(tensor: &Tensor, read: impl FnOnce(&[f32]) -> Result<T, LensError>) -> Result<T, LensError> {
    let tensor = tensor.contiguous()?;
    let (storage, layout) = tensor.storage_and_layout();
    match (&*storage, layout.contiguous_offsets()) {
        (Storage::Cpu(CpuStorage::F32(values)), Some((start, end))) => read(&values[start..end]),
        _ => read(&tensor.flatten_all()?.to_vec1::<f32>()?),
    }
}

struct Batch<'a> {
    n_stages: usize,
    top: usize,
    watch: &'a [u32],
}

impl Batch<'_> {
    /// `last` `[position, d_vocab]` are the model's own logits, `logits` `[position, stage, d_vocab]` the lens's.
    fn read(&self, last: &[f32], logits: &[f32], d_vocab: usize) -> Result<Vec<Reading>, LensError> {
        let own = team::map(last.len() / d_vocab, |position| -> Result<Last, LensError> {
            let last = &last[position * d_vocab..(position + 1) * d_vocab];
            let stats = row_stats(last, 1).ok_or_else(not_a_number)?;
            let mut probs = vec![0.0; d_vocab];
            probabilities(last, stats.log_sum_exp, &mut probs);
            Ok(Last { top: stats.top[0].0, expected: dot(&probs, last) - stats.log_sum_exp, probs })
        });
        let own = own.into_iter().collect::<Result<Vec<_>, _>>()?;
        let read = |row: usize| self.read_row(&logits[row * d_vocab..(row + 1) * d_vocab], &own[row / self.n_stages]);
        team::map(logits.len() / d_vocab, read).into_iter().collect()
    }

    fn read_row(&self, row: &[f32], last: &Last) -> Result<Reading, LensError> {
        let stats = row_stats(row, self.top).ok_or_else(not_a_number)?;
        let watched = |&id: &u32| watched(row, &stats, id);
        Ok(Reading {
            top: stats.top.iter().map(|&(id, logit)| (id, f64::from(logit) - stats.log_sum_exp)).collect(),
            entropy: stats.entropy,
            // Σ p (ln p - ln q) = Σ p z_p - lse_p - (Σ p z_q - lse_q)
            kl: (last.expected - (dot(&last.probs, row) - stats.log_sum_exp)).max(0.0),
            final_top: watched(&last.top),
            watched: self.watch.iter().map(watched).collect(),
        })
    }
}

/// The model's own distribution at one position.
struct Last {
    top: u32,
    probs: Vec<f32>,
    /// The expectation of its own log-probability: minus its entropy.
    expected: f64,
}

fn watched(row: &[f32], stats: &RowStats, id: u32) -> Watched {
    let logit = row[id as usize];
    Watched { rank: 1 + n_larger(row, logit), logprob: f64::from(logit) - stats.log_sum_exp }
}

fn not_a_number() -> LensError {
    TraceError::NotANumber { at: "logits".into() }.into()
}

impl Lens for LogitLens {
    fn name(&self) -> &'static str {
        "logit-lens"
    }

    fn about(&self) -> &'static str {
        "what the model would predict if it stopped after each layer"
    }

    fn needs(&self, cfg: &DecoderConfig, question: &Question) -> TracePlan {
        TracePlan::new(stages(cfg, question.stream).into_iter().map(|stage| stage.at))
    }

    fn read(&self, trace: &Trace, context: Context<'_>) -> Result<Vec<Figure>, LensError> {
        let target = context.target(trace)?;
        let watch = followed(context, target, &context.question.watch);
        let readings = read(trace, context, context.question.top.max(1), &watch)?;
        Ok(vec![
            grid(trace, context, &readings)?,
            trajectory(trace, context, &readings, target, &watch)?,
            convergence(trace, context, &readings)?,
            numbers(trace, context, &readings, Quantity::Entropy)?,
            numbers(trace, context, &readings, Quantity::Divergence)?,
        ])
    }
}

/// A, B, and each of these tokens that the vocabulary has, once.
fn followed(context: Context<'_>, target: Target, more: &[u32]) -> Vec<u32> {
    let d_vocab = context.lm.config().d_vocab;
    let mut watch: Vec<u32> = std::iter::once(target.token).chain(target.versus).collect();
    for &id in more {
        if (id as usize) < d_vocab && !watch.contains(&id) {
            watch.push(id);
        }
    }
    watch
}

/// What a screen shows of the lens.
#[derive(Debug, Clone, PartialEq)]
pub struct Screen {
    /// Layer by position: the top token and its probability.
    pub grid: Figure,
    /// A, B and the other followed tokens through the layers at the position that is asked about.
    pub trajectory: Figure,
    /// The ids of the grid's tokens, row by row.
    pub tops: Vec<u32>,
}

/// The part of the lens's figures that a screen shows; `watch` is followed besides A and B.
///
/// # Errors
/// As [`read`]; a question that has no answer.
pub fn screen(trace: &Trace, context: Context<'_>, watch: &[u32]) -> Result<Screen, LensError> {
    let target = context.target(trace)?;
    let watch = followed(context, target, watch);
    let readings = read(trace, context, context.question.top.max(1), &watch)?;
    Ok(Screen {
        grid: grid(trace, context, &readings)?,
        trajectory: trajectory(trace, context, &readings, target, &watch)?,
        tops: by_stage(&readings, |reading| reading.top.first().map_or(0, |top| top.0)),
    })
}

fn axes(trace: &Trace, context: Context<'_>, readings: &Readings) -> (HeatmapAxis, HeatmapAxis) {
    let stages = readings.stages.iter().map(ToString::to_string).collect();
    let layers = HeatmapAxis { name: "layer".into(), labels: stages };
    (layers, HeatmapAxis { name: "position".into(), labels: context.token_labels(&trace.ids) })
}

/// A value of every reading, stage by stage.
fn by_stage<T>(readings: &Readings, value: impl Fn(&Reading) -> T) -> Vec<T> {
    let value = &value;
    let of_stage = |stage| (0..readings.n_pos).map(move |position| value(readings.at(stage, position)));
    (0..readings.stages.len()).flat_map(of_stage).collect()
}

#[expect(clippy::cast_possible_truncation, reason = "grids are shown in f32")]
fn grid(trace: &Trace, context: Context<'_>, readings: &Readings) -> Result<Figure, LensError> {
    let tuned = context.question.tuned.as_ref().map_or_else(String::new, |tuned| {
        format!(" Each layer's residual is translated first, by the tuned lens {}.", tuned.file().display())
    });
    let (layers, positions) = axes(trace, context, readings);
    let values = by_stage(readings, |reading| reading.top.first().map_or(0.0, |top| top.1.exp() as f32));
    let cells = by_stage(readings, |reading| {
        reading.top.first().map_or_else(String::new, |top| context.tokenizer.visible(top.0))
    });
    let heatmap = Heatmap::new(layers, positions, values, Scale::Probability, "probability")?.with_cells(cells)?;
    Ok(Figure {
        title: "Logit lens".into(),
        caption: format!(
            "Top token, and its probability, of ln_final and the unembedding applied to the residual stream before the \
             first block (embed) and after each block; norm statistics of each residual itself.{tuned}"
        ),
        provenance: context.provenance.clone(),
        content: Content::Heatmap(heatmap),
    })
}

/// The target's position through the layers.
fn trajectory(
    trace: &Trace,
    context: Context<'_>,
    readings: &Readings,
    target: Target,
    watch: &[u32],
) -> Result<Figure, LensError> {
    let mut columns = vec![Column::new("layer", ""), Column::new("entropy_bits", "bits"), Column::new("kl", "nats")];
    for &id in watch {
        let visible = context.tokenizer.visible(id);
        columns.push(Column::new(&format!("logprob {visible}"), "nats"));
        columns.push(Column::new(&format!("rank {visible}"), ""));
    }
    columns.push(Column::new("top", ""));
    let row = |(stage, reading): (&Stage, &Reading)| {
        let bits = reading.entropy / std::f64::consts::LN_2;
        let mut row = vec![Cell::Text(stage.to_string()), Cell::number(bits, 2), Cell::number(reading.kl, 3)];
        for watched in &reading.watched {
            row.push(Cell::number(watched.logprob, 3));
            row.push(Cell::Integer(i64::try_from(watched.rank).unwrap_or(i64::MAX)));
        }
        let named = |&(id, logprob): &(u32, f64)| format!("{} {:.2}", context.tokenizer.visible(id), logprob.exp());
        row.push(Cell::Text(reading.top.iter().take(5).map(named).collect::<Vec<_>>().join("  ")));
        row
    };
    let rows = readings.stages.iter().zip(readings.of_position(target.position)).map(row).collect();
    Ok(Figure {
        title: "Through the layers".into(),
        caption: format!(
            "{}. kl: divergence KL(final ‖ lens). top: the most probable tokens with their probabilities.",
            context.describe(trace, target)
        ),
        provenance: context.provenance.clone(),
        content: Content::Table(Table::new(columns, rows)?),
    })
}

/// Where in the layers each position's answer settles.
fn convergence(trace: &Trace, context: Context<'_>, readings: &Readings) -> Result<Figure, LensError> {
    let names = ["position", "token", "final_top", "prob", "first_on_top", "settles"];
    let columns = names.iter().map(|name| Column::new(name, "")).collect();
    let row = |position: usize| {
        let stages = readings.of_position(position);
        let last = stages.last().and_then(|reading| reading.top.first());
        let first = stages.iter().position(|reading| reading.final_top.rank == 1);
        let named = |stage: usize| Cell::Text(readings.stages[stage].to_string());
        vec![
            Cell::Integer(i64::try_from(position).unwrap_or(i64::MAX)),
            Cell::Text(context.tokenizer.visible(trace.ids[position])),
            last.map_or(Cell::Empty, |top| Cell::Text(context.tokenizer.visible(top.0))),
            last.map_or(Cell::Empty, |top| Cell::number(top.1.exp(), 4)),
            first.map_or(Cell::Empty, named),
            named(readings.settles(position)),
        ]
    };
    Ok(Figure {
        title: "Convergence".into(),
        caption: "The first layer that puts the final top token first, and the layer from which on it stays there."
            .into(),
        provenance: context.provenance.clone(),
        content: Content::Table(Table::new(columns, (0..readings.n_pos).map(row).collect())?),
    })
}

/// A number a reading has besides its top token.
#[derive(Clone, Copy)]
enum Quantity {
    Entropy,
    Divergence,
}

#[expect(clippy::cast_possible_truncation, reason = "grids are shown in f32")]
fn numbers(trace: &Trace, context: Context<'_>, readings: &Readings, of: Quantity) -> Result<Figure, LensError> {
    let (layers, positions) = axes(trace, context, readings);
    let value = |reading: &Reading| match of {
        Quantity::Entropy => (reading.entropy / std::f64::consts::LN_2) as f32,
        Quantity::Divergence => reading.kl as f32,
    };
    let (title, caption, unit) = match of {
        Quantity::Entropy => ("Entropy", "Entropy of the lens's distribution.", "bits"),
        Quantity::Divergence => ("Divergence", "KL(final ‖ lens): how far the layer is from the answer.", "nats"),
    };
    let values = by_stage(readings, value);
    let scale = Scale::Sequential { low: 0.0, high: values.iter().copied().fold(0.0, f32::max) };
    Ok(Figure {
        title: format!("Logit lens: {}", title.to_lowercase()),
        caption: caption.into(),
        provenance: context.provenance.clone(),
        content: Content::Heatmap(Heatmap::new(layers, positions, values, scale, unit)?),
    })
}
