//! Writes figures in files' and terminals' formats. It never knows where a figure comes from.

mod cells;
mod csv;
mod error;
mod inert;
mod json;
mod latex;
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
pub use self::latex::Latex;
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
pub static EXPORTERS: &[&dyn Exporter] = &[&Plain, &Json, &Csv, &Markdown, &Latex, &Safetensors, &Svg, &Png];

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

/// A text on one line in which nothing is Markdown or HTML.
pub fn inert_markdown(text: &str) -> String {
    markdown::escaped(text)
}

/// A text on one line in which nothing is a command of LaTeX.
pub fn inert_latex(text: &str) -> String {
    latex::escaped(text)
}

/// A figure's caption in LaTeX: its title, what it shows, where its numbers come from.
pub fn latex_caption(figure: &Figure) -> String {
    latex::caption(figure)
}

/// A text on one line in which nothing steers a terminal or turns the order of letters.
pub fn inert_line(text: &str) -> std::borrow::Cow<'_, str> {
    inert::line(text)
}

/// A figure as the headings and the texts of a table, and whether a column leans to the right; numbers as people are shown
/// them.
pub fn as_table(figure: &Figure) -> (Vec<(String, bool)>, Vec<Vec<String>>) {
    let cells::Cells { heading, rows } = cells::Cells::of(&figure.content);
    (heading.into_iter().map(|(name, side)| (name, side == cells::Side::Right)).collect(), rows)
}

/// A number in three digits.
pub fn short_number(value: f64) -> String {
    plot::number::short(value)
}

/// Round numbers that enclose a range, from the lowest.
pub fn ticks(low: f64, high: f64) -> Vec<f64> {
    plot::number::ticks(low, high)
}

/// The one figure that a picture shows.
fn only<'a>(format: &'static str, figures: &'a [Figure]) -> Result<&'a Figure, ExportError> {
    match figures {
        [figure] => Ok(figure),
        _ => Err(ExportError::NotOneFigure { format, found: figures.len() }),
    }
}
