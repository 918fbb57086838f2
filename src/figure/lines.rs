//! Values along an axis, with bands around them.

use serde::Serialize;

use super::Column;

/// One value of a line.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Mark {
    /// Where it is.
    pub x: f64,
    /// How large it is.
    pub y: f64,
    /// An interval around it, if there is one.
    pub band: Option<(f64, f64)>,
}

/// Values that belong together, from left to right.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Line {
    /// What they are of.
    pub name: String,
    /// The values.
    pub marks: Vec<Mark>,
}

/// Lines over one axis.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Lines {
    /// What runs from left to right.
    pub x: Column,
    /// What runs upwards.
    pub y: Column,
    /// The lines.
    pub lines: Vec<Line>,
}
