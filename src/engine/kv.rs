//! What the model has already run, remembered by its tokens: stepping on, going back and taking another branch run only
//! the tokens that are new.
//!
//! It holds the model as it is. Interventions may act at any position, so an intervened model is always run anew.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, OnceLock};

use super::EngineError;
use crate::lens::LensError;
use crate::lens::distribution::{NextToken, Ranked, next_token};
use crate::model::decoder::Decoder;
use crate::model::sample::log_softmax;
use crate::model::{CancelToken, CausalLm as _, KvCache, ids_tensor};

/// Bytes that are remembered at most.
const LIMIT: usize = 256 << 20;

/// The logits after one position, and what was read from them.
pub(super) struct Row {
    /// `[d_vocab]`.
    pub(super) logits: Vec<f32>,
    best: OnceLock<NextToken>,
    asked: OnceLock<Ranked>,
}

impl Row {
    fn new(logits: Vec<f32>) -> Self {
        Self { logits, best: OnceLock::new(), asked: OnceLock::new() }
    }

    /// The `top` most probable tokens, and the one that follows.
    pub(super) fn next(&self, top: usize, follows: Option<u32>) -> Result<NextToken, LensError> {
        let best = match self.best.get() {
            Some(best) if best.top.len() == top.min(self.logits.len()) => best.clone(),
            _ => {
                let best = next_token(&self.logits, top, None)?;
                // another number of tokens may have been asked for before
                let _ = self.best.set(best.clone());
                best
            }
        };
        let asked = follows.and_then(|id| self.rank(id));
        Ok(NextToken { asked, ..best })
    }

    fn rank(&self, id: u32) -> Option<Ranked> {
        if let Some(known) = self.asked.get().filter(|known| known.id == id) {
            return Some(*known);
        }
        let logit = *self.logits.get(id as usize)?;
        let before = |(other, &of): (u32, &f32)| of > logit || (of.total_cmp(&logit).is_eq() && other < id);
        let rank = 1 + (0..).zip(&self.logits).filter(|&pair| before(pair)).count();
        let ranked = Ranked { rank, id, logit, logprob: log_softmax(&self.logits)[id as usize] };
        // another token may have followed before
        let _ = self.asked.set(ranked);
        Some(ranked)
    }

    fn bytes(&self) -> usize {
        self.logits.len() * size_of::<f32>()
    }
}

struct Entry {
    ids: Vec<u32>,
    cache: KvCache,
    rows: Vec<Arc<Row>>,
}

/// Runs that are remembered, the one used last at the end.
pub(super) struct Remembered {
    entries: VecDeque<Entry>,
    limit: usize,
    /// Tokens that were run since the beginning.
    n_run: usize,
}

impl Default for Remembered {
    fn default() -> Self {
        Self { entries: VecDeque::new(), limit: LIMIT, n_run: 0 }
    }
}

impl Remembered {
    /// The logits after every one of `ids`.
    pub(super) fn rows(
        &mut self,
        lm: &Decoder,
        ids: &[u32],
        cancel: &CancelToken,
    ) -> Result<Vec<Arc<Row>>, EngineError> {
        let shared = |entry: &Entry| entry.ids.iter().zip(ids).take_while(|(a, b)| a == b).count();
        if lm.config().rotation_depends_on_length(ids.len()) {
            // each position turns by how many there are in all, so that nothing run before is of use
            return run(lm, ids, &mut lm.new_cache(), cancel);
        }
        let best = (0..self.entries.len()).max_by_key(|&at| shared(&self.entries[at]));
        // what is used moves to the end
        let best = best.and_then(|at| self.entries.remove(at));
        let n = best.as_ref().map_or(0, shared);
        let (mut cache, mut rows) = match &best {
            Some(entry) => (entry.cache.clone(), entry.rows[..n].to_vec()),
            None => (lm.new_cache(), Vec::new()),
        };
        self.entries.extend(best);
        if n == ids.len() {
            return Ok(rows);
        }
        cache.truncate(n)?;
        rows.extend(run(lm, &ids[n..], &mut cache, cancel)?);
        self.n_run += ids.len() - n;
        self.entries.push_back(Entry { ids: ids.to_vec(), cache, rows: rows.clone() });
        self.forget();
        Ok(rows)
    }

    /// Drops what was used longest ago until the rest is within the limit.
    fn forget(&mut self) {
        let mut uses: HashMap<*const Row, usize> = HashMap::new();
        for row in self.entries.iter().flat_map(|entry| &entry.rows) {
            *uses.entry(Arc::as_ptr(row)).or_default() += 1;
        }
        let mut bytes = self.bytes();
        while bytes > self.limit
            && let Some(entry) = self.entries.pop_front()
        {
            bytes -= entry.cache.bytes();
            for row in &entry.rows {
                let left = uses.entry(Arc::as_ptr(row)).or_default();
                *left = left.saturating_sub(1);
                if *left == 0 {
                    bytes -= row.bytes();
                }
            }
        }
    }

    /// Bytes that are held; rows that several runs share count once.
    fn bytes(&self) -> usize {
        let caches: usize = self.entries.iter().map(|entry| entry.cache.bytes()).sum();
        let mut seen = HashSet::new();
        let rows = self.entries.iter().flat_map(|entry| &entry.rows).filter(|row| seen.insert(Arc::as_ptr(row)));
        caches + rows.map(|row| row.bytes()).sum::<usize>()
    }
}

fn run(lm: &Decoder, ids: &[u32], cache: &mut KvCache, cancel: &CancelToken) -> Result<Vec<Arc<Row>>, EngineError> {
    let hidden = lm.forward(&ids_tensor(ids)?, cache, &mut cancel.clone())?;
    let logits = lm.logits(&hidden)?.squeeze(0).map_err(crate::model::Error::from)?;
    let rows: Vec<Vec<f32>> = logits.to_vec2().map_err(crate::model::Error::from)?;
    Ok(rows.into_iter().map(|row| Arc::new(Row::new(row))).collect())
}

#[cfg(test)]
mod tests;
