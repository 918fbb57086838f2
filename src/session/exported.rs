//! Figures of a view in one file, whose ending says how they are written.

use std::io;
use std::path::{Path, PathBuf};

use super::SessionError;
use crate::disk;
use crate::export::{ExportError, Exporter};
use crate::figure::Figure;

/// What becomes of a file that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfThere {
    /// It stays, and nothing is written.
    Refuse,
    /// It is replaced.
    Replace,
}

/// Figures as a format has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// The content of the file.
    pub bytes: Vec<u8>,
    /// The title of the one that a picture shows, where there are several.
    pub only: Option<String>,
}

/// A file that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenFile {
    /// The file.
    pub file: PathBuf,
    /// Its length in bytes.
    pub n_bytes: usize,
    /// The title of the one figure that it shows, where there are several.
    pub only: Option<String>,
}

/// All figures in this format; of a format that shows one figure, the first that can be drawn.
///
/// # Errors
/// Why the format has no room for any of them; of a picture, what is wrong with the first.
pub fn encode(exporter: &dyn Exporter, figures: &[Figure]) -> Result<Encoded, ExportError> {
    let write = |figures: &[Figure]| {
        let mut bytes = Vec::new();
        exporter.write(figures, &mut bytes).map(|()| bytes)
    };
    match write(figures) {
        Err(ExportError::NotOneFigure { .. }) if figures.len() > 1 => {}
        written => return Ok(Encoded { bytes: written?, only: None }),
    }
    let mut first = None;
    for figure in figures {
        match write(std::slice::from_ref(figure)) {
            Ok(bytes) => return Ok(Encoded { bytes, only: Some(figure.title.clone()) }),
            Err(error) => first = first.or(Some(error)),
        }
    }
    Err(first.unwrap_or(ExportError::NotOneFigure { format: exporter.name(), found: 0 }))
}

/// Writes figures into a file, whole or not at all.
///
/// # Errors
/// A format that has no room for them, a file that is there already, and what the file system refuses.
pub fn write_file(
    file: &Path,
    exporter: &dyn Exporter,
    if_there: IfThere,
    figures: &[Figure],
) -> Result<WrittenFile, SessionError> {
    let file = file.to_owned();
    let Encoded { bytes, only } = match encode(exporter, figures) {
        Ok(encoded) => encoded,
        Err(source) => return Err(SessionError::Export { file, source }),
    };
    let written = match if_there {
        IfThere::Refuse => disk::write_new(&file, &bytes),
        IfThere::Replace => disk::write_whole(&file, &bytes),
    };
    match written {
        Ok(()) => Ok(WrittenFile { file, n_bytes: bytes.len(), only }),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(SessionError::Exists { file }),
        Err(source) => Err(SessionError::Write { file, source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::{EXPORTERS, of_file};
    use crate::figure::{Bar, Bars, Cell, Column, Content, Provenance, Scale, Table};

    fn figure(title: &str, content: Content) -> Figure {
        Figure { title: title.into(), caption: String::new(), provenance: Provenance::default(), content }
    }

    fn bars() -> Content {
        let bars = vec![Bar { label: "a".into(), value: 0.5, interval: None }];
        Content::Bars(Bars { bars, scale: Scale::Probability, unit: String::new() })
    }

    fn words() -> Content {
        Content::Table(Table::new(vec![Column::new("word", "")], vec![vec![Cell::Text("a".into())]]).unwrap())
    }

    #[test]
    fn a_picture_shows_the_first_figure_that_can_be_drawn() {
        let figures = [figure("words", words()), figure("bars", bars())];
        for exporter in EXPORTERS {
            let only = encode(*exporter, &figures).unwrap().only;
            let is_picture = ["svg", "png"].contains(&exporter.name());
            assert_eq!(only.as_deref(), is_picture.then_some("bars"), "{}", exporter.name());
            let alone = encode(*exporter, &figures[1..]).unwrap();
            assert!(alone.only.is_none() && !alone.bytes.is_empty(), "{}", exporter.name());
        }
        let svg = of_file(Path::new("a.SVG")).unwrap();
        assert!(matches!(encode(svg, &figures[..1]), Err(ExportError::Undrawable { title, .. }) if title == "words"));
        let twice = [figures[0].clone(), figure("more words", words())];
        assert!(matches!(encode(svg, &twice), Err(ExportError::Undrawable { title, .. }) if title == "words"));
        assert!(of_file(Path::new("a.doc")).is_none() && of_file(Path::new("svg")).is_none());
    }

    #[test]
    fn a_file_that_is_there_is_replaced_only_when_that_was_said() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.csv");
        let csv = of_file(&file).unwrap();
        let write = |figure, if_there| write_file(&file, csv, if_there, &[figure]);
        let first = write(figure("bars", bars()), IfThere::Refuse).unwrap();
        assert_eq!(first.n_bytes, std::fs::read(&file).unwrap().len());
        let refused = write(figure("words", words()), IfThere::Refuse).unwrap_err();
        assert!(matches!(&refused, SessionError::Exists { file: there } if *there == file), "{refused}");
        assert!(std::fs::read_to_string(&file).unwrap().contains("0.5"));
        write(figure("words", words()), IfThere::Replace).unwrap();
        assert!(std::fs::read_to_string(&file).unwrap().contains("word"));
        let nowhere = write_file(&folder.path().join("no/a.csv"), csv, IfThere::Refuse, &[figure("bars", bars())]);
        assert!(matches!(nowhere, Err(SessionError::Write { .. })));
    }
}
