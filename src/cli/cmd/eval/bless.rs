//! `lmscope eval bless`

use std::path::PathBuf;

use anyhow::Context as _;

use crate::cli::Exit;
use crate::cli::output::Output;
use crate::disk;
use crate::eval::gate::Scores;
use crate::eval::record::{self, Status};

#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  lmscope eval bless runs/today -o baselines/today.json\n\nCommit the file: one line an item, so that a diff shows what changed."
)]
pub(super) struct Args {
    /// The record of the run that others are to be compared with
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// The baseline
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

/// A run that cannot be a baseline.
#[derive(Debug, thiserror::Error)]
#[error("bless `{}`: the run did not come to its end", run.display())]
pub(in crate::cli) struct Unfinished {
    run: PathBuf,
}

impl Unfinished {
    /// What to do about it.
    pub(in crate::cli) fn hint(&self) -> String {
        format!("finish it: lmscope eval run … -o {} --resume", self.run.display())
    }
}

pub(super) fn run(args: &Args, out: &mut Output) -> anyhow::Result<Exit> {
    let found = record::read(&args.run)?;
    if found.run.status != Status::Complete {
        return Err(Unfinished { run: args.run.clone() }.into());
    }
    let text = Scores::of(&found)?.to_json()?;
    let cannot = || format!("cannot write `{}`", args.output.display());
    disk::write_whole(&args.output, text.as_bytes()).with_context(cannot)?;
    out.note(&format!("baseline: {} ({} items)", args.output.display(), found.items.len()));
    Ok(Exit::Done)
}
