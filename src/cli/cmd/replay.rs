//! `lmscope replay`

use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::ValueEnum;

use crate::cli::Exit;
use crate::cli::args::{ModelArgs, saved_model};
use crate::cli::output::Output;
use crate::engine::{Inspected, Loaded, figures};
use crate::export;
use crate::figure::Figure;
use crate::lens::{Ask, Versus};
use crate::session::{FileFormat, Saved, write_figures};

#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  lmscope replay session.lmscope                print every figure\n  lmscope replay session.lmscope -o figures     a JSON file for each lens"
)]
pub(in crate::cli) struct Args {
    /// A session that was saved in the terminal UI
    #[arg(value_name = "SESSION")]
    session: PathBuf,
    /// Write a file for each lens into this folder, in place of standard output
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// How to print, or to write with -o
    #[arg(long, value_enum, default_value = "json")]
    format: ReplayFormat,
    /// The model, if it is elsewhere now
    #[arg(short, long, value_name = "MODEL")]
    model: Option<String>,
    /// How many MiB of memory weights may take; without it, what is free
    #[arg(long, value_name = "MIB")]
    max_memory: Option<u64>,
}

/// How figures are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ReplayFormat {
    /// Aligned text
    Table,
    /// JSON
    Json,
    /// Comma-separated values
    Csv,
}

impl From<ReplayFormat> for FileFormat {
    fn from(format: ReplayFormat) -> Self {
        match format {
            ReplayFormat::Table => Self::Table,
            ReplayFormat::Json => Self::Json,
            ReplayFormat::Csv => Self::Csv,
        }
    }
}

pub(in crate::cli) fn run(args: &Args, out: &mut Output) -> anyhow::Result<Exit> {
    let all = again(&args.session, args.model.as_ref(), args.max_memory, out)?.figures;
    let format = FileFormat::from(args.format);
    match &args.output {
        Some(folder) => {
            for file in write_figures(folder, format, &all)? {
                writeln!(out, "{}", file.display())?;
            }
        }
        None => {
            let exporter = export::find(format.name()).unwrap_or(export::EXPORTERS[0]);
            let figures: Vec<_> = all.into_iter().flat_map(|(_, figures)| figures).collect();
            exporter.write(&figures, out)?;
        }
    }
    out.flush()?;
    Ok(Exit::Done)
}

/// A session that was run again.
pub(super) struct Again {
    pub(super) model: ModelArgs,
    pub(super) loaded: Loaded,
    /// The figures of each lens, under its name.
    pub(super) figures: Vec<(String, Vec<Figure>)>,
}

/// Runs what a session shows with the model that it was saved with.
pub(super) fn again(
    session: &Path,
    model: Option<&String>,
    max_memory: Option<u64>,
    out: &Output,
) -> anyhow::Result<Again> {
    let saved = Saved::load(session)?;
    let saved_with = ModelArgs { max_memory, ..saved_model(&saved) };
    let model = ModelArgs { model: model.cloned().unwrap_or(saved_with.model.clone()), ..saved_with };
    let loaded = model.open(out)?;
    saved.check_model(&loaded.info.fingerprint)?;
    let ask = Ask {
        position: isize::try_from(saved.position).ok(),
        token: saved.token.as_ref().map(|token| token.id),
        versus: saved.versus.as_ref().map_or(Versus::BestOther, |token| Versus::Token(token.id)),
    };
    let asked = Inspected {
        ids: saved.ids(saved.at),
        ask,
        interventions: saved.active(),
        head: saved.head,
        sampling: saved.sampling,
    };
    let figures = figures(&loaded, &asked, &out.cancel())?;
    Ok(Again { model, loaded, figures })
}
