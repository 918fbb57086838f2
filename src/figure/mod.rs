//! WHAT IS SHOWN: neutral results that the terminal, JSON, CSV and reports all read.
//!
//! A lens returns figures; a view or an exporter draws them. Values are computed before they come here; nothing in
//! this layer knows a model or a screen.

mod bars;
mod heatmap;
mod lines;
mod scale;
mod strip;
mod table;
mod waterfall;

use serde::Serialize;

pub use self::bars::{Bar, Bars};
pub use self::heatmap::{Heatmap, HeatmapAxis};
pub use self::lines::{Line, Lines, Mark};
pub use self::scale::Scale;
pub use self::strip::{Note, Piece, Strip};
pub use self::table::{Cell, Column, Table};
pub use self::waterfall::{Part, Step, Waterfall};

/// One result, with everything a reader needs to trust it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figure {
    /// Short name.
    pub title: String,
    /// What is shown, of what, in which unit, by which method.
    pub caption: String,
    /// Where the numbers come from.
    pub provenance: Provenance,
    /// The numbers.
    pub content: Content,
}

/// The kinds of figures.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Content {
    /// A grid of values.
    Heatmap(Heatmap),
    /// Named values, largest first or in their own order.
    Bars(Bars),
    /// Rows and columns of text and numbers.
    Table(Table),
    /// Values along an axis, with bands.
    Lines(Lines),
    /// Tokens with a value each.
    Strip(Strip),
    /// Parts that add up to a whole.
    Waterfall(Waterfall),
}

impl Content {
    /// The grid, if it is one.
    pub const fn heatmap(&self) -> Option<&Heatmap> {
        match self {
            Self::Heatmap(heatmap) => Some(heatmap),
            Self::Bars(_) | Self::Table(_) | Self::Lines(_) | Self::Strip(_) | Self::Waterfall(_) => None,
        }
    }

    /// The table, if it is one.
    pub const fn table(&self) -> Option<&Table> {
        match self {
            Self::Table(table) => Some(table),
            Self::Heatmap(_) | Self::Bars(_) | Self::Lines(_) | Self::Strip(_) | Self::Waterfall(_) => None,
        }
    }
}

/// What a number was computed from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Provenance {
    /// The model's name.
    pub model: String,
    /// Its fingerprint.
    pub fingerprint: String,
    /// Number types and arithmetic.
    pub precision: String,
    /// The prompt's text, if there is one.
    pub prompt: Option<String>,
    /// Whether a beginning-of-sequence token was added, and why.
    pub bos: Option<String>,
    /// What was changed in the forward pass, as typed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub interventions: Vec<String>,
    /// Version of lmscope.
    pub version: String,
}

impl Provenance {
    /// In a sentence.
    pub fn sentence(&self) -> String {
        let mut parts = vec![format!("Model {} ({}), {}", self.model, self.fingerprint, self.precision)];
        // a prompt says what was added by its name, a run whether anything is
        let bos = |bos: &String| if bos.starts_with("BOS") { bos.clone() } else { format!("BOS {bos}") };
        parts.extend(self.bos.as_ref().map(bos));
        parts.extend(self.prompt.as_ref().map(|prompt| format!("prompt {prompt:?}")));
        if !self.interventions.is_empty() {
            parts.push(format!("intervened: {}", self.interventions.join(", ")));
        }
        format!("{}; lmscope {}.", parts.join("; "), self.version)
    }
}

/// Two lengths that must agree and do not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}: found {found}, expected {expected}")]
pub struct ShapeError {
    /// What was counted.
    pub what: &'static str,
    /// How many there are.
    pub found: usize,
    /// How many there must be.
    pub expected: usize,
}

/// Checks a length.
fn expect_len(what: &'static str, found: usize, expected: usize) -> Result<(), ShapeError> {
    if found == expected { Ok(()) } else { Err(ShapeError { what, found, expected }) }
}
