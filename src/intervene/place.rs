//! Where an intervention acts: `L5H3@7` is head 3 of layer 5, at position 7.

use std::fmt;
use std::str::FromStr;

use super::{Along, ParseError, Problem, Range, Span};
use crate::hook::{HookPoint, Site};
use crate::model::DecoderConfig;

/// What of a block is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// `L5`: the residual stream before the block, `hook_resid_pre`.
    Residual,
    /// `L5.attn`: what attention adds to it, `hook_attn_out`.
    Attn,
    /// `L5.mlp`: what the MLP adds to it, `hook_mlp_out`.
    Mlp,
    /// `L5H3`: heads, `attn.hook_z`.
    Heads(Range),
    /// `L5N12`: neurons, `mlp.hook_post`.
    Neurons(Range),
}

impl Part {
    /// The hook it acts on.
    pub const fn site(self) -> Site {
        match self {
            Self::Residual => Site::ResidPre,
            Self::Attn => Site::AttnOut,
            Self::Mlp => Site::MlpOut,
            Self::Heads(_) => Site::Z,
            Self::Neurons(_) => Site::MlpPost,
        }
    }
}

/// A part of some blocks, at some positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The blocks.
    pub layers: Range,
    /// The part of each.
    pub part: Part,
    /// Positions in the whole sequence; all of them include those that are generated later.
    pub positions: Range,
}

impl Place {
    /// The hooks, one a layer, and what of each tensor; `n_pos` is the prompt's length, where there is one.
    pub fn hooks(&self, cfg: &DecoderConfig, n_pos: Option<usize>) -> Result<Vec<(HookPoint, Vec<Along>)>, Problem> {
        let positions = Along::Positions(self.positions.resolve("position", n_pos)?);
        let items = match self.part {
            Part::Residual | Part::Attn | Part::Mlp => Along::All,
            Part::Heads(heads) => Along::Items(heads.resolve("head", Some(cfg.n_heads))?),
            Part::Neurons(neurons) => Along::Items(neurons.resolve("neuron", Some(cfg.d_mlp))?),
        };
        let hook = |layer| {
            let at = HookPoint::block(layer, self.part.site());
            if cfg.has_at(at) { Ok((at, vec![positions, items])) } else { Err(Problem::NoHook { at }) }
        };
        layers(self.layers, cfg)?.map(hook).collect()
    }
}

/// The layers of a range.
pub(super) fn layers(range: Range, cfg: &DecoderConfig) -> Result<std::ops::Range<usize>, Problem> {
    let Span { start, end } = range.resolve("layer", Some(cfg.n_layers))?;
    Ok(start..end.unwrap_or(cfg.n_layers))
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "L{}", self.layers)?;
        match self.part {
            Part::Residual => {}
            Part::Attn => f.write_str(".attn")?,
            Part::Mlp => f.write_str(".mlp")?,
            Part::Heads(heads) => write!(f, "H{heads}")?,
            Part::Neurons(neurons) => write!(f, "N{neurons}")?,
        }
        if self.positions == Range::All { Ok(()) } else { write!(f, "@{}", self.positions) }
    }
}

impl FromStr for Place {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let (component, positions) = match text.split_once('@') {
            Some((component, positions)) => (component, Range::parse("position", positions)?),
            None => (text, Range::All),
        };
        let rest = component.strip_prefix('L').ok_or_else(|| ParseError::Place { found: text.into() })?;
        let end = rest.find(['.', 'H', 'N']).unwrap_or(rest.len());
        let (number, part) = rest.split_at(end);
        Ok(Self { layers: Range::parse("layer", number)?, part: parse_part(part)?, positions })
    }
}

fn parse_part(text: &str) -> Result<Part, ParseError> {
    match text {
        "" => Ok(Part::Residual),
        ".attn" => Ok(Part::Attn),
        ".mlp" => Ok(Part::Mlp),
        _ => match (text.strip_prefix('H'), text.strip_prefix('N')) {
            (Some(heads), _) => Ok(Part::Heads(Range::parse("head", heads)?)),
            (_, Some(neurons)) => Ok(Part::Neurons(Range::parse("neuron", neurons)?)),
            (None, None) => Err(ParseError::Part { found: text.into() }),
        },
    }
}
