//! What the logit lens keeps of every stage at every position: rows of logits come in pieces, which are read and dropped.

use std::sync::{Mutex, PoisonError};

use candle_core::Tensor;

use super::{Stage, stages};
use crate::lens::{Context, LensError, Stream};
use crate::model::CausalLm as _;
use crate::model::decoder::LogitRows;
use crate::model::kernel::Piece;
use crate::model::logits::{Part, RowSoFar, RowStats, dot, n_larger, probabilities, read_rows, row_stats};
use crate::trace::{Trace, TraceError};

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

/// Reads every stage at every position; `top` tokens each, and the ranks of `watch`.
///
/// # Errors
/// A trace without the stages, or a logit that is not a number.
pub fn read(trace: &Trace, context: Context<'_>, top: usize, watch: &[u32]) -> Result<Readings, LensError> {
    let (stages, n_pos) = (stages(context.lm.config(), context.question.stream), trace.ids.len());
    let at_once = (context.lm.logit_rows_at_once() / stages.len()).clamp(1, n_pos.max(1));
    let stream = |(number, stage): (usize, &Stage)| -> Result<Tensor, LensError> {
        let resid = trace.get(stage.at)?;
        match &context.question.tuned {
            // the stages of blocks are numbered as the maps: the stream before block 0 is the first
            Some(tuned) if context.question.stream == Stream::Blocks => Ok(tuned.translate(number, resid)?),
            _ => Ok(resid.clone()),
        }
    };
    let streams = stages.iter().enumerate().map(stream).collect::<Result<Vec<_>, _>>()?;
    let mut cells = Vec::with_capacity(n_pos * stages.len());
    for first in (0..n_pos).step_by(at_once) {
        let n = at_once.min(n_pos - first);
        // [position, stage, d_model]
        let rows = streams.iter().map(|stream| stream.narrow(0, first, n)).collect::<Result<Vec<_>, _>>()?;
        let rows = context.lm.logit_rows(&Tensor::stack(&rows, 1)?.flatten_to(1)?)?;
        let own = read_rows(&trace.logits.narrow(0, first, n)?, n, |_, logits| Last::of(logits))?;
        let own = own.into_iter().collect::<Option<Vec<_>>>().ok_or_else(not_a_number)?;
        cells.extend(Batch { own: &own, n_stages: stages.len(), top, watch }.read(&rows)?);
    }
    Ok(Readings { stages, n_pos, cells })
}

fn not_a_number() -> LensError {
    TraceError::NotANumber { at: "logits".into() }.into()
}

/// The model's own distribution at one position.
struct Last {
    top: u32,
    probs: Vec<f32>,
    /// The expectation of its own log-probability: minus its entropy.
    expected: f64,
}

impl Last {
    fn of(logits: &[f32]) -> Option<Self> {
        let stats = row_stats(logits, 1)?;
        let mut probs = vec![0.0; logits.len()];
        probabilities(logits, stats.log_sum_exp, &mut probs);
        Some(Self { top: stats.top.first()?.0, expected: dot(&probs, logits) - stats.log_sum_exp, probs })
    }
}

/// Some positions: the stages of each are neighbouring rows.
struct Batch<'a> {
    own: &'a [Last],
    n_stages: usize,
    top: usize,
    watch: &'a [u32],
}

/// One row.
struct Row {
    /// The logits of the followed tokens.
    followed: Vec<f32>,
    seen: Mutex<Seen>,
}

/// What has been read of a row.
struct Seen {
    stats: RowSoFar,
    /// `Σ p z` of parts, by their first column: `p` is the model's own.
    products: Vec<(usize, f64)>,
    /// How many logits are larger than that of each followed token.
    n_larger: Vec<usize>,
}

impl Batch<'_> {
    fn read(&self, logits: &LogitRows<'_>) -> Result<Vec<Reading>, LensError> {
        let tops = self.own.iter().map(|own| own.top);
        let ids: Vec<u32> = tops.chain(self.watch.iter().copied()).collect();
        let row = |(at, logits): (usize, Vec<f32>)| {
            let own_top = logits[at / self.n_stages];
            let followed: Vec<f32> = std::iter::once(own_top).chain(logits[self.own.len()..].iter().copied()).collect();
            let n_larger = vec![0; followed.len()];
            let seen = Seen { stats: RowSoFar::new(self.top), products: Vec::new(), n_larger };
            Row { followed, seen: Mutex::new(seen) }
        };
        let rows: Vec<Row> = logits.of(&ids)?.into_iter().enumerate().map(row).collect();
        logits.read(|piece| self.add(&rows, &piece))?;
        rows.into_iter().enumerate().map(|(at, row)| self.reading(at, row).ok_or_else(not_a_number)).collect()
    }

    /// Reads what a piece has of each of its rows.
    fn add(&self, rows: &[Row], piece: &Piece<'_>) {
        let first = piece.columns.start;
        for (at, logits) in piece.rows.clone().zip(piece.values.chunks_exact(piece.columns.len())) {
            let part = Part::of(first, logits);
            let product = dot(&self.own[at / self.n_stages].probs[piece.columns.clone()], logits);
            let larger: Vec<usize> = rows[at].followed.iter().map(|&logit| n_larger(logits, logit)).collect();
            let mut seen = rows[at].seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.stats.add(part, logits);
            seen.products.push((first, product));
            seen.n_larger.iter_mut().zip(larger).for_each(|(sum, larger)| *sum += larger);
        }
    }

    fn reading(&self, at: usize, row: Row) -> Option<Reading> {
        let mut seen = row.seen.into_inner().unwrap_or_else(PoisonError::into_inner);
        let stats = seen.stats.done()?;
        seen.products.sort_unstable_by_key(|&(first, _)| first);
        let product: f64 = seen.products.iter().map(|(_, product)| product).sum();
        let of_followed = row.followed.iter().zip(seen.n_larger);
        let mut followed = of_followed.map(|(&logit, n_larger)| watched(&stats, logit, n_larger));
        Some(Reading {
            entropy: stats.entropy,
            // Σ p (ln p - ln q) = Σ p z_p - lse_p - (Σ p z_q - lse_q)
            kl: (self.own[at / self.n_stages].expected - (product - stats.log_sum_exp)).max(0.0),
            final_top: followed.next()?,
            watched: followed.collect(),
            top: stats.top.iter().map(|&(id, logit)| (id, f64::from(logit) - stats.log_sum_exp)).collect(),
        })
    }
}

fn watched(stats: &RowStats, logit: f32, n_larger: usize) -> Watched {
    Watched { rank: 1 + n_larger, logprob: f64::from(logit) - stats.log_sum_exp }
}
