//! Attention knockout: a query does not see a key, and looks more at the others (Geva et al. 2023).

use std::fmt;

use super::Kind;
use crate::hook::Site;
use crate::intervene::edge::Edges;
use crate::intervene::{Edit, Ground, Intervention, Needs, Op, ParseError, Problem};

pub(super) struct Knockout;

impl Kind for Knockout {
    fn name(&self) -> &'static str {
        "knockout"
    }

    fn grammar(&self) -> &'static str {
        "knockout:HEADS:QUERY->KEY"
    }

    fn about(&self) -> &'static str {
        "makes a query position not see a key position: scores become -inf before the softmax, so that what is left sums to 1"
    }

    fn examples(&self) -> &'static [&'static str] {
        &["knockout:L5H3:9->2", "knockout:L*H*:9->2", "knockout:L3-5H0:-1->0-3"]
    }

    fn parse(&self, text: &str) -> Result<Box<dyn Intervention>, ParseError> {
        Ok(Box::new(KnockedOut { edges: text.parse()? }))
    }
}

#[derive(Debug)]
struct KnockedOut {
    edges: Edges,
}

impl fmt::Display for KnockedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.edges.fmt(f)
    }
}

impl Intervention for KnockedOut {
    fn check(&self, on: &Ground<'_>) -> Result<Needs, Problem> {
        self.edits(on).map(|_| Needs::NOTHING)
    }

    fn edits(&self, on: &Ground<'_>) -> Result<Vec<Edit>, Problem> {
        let hooks = self.edges.hooks(Site::AttnScores, on.cfg(), on.n_pos())?;
        Ok(hooks.into_iter().map(|(at, along)| Edit { at, along, op: Op::Fill(f32::NEG_INFINITY) }).collect())
    }
}
