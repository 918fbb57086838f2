//! `lmscope lens`

use crate::cli::Exit;
use crate::cli::args::{Format, ModelArgs, PromptArgs};
use crate::cli::output::Output;
use crate::lens::{self, Context};
use crate::trace::Trace;

#[derive(clap::Args)]
#[command(
    after_help = "Lenses: attention, distribution, logit-lens\n\nExample:\n  lmscope lens logit-lens \"The cat sat on a\" --format csv"
)]
pub(in crate::cli) struct Args {
    /// The lens
    #[arg(value_name = "LENS")]
    name: String,
    #[command(flatten)]
    prompt: PromptArgs,
    #[command(flatten)]
    model: ModelArgs,
    /// How to print
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

pub(in crate::cli) fn run(args: &Args, out: &mut Output) -> anyhow::Result<Exit> {
    let lens = lens::find(&args.name)?;
    let loaded = args.model.open(out)?;
    let prompt = args.prompt.tokenise(&loaded)?;
    let trace = Trace::record(&loaded.decoder, &prompt.ids, &lens.needs(&loaded.info.config), &mut out.cancel())?;
    let provenance = loaded.provenance(Some(&prompt));
    let context = Context { lm: &loaded.decoder, tokenizer: &loaded.tokenizer, provenance: &provenance };
    let figures = lens.read(&trace, context)?;
    args.format.exporter().write(&figures, out)?;
    Ok(Exit::Done)
}
