//! `lmscope verify`

use std::io::Write as _;
use std::path::PathBuf;

use serde::Serialize;

use crate::cli::Exit;
use crate::cli::args::{BosArgs, Format, ModelArgs, text_or_stdin};
use crate::cli::output::Output;
use crate::cli::progress::Progress;
use crate::engine::Loaded;
use crate::figure::Provenance;
use crate::model::load::Precision;
use crate::text::Prompt;
use crate::verify::{self, DEFAULT_TOLERANCE, Reference, Report, Step, Subject};

#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  lmscope verify -m model.gguf\n  lmscope verify -m ~/models/gpt2 --reference gpt2.safetensors\n\nExit codes: 0 every law holds, 1 one fails, 2 could not be verified. docs/verify.md explains each law, and has the\nscript that writes a reference."
)]
pub(in crate::cli) struct Args {
    /// The text to verify on; - reads standard input; a fixed text unless given
    #[arg(value_name = "PROMPT", conflicts_with = "reference")]
    prompt: Option<String>,
    #[command(flatten)]
    model: ModelArgs,
    /// Also compare with what another implementation computed: a safetensors file with `input_ids`, `logits`
    #[arg(long, value_name = "FILE")]
    reference: Option<PathBuf>,
    /// How far logits and patterns may be off, absolutely, and streams relative to the largest value at the position
    #[arg(long, value_name = "X", default_value_t = DEFAULT_TOLERANCE, requires = "reference", value_parser = tolerance)]
    tolerance: f64,
    #[command(flatten)]
    bos: BosArgs,
    /// How to print
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

fn tolerance(text: &str) -> Result<f64, String> {
    let value = text.parse().ok().filter(|value: &f64| value.is_finite() && *value >= 0.0);
    value.ok_or_else(|| "expected a number that is not negative".into())
}

/// The report as JSON.
#[derive(Serialize)]
struct Verified<'a> {
    #[serde(flatten)]
    provenance: &'a Provenance,
    tokens: &'a [u32],
    holds: bool,
    #[serde(flatten)]
    report: &'a Report,
}

pub(in crate::cli) fn run(args: &Args, out: &mut Output) -> anyhow::Result<Exit> {
    let loaded = args.model.open(out)?;
    let cfg = &loaded.info.config;
    let reference = args.reference.as_deref().map(|file| Reference::read(file, cfg, args.tolerance)).transpose()?;
    let prompt = match &reference {
        Some(reference) => Prompt::from_ids(reference.ids().to_vec(), cfg.d_vocab)?,
        None => prompt(args, &loaded)?,
    };
    let cancel = out.cancel();
    let Precision { arithmetic, dtype, .. } = loaded.info.precision;
    let (lm, decoder) = (&loaded.decoder, Some(&loaded.decoder));
    let subject = Subject { lm, decoder, ids: &prompt.ids, arithmetic, dtype, cancel: &cancel };
    let mut progress = Progress::new("{bar:30} {pos}/{len} {msg}");
    let mut tell = |step: Step| progress.tell(step.done as u64, step.total as u64, step.name);
    let report = verify::run(&subject, reference.as_ref(), &mut tell)?;
    drop(progress);
    print(args.format, &report, &loaded.provenance(Some(&prompt)), &prompt, out)?;
    Ok(if report.holds() { Exit::Done } else { Exit::No })
}

fn prompt(args: &Args, loaded: &Loaded) -> anyhow::Result<Prompt> {
    Ok(match &args.prompt {
        Some(text) => Prompt::new(&loaded.tokenizer, &text_or_stdin(text)?, args.bos.bos)?,
        None => loaded.verification_prompt()?,
    })
}

fn print(
    format: Format,
    report: &Report,
    provenance: &Provenance,
    prompt: &Prompt,
    out: &mut Output,
) -> anyhow::Result<()> {
    if format == Format::Json {
        let verified = Verified { provenance, tokens: &prompt.ids, holds: report.holds(), report };
        serde_json::to_writer_pretty(&mut *out, &verified)?;
        writeln!(out)?;
    } else {
        format.exporter().write(&[report.figure(provenance.clone())?], out)?;
    }
    Ok(())
}
