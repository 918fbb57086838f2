//! IS IT RIGHT: laws that every decoder obeys, measured on this very model and prompt.
//!
//! An [`Invariant`] runs what it needs through [`CausalLm`](crate::model::CausalLm) and its taps, and says how far off
//! the law is and where it is worst. It knows hooks, never an architecture, so a new one is verified the day it loads.
//! [`Reference`] compares with the logits, patterns and residual streams that another implementation has written.
//!
//! Taps watch in passing: nothing is kept that the law does not compare, whatever the size of the model.

mod error;
mod invariant;
mod reference;
mod report;
mod run;
mod subject;
mod worst;

pub use self::error::{Error, Problem};
pub use self::invariant::{INVARIANTS, Invariant, Measured, Rounding, Scale, Tolerance};
pub use self::reference::{DEFAULT_TOLERANCE, Reference};
pub use self::report::{Check, Report, Verdict};
pub use self::run::{Step, run};
pub use self::subject::{SMALL_VOCABULARY, Subject, TEXT, small_ids};
