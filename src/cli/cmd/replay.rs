//! `lmscope replay`

use std::io::Write as _;
use std::path::PathBuf;

use clap::ValueEnum;

use crate::cli::Exit;
use crate::cli::args::{ModelArgs, saved_model};
use crate::cli::output::Output;
use crate::engine::{Inspected, figures};
use crate::export;
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
    let saved = Saved::load(&args.session)?;
    let model = ModelArgs { max_memory: args.max_memory, ..saved_model(&saved) };
    let model = ModelArgs { model: args.model.clone().unwrap_or(model.model), ..model };
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
    let all = figures(&loaded, &asked, &out.cancel())?;
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
