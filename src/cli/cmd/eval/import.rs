//! `lmscope eval import`

use std::path::PathBuf;

use super::{EvalFormat, print};
use crate::cli::Exit;
use crate::cli::output::Output;
use crate::eval::{interop, record, tables};

#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  lmscope eval import results/gpt2 -o runs/gpt2\n  lmscope eval import log.eval -o runs/log"
)]
pub(super) struct Args {
    /// lm-evaluation-harness's results_*.json, a folder with one, or Inspect's .eval file
    #[arg(value_name = "LOG")]
    log: PathBuf,
    /// The folder for the record
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    /// How to print
    #[arg(long, value_enum, default_value = "table")]
    format: EvalFormat,
}

pub(super) fn run(args: &Args, out: &mut Output) -> anyhow::Result<Exit> {
    let found = interop::import(&args.log)?;
    record::write(&args.output, &found)?;
    print(out, args.format, &tables::results(&found.run)?, &found.run)?;
    out.note(&format!("record: {}", args.output.display()));
    Ok(Exit::Done)
}
