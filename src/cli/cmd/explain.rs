//! `lmscope explain`

use std::io::Write as _;

use clap::ValueEnum;

use crate::cli::Exit;
use crate::cli::args::{ModelArgs, PromptArgs, TargetArgs};
use crate::cli::output::Output;
use crate::lens::Question;
use crate::probe::explain::explain;
use crate::probe::{InputOptions, Subject};

#[derive(clap::Args)]
#[command(after_help = "Example:\n  lmscope explain \"Tom Cruise's mother is\"")]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    prompt: PromptArgs,
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    model: ModelArgs,
    /// How to print
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A screen of text
    Text,
    /// Everything, as JSON
    Json,
}

pub(in crate::cli) fn run(args: &Args, out: &mut Output) -> anyhow::Result<Exit> {
    let loaded = args.model.open(out)?;
    let prompt = args.prompt.tokenise(&loaded)?;
    let atlas = args.model.measured_heads(&loaded, out)?;
    let question = Question { ask: args.target.ask(&loaded.tokenizer)?, ..Question::default() };
    let (provenance, cancel) = (loaded.provenance(Some(&prompt)), out.cancel());
    let subject = Subject {
        lm: &loaded.decoder,
        tokenizer: &loaded.tokenizer,
        prompt: &prompt,
        provenance: &provenance,
        question: &question,
        inputs: InputOptions::default(),
        atlas: Some(&atlas),
        cancel: &cancel,
    };
    let explanation = explain(&subject, &mut |_| ())?;
    match args.format {
        Format::Text => write!(out, "{}", explanation.text())?,
        Format::Json => {
            serde_json::to_writer_pretty(&mut *out, &explanation)?;
            writeln!(out)?;
        }
    }
    Ok(Exit::Done)
}
