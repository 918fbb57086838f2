//! All that a decoder knows of its prompt enters through the first residual stream.

use candle_core::Tensor;

use super::{Invariant, LOGITS_APART, Measured, Rounding, Tolerance};
use crate::hook::{HookPoint, Site};
use crate::model::{Result, Tap};
use crate::trace::{Trace, TracePlan};
use crate::verify::Subject;
use crate::verify::worst::{Place, Worst};

pub(super) struct PatchFirstResidual;

const FIRST: HookPoint = HookPoint::block(0, Site::ResidPre);

impl Invariant for PatchFirstResidual {
    fn name(&self) -> &'static str {
        "patch-first-residual"
    }

    fn about(&self) -> &'static str {
        "putting another prompt's resid_pre of block 0 in place at all positions gives the other prompt's logits"
    }

    fn tolerance(&self) -> Tolerance {
        LOGITS_APART
    }

    fn rounding(&self) -> Rounding {
        Rounding::Breaks
    }

    fn measure(&self, subject: &Subject<'_>) -> Result<Measured> {
        let tap = &mut subject.cancel.clone();
        let mut other = Trace::record(subject.lm, &subject.other(), &TracePlan::new([FIRST]), tap)?;
        let Some(stream) = other.activations.remove(&FIRST) else {
            return Ok(Measured::NotApplicable(format!("the model does not show {FIRST}")));
        };
        let patched = subject.logits_of(subject.ids, &mut Replace(stream))?;
        let mut worst = Worst::default();
        worst.compare(&patched, &other.logits, LOGITS_APART.scale, Place::LOGITS)?;
        Ok(worst.measured())
    }
}

/// Another prompt's stream, `[pos, d_model]`.
struct Replace(Tensor);

impl Tap for Replace {
    fn wants(&self, at: HookPoint) -> bool {
        at == FIRST
    }

    fn visit(&mut self, _: HookPoint, _: Tensor) -> Result<Tensor> {
        Ok(self.0.unsqueeze(0)?)
    }
}
