//! `lmscope eval history`

use super::{EvalFormat, print};
use crate::cli::Exit;
use crate::cli::folders;
use crate::cli::output::Output;
use crate::eval::history::History;
use crate::eval::tables;

#[derive(clap::Args)]
#[command(after_help = "Example:\n  lmscope eval history --format json")]
pub(super) struct Args {
    /// How to print
    #[arg(long, value_enum, default_value = "table")]
    format: EvalFormat,
}

pub(super) fn run(args: &Args, out: &mut Output) -> anyhow::Result<Exit> {
    let entries = History::open(&folders::history())?.entries()?;
    print(out, args.format, &[tables::history(&entries)?], &entries)?;
    Ok(Exit::Done)
}
