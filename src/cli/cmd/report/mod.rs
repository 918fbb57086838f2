//! `lmscope report`: one subcommand, one file, one `build`; where the report goes is in one file.

mod check;
mod compare;
mod eval;
mod explain;
mod facts;
mod gallery;
mod session;
mod target;

use std::path::PathBuf;

use clap::Subcommand;

use self::target::TargetFile;
use crate::cli::Exit;
use crate::cli::output::Output;
use crate::report::Report;

#[derive(clap::Args)]
#[command(
    arg_required_else_help = true,
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  lmscope report explain \"Tom Cruise's mother is\" -o why.html\n  lmscope report eval runs/today --baseline runs/yesterday -o change.html\n  lmscope report --check why.html\n\nThe ending of -o chooses: .html is one page that needs no network, .md has its pictures beside it as SVG, .tex as PNG, .json holds every number.\n\nExit status of --check: 0 nothing differs, 1 a number does, 2 the report cannot be made again."
)]
pub(in crate::cli) struct Args {
    #[command(subcommand)]
    of: Option<What>,
    /// Make a report again, from what it was made of, and say what differs
    #[arg(long, value_name = "FILE")]
    check: Option<PathBuf>,
}

/// What is asked for.
#[derive(Subcommand)]
enum What {
    #[command(flatten)]
    One(Of),
    /// Examples of all of these, about the embedded models
    Gallery(gallery::Args),
}

/// What one report is of.
#[derive(Subcommand)]
enum Of {
    /// A prompt: what comes next, and why
    Explain(Box<explain::Args>),
    /// A session that was saved in the terminal UI
    Session(Box<session::Args>),
    /// Runs of suites, or one run beside another
    Eval(eval::Args),
    /// Two prompts, or two models on one text
    Compare(Box<compare::Args>),
}

impl Of {
    fn target(&self) -> &TargetFile {
        match self {
            Self::Explain(args) => &args.target_file,
            Self::Session(args) => &args.target_file,
            Self::Eval(args) => &args.target_file,
            Self::Compare(args) => &args.target_file,
        }
    }

    /// The report, which says that it is made by these arguments.
    fn build(&self, arguments: Vec<String>, out: &mut Output) -> anyhow::Result<Report> {
        let report = match self {
            Self::Explain(args) => explain::build(args, out),
            Self::Session(args) => session::build(args, out),
            Self::Eval(args) => eval::build(args),
            Self::Compare(args) => compare::build(args, out),
        }?;
        let facts = report.facts.into_iter().chain(facts::making(&arguments)).collect();
        Ok(Report { arguments, facts, ..report })
    }
}

pub(in crate::cli) fn run(args: &Args, out: &mut Output) -> anyhow::Result<Exit> {
    if let Some(file) = &args.check {
        return check::run(file, out);
    }
    let of = match &args.of {
        Some(What::One(of)) => of,
        Some(What::Gallery(args)) => return gallery::run(args, out),
        None => anyhow::bail!("there is nothing to report: say explain, session, eval, compare or gallery"),
    };
    of.target().check()?;
    let given = std::env::args_os().skip_while(|word| word != "report").skip(1);
    let given: Vec<String> = given.map(|word| word.to_string_lossy().into_owned()).collect();
    let report = of.build(target::without_output(&given), out)?;
    of.target().write(&report, out)?;
    Ok(Exit::Done)
}
