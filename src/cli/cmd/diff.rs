//! `lmscope diff`

use anyhow::bail;

use crate::cli::Exit;
use crate::cli::args::{ModelArgs, PromptArgs, TargetArgs};
use crate::cli::figures::FigureArgs;
use crate::cli::output::Output;
use crate::engine::Loaded;
use crate::lens::{Question, Stream};
use crate::probe::diff::{Side, diff};
use crate::text::Prompt;

#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  lmscope diff \"The cat sat on a\" \"The dog sat on a\"\n  lmscope diff \"The cat sat on a\" --other slide-chat"
)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    prompt: PromptArgs,
    /// Another prompt to compare with
    #[arg(value_name = "OTHER_PROMPT")]
    other_prompt: Option<String>,
    /// Another model to compare with, on the same text
    #[arg(long, value_name = "MODEL")]
    other: Option<String>,
    #[command(flatten)]
    target: TargetArgs,
    /// Also compare the residual stream between a block's attention and MLP
    #[arg(long)]
    sublayers: bool,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    figures: FigureArgs,
}

pub(in crate::cli) fn run(args: &Args, out: &mut Output) -> anyhow::Result<Exit> {
    args.figures.check()?;
    if args.other.is_none() && args.other_prompt.is_none() {
        bail!("there is nothing to compare with: give another prompt, or another model with --other");
    }
    let first = args.model.open(out)?;
    let second = args.other.as_ref().map(|model| ModelArgs { model: model.clone(), ..args.model.clone() }.open(out));
    let second = second.transpose()?;
    let prompt = args.prompt.tokenise(&first)?;
    let other: &Loaded = second.as_ref().unwrap_or(&first);
    let other_prompt = match &args.other_prompt {
        Some(text) => args.prompt.tokenise_as_well(other, text)?,
        None => args.prompt.tokenise(other)?,
    };
    let stream = if args.sublayers { Stream::Sublayers } else { Stream::Blocks };
    let ask = args.target.ask(&first.tokenizer)?;
    let question = Question { ask, stream, ..Question::default() };
    let provenance = [first.provenance(Some(&prompt)), other.provenance(Some(&other_prompt))];
    let sides = [side(&first, &prompt, &provenance[0]), side(other, &other_prompt, &provenance[1])];
    let figures = diff(sides[0], sides[1], &question, &out.cancel())?;
    args.figures.write(&figures, out)?;
    Ok(Exit::Done)
}

const fn side<'a>(loaded: &'a Loaded, prompt: &'a Prompt, provenance: &'a crate::figure::Provenance) -> Side<'a> {
    Side { lm: &loaded.decoder, tokenizer: &loaded.tokenizer, prompt, provenance }
}
