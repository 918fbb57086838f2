//! `lmscope eval compare`

use std::path::PathBuf;

use crate::cli::Exit;
use crate::cli::gate::{GateArgs, GateFormat, scores};
use crate::cli::output::Output;

#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  lmscope eval compare runs/old runs/new --margin 0.02 --strict\n\nExit status: 0 the gate passes, 1 a metric is worse by more than the margin or beyond a limit, 2 there is no comparison, 3 too few items to tell (with --strict). docs/ci.md says what is compared, and how."
)]
pub(super) struct Args {
    /// The record to compare with, or the baseline that `eval bless` wrote
    #[arg(value_name = "OLD")]
    old: PathBuf,
    /// The record to judge
    #[arg(value_name = "NEW")]
    new: PathBuf,
    #[command(flatten)]
    gate: GateArgs,
    /// How to print
    #[arg(long, value_enum, default_value = "table")]
    format: GateFormat,
}

pub(super) fn run(args: &Args, out: &mut Output) -> anyhow::Result<Exit> {
    args.gate.judge(&scores(&args.old)?, &scores(&args.new)?, args.format, out)
}
