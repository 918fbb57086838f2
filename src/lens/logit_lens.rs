//! The logit lens (nostalgebraist 2020): what the model would predict if it stopped after each layer.
//!
//! `unembed(ln_final(resid))` with soft-cap and logit scale, the norm's statistics recomputed from the residual itself;
//! at the last layer this is the model's own distribution. What is kept of
//! a row of logits is the top tokens, entropy, divergence from the final distribution, and the rank of followed tokens.

mod reading;

pub use self::reading::{Reading, Readings, Watched, read};
use super::{Context, Lens, LensError, Question, Stream, Target};
use crate::figure::{Cell, Column, Content, Figure, Heatmap, HeatmapAxis, Scale, Table};
use crate::hook::{HookPoint, Site};
use crate::model::{CausalLm as _, DecoderConfig};
use crate::trace::{Trace, TracePlan};

/// The lens.
pub struct LogitLens;

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
