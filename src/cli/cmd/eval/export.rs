//! `lmscope eval export`

use std::io::Write as _;
use std::path::PathBuf;

use crate::cli::Exit;
use crate::cli::output::Output;
use crate::eval::{interop, record};

#[derive(clap::Args)]
#[command(after_help = "Example:\n  lmscope eval export runs/today --to lm-eval -o exported")]
pub(super) struct Args {
    /// The record of a run
    #[arg(value_name = "RECORD")]
    record: PathBuf,
    /// The tool that is to read it
    #[arg(long, value_enum, value_name = "TOOL")]
    to: Tool,
    /// The folder for the files
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Tool {
    /// lm-evaluation-harness: results_*.json and samples_*.jsonl
    LmEval,
    /// Inspect: a .eval file a task
    Inspect,
}

pub(super) fn run(args: &Args, out: &mut Output) -> anyhow::Result<Exit> {
    let format = match args.to {
        Tool::LmEval => interop::Format::LmEval,
        Tool::Inspect => interop::Format::Inspect,
    };
    for file in interop::export(&record::read(&args.record)?, format, &args.output)? {
        writeln!(out, "{}", file.display())?;
    }
    Ok(Exit::Done)
}
