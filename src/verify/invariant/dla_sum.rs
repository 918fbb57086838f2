//! Direct logit attribution closes: what every component adds to a logit, with the norms' scales frozen, adds up to it.
//!
//! The activations are those of the run; the directions are the decoder's parameters. The remainder of the most
//! probable token's logit, before the soft-cap, is relative to the largest share.

use super::{Invariant, Measured, Rounding, Tolerance};
use crate::lens::dla::{DirectLogitAttribution, attribute};
use crate::lens::{Lens as _, LensError, Question, Target};
use crate::model::sample::argmax;
use crate::model::{Error, Result};
use crate::trace::{Trace, TraceError};
use crate::verify::Subject;

pub(super) struct DlaSum;

impl Invariant for DlaSum {
    fn name(&self) -> &'static str {
        "dla-sum"
    }

    fn about(&self) -> &'static str {
        "the direct logit attributions of all components add up to the logit before the soft-cap"
    }

    fn tolerance(&self) -> Tolerance {
        Tolerance::relative(1e-5)
    }

    fn rounding(&self) -> Rounding {
        Rounding::Breaks
    }

    fn measure(&self, subject: &Subject<'_>) -> Result<Measured> {
        let Some(decoder) = subject.decoder else {
            return Ok(Measured::NotApplicable("the parameters of this model are not at hand".into()));
        };
        let plan = DirectLogitAttribution.needs(subject.lm.config(), &Question::default());
        let trace = Trace::record(subject.lm, subject.ids, &plan, &mut subject.cancel.clone())?;
        let position = subject.n_pos() - 1;
        let logits = trace.logits_at(position).map_err(of_trace)?;
        let target = Target { position, token: argmax(&logits), versus: None };
        let found = attribute(&trace, decoder, target).map_err(of_lens)?;
        let largest = found.components.iter().map(|(_, share)| share.to_a.abs()).fold(f64::MIN_POSITIVE, f64::max);
        let deviation = found.remainder().to_a.abs() / largest;
        let value = if deviation.is_nan() { f64::INFINITY } else { deviation };
        let at = format!("logit of token {} [pos {position}]", target.token);
        Ok(Measured::Deviation { value, at })
    }
}

fn of_trace(error: TraceError) -> Error {
    match error {
        TraceError::Tensor(error) => error.into(),
        other => candle_core::Error::wrap(other).into(),
    }
}

fn of_lens(error: LensError) -> Error {
    match error {
        LensError::Model(error) => error,
        LensError::Tensor(error) => error.into(),
        LensError::Trace(error) => of_trace(error),
        other => candle_core::Error::wrap(other).into(),
    }
}
