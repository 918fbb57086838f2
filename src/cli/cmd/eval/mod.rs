//! `lmscope eval`: one subcommand, one file, one `run`; what only looks at suites is in one file.

mod against;
pub(in crate::cli) mod asked;
pub(in crate::cli) mod bless;
mod compare;
mod curves;
mod export;
mod history;
mod import;
mod merge;
mod run;
mod source;
mod suites;
mod verify;

use std::io::Write as _;

use clap::Subcommand;
use serde::Serialize;

use crate::cli::Exit;
use crate::cli::output::Output;
use crate::export::EXPORTERS;
use crate::figure::Figure;

#[derive(clap::Args)]
pub(in crate::cli) struct Args {
    #[command(subcommand)]
    command: EvalCommand,
}

#[derive(Subcommand)]
enum EvalCommand {
    /// Run a suite against a model
    Run(Box<run::Args>),
    /// Compare two records item by item, and gate on the change
    Compare(compare::Args),
    /// Show how far the model's confidence may be believed
    Curves(curves::Args),
    /// Write the scores of a run as a baseline, to be committed
    Bless(bless::Args),
    /// Put the records of all shards of a run together
    Merge(merge::Args),
    /// Measure how far a score depends on how it is asked
    Verify(Box<verify::Args>),
    /// Write a record as another tool does
    Export(export::Args),
    /// Read the log of another tool as a record
    Import(import::Args),
    /// List the runs that were made
    History(history::Args),
    /// List the suites in the binary
    List(suites::ListArgs),
    /// Show an item of a suite as the model is asked it, with the boundaries of tokens
    Show(Box<suites::ShowArgs>),
    /// Read a suite and render every item of it; say all that is wrong
    Validate(suites::ValidateArgs),
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum EvalFormat {
    /// Aligned text
    Table,
    /// JSON
    Json,
}

pub(in crate::cli) fn run(args: &Args, out: &mut Output) -> anyhow::Result<Exit> {
    match &args.command {
        EvalCommand::Run(args) => run::run(args, out),
        EvalCommand::Compare(args) => compare::run(args, out),
        EvalCommand::Curves(args) => curves::run(args, out),
        EvalCommand::Bless(args) => bless::run(args, out),
        EvalCommand::Merge(args) => merge::run(args, out),
        EvalCommand::Verify(args) => verify::run(args, out),
        EvalCommand::Export(args) => export::run(args, out),
        EvalCommand::Import(args) => import::run(args, out),
        EvalCommand::History(args) => history::run(args, out),
        EvalCommand::List(args) => suites::list(args, out),
        EvalCommand::Show(args) => suites::show(args, out),
        EvalCommand::Validate(args) => suites::validate(args, out),
    }
}

/// Prints figures as text, or what they are made from as JSON.
fn print(out: &mut Output, format: EvalFormat, figures: &[Figure], json: &impl Serialize) -> anyhow::Result<()> {
    match format {
        EvalFormat::Json => {
            serde_json::to_writer_pretty(&mut *out, json)?;
            writeln!(out)?;
        }
        EvalFormat::Table => EXPORTERS[0].write(figures, out)?,
    }
    Ok(())
}
