//! What attention writes is the sum of what its heads write.
//!
//! A tap that puts a copy in place of `hook_result` makes the decoder add up the heads itself, with its own output
//! bias and whatever norm follows. The other side is `hook_attn_out` of a run that nobody touched. Every block is
//! then given the untouched value, so that blocks do not inherit each other's rounding.

use std::collections::BTreeMap;

use candle_core::Tensor;

use super::{Invariant, Measured, Rounding, Scale, Tolerance};
use crate::hook::{HookPoint, Site};
use crate::model::{Result, Tap, ids_tensor};
use crate::trace::{Recorder, TracePlan};
use crate::verify::Subject;
use crate::verify::worst::{Place, Worst};

pub(super) struct HeadSum;

impl Invariant for HeadSum {
    fn name(&self) -> &'static str {
        "head-sum"
    }

    fn about(&self) -> &'static str {
        "attn_out is the sum of hook_result over the heads, plus the output bias"
    }

    fn tolerance(&self) -> Tolerance {
        Tolerance::relative(1e-5)
    }

    fn rounding(&self) -> Rounding {
        Rounding::Breaks
    }

    fn measure(&self, subject: &Subject<'_>) -> Result<Measured> {
        let plan = TracePlan::sites(subject.lm.config(), &[Site::AttnOut]);
        let mut recorder = Recorder::new(&plan);
        subject.hidden(&ids_tensor(subject.ids)?, &mut subject.lm.new_cache(), &mut recorder)?;
        let mut heads = Heads { attn_out: recorder.into_activations(), worst: Worst::default() };
        subject.watch(&mut heads)?;
        Ok(heads.worst.measured())
    }
}

struct Heads {
    /// `[pos, d_model]` of every block, untouched.
    attn_out: BTreeMap<HookPoint, Tensor>,
    worst: Worst,
}

impl Tap for Heads {
    fn wants(&self, at: HookPoint) -> bool {
        matches!(at.site(), Site::Result | Site::AttnOut)
    }

    fn visit(&mut self, at: HookPoint, x: Tensor) -> Result<Tensor> {
        if at.site() == Site::Result {
            return Ok(x.copy()?);
        }
        let Some(untouched) = self.attn_out.get(&at) else { return Ok(x) };
        let name = at.to_string();
        self.worst.compare(&x.squeeze(0)?, untouched, Scale::PositionMax, Place::stream(&name))?;
        Ok(untouched.unsqueeze(0)?)
    }
}
