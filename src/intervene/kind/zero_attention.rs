//! Attention without a key: a query takes nothing from a key, and no more from the others than before.

use std::fmt;

use super::Kind;
use crate::hook::Site;
use crate::intervene::edge::Edges;
use crate::intervene::{Edit, Ground, Intervention, Needs, Op, ParseError, Problem};

pub(super) struct ZeroAttention;

impl Kind for ZeroAttention {
    fn name(&self) -> &'static str {
        "zero-attention"
    }

    fn grammar(&self) -> &'static str {
        "zero-attention:HEADS:QUERY->KEY"
    }

    fn about(&self) -> &'static str {
        "sets attention weights to 0 after the softmax; unlike a knockout, what is left is not renormalised and sums to less than 1"
    }

    fn examples(&self) -> &'static [&'static str] {
        &["zero-attention:L5H3:9->2", "zero-attention:L5H*:*->0"]
    }

    fn parse(&self, text: &str) -> Result<Box<dyn Intervention>, ParseError> {
        Ok(Box::new(Zeroed { edges: text.parse()? }))
    }
}

#[derive(Debug)]
struct Zeroed {
    edges: Edges,
}

impl fmt::Display for Zeroed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.edges.fmt(f)
    }
}

impl Intervention for Zeroed {
    fn check(&self, on: &Ground<'_>) -> Result<Needs, Problem> {
        self.edits(on).map(|_| Needs::NOTHING)
    }

    fn edits(&self, on: &Ground<'_>) -> Result<Vec<Edit>, Problem> {
        let hooks = self.edges.hooks(Site::Pattern, on.cfg(), on.n_pos())?;
        Ok(hooks.into_iter().map(|(at, along)| Edit { at, along, op: Op::Fill(0.0) }).collect())
    }
}
