//! `lmscope report session`

use std::path::PathBuf;

use super::facts;
use super::target::TargetFile;
use crate::cli::cmd::replay::again;
use crate::cli::output::Output;
use crate::report::{Block, Fact, Report, Section};

#[derive(clap::Args)]
#[command(after_help = "Example:\n  lmscope report session found.lmscope -o found.html")]
pub(super) struct Args {
    /// A session that was saved in the terminal UI
    #[arg(value_name = "SESSION")]
    session: PathBuf,
    /// The model, if it is elsewhere now
    #[arg(short, long, value_name = "MODEL")]
    model: Option<String>,
    /// How many MiB of memory weights may take; without it, what is free
    #[arg(long, value_name = "MIB")]
    max_memory: Option<u64>,
    #[command(flatten)]
    pub(super) target_file: TargetFile,
}

pub(super) fn build(args: &Args, out: &mut Output) -> anyhow::Result<Report> {
    let again = again(&args.session, args.model.as_ref(), args.max_memory, out)?;
    let mut facts = facts::of_model("model", &again.model, &again.loaded, out)?;
    facts.push(Fact::subject("session", args.session.display().to_string()));
    let section = |(name, figures): (String, Vec<_>)| Section {
        title: name,
        text: Vec::new(),
        blocks: figures.into_iter().map(Block::Figure).collect(),
    };
    Ok(Report {
        title: format!("Session {}", args.session.display()),
        about: format!("What every lens shows of the selected branch, in {}.", again.loaded.info.name),
        arguments: Vec::new(),
        facts,
        sections: again.figures.into_iter().map(section).collect(),
    })
}
