//! Edges of attention: `L5H3:9->2` is what query position 9 takes from key position 2 through head 3 of layer 5.

use std::fmt;
use std::str::FromStr;

use super::place::layers;
use super::{Along, ParseError, Part, Place, Problem, Range, Span};
use crate::hook::{HookPoint, Site};
use crate::model::DecoderConfig;

/// Edges between positions, in some heads of some layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Edges {
    layers: Range,
    heads: Range,
    queries: Range,
    keys: Range,
}

impl Edges {
    /// The hooks of `site`, `[head, query, key]`, one a layer.
    pub(super) fn hooks(
        &self,
        site: Site,
        cfg: &DecoderConfig,
        n_pos: Option<usize>,
    ) -> Result<Vec<(HookPoint, Vec<Along>)>, Problem> {
        let heads = Along::Items(self.heads.resolve("head", Some(cfg.n_heads))?);
        let queries = self.queries.resolve("query", n_pos)?;
        let keys = self.keys.resolve("key", n_pos)?;
        let layers = layers(self.layers, cfg)?;
        if !layers.clone().any(|layer| sees(queries, keys, cfg.layers[layer].window)) {
            return Err(Problem::NeverSeen { queries: self.queries.to_string(), keys: self.keys.to_string() });
        }
        let along = vec![heads, Along::Positions(queries), Along::Items(keys)];
        Ok(layers.map(|layer| (HookPoint::block(layer, site), along.clone())).collect())
    }
}

/// Whether some query sees some key.
fn sees(queries: Span, keys: Span, window: Option<usize>) -> bool {
    let is_after = queries.end.is_none_or(|end| end > keys.start);
    let is_near = match (window, keys.end) {
        (Some(window), Some(end)) => queries.start < end - 1 + window,
        _ => true,
    };
    is_after && is_near
}

impl fmt::Display for Edges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "L{}H{}:{}->{}", self.layers, self.heads, self.queries, self.keys)
    }
}

impl FromStr for Edges {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let bad = || ParseError::Edges { found: text.into() };
        let (heads, edge) = text.split_once(':').ok_or_else(bad)?;
        let (queries, keys) = edge.split_once("->").ok_or_else(bad)?;
        match heads.parse()? {
            Place { layers, part: Part::Heads(heads), positions: Range::All } => {
                Ok(Self { layers, heads, queries: Range::parse("query", queries)?, keys: Range::parse("key", keys)? })
            }
            _ => Err(bad()),
        }
    }
}
