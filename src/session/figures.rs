//! Figures in a folder, a file for each lens.

use std::path::{Path, PathBuf};

use super::SessionError;
use crate::disk;
use crate::export::{self, Exporter};
use crate::figure::Figure;

/// How figures are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FileFormat {
    /// Aligned text.
    Table,
    /// JSON.
    #[default]
    Json,
    /// Comma-separated values.
    Csv,
}

impl FileFormat {
    /// The name of the exporter.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Json => "json",
            Self::Csv => "csv",
        }
    }

    fn exporter(self) -> &'static dyn Exporter {
        export::find(self.name()).unwrap_or(export::EXPORTERS[0])
    }
}

/// Writes figures under the names of their lenses into a folder, which is made if it is not there; the files.
///
/// # Errors
/// What the file system refuses.
pub fn write_figures(
    folder: &Path,
    format: FileFormat,
    all: &[(String, Vec<Figure>)],
) -> Result<Vec<PathBuf>, SessionError> {
    let refused = |file: &Path, source| SessionError::Write { file: file.to_owned(), source };
    std::fs::create_dir_all(folder).map_err(|source| refused(folder, source))?;
    let mut files = Vec::new();
    for (name, figures) in all {
        let file = folder.join(format!("{name}.{}", format.exporter().extension()));
        let mut bytes = Vec::new();
        let written = format.exporter().write(figures, &mut bytes);
        written.map_err(|source| SessionError::Export { file: file.clone(), source })?;
        disk::write_whole(&file, &bytes).map_err(|source| refused(&file, source))?;
        files.push(file);
    }
    Ok(files)
}
