//! `lmscope steer`

use std::collections::HashMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::Subcommand;

use crate::cli::Exit;
use crate::cli::args::{BosArgs, Format, ModelArgs};
use crate::cli::output::Output;
use crate::cli::progress::Progress;
use crate::engine::Loaded;
use crate::figure::Provenance;
use crate::intervene::Range;
use crate::intervene::vector::{self, SteeringVector};
use crate::probe::{Step, steering};
use crate::text::Prompt;

#[derive(clap::Args)]
#[command(after_help = "Example:\n  lmscope steer make happy.txt sad.txt --layer 2 -o mood.safetensors")]
pub(in crate::cli) struct Args {
    #[command(subcommand)]
    command: SteerCommand,
}

#[derive(Subcommand)]
enum SteerCommand {
    /// Compute steering vectors from pairs of prompts, for `--do steer:`
    Make(Box<MakeArgs>),
}

#[derive(clap::Args)]
#[command(
    after_help = "Line 3 of one file belongs to line 3 of the other. The vector of a layer is the mean difference of the residual\nstreams before that layer at the last tokens, positive minus negative.\n\nExample:\n  lmscope steer make happy.txt sad.txt --layer 2 -o mood.safetensors\n  lmscope predict \"I feel\" --do 'steer:L2+4*mood.safetensors@-1'"
)]
struct MakeArgs {
    /// Prompts that have what the vector stands for, one a line
    #[arg(value_name = "POSITIVE")]
    positive: PathBuf,
    /// Prompts that lack it, one a line, as many
    #[arg(value_name = "NEGATIVE")]
    negative: PathBuf,
    /// The layer before which the vector is added: a number, a range such as 2-4, -1 for the last, or *
    #[arg(long, value_name = "LAYERS", allow_hyphen_values = true)]
    layer: String,
    /// The file to write: .safetensors, or .gguf for llama.cpp; may be repeated
    #[arg(short, long, value_name = "FILE", required = true)]
    output: Vec<PathBuf>,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    bos: BosArgs,
    /// How to print
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

pub(in crate::cli) fn run(args: &Args, out: &mut Output) -> anyhow::Result<Exit> {
    match &args.command {
        SteerCommand::Make(args) => make(args, out),
    }
}

fn make(args: &MakeArgs, out: &mut Output) -> anyhow::Result<Exit> {
    let range = Range::parse("layer", &args.layer)?;
    let pairs = pairs(&lines(&args.positive)?, &lines(&args.negative)?)?;
    let loaded = args.model.open(out)?;
    let n_layers = loaded.info.config.n_layers;
    let span = range.resolve("layer", Some(n_layers))?;
    let layers: Vec<usize> = (span.start..span.end.unwrap_or(n_layers)).collect();
    let ids =
        |text: &String| -> anyhow::Result<Vec<u32>> { Ok(Prompt::new(&loaded.tokenizer, text, args.bos.bos)?.ids) };
    let ids: Vec<[Vec<u32>; 2]> = pairs.iter().map(|[a, b]| Ok([ids(a)?, ids(b)?])).collect::<anyhow::Result<_>>()?;
    let mut bar = Progress::new("{msg} {wide_bar} {pos}/{len} {eta}");
    let mut tell = |step: Step| bar.tell(step.done as u64, step.total as u64, "pairs");
    let directions = steering::directions(&loaded.decoder, &ids, &layers, &out.cancel(), &mut tell)?;
    let vectors: Vec<SteeringVector> = directions.iter().map(|direction| direction.vector.clone()).collect();
    for file in &args.output {
        save(&vectors, args, &loaded, file)?;
    }
    let figure = steering::figure(&directions, pairs.len(), loaded.provenance(None))?;
    args.format.exporter().write(&[figure], out)?;
    for file in &args.output {
        out.note(&format!("written: {}", file.display()));
    }
    out.flush()?;
    Ok(Exit::Done)
}

fn lines(file: &Path) -> anyhow::Result<Vec<String>> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read `{}`", file.display()))?;
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    match lines.iter().position(|line| line.trim().is_empty()) {
        Some(empty) => bail!("line {} of `{}` is empty, expected a prompt", empty + 1, file.display()),
        None if lines.is_empty() => bail!("`{}` is empty, expected a prompt a line", file.display()),
        None => Ok(lines),
    }
}

fn pairs(positive: &[String], negative: &[String]) -> anyhow::Result<Vec<[String; 2]>> {
    if positive.len() != negative.len() {
        bail!(
            "the files have {} and {} lines, expected as many in both: they are pairs",
            positive.len(),
            negative.len()
        );
    }
    Ok(positive.iter().zip(negative).map(|(a, b)| [a.clone(), b.clone()]).collect())
}

fn save(vectors: &[SteeringVector], args: &MakeArgs, loaded: &Loaded, file: &Path) -> anyhow::Result<()> {
    if file.extension().is_some_and(|extension| extension == "gguf") {
        return Ok(vector::save_gguf(vectors, &loaded.info.config.architecture, file)?);
    }
    Ok(vector::save(vectors, about(args, &loaded.provenance(None)), file)?)
}

fn about(args: &MakeArgs, from: &Provenance) -> HashMap<String, String> {
    let pairs = [
        ("method", "mean difference at the last token"),
        ("positive", &args.positive.to_string_lossy()),
        ("negative", &args.negative.to_string_lossy()),
        ("model", &from.model),
        ("fingerprint", &from.fingerprint),
        ("precision", &from.precision),
        ("lmscope", &from.version),
    ];
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}
