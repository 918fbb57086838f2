//! Where the figures of a command go: standard output, a file, a picture.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, ValueEnum};

use super::output::Output;
use crate::disk;
use crate::export::{self, Exporter, Png, Svg};
use crate::figure::Figure;

/// How figures are printed, written and drawn.
#[derive(Args, Clone)]
#[command(next_help_heading = "Output")]
pub(super) struct FigureArgs {
    /// How to print, or to write with -o
    #[arg(long, value_enum, default_value = "table")]
    format: FigureFormat,
    /// Write to this file in place of standard output
    #[arg(short, long, value_name = "FILE", required_if_eq("format", "safetensors"))]
    output: Option<PathBuf>,
    /// Also draw a figure as SVG
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Also draw a figure as PNG
    #[arg(long, value_name = "FILE")]
    png: Option<PathBuf>,
    /// Which figure to draw, counted from 1
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    figure: u32,
}

/// How figures are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FigureFormat {
    /// Aligned text
    Table,
    /// JSON
    Json,
    /// Comma-separated values
    Csv,
    /// Markdown, to paste
    Markdown,
    /// LaTeX tables, to paste into a paper
    Latex,
    /// Named tensors in a safetensors file
    Safetensors,
}

impl FigureFormat {
    fn exporter(self) -> &'static dyn Exporter {
        let name = match self {
            Self::Table => "table",
            Self::Json => "json",
            Self::Csv => "csv",
            Self::Markdown => "markdown",
            Self::Latex => "latex",
            Self::Safetensors => "safetensors",
        };
        export::find(name).unwrap_or(export::EXPORTERS[0])
    }
}

/// A place that no file can be written to, or a figure that is not there.
#[derive(Debug, thiserror::Error)]
pub(super) enum FigureError {
    /// The folder of a file does not exist.
    #[error("cannot write `{}`: there is no folder `{}`", file.display(), disk::folder(file).display())]
    NoFolder { file: PathBuf },
    /// A folder, not a file.
    #[error("cannot write `{}`: it is a folder", file.display())]
    IsFolder { file: PathBuf },
    /// `--figure` asks for more than there are.
    #[error("there is no figure {asked}: {}", list(titles))]
    NoFigure { asked: u32, titles: Vec<String> },
}

/// All figures with their numbers.
fn list(titles: &[String]) -> String {
    let numbered = titles.iter().enumerate().map(|(index, title)| format!("{} is `{title}`", index + 1));
    numbered.collect::<Vec<_>>().join(", ")
}

impl FigureArgs {
    /// Finds out before the work what would stop it at its end.
    pub(super) fn check(&self) -> Result<(), FigureError> {
        for file in [&self.output, &self.svg, &self.png].into_iter().flatten() {
            if file.is_dir() {
                return Err(FigureError::IsFolder { file: file.clone() });
            }
            if !disk::folder(file).is_dir() {
                return Err(FigureError::NoFolder { file: file.clone() });
            }
        }
        Ok(())
    }

    /// Draws, writes and prints them. Pictures come first: what cannot be drawn leaves nothing behind.
    pub(super) fn write(&self, figures: &[Figure], out: &mut Output) -> anyhow::Result<()> {
        for (file, exporter) in [(&self.svg, &Svg as &dyn Exporter), (&self.png, &Png)] {
            if let Some(file) = file {
                write_file(exporter, self.chosen(figures)?, file)?;
            }
        }
        let exporter = self.format.exporter();
        match &self.output {
            Some(file) => write_file(exporter, figures, file)?,
            None => exporter.write(figures, out)?,
        }
        Ok(out.flush()?)
    }

    /// The figure to draw.
    fn chosen<'a>(&self, figures: &'a [Figure]) -> Result<&'a [Figure], FigureError> {
        let end = self.figure as usize;
        figures.get(end.saturating_sub(1)..end).ok_or_else(|| FigureError::NoFigure {
            asked: self.figure,
            titles: figures.iter().map(|figure| figure.title.clone()).collect(),
        })
    }
}

fn write_file(exporter: &dyn Exporter, figures: &[Figure], file: &Path) -> anyhow::Result<()> {
    let cannot = || format!("cannot write `{}`", file.display());
    let mut bytes = Vec::new();
    exporter.write(figures, &mut bytes).with_context(cannot)?;
    disk::write_whole(file, &bytes).with_context(cannot)
}
