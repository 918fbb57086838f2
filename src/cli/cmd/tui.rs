//! `lmscope tui`

use crate::cli::Exit;
use crate::cli::args::{BosArgs, ModelArgs, head_store};
use crate::cli::output::Output;
use crate::tui::{self, TuiOptions};

#[derive(clap::Args)]
#[command(after_help = "Example:\n  lmscope tui \"Tom Cruise's mother is\" -m slide")]
pub(in crate::cli) struct Args {
    /// The text to start from
    #[arg(value_name = "PROMPT")]
    prompt: Option<String>,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    bos: BosArgs,
}

pub(in crate::cli) fn run(args: Args, out: &mut Output) -> anyhow::Result<Exit> {
    let options = TuiOptions {
        source: args.model.source_within_memory()?,
        options: args.model.options(),
        prompt: args.prompt,
        bos: args.bos.bos,
        heads: Some(head_store()),
        ..TuiOptions::default()
    };
    let end = out.cancel();
    tui::run(options, &end)?;
    Ok(if end.is_cancelled() { Exit::Interrupted } else { Exit::Done })
}
