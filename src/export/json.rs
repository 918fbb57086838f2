//! Figures as one JSON array.

use std::io::{self, Write};

use super::{ExportError, Exporter};
use crate::figure::Figure;

/// JSON, indented, ending in a newline.
pub struct Json;

impl Exporter for Json {
    fn name(&self) -> &'static str {
        "json"
    }

    fn write(&self, figures: &[Figure], out: &mut dyn Write) -> Result<(), ExportError> {
        serde_json::to_writer_pretty(&mut *out, figures).map_err(io::Error::from)?;
        Ok(writeln!(out)?)
    }
}
