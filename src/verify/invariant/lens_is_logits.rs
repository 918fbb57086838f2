//! The logit lens of the last residual stream is the model's own output.

use super::{Invariant, Measured, Rounding, Scale, Tolerance};
use crate::hook::{HookPoint, Site};
use crate::model::Result;
use crate::trace::{Trace, TracePlan};
use crate::verify::Subject;
use crate::verify::worst::{Place, Worst};

pub(super) struct LensIsLogits;

impl Invariant for LensIsLogits {
    fn name(&self) -> &'static str {
        "lens-is-logits"
    }

    fn about(&self) -> &'static str {
        "unembedding the last residual stream gives the model's logits, bit for bit"
    }

    fn tolerance(&self) -> Tolerance {
        Tolerance::absolute(0.0)
    }

    fn rounding(&self) -> Rounding {
        Rounding::Keeps
    }

    fn measure(&self, subject: &Subject<'_>) -> Result<Measured> {
        let lm = subject.lm;
        let last = HookPoint::block(lm.config().n_layers.saturating_sub(1), Site::ResidPost);
        let tap = &mut subject.cancel.clone();
        let mut trace = Trace::record(lm, subject.ids, &TracePlan::new([last]), tap)?;
        let Some(resid) = trace.activations.remove(&last) else {
            return Ok(Measured::NotApplicable(format!("the model does not show {last}")));
        };
        let mut worst = Worst::default();
        worst.compare(&lm.unembed(&resid)?, &trace.logits, Scale::Absolute, Place::LOGITS)?;
        Ok(worst.measured())
    }
}
