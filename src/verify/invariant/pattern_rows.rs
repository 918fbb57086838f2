//! Attention weights are a distribution over the positions that may be seen.
//!
//! What may be seen is the query's own position and earlier ones, within the block's window if it has one, less what
//! the model masks: where a score is minus infinity the weight must be zero.

use candle_core::Tensor;

use super::{Invariant, Measured, Rounding, Tolerance};
use crate::hook::{HookPoint, Site};
use crate::model::{Result, Tap};
use crate::verify::Subject;
use crate::verify::worst::{Worst, flat};

pub(super) struct PatternRows;

impl Invariant for PatternRows {
    fn name(&self) -> &'static str {
        "pattern-rows"
    }

    fn about(&self) -> &'static str {
        "every row of every attention pattern sums to 1, with no weight on later or masked positions"
    }

    fn tolerance(&self) -> Tolerance {
        Tolerance::absolute(1e-6)
    }

    fn rounding(&self) -> Rounding {
        Rounding::Keeps
    }

    fn measure(&self, subject: &Subject<'_>) -> Result<Measured> {
        let windows = subject.lm.config().layers.iter().map(|layer| layer.window).collect();
        let mut rows = Rows { windows, ..Rows::default() };
        subject.watch(&mut rows)?;
        Ok(rows.worst.measured())
    }
}

#[derive(Default)]
struct Rows {
    worst: Worst,
    /// How far back each block may look.
    windows: Vec<Option<usize>>,
    /// The scores of the block being run.
    scores: Vec<f32>,
}

impl Rows {
    /// `pattern` `[batch, head, query, key]`, flattened.
    fn check(&mut self, at: HookPoint, pattern: &[f32], [n_queries, n_keys]: [usize; 2]) {
        // the last query is the last key, also after cached positions
        let own_key = |query: usize| n_keys - n_queries + query;
        let window = at.layer().and_then(|layer| self.windows.get(layer).copied().flatten()).unwrap_or(n_keys);
        for (index, row) in pattern.chunks(n_keys).enumerate() {
            let (head, query) = (index / n_queries, index % n_queries);
            let place = || format!("{at} [head {head}, query {query}]");
            let sum: f64 = row.iter().map(|&weight| f64::from(weight)).sum();
            self.worst.note(sum - 1.0, place);
            for (key, &weight) in row.iter().enumerate() {
                let masked = self.scores.get(index * n_keys + key) == Some(&f32::NEG_INFINITY);
                if masked || key > own_key(query) || key + window <= own_key(query) {
                    self.worst.note(f64::from(weight), || format!("{at} [head {head}, query {query}, key {key}]"));
                }
            }
        }
    }
}

impl Tap for Rows {
    fn wants(&self, at: HookPoint) -> bool {
        matches!(at.site(), Site::AttnScores | Site::Pattern)
    }

    fn visit(&mut self, at: HookPoint, x: Tensor) -> Result<Tensor> {
        if at.site() == Site::AttnScores {
            self.scores = flat(&x)?;
        } else {
            let (.., n_queries, n_keys) = x.dims4()?;
            self.check(at, &flat(&x)?, [n_queries, n_keys]);
        }
        Ok(x)
    }
}
