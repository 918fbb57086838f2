//! Writes figures in files' and terminals' formats. It never knows where a figure comes from.

mod csv;
mod error;
mod json;
mod markdown;
mod plot;
mod png;
mod safetensors;
mod svg;
mod table;

use std::io::Write;
use std::path::Path;

pub use self::csv::Csv;
pub use self::error::{ExportError, Undrawable};
pub use self::json::Json;
pub use self::markdown::Markdown;
pub use self::png::Png;
pub use self::safetensors::Safetensors;
pub use self::svg::Svg;
pub use self::table::Plain;
use crate::figure::Figure;

/// A format for figures.
pub trait Exporter: Sync {
    /// The word after `--format`, or the option of its own: `--svg`.
    fn name(&self) -> &'static str;

    /// How the names of its files end, without the dot.
    fn extension(&self) -> &'static str {
        self.name()
    }

    /// Whether people read it as it is, so that it can be pasted somewhere.
    fn is_text(&self) -> bool {
        true
    }

    /// Writes figures one after the other. The same figures are always the same bytes.
    ///
    /// # Errors
    /// [`ExportError`] if the format has no room for such a figure, or `out` refuses.
    fn write(&self, figures: &[Figure], out: &mut dyn Write) -> Result<(), ExportError>;
}

/// Every format; the first is the default.
pub static EXPORTERS: &[&dyn Exporter] = &[&Plain, &Json, &Csv, &Markdown, &Safetensors, &Svg, &Png];

/// The exporter of this name.
pub fn find(name: &str) -> Option<&'static dyn Exporter> {
    EXPORTERS.iter().copied().find(|exporter| exporter.name() == name)
}

/// The exporter that a file's ending chooses.
pub fn of_file(file: &Path) -> Option<&'static dyn Exporter> {
    let ending = file.extension()?.to_str()?.to_ascii_lowercase();
    EXPORTERS.iter().copied().find(|exporter| exporter.extension() == ending)
}

/// All endings of files, as a list to read.
pub fn endings() -> String {
    EXPORTERS.iter().map(|exporter| format!(".{}", exporter.extension())).collect::<Vec<_>>().join(" ")
}

/// The one figure that a picture shows.
fn only<'a>(format: &'static str, figures: &'a [Figure]) -> Result<&'a Figure, ExportError> {
    match figures {
        [figure] => Ok(figure),
        _ => Err(ExportError::NotOneFigure { format, found: figures.len() }),
    }
}
