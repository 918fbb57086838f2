//! Sequences of a batch do not know of each other.

use candle_core::Tensor;

use super::{Invariant, LOGITS_APART, Measured, Rounding, Tolerance};
use crate::model::{NoTap, Result, ids_tensor};
use crate::verify::Subject;
use crate::verify::worst::{Place, Worst};

pub(super) struct BatchIsSingle;

impl Invariant for BatchIsSingle {
    fn name(&self) -> &'static str {
        "batch-is-single"
    }

    fn about(&self) -> &'static str {
        "two different sequences run as one batch give the logits that each gives alone"
    }

    fn tolerance(&self) -> Tolerance {
        LOGITS_APART
    }

    fn rounding(&self) -> Rounding {
        Rounding::Breaks
    }

    fn measure(&self, subject: &Subject<'_>) -> Result<Measured> {
        let other = subject.other();
        let both = Tensor::cat(&[ids_tensor(subject.ids)?, ids_tensor(&other)?], 0)?;
        let hidden = subject.hidden(&both, &mut subject.lm.new_cache(), &mut NoTap)?;
        let logits = subject.lm.logits(&hidden)?;
        let mut worst = Worst::default();
        for (index, (ids, name)) in [(subject.ids, "first of two"), (&other, "second of two")].into_iter().enumerate() {
            let alone = subject.logits_of(ids, &mut NoTap)?;
            let place = Place { name, axes: Place::LOGITS.axes };
            worst.compare(&logits.get(index)?, &alone, LOGITS_APART.scale, place)?;
        }
        Ok(worst.measured())
    }
}
