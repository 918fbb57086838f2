//! `lmscope completions`

use clap_complete::{Shell, generate};

use crate::cli::output::Output;
use crate::cli::{Exit, definition};

#[derive(clap::Args)]
#[command(after_help = "Example:\n  lmscope completions bash > ~/.local/share/bash-completion/completions/lmscope")]
pub(in crate::cli) struct Args {
    /// The shell
    shell: Shell,
}

pub(in crate::cli) fn run(args: &Args, out: &mut Output) -> anyhow::Result<Exit> {
    generate(args.shell, &mut definition(), "lmscope", out);
    Ok(Exit::Done)
}
