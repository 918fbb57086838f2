//! What is verified: a model, the prompt it is verified on, and the runs that laws ask for.

use candle_core::Tensor;

use crate::model::checkpoint::Arithmetic;
use crate::model::decoder::Decoder;
use crate::model::{CancelToken, CausalLm, Dtype, KvCache, NoTap, Result, Tap, ids_tensor};

/// The text that a model is verified on unless another is given.
pub const TEXT: &str = "The cat sat on the mat, and the dog looked at it. 17 + 25 = 42; naïve façade.";

/// Vocabularies of fewer tokens are verified on [`small_ids`]: they spell a text letter by letter, or not at all.
pub const SMALL_VOCABULARY: usize = 1024;

/// A fixed sequence of ids for a small vocabulary, short enough for any context.
pub fn small_ids(d_vocab: usize) -> Vec<u32> {
    const DIGITS: [u32; 9] = [3, 14, 15, 92, 65, 35, 14, 15, 89];
    let n = u32::try_from(d_vocab).unwrap_or(u32::MAX).max(1);
    DIGITS.iter().map(|digit| digit % n).collect()
}

/// A model and a prompt.
pub struct Subject<'a> {
    /// The model.
    pub lm: &'a dyn CausalLm,
    /// Its parameters, for laws about them.
    pub decoder: Option<&'a Decoder>,
    /// The prompt.
    pub ids: &'a [u32],
    /// How it multiplies with quantised weights.
    pub arithmetic: Arithmetic,
    /// What it computes in.
    pub dtype: Dtype,
    /// Stops the runs.
    pub cancel: &'a CancelToken,
}

impl Subject<'_> {
    /// How many tokens the prompt has.
    pub const fn n_pos(&self) -> usize {
        self.ids.len()
    }

    /// Another prompt of the same length; its first token differs.
    pub fn other(&self) -> Vec<u32> {
        let n = u32::try_from(self.lm.config().d_vocab).unwrap_or(u32::MAX).max(1);
        let shift = |(position, &id): (u32, &u32)| (id + 1 + 2 * position) % n;
        (0..).zip(self.ids).map(shift).collect()
    }

    /// The stream after the final norm, `[batch, pos, d_model]`, of `ids` `[batch, pos]` after what is cached.
    pub fn hidden(&self, ids: &Tensor, cache: &mut KvCache, tap: &mut dyn Tap) -> Result<Tensor> {
        self.cancel.check()?;
        self.lm.forward(ids, cache, &mut (self.cancel.clone(), tap))
    }

    /// Logits `[pos, d_vocab]` of a sequence run on its own.
    pub fn logits_of(&self, ids: &[u32], tap: &mut dyn Tap) -> Result<Tensor> {
        let hidden = self.hidden(&ids_tensor(ids)?, &mut self.lm.new_cache(), tap)?;
        Ok(self.lm.logits(&hidden)?.squeeze(0)?)
    }

    /// Logits `[pos, d_vocab]` of the prompt, with nobody looking.
    pub fn logits(&self) -> Result<Tensor> {
        self.logits_of(self.ids, &mut NoTap)
    }

    /// Runs the prompt for the sake of what the tap sees.
    pub fn watch(&self, tap: &mut dyn Tap) -> Result<()> {
        self.hidden(&ids_tensor(self.ids)?, &mut self.lm.new_cache(), tap).map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::FakeLm;

    #[test]
    fn the_other_prompt_is_as_long_within_the_vocabulary_and_starts_differently() {
        let lm = FakeLm::new(5, 16, |_| vec![0.0; 5]);
        for ids in [vec![4], vec![0, 1, 2, 3, 4], vec![4, 4, 4, 4, 4, 4]] {
            let cancel = CancelToken::default();
            let (arithmetic, dtype) = (Arithmetic::Exact, Dtype::F32);
            let subject = Subject { lm: &lm, decoder: None, ids: &ids, arithmetic, dtype, cancel: &cancel };
            let other = subject.other();
            assert_eq!(other.len(), ids.len());
            assert_ne!(other[0], ids[0]);
            assert!(other.iter().all(|&id| id < 5), "{other:?}");
        }
    }
}
