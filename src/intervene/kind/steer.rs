//! Steering: a direction is added to the residual stream (Turner et al. 2023; Rimsky et al. 2023).

use std::fmt;
use std::path::PathBuf;

use super::Kind;
use crate::intervene::{
    Edit, Ground, Intervention, Needs, Op, ParseError, Part, Place, Problem, Range, factor, vector,
};

pub(super) struct Steer;

impl Kind for Steer {
    fn name(&self) -> &'static str {
        "steer"
    }

    fn grammar(&self) -> &'static str {
        "steer:LAYERS+FACTOR*FILE[@POSITIONS]"
    }

    fn about(&self) -> &'static str {
        "adds a vector from a safetensors file, times a factor, to the residual stream before a block"
    }

    fn examples(&self) -> &'static [&'static str] {
        &["steer:L6+1.5*vec.safetensors@-1", "steer:L6+-2*vec.safetensors"]
    }

    fn parse(&self, text: &str) -> Result<Box<dyn Intervention>, ParseError> {
        let lacks = |what| ParseError::Lacks { found: text.into(), what };
        let (layers, rest) = text.split_once('+').ok_or_else(|| lacks("+FACTOR*FILE"))?;
        let (by, file) = rest.split_once('*').ok_or_else(|| lacks("*FILE"))?;
        let place: Place = layers.parse()?;
        if (place.part, place.positions) != (Part::Residual, Range::All) {
            return Err(lacks("a place of the form L6 before its factor"));
        }
        let (file, positions) = match file.rsplit_once('@').map(|(file, at)| (file, Range::parse("position", at))) {
            Some((file, Ok(positions))) => (file, positions),
            _ => (file, Range::All),
        };
        if file.is_empty() {
            return Err(lacks("a file"));
        }
        Ok(Box::new(Steered { place: Place { positions, ..place }, by: factor(by)?, file: file.into() }))
    }
}

#[derive(Debug)]
struct Steered {
    place: Place,
    by: f64,
    file: PathBuf,
}

impl fmt::Display for Steered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.display().to_string();
        write!(f, "L{}+{}*{file}", self.place.layers, self.by)?;
        // a name with @ in it is read to its last @
        if self.place.positions == Range::All && !file.contains('@') {
            return Ok(());
        }
        write!(f, "@{}", self.place.positions)
    }
}

impl Intervention for Steered {
    fn check(&self, on: &Ground<'_>) -> Result<Needs, Problem> {
        self.edits(on).map(|_| Needs::NOTHING)
    }

    fn edits(&self, on: &Ground<'_>) -> Result<Vec<Edit>, Problem> {
        let edit = |(at, along)| {
            let direction = vector::read(&self.file, at, on.cfg().d_model)?;
            Ok(Edit { at, along, op: Op::Add((direction * self.by)?) })
        };
        self.place.hooks(on.cfg(), on.n_pos())?.into_iter().map(edit).collect()
    }
}
