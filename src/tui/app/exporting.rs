//! What the view shows, into a file or into the clipboard.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::super::effect::Effect;
use super::super::layout::wrapped;
use super::super::line_entry::{LineEntry, Purpose};
use super::super::mouse::Hits;
use super::super::overlay::ErrorOverlay;
use super::State;
use crate::export::{EXPORTERS, ExportError, endings, of_file};
use crate::figure::Figure;
use crate::session::{IfThere, SessionError, WrittenFile};

/// The ending of the first file's name that is offered.
pub(super) const FIRST_ENDING: &str = "json";

/// The ending of what is copied where a file's ending says no text.
const COPIED: &str = "md";

/// What stands behind a name whose file is replaced.
const REPLACE: char = '!';

impl State {
    /// What the focused panel shows.
    pub fn figures(&self) -> Vec<Figure> {
        let (note, hits) = (self.note(), Hits::default());
        self.view().figures(&self.scene_of(self.panels.focused(), &note, &hits))
    }

    /// Lets a file be named, if there is something to be written.
    pub(super) fn ask_for_file(&mut self) -> Vec<Effect> {
        if self.figures().is_empty() {
            self.notice = Some("nothing to export: the view shows no numbers yet".into());
            return Vec::new();
        }
        let name = format!("{}-{}.{}", self.view().name().word(), self.shown_session().position(), self.ending);
        self.line = Some(LineEntry::new(Purpose::Export, name));
        Vec::new()
    }

    /// Offers the ending so many formats further.
    pub(super) fn step_ending(&mut self, steps: isize) -> Vec<Effect> {
        if let Some(line) = &mut self.line {
            line.set(renamed(line.input().value(), steps, self.ending));
        }
        Vec::new()
    }

    /// Writes what is shown into the file that was named; a name without a known ending is refused.
    pub(super) fn export_to(&mut self, mut line: LineEntry) -> Vec<Effect> {
        let (name, if_there) = named(line.input().value());
        let file = PathBuf::from(name);
        let Some(exporter) = of_file(&file) else {
            line.refuse(format!("the ending says the format: {}", endings()));
            self.line = Some(line);
            return Vec::new();
        };
        self.ending = exporter.extension();
        let Some(figures) = self.shown() else { return Vec::new() };
        self.notice = Some(format!("writing {} …", file.display()));
        vec![Effect::Export { file, ending: self.ending, if_there, figures }]
    }

    /// Copies what is shown: as the file would have it, or as Markdown where that is no text.
    pub(super) fn copy(&mut self) -> Vec<Effect> {
        let Some(line) = self.line.take() else { return Vec::new() };
        let exporter = of_file(Path::new(named(line.input().value()).0)).filter(|exporter| exporter.is_text());
        let ending = exporter.map_or(COPIED, |exporter| exporter.extension());
        self.shown().map(|figures| Effect::Encode { ending, figures }).into_iter().collect()
    }

    /// What is shown, unless that is nothing by now.
    fn shown(&mut self) -> Option<Arc<Vec<Figure>>> {
        let figures = self.figures();
        if figures.is_empty() {
            self.notice = Some("not exported: the view shows no numbers any more".into());
            return None;
        }
        Some(Arc::new(figures))
    }

    /// Tells what became of a file. The name of one that is there can be typed anew.
    pub(super) fn exported(&mut self, written: Result<WrittenFile, SessionError>) {
        match written {
            Ok(WrittenFile { file, n_bytes, only }) => {
                let only = only.map_or_else(String::new, |title| format!("; it shows `{title}` only"));
                self.notice = Some(format!("{n_bytes} bytes in {}{only}", file.display()));
            }
            Err(SessionError::Exists { file }) if self.is_free() => {
                let mut line = LineEntry::new(Purpose::Export, file.display().to_string());
                line.refuse(format!("there already: another name, or a {REPLACE} behind this one, which replaces it"));
                (self.line, self.notice) = (Some(line), None);
            }
            Err(error) => self.overlays.push(Box::new(ErrorOverlay::told(&error, error.hint()))),
        }
    }

    /// Copies a text, or tells why there is none.
    pub(super) fn encoded(&mut self, encoded: Result<String, ExportError>) -> Option<Effect> {
        match encoded {
            Ok(text) => Some(Effect::Copy(text)),
            Err(error) => {
                self.overlays.push(Box::new(ErrorOverlay::told(&error, None)));
                None
            }
        }
    }

    /// Whether nothing is being typed, and nothing lies over the view.
    fn is_free(&self) -> bool {
        self.overlays.is_empty() && self.line.is_none() && self.editor.is_none() && !self.view().is_typing()
    }
}

/// A name as typed, and whether its file may be replaced.
fn named(text: &str) -> (&str, IfThere) {
    let text = text.trim();
    text.strip_suffix(REPLACE).map_or((text, IfThere::Refuse), |name| (name.trim_end(), IfThere::Replace))
}

/// The name with the ending so many formats further; with this one if it has none that is known.
fn renamed(text: &str, steps: isize, ending: &str) -> String {
    let name = named(text).0;
    let place = |exporter: &dyn crate::export::Exporter| {
        EXPORTERS.iter().position(|other| other.extension() == exporter.extension())
    };
    let known = of_file(Path::new(name)).and_then(place);
    let (stem, ending) = match known {
        Some(at) => {
            let next = EXPORTERS[wrapped(at, steps, EXPORTERS.len())].extension();
            (name.rsplit_once('.').map_or(name, |(stem, _)| stem), next)
        }
        None => (name.trim_end_matches('.'), ending),
    };
    format!("{stem}.{ending}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings_go_round_and_an_unknown_one_stays_part_of_the_name() {
        let mut name = "lens-5.json".to_owned();
        let mut seen = Vec::new();
        for _ in EXPORTERS {
            name = renamed(&name, 1, "csv");
            seen.push(name.clone());
        }
        assert_eq!(name, "lens-5.json");
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), EXPORTERS.len(), "{seen:?}");
        assert_eq!(renamed(&renamed("a.b.PNG!", 1, "csv"), -1, "csv"), "a.b.png");
        let cases = [("a", "a.csv"), ("a.", "a.csv"), ("v1.2", "v1.2.csv"), ("", ".csv"), ("x/y.d/z", "x/y.d/z.csv")];
        for (text, expected) in cases {
            assert_eq!(renamed(text, 1, "csv"), expected, "{text}");
        }
    }

    #[test]
    fn a_mark_behind_the_name_replaces() {
        assert_eq!(named(" a.csv "), ("a.csv", IfThere::Refuse));
        assert_eq!(named("a b.csv !"), ("a b.csv", IfThere::Replace));
    }
}
