//! Resample ablation: a part of the model says what it says on some other text.

use std::fmt;

use super::Kind;
use crate::intervene::{Edit, Ground, Intervention, Needs, OtherRun, ParseError, Place, Problem};

pub(super) struct Resample;

impl Kind for Resample {
    fn name(&self) -> &'static str {
        "resample"
    }

    fn grammar(&self) -> &'static str {
        "resample:PLACE"
    }

    fn about(&self) -> &'static str {
        "replaces activations by those at the same positions of any other text, given by --clean and at least as long"
    }

    fn examples(&self) -> &'static [&'static str] {
        &["resample:L5H3", "resample:L5.mlp@2-4"]
    }

    fn parse(&self, text: &str) -> Result<Box<dyn Intervention>, ParseError> {
        Ok(Box::new(Resampled { place: text.parse()? }))
    }
}

#[derive(Debug)]
struct Resampled {
    place: Place,
}

impl fmt::Display for Resampled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.place.fmt(f)
    }
}

impl Intervention for Resampled {
    fn check(&self, on: &Ground<'_>) -> Result<Needs, Problem> {
        let other = on.n_of(OtherRun::Clean)?;
        let last = self.place.positions.resolve("position", on.n_pos())?.end.or(on.n_pos());
        match last {
            Some(found) if found > other => return Err(Problem::TooShort { found: other, needed: found }),
            _ => {}
        }
        let hooks = self.place.hooks(on.cfg(), on.n_pos())?;
        Ok(Needs(Some((OtherRun::Clean, hooks.into_iter().map(|(at, _)| at).collect()))))
    }

    fn edits(&self, on: &Ground<'_>) -> Result<Vec<Edit>, Problem> {
        on.patched_in(&self.place, OtherRun::Clean)
    }
}
