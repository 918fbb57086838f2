//! Activation patching: a part of the model says what it said on another prompt, position by position. The prompt is the
//! one of `--clean`, or stands in the spec itself, behind a `<`.

use std::fmt;

use super::Kind;
use crate::intervene::{Edit, Ground, Intervention, Needs, OtherRun, ParseError, Place, Problem};

pub(super) struct Patch;

impl Kind for Patch {
    fn name(&self) -> &'static str {
        "patch"
    }

    fn grammar(&self) -> &'static str {
        "patch:PLACE[<PROMPT]"
    }

    fn about(&self) -> &'static str {
        "replaces activations by those of the --clean prompt, or of the one named, which has the same number of tokens"
    }

    fn examples(&self) -> &'static [&'static str] {
        &["patch:L4@7", "patch:L4.attn@7", "patch:L5H3@7", "patch:L0", "patch:L2@2<The dog sat on a"]
    }

    fn parse(&self, text: &str) -> Result<Box<dyn Intervention>, ParseError> {
        let (place, from) = match text.split_once('<') {
            Some((place, "")) => {
                return Err(ParseError::Lacks { found: format!("{place}<"), what: "a prompt behind <" });
            }
            Some((place, from)) => (place, Some(from.to_owned())),
            None => (text, None),
        };
        Ok(Box::new(Patched { place: place.parse()?, from }))
    }
}

#[derive(Debug)]
struct Patched {
    place: Place,
    /// The prompt that activations are from, unless it is the clean one.
    from: Option<String>,
}

impl Patched {
    fn run(&self, on: &Ground<'_>) -> Result<OtherRun, Problem> {
        self.from.as_deref().map_or(Ok(OtherRun::Clean), |from| on.named(from))
    }
}

impl fmt::Display for Patched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.place.fmt(f)?;
        self.from.as_ref().map_or(Ok(()), |from| write!(f, "<{from}"))
    }
}

impl Intervention for Patched {
    fn check(&self, on: &Ground<'_>) -> Result<Needs, Problem> {
        let run = self.run(on)?;
        let other = on.n_of(run)?;
        match on.n_pos() {
            None => return Err(Problem::NoPrompt),
            Some(found) if found != other => return Err(Problem::Lengths { found, other }),
            Some(_) => {}
        }
        let hooks = self.place.hooks(on.cfg(), on.n_pos())?;
        Ok(Needs(Some((run, hooks.into_iter().map(|(at, _)| at).collect()))))
    }

    fn edits(&self, on: &Ground<'_>) -> Result<Vec<Edit>, Problem> {
        on.patched_in(&self.place, self.run(on)?)
    }

    fn prompt(&self) -> Option<&str> {
        self.from.as_deref()
    }
}
