//! Going on from a cache gives what one long run gives.

use candle_core::Tensor;

use super::{Invariant, LOGITS_APART, Measured, Rounding, Tolerance};
use crate::model::{NoTap, Result, ids_tensor};
use crate::verify::Subject;
use crate::verify::worst::{Place, Worst};

pub(super) struct CachedIsUncached;

/// Tokens that are run one at a time.
const STEPS: usize = 8;

impl Invariant for CachedIsUncached {
    fn name(&self) -> &'static str {
        "cached-is-uncached"
    }

    fn about(&self) -> &'static str {
        "half the prompt, then single tokens, then the rest, after a cache: the logits of one whole run"
    }

    fn tolerance(&self) -> Tolerance {
        LOGITS_APART
    }

    fn rounding(&self) -> Rounding {
        Rounding::Breaks
    }

    fn measure(&self, subject: &Subject<'_>) -> Result<Measured> {
        let ids = subject.ids;
        if ids.len() < 2 {
            return Ok(Measured::NotApplicable("a prompt of one token leaves nothing to go on with".into()));
        }
        if subject.lm.config().rotation_depends_on_length(ids.len()) {
            return Ok(Measured::NotApplicable("beyond its original context this model rotates by length".into()));
        }
        let whole = subject.logits()?;
        let (first, rest) = ids.split_at(ids.len() / 2);
        let (steps, rest) = rest.split_at(rest.len().min(STEPS));
        let parts = std::iter::once(first).chain(steps.chunks(1)).chain(std::iter::once(rest));
        let mut cache = subject.lm.new_cache();
        let mut rows = Vec::new();
        for part in parts.filter(|part| !part.is_empty()) {
            let hidden = subject.hidden(&ids_tensor(part)?, &mut cache, &mut NoTap)?;
            rows.push(subject.lm.logits(&hidden)?.squeeze(0)?);
        }
        let mut worst = Worst::default();
        worst.compare(&Tensor::cat(&rows, 0)?, &whole, LOGITS_APART.scale, Place::LOGITS)?;
        Ok(worst.measured())
    }
}
