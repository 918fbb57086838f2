//! `lmscope eval merge`

use std::path::PathBuf;

use super::{EvalFormat, print};
use crate::cli::Exit;
use crate::cli::output::Output;
use crate::eval::merge::merge;
use crate::eval::{record, tables};

#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  lmscope eval run reversal-curse --shard 1/2 -o one\n  lmscope eval run reversal-curse --shard 2/2 -o two\n  lmscope eval merge one two -o whole"
)]
pub(super) struct Args {
    /// The records of all shards, in any order
    #[arg(value_name = "RECORD", required = true)]
    shards: Vec<PathBuf>,
    /// The folder for the record of the whole run
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    /// How to print
    #[arg(long, value_enum, default_value = "table")]
    format: EvalFormat,
}

pub(super) fn run(args: &Args, out: &mut Output) -> anyhow::Result<Exit> {
    let mut parts = Vec::new();
    for folder in &args.shards {
        parts.push((folder.clone(), record::read(folder)?));
    }
    let whole = merge(parts)?;
    record::write(&args.output, &whole)?;
    print(out, args.format, &tables::results(&whole.run)?, &whole.run)?;
    out.note(&format!("record: {}", args.output.display()));
    Ok(Exit::Done)
}
