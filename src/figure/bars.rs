//! Named values.

use serde::Serialize;

use super::Scale;

/// One named value.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Bar {
    /// Its name.
    pub label: String,
    /// Its value.
    pub value: f64,
    /// An interval around it, if there is one.
    pub interval: Option<(f64, f64)>,
}

/// Named values with a common meaning.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Bars {
    /// The values.
    pub bars: Vec<Bar>,
    /// Their meaning.
    pub scale: Scale,
    /// Their unit.
    pub unit: String,
}
