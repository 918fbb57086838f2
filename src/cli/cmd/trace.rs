//! `lmscope trace`

use std::collections::HashMap;
use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;

use crate::cli::Exit;
use crate::cli::args::{BosArgs, ModelArgs};
use crate::cli::intervene::{self, InterveneArgs};
use crate::cli::output::Output;
use crate::engine::Loaded;
use crate::figure::Provenance;
use crate::hook::SitePattern;
use crate::model;
use crate::text::Prompt;
use crate::trace::{self, Trace, TracePlan};

#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  lmscope trace \"The cat sat on a\" --hooks 'blocks.*.attn.hook_pattern,*.hook_resid_post' -o cat.safetensors\n\n--max-memory also limits the trace, to 4096 MiB unless given."
)]
pub(in crate::cli) struct Args {
    /// The text
    #[arg(value_name = "PROMPT", required_unless_present = "tokens", conflicts_with = "tokens")]
    prompt: Option<String>,
    /// Token ids instead of a text, exactly as given
    #[arg(long, value_name = "IDS", value_delimiter = ',')]
    tokens: Option<Vec<u32>>,
    /// Hooks to keep, with * for all layers and 3-5 for some; `lmscope hooks` lists them
    #[arg(
        long,
        value_name = "PATTERNS",
        default_value = "blocks.*.attn.hook_pattern,blocks.*.hook_resid_pre,blocks.*.hook_resid_post"
    )]
    hooks: String,
    /// The file to write
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    #[command(flatten)]
    intervene: InterveneArgs,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    bos: BosArgs,
}

pub(in crate::cli) fn run(args: &Args, out: &mut Output) -> anyhow::Result<Exit> {
    let patterns = SitePattern::parse_list(&args.hooks)?;
    let loaded = args.model.open(out)?;
    let cfg = &loaded.info.config;
    let prompt = prompt(args, &loaded)?;
    if prompt.ids.len() > cfg.n_ctx {
        return Err(model::Error::TooLong { found: prompt.ids.len(), n_ctx: cfg.n_ctx }.into());
    }
    let tokenise = |text: &str| Ok(Prompt::new(&loaded.tokenizer, text, args.bos.bos)?);
    let interventions = args.intervene.prepare(&loaded, Some(&prompt), &tokenise, &out.cancel())?;
    let plan = TracePlan::matching(cfg, &patterns)?;
    let needed = plan.bytes(cfg, prompt.ids.len()).div_ceil(1 << 20);
    out.note(&format!("{} hooks over {} tokens: about {needed} MiB", plan.len(), prompt.ids.len()));
    let hint = "name fewer hooks or layers with --hooks, shorten the prompt, or raise --max-memory";
    args.model.allow("trace", needed, hint)?;
    let mut tap = (interventions.tap(0), out.cancel());
    let trace = Trace::record(&loaded.decoder, &prompt.ids, &plan, &mut tap)?;
    trace.check_finite()?;
    trace::save(&trace, about(&intervene::provenance(&loaded, &prompt, &interventions), &prompt), &args.output)?;
    writeln!(out, "{}", args.output.display())?;
    Ok(Exit::Done)
}

fn prompt(args: &Args, loaded: &Loaded) -> anyhow::Result<Prompt> {
    match (&args.tokens, &args.prompt) {
        (Some(ids), _) => Ok(Prompt::from_ids(ids.clone(), loaded.info.config.d_vocab)?),
        (None, text) => {
            let text = text.as_deref().context("no prompt was given")?;
            Ok(Prompt::new(&loaded.tokenizer, text, args.bos.bos)?)
        }
    }
}

fn about(from: &Provenance, prompt: &Prompt) -> HashMap<String, String> {
    let pairs = [
        ("model", from.model.clone()),
        ("fingerprint", from.fingerprint.clone()),
        ("precision", from.precision.clone()),
        ("prompt", prompt.text.clone()),
        ("bos", prompt.bos.to_string()),
        ("interventions", from.interventions.join(" ")),
        ("lmscope", from.version.clone()),
    ];
    let pairs = pairs.into_iter().filter(|(_, value)| !value.is_empty());
    pairs.map(|(key, value)| (key.to_owned(), value)).collect()
}
