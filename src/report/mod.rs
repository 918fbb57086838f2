//! WHAT A READER GETS: sections of text, figures and data to explore, with where every number comes from, as one file.
//!
//! A report is put together elsewhere, from a forward pass or from records; here it only becomes HTML, Markdown, LaTeX or
//! JSON. Every text in it may be a stranger's. Each format has one place where texts become inert.

mod attention;
mod check;
mod error;
mod html;
mod items;
mod latex;
mod markdown;
mod packed;

use std::collections::BTreeMap;

use serde::Serialize;

pub use self::attention::{Attention, Patterns, SIDE};
pub use self::check::{Checked, Difference, arguments, compare};
pub use self::error::ReportError;
pub use self::html::page;
pub use self::items::{Answered, Items, ScoredText};
use crate::figure::Figure;

/// The version of the JSON format.
pub const FORMAT_VERSION: u32 = 1;

/// A report.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Its name.
    pub title: String,
    /// What it is of, in a sentence.
    pub about: String,
    /// What comes after `lmscope report` to make it again, but for where it is written.
    pub arguments: Vec<String>,
    /// Where its numbers come from.
    pub facts: Vec<Fact>,
    /// Its parts.
    pub sections: Vec<Section>,
}

/// Something that is true of the whole report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fact {
    /// What it is.
    pub name: String,
    /// What is known of it.
    pub value: String,
    /// Whether it is part of what is measured, so that another value is another report.
    pub kind: FactKind,
}

/// What a fact says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FactKind {
    /// What was measured: hashes, seeds, settings.
    Subject,
    /// How this file came about: the date, the machine, the command.
    Making,
}

impl Fact {
    /// A fact about what was measured.
    pub fn subject(name: &str, value: impl Into<String>) -> Self {
        Self { name: name.into(), value: value.into(), kind: FactKind::Subject }
    }

    /// A fact about how the file came about.
    pub fn making(name: &str, value: impl Into<String>) -> Self {
        Self { name: name.into(), value: value.into(), kind: FactKind::Making }
    }
}

/// A part of a report.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Section {
    /// Its heading.
    pub title: String,
    /// What it says, a paragraph each.
    pub text: Vec<String>,
    /// What it shows.
    pub blocks: Vec<Block>,
}

/// Something that is shown.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Block {
    /// A figure.
    Figure(Figure),
    /// The patterns of all heads; only a page that can be used shows them all.
    Attention(Attention),
    /// The items of a run; only a page that can be used shows them all.
    Items(Items),
}

impl Report {
    /// All of it as JSON.
    ///
    /// # Errors
    /// If it does not become JSON, which would be a mistake here.
    pub fn json(&self) -> Result<serde_json::Value, ReportError> {
        let mut value = serde_json::to_value(self)?;
        value["format_version"] = FORMAT_VERSION.into();
        Ok(value)
    }

    /// Its figures with the section that each is in, in their order.
    pub fn figures(&self) -> impl Iterator<Item = (&Section, &Figure)> {
        self.sections.iter().flat_map(|section| {
            section.blocks.iter().filter_map(move |block| match block {
                Block::Figure(figure) => Some((section, figure)),
                Block::Attention(_) | Block::Items(_) => None,
            })
        })
    }
}

/// The files that a report consists of, by their name beside the first, which has none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Files {
    /// What the file itself holds.
    pub main: Vec<u8>,
    /// Pictures beside it, below a folder of its own.
    pub beside: BTreeMap<String, Vec<u8>>,
}

/// A format that reports are written in.
pub struct Format {
    /// How the names of its files end, without the dot.
    pub extension: &'static str,
    /// Writes a report whose pictures will be in this folder.
    pub write: fn(&Report, &str) -> Result<Files, ReportError>,
}

/// Every format; the first is the default.
pub static FORMATS: &[Format] = &[
    Format { extension: "html", write: |report, _| Ok(Files { main: page(report)?.into_bytes(), ..Files::default() }) },
    Format { extension: "md", write: markdown::write },
    Format { extension: "tex", write: latex::write },
    Format { extension: "json", write: |report, _| Ok(Files { main: json(report)?, ..Files::default() }) },
];

fn json(report: &Report) -> Result<Vec<u8>, ReportError> {
    let mut bytes = serde_json::to_vec_pretty(&report.json()?)?;
    bytes.push(b'\n');
    Ok(bytes)
}
