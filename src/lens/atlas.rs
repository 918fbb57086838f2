//! What each head does on repeated random tokens: data, which a probe measures and lenses name heads by.

use serde::{Deserialize, Serialize};

use crate::hook::Head;

/// A head is called by a score from here on.
pub const ROLE_FROM: f64 = 0.3;

/// The scores of one head, each a mean weight from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct HeadScores {
    /// Weight on the token before.
    pub previous_token: f64,
    /// Weight on the earlier copy of the same token.
    pub duplicate_token: f64,
    /// Weight on the token after the earlier copy.
    pub induction: f64,
    /// Weight on the first token.
    pub first_token: f64,
}

impl HeadScores {
    /// The role whose score is highest, if it is high enough to name the head by.
    pub fn role(&self) -> Option<&'static str> {
        let roles = [
            ("induction", self.induction),
            ("duplicate token", self.duplicate_token),
            ("previous token", self.previous_token),
            ("first token", self.first_token),
        ];
        let best = roles.into_iter().fold(("", 0.0), |best, role| if role.1 > best.1 { role } else { best });
        (best.1 >= ROLE_FROM).then_some(best.0)
    }
}

/// The scores of every head of a model.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Atlas {
    n_heads: usize,
    scores: Vec<HeadScores>,
}

impl Atlas {
    /// The scores of all heads, layer by layer.
    pub const fn new(n_heads: usize, scores: Vec<HeadScores>) -> Self {
        Self { n_heads, scores }
    }

    /// The scores of all heads, layer by layer.
    pub fn scores(&self) -> &[HeadScores] {
        &self.scores
    }

    /// Whether it is of a model of this shape.
    pub fn fits(&self, n_layers: usize, n_heads: usize) -> bool {
        self.n_heads == n_heads && self.scores.len() == n_layers * n_heads
    }

    /// The scores of one head; zeros outside the model.
    pub fn head(&self, at: Head) -> HeadScores {
        self.scores.get(at.layer * self.n_heads + at.head).copied().unwrap_or_default()
    }

    /// The heads by falling score.
    pub fn by(&self, score: impl Fn(&HeadScores) -> f64) -> Vec<Head> {
        let mut order: Vec<usize> = (0..self.scores.len()).collect();
        order.sort_by(|&a, &b| score(&self.scores[b]).total_cmp(&score(&self.scores[a])));
        order.into_iter().map(|at| self.name(at)).collect()
    }

    /// The head at this place among the scores.
    pub const fn name(&self, at: usize) -> Head {
        Head { layer: at / self.n_heads, head: at % self.n_heads }
    }
}
