//! `lmscope config`

use std::io::Write as _;

use crate::cli::Exit;
use crate::cli::args::ConfigArgs;
use crate::cli::output::Output;

#[derive(clap::Args)]
#[command(after_help = "Example:\n  lmscope config > ~/.config/lmscope/config.toml")]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    config: ConfigArgs,
    /// Only look whether the file can be used
    #[arg(long)]
    check: bool,
}

pub(in crate::cli) fn run(args: &Args, out: &mut Output) -> anyhow::Result<Exit> {
    let config = args.config.load()?;
    let standing = args.config.standing();
    if args.check {
        writeln!(out, "{standing}")?;
    } else {
        writeln!(out, "# {standing}\n{}", config.text())?;
    }
    Ok(Exit::Done)
}
