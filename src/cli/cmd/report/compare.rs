//! `lmscope report compare`

use super::facts;
use super::target::TargetFile;
use crate::cli::args::{ModelArgs, PromptArgs, TargetArgs};
use crate::cli::cmd::diff;
use crate::cli::output::Output;
use crate::report::{Block, Report, Section};

#[derive(clap::Args)]
#[command(after_help = "Example:\n  lmscope report compare \"The cat sat on a\" --other slide-chat -o change.html")]
pub(super) struct Args {
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
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    pub(super) target_file: TargetFile,
}

pub(super) fn build(args: &Args, out: &mut Output) -> anyhow::Result<Report> {
    let asked = diff::Asked {
        prompt: &args.prompt,
        other_prompt: args.other_prompt.as_deref(),
        other: args.other.as_deref(),
        target: &args.target,
        stream: crate::lens::Stream::Blocks,
        model: &args.model,
    };
    let found = diff::compared(&asked, out)?;
    let mut facts = facts::of_model("model A", &args.model, &found.first, out)?;
    if let Some(second) = &found.second {
        let model = ModelArgs { model: args.other.clone().unwrap_or_default(), ..args.model.clone() };
        facts.extend(facts::of_model("model B", &model, second, out)?);
    }
    let section = Section {
        title: "What differs".into(),
        text: vec!["A is the first prompt or model, B the second. Positions are aligned by their tokens.".into()],
        blocks: found.figures.into_iter().map(Block::Figure).collect(),
    };
    let other = args.other_prompt.as_ref().or(args.other.as_ref()).cloned().unwrap_or_default();
    Ok(Report {
        title: format!("“{}” beside “{other}”", args.prompt.prompt),
        about: format!("What differs in a forward pass of {}.", found.first.info.name),
        arguments: Vec::new(),
        facts,
        sections: vec![section],
    })
}
