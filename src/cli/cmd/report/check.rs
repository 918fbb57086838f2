//! `lmscope report --check`

use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;
use clap::Parser;

use super::Of;
use crate::cli::Exit;
use crate::cli::output::Output;
use crate::export::inert_line;
use crate::report::{arguments, compare};

/// Differences that are listed.
const MOST: usize = 20;

/// The arguments that a report holds.
#[derive(Parser)]
#[command(name = "lmscope report", no_binary_name = true)]
pub(super) struct Again {
    #[command(subcommand)]
    pub(super) of: Of,
}

pub(super) fn run(file: &Path, out: &mut Output) -> anyhow::Result<Exit> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read `{}`", file.display()))?;
    let old = arguments(file, &text)?;
    let again = Again::try_parse_from(&old.arguments)
        .context("the arguments that the report holds are no longer understood")?;
    out.note(&format!("again: lmscope report {}", inert_line(&old.arguments.join(" "))));
    let new = again.of.build(old.arguments.clone(), out)?.json()?;
    let found = compare(&old.value, &new);
    for one in found.iter().take(MOST) {
        writeln!(
            out,
            "{}: {} in the report, {} now",
            inert_line(&one.place),
            inert_line(&one.old),
            inert_line(&one.new)
        )?;
    }
    if found.is_empty() {
        writeln!(out, "nothing differs: every number of `{}` comes out again", file.display())?;
        return Ok(Exit::Done);
    }
    writeln!(out, "{} of what `{}` says is not so now", found.len(), file.display())?;
    Ok(Exit::No)
}
