//! The distribution over the next token is one, whole and restricted.

use super::{Invariant, Measured, Rounding, Tolerance};
use crate::model::Result;
use crate::model::sample::{Order, Penalties, Sampling, kept_tokens, log_softmax};
use crate::verify::Subject;
use crate::verify::worst::Worst;

pub(super) struct Probabilities;

/// A restriction that keeps some tokens and not all.
const RESTRICTED: Sampling = Sampling {
    temperature: 0.7,
    top_k: Some(50),
    top_p: Some(0.9),
    min_p: None,
    penalties: Penalties { repetition: 1.0, presence: 0.0, frequency: 0.0, window: None },
    order: Order::Transformers,
    seed: 0,
};

impl Invariant for Probabilities {
    fn name(&self) -> &'static str {
        "probabilities"
    }

    fn about(&self) -> &'static str {
        "the next-token distribution sums to 1 at every position, also over what temperature, top-k and top-p keep"
    }

    fn tolerance(&self) -> Tolerance {
        Tolerance::absolute(1e-6)
    }

    fn rounding(&self) -> Rounding {
        Rounding::Keeps
    }

    fn measure(&self, subject: &Subject<'_>) -> Result<Measured> {
        let logits = subject.logits()?;
        let mut worst = Worst::default();
        for position in 0..subject.n_pos() {
            let row = logits.get(position)?.to_vec1::<f32>()?;
            if row.len() != subject.lm.config().d_vocab {
                worst.note(f64::INFINITY, || format!("{} logits at pos {position}", row.len()));
                break;
            }
            let whole: f64 = log_softmax(&row).iter().map(|logprob| logprob.exp()).sum();
            worst.note(whole - 1.0, || format!("all tokens [pos {position}]"));
            let kept: f64 = kept_tokens(&row, &[], &RESTRICTED).iter().map(|(_, prob)| prob).sum();
            worst.note(kept - 1.0, || format!("kept tokens [pos {position}]"));
        }
        Ok(worst.measured())
    }
}
