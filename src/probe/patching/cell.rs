//! What is patched in a cell, and where.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use super::PatchError;
use crate::hook::{Axis, HookPoint, Site};
use crate::model::DecoderConfig;

/// What is patched in every cell of a grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PatchSite {
    /// The residual stream before a block, at one position.
    ResidPre,
    /// What attention adds to it, at one position.
    AttnOut,
    /// What the MLP adds to it, at one position.
    MlpOut,
    /// The weighted values of one head, at all positions.
    Head,
    /// The weighted values of one head, at one position.
    Z,
    /// The keys of one key/value head, at one position.
    K,
    /// The values of one key/value head, at one position.
    V,
    /// The attention pattern of one head, of one query position.
    Pattern,
}

impl PatchSite {
    /// Every one.
    pub const ALL: [Self; 8] =
        [Self::ResidPre, Self::AttnOut, Self::MlpOut, Self::Head, Self::Z, Self::K, Self::V, Self::Pattern];

    /// The word on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ResidPre => "resid_pre",
            Self::AttnOut => "attn_out",
            Self::MlpOut => "mlp_out",
            Self::Head => "head",
            Self::Z => "z",
            Self::K => "k",
            Self::V => "v",
            Self::Pattern => "pattern",
        }
    }

    /// What is patched in a cell, in words.
    pub const fn about(self) -> &'static str {
        match self {
            Self::ResidPre => "the residual stream before a block at one position",
            Self::AttnOut => "what attention adds to the residual stream at one position",
            Self::MlpOut => "what the MLP adds to the residual stream at one position",
            Self::Head => "the weighted values (z) of one head at all positions",
            Self::Z => "the weighted values (z) of one head at one position",
            Self::K => "the keys of one key/value head at one position",
            Self::V => "the values of one key/value head at one position",
            Self::Pattern => "the attention pattern of one head of one query position",
        }
    }

    /// The hook that is replaced.
    pub const fn hook(self) -> Site {
        match self {
            Self::ResidPre => Site::ResidPre,
            Self::AttnOut => Site::AttnOut,
            Self::MlpOut => Site::MlpOut,
            Self::Head | Self::Z => Site::Z,
            Self::K => Site::K,
            Self::V => Site::V,
            Self::Pattern => Site::Pattern,
        }
    }

    /// How many heads a layer has here; none where a cell is a whole layer.
    pub fn n_heads(self, cfg: &DecoderConfig) -> Option<usize> {
        let heads = self.hook().axes().iter().find(|axis| matches!(axis, Axis::Head | Axis::KvHead));
        heads.map(|&axis| cfg.axis_len(axis, 0))
    }

    /// Every cell of a grid over `n_pos` positions.
    pub(super) fn cells(self, cfg: &DecoderConfig, n_pos: usize) -> Vec<CellAt> {
        let heads: Vec<Option<usize>> = match self.n_heads(cfg) {
            Some(n) => (0..n).map(Some).collect(),
            None => vec![None],
        };
        let positions: Vec<Option<usize>> = match self {
            Self::Head => vec![None],
            _ => (0..n_pos).map(Some).collect(),
        };
        let of_head =
            |layer, head| positions.iter().map(move |&position| CellAt { layer, head, position }).collect::<Vec<_>>();
        (0..cfg.n_layers).flat_map(|layer| heads.iter().flat_map(move |&head| of_head(layer, head))).collect()
    }

    /// The part of the hook's tensor (without the batch axis) that a cell replaces, of `n_pos` positions.
    pub(super) fn part(self, at: CellAt, n_pos: usize) -> Vec<Range<usize>> {
        let positions = at.position.map_or(0..n_pos, |position| position..position + 1);
        let one = |head| head..head + 1;
        match (self, at.head) {
            (Self::Pattern, Some(head)) => vec![one(head), positions],
            (_, Some(head)) => vec![positions, one(head)],
            (_, None) => vec![positions],
        }
    }

    /// The axis, without the batch axis, that counts positions.
    pub(super) const fn position_axis(self) -> usize {
        match self {
            Self::Pattern => 1,
            _ => 0,
        }
    }
}

impl fmt::Display for PatchSite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for PatchSite {
    type Err = PatchError;

    fn from_str(text: &str) -> Result<Self, PatchError> {
        let known = Self::ALL.map(Self::name);
        let found = Self::ALL.into_iter().find(|site| site.name() == text);
        found.ok_or_else(|| PatchError::unknown("a site", text, &known))
    }
}

/// Where a cell patches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CellAt {
    /// The block.
    pub layer: usize,
    /// The head, where heads are patched.
    pub head: Option<usize>,
    /// The position; all of them where there is none.
    pub position: Option<usize>,
}

impl CellAt {
    /// The hook.
    pub(super) const fn hook(self, site: PatchSite) -> HookPoint {
        HookPoint::block(self.layer, site.hook())
    }
}

/// How a cell's value was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The patched model was run.
    Run,
    /// To first order, from a gradient: attribution patching.
    Estimate,
}

/// A cell that is done.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cell {
    /// Where.
    pub at: CellAt,
    /// The metric after patching.
    pub value: f64,
    /// How that was found.
    pub origin: Origin,
}
