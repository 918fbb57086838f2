//! Which hooks to keep, and what that costs, known before anything runs.

use std::collections::BTreeSet;

use crate::hook::{Error, HookPoint, Site, SitePattern};
use crate::model::DecoderConfig;

/// A set of hooks to record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TracePlan {
    points: BTreeSet<HookPoint>,
}

impl TracePlan {
    /// These hooks.
    pub fn new(points: impl IntoIterator<Item = HookPoint>) -> Self {
        Self { points: points.into_iter().collect() }
    }

    /// Every hook of the model at one of these sites.
    pub fn sites(cfg: &DecoderConfig, sites: &[Site]) -> Self {
        Self::new(cfg.hook_points().into_iter().filter(|at| sites.contains(&at.site())))
    }

    /// Every hook of the model that one of the patterns matches.
    ///
    /// # Errors
    /// [`Error::NoMatch`] for a pattern that matches nothing in this model.
    pub fn matching(cfg: &DecoderConfig, patterns: &[SitePattern]) -> Result<Self, Error> {
        let all = cfg.hook_points();
        let mut points = BTreeSet::new();
        for pattern in patterns {
            let before = points.len();
            let found: Vec<HookPoint> = all.iter().copied().filter(|&at| pattern.matches(at)).collect();
            points.extend(&found);
            if found.is_empty() && points.len() == before {
                return Err(Error::NoMatch { pattern: pattern.to_string() });
            }
        }
        Ok(Self { points })
    }

    /// Both plans together.
    #[must_use]
    pub fn union(mut self, other: &Self) -> Self {
        self.points.extend(&other.points);
        self
    }

    /// Whether a hook is kept.
    pub fn contains(&self, at: HookPoint) -> bool {
        self.points.contains(&at)
    }

    /// How many hooks are kept.
    pub fn len(&self) -> usize {
        self.points.len()
    }

    /// Whether nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.points.is_empty()
    }

    /// Bytes of the trace of `n_pos` tokens: the hooks in f32, and the logits.
    pub fn bytes(&self, cfg: &DecoderConfig, n_pos: usize) -> u64 {
        let elements = |shape: Vec<usize>| shape.into_iter().map(|n| n as u64).product::<u64>();
        let hooks: u64 = self.points.iter().map(|at| elements(cfg.hook_shape(at.site(), n_pos))).sum();
        4 * (hooks + n_pos as u64 * cfg.d_vocab as u64)
    }
}
