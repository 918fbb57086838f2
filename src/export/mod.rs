//! Writes figures in files' and terminals' formats. It never knows where a figure comes from.

mod csv;
mod json;
mod table;

use std::io::{self, Write};

pub use self::csv::Csv;
pub use self::json::Json;
pub use self::table::Plain;
use crate::figure::Figure;

/// A format for figures.
pub trait Exporter: Sync {
    /// The word after `--format`.
    fn name(&self) -> &'static str;

    /// Writes figures one after the other.
    fn write(&self, figures: &[Figure], out: &mut dyn Write) -> io::Result<()>;
}

/// Every format; the first is the default.
pub static EXPORTERS: &[&dyn Exporter] = &[&Plain, &Json, &Csv];

/// The exporter of this name.
pub fn find(name: &str) -> Option<&'static dyn Exporter> {
    EXPORTERS.iter().copied().find(|exporter| exporter.name() == name)
}
