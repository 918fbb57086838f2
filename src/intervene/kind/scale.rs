//! Scaling: a part of the model speaks louder or more softly.

use std::fmt;

use super::Kind;
use crate::intervene::{Edit, Ground, Intervention, Needs, Op, ParseError, Place, Problem, factor};

pub(super) struct Scale;

impl Kind for Scale {
    fn name(&self) -> &'static str {
        "scale"
    }

    fn grammar(&self) -> &'static str {
        "scale:PLACE*FACTOR"
    }

    fn about(&self) -> &'static str {
        "multiplies activations by a factor"
    }

    fn examples(&self) -> &'static [&'static str] {
        &["scale:L5H3*0.5", "scale:L5.mlp@-1*-1", "scale:L*H**2"]
    }

    fn parse(&self, text: &str) -> Result<Box<dyn Intervention>, ParseError> {
        let lacks = || ParseError::Lacks { found: text.into(), what: "*FACTOR at its end" };
        let (place, by) = text.rsplit_once('*').ok_or_else(lacks)?;
        Ok(Box::new(Scaled { place: place.parse()?, by: factor(by)? }))
    }
}

#[derive(Debug)]
struct Scaled {
    place: Place,
    by: f64,
}

impl fmt::Display for Scaled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}*{}", self.place, self.by)
    }
}

impl Intervention for Scaled {
    fn check(&self, on: &Ground<'_>) -> Result<Needs, Problem> {
        self.edits(on).map(|_| Needs::NOTHING)
    }

    fn edits(&self, on: &Ground<'_>) -> Result<Vec<Edit>, Problem> {
        let hooks = self.place.hooks(on.cfg(), on.n_pos())?;
        Ok(hooks.into_iter().map(|(at, along)| Edit { at, along, op: Op::Scale(self.by) }).collect())
    }
}
