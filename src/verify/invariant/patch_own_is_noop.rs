//! Looking at activations, and putting them back, changes nothing.
//!
//! A copy takes the place of every activation at once, which sends the decoder through every path that exists for
//! taps only. If that moves the logits, hook by hook is tried to say which.

use candle_core::Tensor;

use super::{Invariant, LOGITS_APART, Measured, Rounding, Tolerance};
use crate::hook::{HookPoint, Site};
use crate::model::checkpoint::Arithmetic;
use crate::model::{Result, Tap};
use crate::verify::Subject;
use crate::verify::worst::{Place, Worst};

pub(super) struct PatchOwnIsNoop;

impl Invariant for PatchOwnIsNoop {
    fn name(&self) -> &'static str {
        "patch-own-is-noop"
    }

    fn about(&self) -> &'static str {
        "replacing every activation by a copy of itself leaves the logits as they were"
    }

    fn tolerance(&self) -> Tolerance {
        LOGITS_APART
    }

    fn rounding(&self) -> Rounding {
        Rounding::Breaks
    }

    fn measure(&self, subject: &Subject<'_>) -> Result<Measured> {
        let plain = subject.logits()?;
        let at_once = deviation(subject, &plain, Copies(None), "logits")?;
        let limit = self.tolerance().in_dtype(subject.dtype).limit;
        let moved = |found: &Measured| matches!(found, Measured::Deviation { value, .. } if *value > limit);
        // where products are quantised every path for taps rounds differently: there is no culprit to find
        if !moved(&at_once) || subject.arithmetic == Arithmetic::Fast {
            return Ok(at_once);
        }
        for &site in Site::ALL.iter().filter(|&&site| subject.lm.config().has(site)) {
            let found = deviation(subject, &plain, Copies(Some(site)), site.name())?;
            if moved(&found) {
                return Ok(found);
            }
        }
        Ok(at_once)
    }
}

fn deviation(subject: &Subject<'_>, plain: &Tensor, mut copies: Copies, name: &str) -> Result<Measured> {
    let patched = subject.logits_of(subject.ids, &mut copies)?;
    let mut worst = Worst::default();
    let place = Place { name: &format!("patched {name}: logits"), axes: Place::LOGITS.axes };
    worst.compare(&patched, plain, LOGITS_APART.scale, place)?;
    Ok(worst.measured())
}

/// Puts a copy in place of every activation, or of those of one site.
struct Copies(Option<Site>);

impl Tap for Copies {
    fn wants(&self, at: HookPoint) -> bool {
        self.0.is_none_or(|site| site == at.site())
    }

    fn visit(&mut self, _: HookPoint, x: Tensor) -> Result<Tensor> {
        Ok(x.copy()?)
    }
}
