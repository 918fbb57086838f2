//! No position knows what comes after it.
//!
//! On one machine the earlier logits are usually the same bits. The tolerance leaves room for products whose shape
//! depends on the tokens, as where experts are chosen.

use super::{Invariant, Measured, Rounding, Scale, Tolerance};
use crate::model::{NoTap, Result};
use crate::verify::Subject;
use crate::verify::worst::{Place, Worst};

pub(super) struct CausalCone;

impl Invariant for CausalCone {
    fn name(&self) -> &'static str {
        "causal-cone"
    }

    fn about(&self) -> &'static str {
        "another last token leaves the logits of all earlier positions as they were"
    }

    fn tolerance(&self) -> Tolerance {
        Tolerance::relative(1e-5)
    }

    fn rounding(&self) -> Rounding {
        Rounding::Breaks
    }

    fn measure(&self, subject: &Subject<'_>) -> Result<Measured> {
        let mut changed = subject.ids.to_vec();
        let n_before = changed.len().saturating_sub(1);
        let Some(last) = changed.last_mut().filter(|_| n_before > 0) else {
            return Ok(Measured::NotApplicable("a prompt of one token has no earlier positions".into()));
        };
        let n = u32::try_from(subject.lm.config().d_vocab).unwrap_or(u32::MAX).max(1);
        *last = (*last + 1) % n;
        let before = subject.logits()?.narrow(0, 0, n_before)?;
        let after = subject.logits_of(&changed, &mut NoTap)?.narrow(0, 0, n_before)?;
        let mut worst = Worst::default();
        worst.compare(&after, &before, Scale::PositionMax, Place::LOGITS)?;
        Ok(worst.measured())
    }
}
