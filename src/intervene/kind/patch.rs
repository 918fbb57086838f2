//! Activation patching: a part of the model says what it said on another prompt, position by position.

use std::fmt;

use super::Kind;
use crate::intervene::{Edit, Ground, Intervention, Needs, OtherRun, ParseError, Place, Problem};

pub(super) struct Patch;

impl Kind for Patch {
    fn name(&self) -> &'static str {
        "patch"
    }

    fn grammar(&self) -> &'static str {
        "patch:PLACE"
    }

    fn about(&self) -> &'static str {
        "replaces activations by those of the --clean prompt, which has the same number of tokens"
    }

    fn examples(&self) -> &'static [&'static str] {
        &["patch:L4@7", "patch:L4.attn@7", "patch:L5H3@7", "patch:L0"]
    }

    fn parse(&self, text: &str) -> Result<Box<dyn Intervention>, ParseError> {
        Ok(Box::new(Patched { place: text.parse()? }))
    }
}

#[derive(Debug)]
struct Patched {
    place: Place,
}

impl fmt::Display for Patched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.place.fmt(f)
    }
}

impl Intervention for Patched {
    fn check(&self, on: &Ground<'_>) -> Result<Needs, Problem> {
        let other = on.n_clean()?;
        match on.n_pos() {
            None => return Err(Problem::NoPrompt),
            Some(found) if found != other => return Err(Problem::Lengths { found, other }),
            Some(_) => {}
        }
        let hooks = self.place.hooks(on.cfg(), on.n_pos())?;
        Ok(Needs(Some((OtherRun::Clean, hooks.into_iter().map(|(at, _)| at).collect()))))
    }

    fn edits(&self, on: &Ground<'_>) -> Result<Vec<Edit>, Problem> {
        on.patched_in(&self.place)
    }
}
