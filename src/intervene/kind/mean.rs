//! Mean ablation: a part of the model says what it says on average.

use std::fmt;

use super::Kind;
use crate::intervene::{Edit, Ground, Intervention, Needs, Op, ParseError, Place, Problem};

pub(super) struct Mean;

impl Kind for Mean {
    fn name(&self) -> &'static str {
        "mean"
    }

    fn grammar(&self) -> &'static str {
        "mean:PLACE"
    }

    fn about(&self) -> &'static str {
        "replaces activations by their mean over the positions of the prompt, or of the text of --reference"
    }

    fn examples(&self) -> &'static [&'static str] {
        &["mean:L5.mlp", "mean:L5H3@7"]
    }

    fn parse(&self, text: &str) -> Result<Box<dyn Intervention>, ParseError> {
        Ok(Box::new(Averaged { place: text.parse()? }))
    }
}

#[derive(Debug)]
struct Averaged {
    place: Place,
}

impl fmt::Display for Averaged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.place.fmt(f)
    }
}

impl Intervention for Averaged {
    fn check(&self, on: &Ground<'_>) -> Result<Needs, Problem> {
        let hooks = self.place.hooks(on.cfg(), on.n_pos())?;
        Ok(Needs(Some((on.mean_run()?, hooks.into_iter().map(|(at, _)| at).collect()))))
    }

    fn edits(&self, on: &Ground<'_>) -> Result<Vec<Edit>, Problem> {
        let run = on.mean_run()?;
        let edit = |(at, along)| Ok(Edit { at, along, op: Op::Constant(on.activation(run, at)?.mean_keepdim(0)?) });
        self.place.hooks(on.cfg(), on.n_pos())?.into_iter().map(edit).collect()
    }
}
