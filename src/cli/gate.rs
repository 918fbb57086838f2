//! What a gate is asked on the command line, and where its verdict goes.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, ValueEnum};

use super::exit::Exit;
use super::output::Output;
use crate::disk;
use crate::eval::gate::{Comparison, Gate, Pairing, Scores, Selection, Verdict, compare, github, junit, report};
use crate::eval::record;
use crate::export::{self, Exporter as _, Markdown};

/// Where GitHub reads a step's summary from.
const STEP_SUMMARY: &str = "GITHUB_STEP_SUMMARY";

/// What a new run must hold against an old one.
#[derive(Args, Clone)]
#[command(next_help_heading = "Gate")]
pub(super) struct GateArgs {
    /// How much worse a metric may be: a share by so much, a perplexity by this part of it
    #[arg(long, value_name = "SHARE", default_value_t = Gate::default().margin, value_parser = share)]
    margin: f64,
    /// The least value of a metric that passes, whatever the old run had
    #[arg(long, value_name = "METRIC=VALUE", value_parser = limit)]
    min: Vec<(String, f64)>,
    /// The largest value of a metric that passes
    #[arg(long, value_name = "METRIC=VALUE", value_parser = limit)]
    max: Vec<(String, f64)>,
    /// What items of one name must have in common to be compared: `items` allows for prompts that differ, as those of a base model and of a chat do
    #[arg(long, value_enum, default_value = "prompts", value_name = "WHAT")]
    pair: Pair,
    /// Compare only items of this stratum, such as kind=invented
    #[arg(long, value_name = "NAME=VALUE", value_parser = stratum)]
    stratum: Option<(String, String)>,
    /// End with status 3 where there are too few items to tell
    #[arg(long)]
    strict: bool,
    #[arg(long, value_name = "FILE", help = "Also write a JUnit file, one case for each metric")]
    junit: Option<PathBuf>,
    /// Also write the tables as Markdown
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// Also print annotations for GitHub, and add the tables to its step summary
    #[arg(long)]
    github: bool,
}

/// What items of one name must have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Pair {
    /// All that the model is asked
    Prompts,
    /// The fields that they were made from
    Items,
}

/// What a run is compared with.
#[derive(Args, Clone)]
#[command(next_help_heading = "Gate")]
pub(super) struct BaselineArgs {
    /// Compare with this record, or with the baseline that `eval bless` wrote
    #[arg(long, value_name = "RECORD")]
    pub(super) baseline: Option<PathBuf>,
    /// End with the status of the comparison: 1 for a fail
    #[arg(long = "gate", requires = "baseline")]
    pub(super) is_gated: bool,
    #[command(flatten)]
    pub(super) gate: GateArgs,
}

/// The scores of a record's folder, or of a file that `eval bless` wrote.
pub(super) fn scores(path: &Path) -> anyhow::Result<Scores> {
    if path.is_dir() {
        return Ok(Scores::of(&record::read(path)?)?);
    }
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    Ok(Scores::parse(&text)?)
}

/// How a comparison is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum GateFormat {
    /// Aligned text
    Table,
    /// JSON
    Json,
    /// Markdown, to paste
    Markdown,
}

impl GateArgs {
    /// Compares and tells everyone who asked; the exit status is the verdict.
    pub(super) fn judge(
        &self,
        old: &Scores,
        new: &Scores,
        format: GateFormat,
        out: &mut Output,
    ) -> anyhow::Result<Exit> {
        let found = compare(old, new, &self.gate())?;
        self.write_files(&found)?;
        print(&found, format, out)?;
        if self.github {
            Self::tell_github(&found, out)?;
        }
        Ok(match found.verdict {
            Verdict::Fail => Exit::No,
            Verdict::Inconclusive if self.strict => Exit::Inconclusive,
            Verdict::Pass | Verdict::Inconclusive => Exit::Done,
        })
    }

    fn gate(&self) -> Gate {
        let pairing = match self.pair {
            Pair::Prompts => Pairing::Prompts,
            Pair::Items => Pairing::Items,
        };
        let selection = Selection { pairing, stratum: self.stratum.clone() };
        Gate { margin: self.margin, min: self.min.clone(), max: self.max.clone(), selection, ..Gate::default() }
    }

    fn write_files(&self, found: &Comparison) -> anyhow::Result<()> {
        let undecided = if self.strict { junit::Undecided::Failed } else { junit::Undecided::Skipped };
        if let Some(file) = &self.junit {
            write(file, junit::write(found, undecided)?.as_bytes())?;
        }
        if let Some(file) = &self.markdown {
            write(file, &markdown(found)?)?;
        }
        Ok(())
    }

    /// Workflow commands count on either stream; standard error leaves the JSON on the other one whole.
    fn tell_github(found: &Comparison, out: &mut Output) -> anyhow::Result<()> {
        let annotations = github::annotations(found);
        if !annotations.is_empty() {
            out.note(annotations.trim_end());
        }
        let Some(file) = std::env::var_os(STEP_SUMMARY).map(PathBuf::from) else { return Ok(()) };
        let text = github::step_summary(found, &String::from_utf8_lossy(&markdown(found)?));
        let cannot = || format!("cannot add to the step summary `{}`", file.display());
        let mut summary = OpenOptions::new().create(true).append(true).open(&file).with_context(cannot)?;
        summary.write_all(text.as_bytes()).with_context(cannot)
    }
}

fn print(found: &Comparison, format: GateFormat, out: &mut Output) -> anyhow::Result<()> {
    match format {
        GateFormat::Json => {
            serde_json::to_writer_pretty(&mut *out, found)?;
            writeln!(out)?;
        }
        GateFormat::Markdown => out.write_all(&markdown(found)?)?,
        GateFormat::Table => {
            export::EXPORTERS[0].write(&report::figures(found)?, out)?;
            writeln!(out, "\n{}", report::summary(found))?;
            for change in found.changes.iter().filter(|change| change.verdict.is_some_and(|it| it != Verdict::Pass)) {
                writeln!(out, "  {}: {}", change.name(), report::sentence(change))?;
            }
        }
    }
    Ok(())
}

fn markdown(found: &Comparison) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    Markdown.write(&report::figures(found)?, &mut bytes)?;
    Ok(bytes)
}

fn write(file: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    disk::write_whole(file, bytes).with_context(|| format!("cannot write `{}`", file.display()))
}

/// A number from 0 to 1.
fn share(text: &str) -> Result<f64, String> {
    let share: f64 = text.parse().map_err(|_| "a number from 0 to 1 is expected".to_owned())?;
    if (0.0..=1.0).contains(&share) { Ok(share) } else { Err("a number from 0 to 1 is expected".to_owned()) }
}

/// `NAME=VALUE`.
fn stratum(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("NAME=VALUE is expected, such as kind=invented")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// `METRIC=VALUE`, or `METRIC,FILTER=VALUE`.
fn limit(text: &str) -> Result<(String, f64), String> {
    let (name, value) = text.split_once('=').ok_or("METRIC=VALUE is expected, such as acc=0.5")?;
    let value: f64 = value.parse().map_err(|_| format!("`{value}` is no number"))?;
    if value.is_finite() { Ok((name.to_owned(), value)) } else { Err(format!("`{value}` is no limit")) }
}
