//! Every activation and every logit is a finite number; only masked scores are minus infinity.

use candle_core::Tensor;

use super::{Invariant, Measured, Rounding, Tolerance};
use crate::hook::{HookPoint, Site};
use crate::model::{Result, Tap};
use crate::verify::Subject;
use crate::verify::worst::flat;

pub(super) struct Finite;

impl Invariant for Finite {
    fn name(&self) -> &'static str {
        "finite"
    }

    fn about(&self) -> &'static str {
        "every activation and logit is a finite number, but for the minus infinity of masked scores"
    }

    fn tolerance(&self) -> Tolerance {
        Tolerance::NONE
    }

    fn rounding(&self) -> Rounding {
        Rounding::Keeps
    }

    fn measure(&self, subject: &Subject<'_>) -> Result<Measured> {
        let mut count = Count::default();
        let logits = subject.logits_of(subject.ids, &mut count)?;
        count.add(&flat(&logits)?, f32::is_finite, || "logits".into());
        Ok(Measured::Deviation { value: count.n as f64, at: count.first })
    }
}

/// Counts what is not finite, and keeps where the first was met: later ones only follow from it.
#[derive(Default)]
struct Count {
    n: usize,
    first: String,
}

impl Count {
    fn add(&mut self, values: &[f32], is_fine: impl Fn(f32) -> bool, name: impl FnOnce() -> String) {
        let found = values.iter().filter(|&&value| !is_fine(value)).count();
        if self.n == 0 && found > 0 {
            self.first = name();
        }
        self.n += found;
    }
}

impl Tap for Count {
    fn wants(&self, _: HookPoint) -> bool {
        true
    }

    fn visit(&mut self, at: HookPoint, x: Tensor) -> Result<Tensor> {
        let masked = at.site() == Site::AttnScores;
        let is_fine = |value: f32| value.is_finite() || (masked && value == f32::NEG_INFINITY);
        self.add(&flat(&x)?, is_fine, || at.to_string());
        Ok(x)
    }
}
