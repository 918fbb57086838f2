//! `lmscope diff`

use anyhow::bail;

use crate::cli::Exit;
use crate::cli::args::{ModelArgs, PromptArgs, TargetArgs};
use crate::cli::figures::FigureArgs;
use crate::cli::output::Output;
use crate::engine::Loaded;
use crate::figure::Figure;
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
    let stream = if args.sublayers { Stream::Sublayers } else { Stream::Blocks };
    let asked = Asked {
        prompt: &args.prompt,
        other_prompt: args.other_prompt.as_deref(),
        other: args.other.as_deref(),
        target: &args.target,
        stream,
        model: &args.model,
    };
    args.figures.write(&compared(&asked, out)?.figures, out)?;
    Ok(Exit::Done)
}

/// What is compared with what.
pub(super) struct Asked<'a> {
    pub(super) prompt: &'a PromptArgs,
    pub(super) other_prompt: Option<&'a str>,
    pub(super) other: Option<&'a str>,
    pub(super) target: &'a TargetArgs,
    pub(super) stream: Stream,
    pub(super) model: &'a ModelArgs,
}

/// What differs, and the models that were run.
pub(super) struct Compared {
    pub(super) first: Loaded,
    /// None if there is only one model.
    pub(super) second: Option<Loaded>,
    pub(super) figures: Vec<Figure>,
}

pub(super) fn compared(asked: &Asked<'_>, out: &Output) -> anyhow::Result<Compared> {
    if asked.other.is_none() && asked.other_prompt.is_none() {
        bail!("there is nothing to compare with: give another prompt, or another model with --other");
    }
    let first = asked.model.open(out)?;
    let second = asked.other.map(|model| ModelArgs { model: model.to_owned(), ..asked.model.clone() }.open(out));
    let second = second.transpose()?;
    let prompt = asked.prompt.tokenise(&first)?;
    let other: &Loaded = second.as_ref().unwrap_or(&first);
    let other_prompt = match asked.other_prompt {
        Some(text) => asked.prompt.tokenise_as_well(other, text)?,
        None => asked.prompt.tokenise(other)?,
    };
    let question = Question { ask: asked.target.ask(&first.tokenizer)?, stream: asked.stream, ..Question::default() };
    let provenance = [first.provenance(Some(&prompt)), other.provenance(Some(&other_prompt))];
    let sides = [side(&first, &prompt, &provenance[0]), side(other, &other_prompt, &provenance[1])];
    let figures = diff(sides[0], sides[1], &question, &out.cancel())?;
    Ok(Compared { first, second, figures })
}

const fn side<'a>(loaded: &'a Loaded, prompt: &'a Prompt, provenance: &'a crate::figure::Provenance) -> Side<'a> {
    Side { lm: &loaded.decoder, tokenizer: &loaded.tokenizer, prompt, provenance }
}
