//! Zero ablation: a part of the model says nothing.

use std::fmt;

use super::Kind;
use crate::intervene::{Edit, Ground, Intervention, Needs, Op, ParseError, Place, Problem};

pub(super) struct Zero;

impl Kind for Zero {
    fn name(&self) -> &'static str {
        "zero"
    }

    fn grammar(&self) -> &'static str {
        "zero:PLACE"
    }

    fn about(&self) -> &'static str {
        "replaces activations by zeros"
    }

    fn examples(&self) -> &'static [&'static str] {
        &["zero:L5H3", "zero:L5.mlp", "zero:L3-5.attn", "zero:L5N123", "zero:L4@7", "zero:L*H0-2@-1"]
    }

    fn parse(&self, text: &str) -> Result<Box<dyn Intervention>, ParseError> {
        Ok(Box::new(Zeroed { place: text.parse()? }))
    }
}

#[derive(Debug)]
struct Zeroed {
    place: Place,
}

impl fmt::Display for Zeroed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.place.fmt(f)
    }
}

impl Intervention for Zeroed {
    fn check(&self, on: &Ground<'_>) -> Result<Needs, Problem> {
        self.edits(on).map(|_| Needs::NOTHING)
    }

    fn edits(&self, on: &Ground<'_>) -> Result<Vec<Edit>, Problem> {
        let hooks = self.place.hooks(on.cfg(), on.n_pos())?;
        Ok(hooks.into_iter().map(|(at, along)| Edit { at, along, op: Op::Fill(0.0) }).collect())
    }
}
