//! What is read from the logits in place of some tokens.

use candle_core::Tensor;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::eval::request::{Scored, round9};
use crate::eval::scheduler::Error;
use crate::model::logits::{n_larger, read_rows, row_stats};
use crate::model::{CancelToken, CausalLm, logits_of};

/// What is to be read in one row.
pub(super) struct Ask {
    /// The row.
    pub(super) row: usize,
    /// Tokens that may come next.
    pub(super) ids: Vec<u32>,
    /// How many of the likeliest tokens are kept.
    pub(super) top: usize,
    /// The tokens that are drawn.
    pub(super) draws: Vec<Draw>,
}

/// A token that is drawn.
#[derive(Clone, Copy)]
pub(super) struct Draw {
    /// In thousandths.
    pub(super) temperature_milli: u32,
    pub(super) seed: u64,
    /// Which token of the answer it is, from 0: each has a stream of random numbers of its own.
    pub(super) place: u64,
}

impl Draw {
    /// The id that a uniform number picks, walking through the vocabulary in order.
    fn of(self, logits: &[f32], largest: f32) -> u32 {
        let scale = 1000.0 / f64::from(self.temperature_milli.max(1));
        let weight = |logit: &f32| (f64::from(logit - largest) * scale).exp();
        let total: f64 = logits.iter().map(weight).sum();
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        random.set_stream(self.place);
        let mut left = random.random::<f64>() * total;
        let mut last = 0;
        for (id, weight) in (0..).zip(logits.iter().map(weight)).filter(|(_, weight)| *weight > 0.0) {
            last = id;
            left -= weight;
            if left < 0.0 {
                break;
            }
        }
        last
    }
}

/// A token that was drawn.
#[derive(Clone, Copy)]
pub(super) struct Drawn {
    pub(super) id: u32,
    /// At temperature 1.
    pub(super) logprob: f64,
    /// Of the whole row at temperature 1, in nats; of the first token of an answer.
    pub(super) entropy: Option<f64>,
}

/// The entropy of a row, in nats.
fn entropy(logits: &[f32], log_sum_exp: f64) -> f64 {
    let surprise = |logit: &f32| {
        let logprob = f64::from(*logit) - log_sum_exp;
        if logprob == f64::NEG_INFINITY { 0.0 } else { -logprob * logprob.exp() }
    };
    logits.iter().map(surprise).sum()
}

/// What a row says.
pub(super) struct Reading {
    /// Of each token that was asked for.
    pub(super) seen: Vec<Seen>,
    /// The likeliest tokens, of equal ones the smaller id first, with their log-probabilities.
    pub(super) top: Vec<(u32, f64)>,
    /// The most probable token.
    pub(super) greedy: u32,
    /// The tokens that were drawn.
    pub(super) drawn: Vec<Drawn>,
}

/// What is read of one token.
#[derive(Clone, Copy)]
pub(super) struct Seen {
    logprob: f64,
    /// One more than the tokens with a higher logit.
    rank: usize,
    is_greedy: bool,
}

/// Reads rows of `hidden` `[row, d_model]`; logits are computed of those alone, so many at a time.
pub(super) fn read(
    lm: &dyn CausalLm,
    hidden: &Tensor,
    (asks, at_once): (&[Ask], usize),
    cancel: &CancelToken,
) -> Result<Vec<Reading>, Error> {
    let mut readings = Vec::with_capacity(asks.len());
    for asks in asks.chunks(at_once.max(1)) {
        cancel.check()?;
        let rows: Vec<usize> = asks.iter().map(|ask| ask.row).collect();
        let logits = logits_of(lm, hidden, &rows)?;
        readings.extend(read_rows(&logits, asks.len(), |at, row| Reading::of(row, &asks[at]))?);
    }
    Ok(readings)
}

impl Reading {
    fn of(logits: &[f32], ask: &Ask) -> Self {
        let Some(stats) = row_stats(logits, ask.top.max(1)) else {
            let unknown = Seen { logprob: f64::NAN, rank: 0, is_greedy: false };
            let drawn = vec![Drawn { id: 0, logprob: f64::NAN, entropy: None }; ask.draws.len()];
            return Self { seen: vec![unknown; ask.ids.len()], top: Vec::new(), greedy: 0, drawn };
        };
        let logprob = |logit: f32| round9(f64::from(logit) - stats.log_sum_exp);
        let greedy = stats.top.first().map_or(0, |(id, _)| *id);
        let seen = |&id: &u32| {
            let logit = logits[id as usize];
            Seen { logprob: logprob(logit), rank: 1 + n_larger(logits, logit), is_greedy: id == greedy }
        };
        let top = stats.top.iter().take(ask.top).map(|&(id, logit)| (id, logprob(logit)));
        let largest = stats.top.first().map_or(0.0, |(_, logit)| *logit);
        let drawn = |draw: &Draw| {
            let id = draw.of(logits, largest);
            let entropy = (draw.place == 0).then(|| round9(entropy(logits, stats.log_sum_exp)));
            Drawn { id, logprob: logprob(logits[id as usize]), entropy }
        };
        Self {
            seen: ask.ids.iter().map(seen).collect(),
            top: top.collect(),
            greedy,
            drawn: ask.draws.iter().map(drawn).collect(),
        }
    }
}

impl Scored {
    /// Adds the next token of the continuation; `top` are the likeliest in its place.
    pub(super) fn push(&mut self, seen: Seen, top: &[(u32, f64)]) -> Result<(), Error> {
        if !seen.logprob.is_finite() {
            return Err(Error::NotFinite { text: self.text.clone(), found: seen.logprob });
        }
        if self.logprobs.is_empty() {
            self.top = top.to_vec();
        }
        self.logprobs.push(seen.logprob);
        self.ranks.push(seen.rank);
        self.is_greedy &= seen.is_greedy;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hand_worked_entropy() {
        let near = |logits: &[f32], log_sum_exp: f64, expected: f64| {
            let found = entropy(logits, log_sum_exp);
            assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        };
        near(&[0.0; 4], 4f64.ln(), 4f64.ln());
        // three in four, one in four
        near(&[3f32.ln(), 0.0], 4f64.ln(), -(0.75 * 0.75f64.ln() + 0.25 * 0.25f64.ln()));
        near(&[f32::NEG_INFINITY, 0.0], 0.0, 0.0);
        near(&[-1000.0, 0.0], 0.0, 0.0);
    }
}
