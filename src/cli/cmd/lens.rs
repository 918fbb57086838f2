//! `lmscope lens`

use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::bail;

use crate::cli::Exit;
use crate::cli::args::{InputArgs, ModelArgs, PromptArgs, SamplingArgs, TargetArgs, token_id};
use crate::cli::figures::FigureArgs;
use crate::cli::intervene::{self, InterveneArgs};
use crate::cli::output::Output;
use crate::cli::progress::Progress;
use crate::engine::Loaded;
use crate::figure::Figure;
use crate::hook::Head;
use crate::intervene::Interventions;
use crate::lens::tuned::Translators;
use crate::lens::{self, Context, LENSES, Lens, LensError, Question, Sink, Stream};
use crate::probe::{self, InputOptions, PROBES, Probe, Subject};
use crate::text::Prompt;
use crate::trace::Trace;

#[derive(clap::Args)]
#[command(after_help = help())]
pub(in crate::cli) struct Args {
    /// The lens
    #[arg(value_name = "LENS")]
    name: String,
    #[command(flatten)]
    prompt: PromptArgs,
    #[command(flatten)]
    target: TargetArgs,
    /// How many entries of each kind to show
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    top: u32,
    /// A token to follow through the layers, as its exact text or as #ID; may be repeated
    #[arg(long, value_name = "TOKEN")]
    watch: Vec<String>,
    /// Also read the residual stream between a block's attention and MLP
    #[arg(long)]
    sublayers: bool,
    /// Make the logit lens a tuned lens: a safetensors file with `{layer}.weight` and `{layer}.bias`
    #[arg(long, value_name = "FILE", conflicts_with = "sublayers")]
    tuned: Option<PathBuf>,
    /// The head to show large, as in L5H3 (attention)
    #[arg(long, value_name = "HEAD")]
    head: Option<Head>,
    /// Leave attention to the first token out, where heads rest (attention, rollout)
    #[arg(long)]
    mask_sink: bool,
    #[command(flatten)]
    sampling: SamplingArgs,
    #[command(flatten)]
    intervene: InterveneArgs,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    figures: FigureArgs,
    #[command(flatten)]
    inputs: InputArgs,
}

/// Every lens and probe, from their registries.
fn help() -> String {
    let entries = LENSES.iter().map(|lens| (lens.name(), lens.about()));
    let entries = entries.chain(PROBES.iter().map(|probe| (probe.name(), probe.about())));
    let mut text = "Lenses:\n".to_owned();
    for (name, about) in entries {
        let _ = writeln!(text, "  {name:<20} {about}");
    }
    text.push_str("\nExample:\n  lmscope lens logit-lens \"The cat sat on a\" --format csv");
    text
}

/// What a name stands for.
enum Analysis {
    Lens(&'static dyn Lens),
    Probe(&'static dyn Probe),
}

fn find(name: &str) -> Result<Analysis, LensError> {
    match (lens::find(name), probe::find(name)) {
        (Some(lens), _) => Ok(Analysis::Lens(lens)),
        (None, Some(probe)) => Ok(Analysis::Probe(probe)),
        (None, None) => {
            let known = LENSES.iter().map(|lens| lens.name()).chain(PROBES.iter().map(|probe| probe.name())).collect();
            Err(LensError::Unknown { found: name.into(), known })
        }
    }
}

pub(in crate::cli) fn run(args: &Args, out: &mut Output) -> anyhow::Result<Exit> {
    args.figures.check()?;
    let analysis = find(&args.name)?;
    let loaded = args.model.open(out)?;
    let prompt = args.prompt.tokenise(&loaded)?;
    let watch = args.watch.iter().map(|text| token_id(text, &loaded.tokenizer)).collect::<anyhow::Result<_>>()?;
    let stream = if args.sublayers { Stream::Sublayers } else { Stream::Blocks };
    let sink = if args.mask_sink { Sink::Masked } else { Sink::Kept };
    let (ask, top) = (args.target.ask(&loaded.tokenizer)?, args.top as usize);
    let sampling = args.sampling.sampling(1.0);
    let atlas = match analysis {
        Analysis::Lens(lens) if lens.reads_atlas() => args.model.known_heads(&loaded, out)?,
        Analysis::Probe(probe) if probe.reads_atlas() => Some(args.model.measured_heads(&loaded, out)?),
        Analysis::Lens(_) | Analysis::Probe(_) => None,
    };
    let tuned = args.tuned.as_deref().map(|file| Translators::load(file, &loaded.info.config)).transpose()?;
    let question = Question { ask, top, watch, stream, head: args.head, sink, sampling, atlas, tuned };
    let tokenise = |text: &str| args.prompt.tokenise_as_well(&loaded, text);
    let interventions = args.intervene.prepare(&loaded, Some(&prompt), &tokenise, &out.cancel())?;
    let figures = match analysis {
        Analysis::Lens(lens) => read(lens, &loaded, &prompt, &question, &interventions, out)?,
        Analysis::Probe(probe) if interventions.is_empty() => {
            let inputs = args.inputs.options(&loaded.tokenizer)?;
            experiment(probe, &loaded, &prompt, (&question, inputs), out)?
        }
        Analysis::Probe(_) => bail!("`{}` runs the model with interventions of its own: it takes no --do", args.name),
    };
    args.figures.write(&figures, out)?;
    Ok(Exit::Done)
}

fn read(
    lens: &dyn Lens,
    loaded: &Loaded,
    prompt: &Prompt,
    question: &Question,
    interventions: &Interventions,
    out: &Output,
) -> anyhow::Result<Vec<Figure>> {
    let plan = lens.needs(&loaded.info.config, question);
    let mut tap = (interventions.tap(0), out.cancel());
    let trace = Trace::record(&loaded.decoder, &prompt.ids, &plan, &mut tap)?;
    let provenance = intervene::provenance(loaded, prompt, interventions);
    let context = Context { lm: &loaded.decoder, tokenizer: &loaded.tokenizer, provenance: &provenance, question };
    Ok(lens.read(&trace, context)?)
}

fn experiment(
    probe: &dyn Probe,
    loaded: &Loaded,
    prompt: &Prompt,
    (question, inputs): (&Question, InputOptions),
    out: &Output,
) -> anyhow::Result<Vec<Figure>> {
    let (provenance, cancel) = (loaded.provenance(Some(prompt)), out.cancel());
    let (lm, tokenizer, provenance, cancel) = (&loaded.decoder, &loaded.tokenizer, &provenance, &cancel);
    let atlas = question.atlas.as_ref();
    let subject = Subject { lm, tokenizer, prompt, provenance, question, inputs, atlas, cancel };
    let mut bar = Progress::new("{msg} {wide_bar} {pos}/{len} {eta}");
    let mut tell = |step: probe::Step| bar.tell(step.done as u64, step.total as u64, probe.name());
    Ok(probe.run(&subject, &mut tell)?)
}
