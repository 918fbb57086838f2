//! Tries one law after the other.

use super::error::Error;
use super::invariant::{INVARIANTS, Tolerance};
use super::reference::Reference;
use super::report::{Check, Report};
use super::subject::Subject;

/// Which law is being tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Laws tried before.
    pub done: usize,
    /// Laws in all.
    pub total: usize,
    /// Its name.
    pub name: &'static str,
}

/// Tries every law, and the reference if there is one, telling `progress` before each.
///
/// # Errors
/// [`Error::Model`] if the model cannot run the prompt, or soon after the subject's token was cancelled.
pub fn run(
    subject: &Subject<'_>,
    reference: Option<&Reference>,
    progress: &mut dyn FnMut(Step),
) -> Result<Report, Error> {
    let total = INVARIANTS.len() + usize::from(reference.is_some());
    let mut checks = Vec::new();
    for (done, invariant) in INVARIANTS.iter().enumerate() {
        progress(Step { done, total, name: invariant.name() });
        subject.cancel.check()?;
        checks.push(Check::of(*invariant, invariant.measure(subject)?, subject.arithmetic, subject.dtype));
    }
    if let Some(reference) = reference {
        progress(Step { done: total - 1, total, name: "reference" });
        let parity = reference.compare(subject)?.into_iter();
        checks.extend(parity.map(|parity| {
            let tolerance = Tolerance { limit: reference.tolerance(), scale: parity.scale };
            Check::new(parity.name, parity.about, tolerance, parity.measured)
        }));
    }
    Ok(Report { checks })
}
