//! `lmscope eval compare`

use std::path::PathBuf;

use super::{EvalFormat, print};
use crate::cli::Exit;
use crate::cli::output::Output;
use crate::eval::gate::{self, Gate, Scores, Verdict};
use crate::eval::record;

#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  lmscope eval compare runs/old runs/new --margin 0.02 --strict\n\nExit status: 0 the gate passes, 1 a metric is worse by more than the margin, 2 there is no comparison, 3 too few items to tell (with --strict)."
)]
pub(super) struct Args {
    /// The record of the run to compare with
    #[arg(value_name = "OLD")]
    old: PathBuf,
    /// The record of the run to judge
    #[arg(value_name = "NEW")]
    new: PathBuf,
    /// How much worse the new run may be, as a share of the items
    #[arg(long, value_name = "SHARE", default_value_t = Gate::default().margin, value_parser = share)]
    margin: f64,
    /// End with status 3 where there are too few items to tell
    #[arg(long)]
    strict: bool,
    /// How to print
    #[arg(long, value_enum, default_value = "table")]
    format: EvalFormat,
}

pub(super) fn run(args: &Args, out: &mut Output) -> anyhow::Result<Exit> {
    let gate = Gate { margin: args.margin, ..Gate::default() };
    let (old, new) = (record::read(&args.old)?, record::read(&args.new)?);
    let found = gate::compare(&Scores::of(&old)?, &Scores::of(&new)?, &gate)?;
    print(out, args.format, &gate::report::figures(&found)?, &found)?;
    Ok(match found.verdict {
        Verdict::Fail => Exit::No,
        Verdict::Inconclusive if args.strict => Exit::Inconclusive,
        Verdict::Pass | Verdict::Inconclusive => Exit::Done,
    })
}

/// A number from 0 to 1.
fn share(text: &str) -> Result<f64, String> {
    let share: f64 = text.parse().map_err(|_| "a number from 0 to 1 is expected".to_owned())?;
    if (0.0..=1.0).contains(&share) { Ok(share) } else { Err("a number from 0 to 1 is expected".to_owned()) }
}
