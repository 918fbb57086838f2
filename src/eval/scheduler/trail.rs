//! The way to the last context that was run, so that the next one goes on from where it differs.

use candle_core::Tensor;

use super::Error;
use crate::model::{self, CancelToken, CausalLm, KvCache, ids_tensor};

/// Contexts are cut at every multiple of this. Contexts with a common beginning share it up to the last of them.
const STEP: usize = 32;

/// A context that was run.
#[derive(Clone)]
pub(super) struct Branch {
    /// Its keys and values.
    pub(super) cache: KvCache,
    /// Next-token logits `[d_vocab]`; none after no token.
    pub(super) logits: Option<Vec<f32>>,
}

/// The last context: one path through the tree of all of them. Visited in the order of their tokens, no beginning is
/// run twice.
#[derive(Default)]
pub(super) struct Trail {
    ids: Vec<u32>,
    /// Keys and values of all of them.
    cache: Option<KvCache>,
    /// Where it was cut, with the last position before the cut, `[1, 1, d_model]`.
    cuts: Vec<(usize, Tensor)>,
}

impl Trail {
    /// A branch after `context`, of which only what is new is run.
    pub(super) fn branch(&mut self, lm: &dyn CausalLm, context: &[u32], cancel: &CancelToken) -> Result<Branch, Error> {
        let is_cut = |end: usize| end == context.len() || end.is_multiple_of(STEP);
        let common = self.ids.iter().zip(context).take_while(|(a, b)| a == b).count();
        // after an error nothing is known any more
        let mut cuts = std::mem::take(&mut self.cuts);
        cuts.retain(|(end, _)| *end <= common && is_cut(*end));
        let mut from = cuts.last().map_or(0, |(end, _)| *end);
        let mut cache = self.cache.take().unwrap_or_else(|| lm.new_cache());
        cache.truncate(from)?;
        for to in (from + 1..=context.len()).filter(|end| is_cut(*end)) {
            let hidden = lm.forward(&ids_tensor(&context[from..to])?, &mut cache, &mut cancel.clone())?;
            let last = hidden.narrow(1, to - from - 1, 1).map_err(model::Error::from)?;
            cuts.push((to, last));
            from = to;
        }
        let logits = match cuts.last() {
            Some((_, last)) => Some(lm.logits(last)?.flatten_all().and_then(|logits| logits.to_vec1::<f32>())),
            None => None,
        };
        context.clone_into(&mut self.ids);
        (self.cache, self.cuts) = (Some(cache.clone()), cuts);
        Ok(Branch { cache, logits: logits.transpose().map_err(model::Error::from)? })
    }
}
