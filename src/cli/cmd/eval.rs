//! `lmscope eval`

use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use clap::Subcommand;
use indicatif::{ProgressBar, ProgressStyle};

use super::eval_suites::{self, ShowArgs, ValidateArgs};
use crate::cli::Exit;
use crate::cli::args::ModelArgs;
use crate::cli::intervene::InterveneArgs;
use crate::cli::output::Output;
use crate::engine::Loaded;
use crate::eval::compare::{Gate, Verdict, compare};
use crate::eval::{self, EvalEvent, EvalSink, RunOptions, Suite, pair_record as record};
use crate::export::EXPORTERS;
use crate::intervene::Intervened;
use crate::text::{BosPolicy, Prompt};

#[derive(clap::Args)]
pub(in crate::cli) struct Args {
    #[command(subcommand)]
    command: EvalCommand,
}

#[derive(Subcommand)]
enum EvalCommand {
    /// Run a suite against a model
    Run(Box<RunArgs>),
    /// Compare two records of one suite, and gate on the change
    #[command(
        after_help = "Example:\n  lmscope eval compare old.jsonl new.jsonl --margin 0.02 --strict\n\nExit status: 0 the gate passes, 1 a metric is worse by more than the margin, 2 there is no comparison, 3 too few items to tell (with --strict)."
    )]
    Compare(CompareArgs),
    /// List the suites in the binary
    #[command(after_help = "Example:\n  lmscope eval list")]
    List,
    /// Show an item of a suite as the model is asked it, with the boundaries of tokens
    Show(Box<ShowArgs>),
    /// Read a suite and render every item of it; say all that is wrong
    Validate(ValidateArgs),
}

#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  lmscope eval run reversal-curse -m model.gguf -o runs\n\nA run that was stopped goes on where it was if the same -o is given."
)]
struct RunArgs {
    /// A suite in the binary, or a folder with suite.toml and items.jsonl
    #[arg(value_name = "SUITE")]
    suite: String,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    intervene: InterveneArgs,
    /// The folder for the record, one JSON line an item; an unfinished record there is continued
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Run only this many items, drawn with the seed
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Seed of whatever is drawn
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// How to print
    #[arg(long, value_enum, default_value = "table")]
    format: EvalFormat,
}

#[derive(clap::Args)]
struct CompareArgs {
    /// The record of the run to compare with
    #[arg(value_name = "OLD")]
    old: PathBuf,
    /// The record of the run to judge
    #[arg(value_name = "NEW")]
    new: PathBuf,
    /// How much worse the new run may be, as a share of the items
    #[arg(long, value_name = "SHARE", default_value_t = Gate::default().margin, value_parser = share)]
    margin: f64,
    /// End with status 3 where there are too few items to tell
    #[arg(long)]
    strict: bool,
    /// How to print
    #[arg(long, value_enum, default_value = "table")]
    format: EvalFormat,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum EvalFormat {
    /// Aligned text
    Table,
    /// JSON
    Json,
}

pub(in crate::cli) fn run(args: &Args, out: &mut Output) -> anyhow::Result<Exit> {
    match &args.command {
        EvalCommand::Run(args) => run_suite(args, out),
        EvalCommand::Compare(args) => compare_records(args, out),
        EvalCommand::List => eval_suites::list(out),
        EvalCommand::Show(args) => eval_suites::show(args, out),
        EvalCommand::Validate(args) => eval_suites::validate(args, out),
    }
}

fn run_suite(args: &RunArgs, out: &mut Output) -> anyhow::Result<Exit> {
    let suite = eval::load(&args.suite)?;
    let loaded = args.model.open(out)?;
    let cancel = out.cancel();
    let tokenise = |text: &str| Ok(Prompt::new(&loaded.tokenizer, text, BosPolicy::Model)?);
    let interventions = args.intervene.prepare(&loaded, None, &tokenise, &cancel)?;
    let name = std::iter::once(&loaded.info.name).chain(interventions.specs()).map(String::as_str);
    let name = name.collect::<Vec<_>>().join(" ");
    let options = RunOptions {
        model: eval::ModelInfo {
            name: name.clone(),
            fingerprint: loaded.info.fingerprint.clone(),
            precision: loaded.info.precision.of_numbers().describe(),
        },
        seed: args.seed,
        limit: args.limit,
        started: now(),
        record: args.output.as_deref().map(|dir| record_file(dir, &suite, &name, &loaded)),
    };
    let mut sink = Bar { bar: None };
    let lm = Intervened::new(&loaded.decoder, &interventions);
    let summary = eval::run(&suite, &lm, &loaded.tokenizer, &options, &cancel, &mut sink)?;
    match args.format {
        EvalFormat::Json => {
            serde_json::to_writer_pretty(&mut *out, &summary)?;
            writeln!(out)?;
        }
        EvalFormat::Table => EXPORTERS[0].write(&eval::report::figures(&summary)?, out)?,
    }
    if let Some(record) = &options.record {
        out.note(&format!("record: {}", record.display()));
    }
    Ok(Exit::Done)
}

fn compare_records(args: &CompareArgs, out: &mut Output) -> anyhow::Result<Exit> {
    let gate = Gate { margin: args.margin, ..Gate::default() };
    let (old, new) = (record::read(&args.old)?, record::read(&args.new)?);
    let found = compare(&old, &new, gate)?;
    match args.format {
        EvalFormat::Json => {
            serde_json::to_writer_pretty(&mut *out, &found)?;
            writeln!(out)?;
        }
        EvalFormat::Table => EXPORTERS[0].write(&eval::report::comparison(&found, gate)?, out)?,
    }
    Ok(match found.verdict {
        Verdict::Fail => Exit::No,
        Verdict::Inconclusive if args.strict => Exit::Inconclusive,
        Verdict::Pass | Verdict::Inconclusive => Exit::Done,
    })
}

/// A number from 0 to 1.
fn share(text: &str) -> Result<f64, String> {
    let share: f64 = text.parse().map_err(|_| "a number from 0 to 1 is expected".to_owned())?;
    if (0.0..=1.0).contains(&share) { Ok(share) } else { Err("a number from 0 to 1 is expected".to_owned()) }
}

/// One record a suite, model and arithmetic; `name` is the model's, with its interventions.
fn record_file(dir: &Path, suite: &Suite, name: &str, loaded: &Loaded) -> PathBuf {
    let model: String = name.chars().map(|c| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '_' }).collect();
    dir.join(format!("{}-{model}-{}.jsonl", suite.spec.name, &loaded.info.fingerprint[..8]))
}

/// Seconds since 1970, the record's time stamp.
fn now() -> String {
    #[expect(clippy::disallowed_methods, reason = "the command line is where the clock is read")]
    let now = std::time::SystemTime::now();
    now.duration_since(std::time::UNIX_EPOCH).map_or_else(|_| "unknown".into(), |since| since.as_secs().to_string())
}

/// A bar on a terminal, nothing elsewhere.
struct Bar {
    bar: Option<ProgressBar>,
}

impl EvalSink for Bar {
    fn event(&mut self, event: EvalEvent) {
        match event {
            EvalEvent::Started { total, resumed } if std::io::stderr().is_terminal() => {
                let bar = ProgressBar::new(total as u64).with_position(resumed as u64);
                if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} items {per_sec} {eta} left") {
                    bar.set_style(style);
                }
                self.bar = Some(bar);
            }
            EvalEvent::Item { done, .. } => {
                if let Some(bar) = &self.bar {
                    bar.set_position(done as u64);
                }
            }
            EvalEvent::Finished { .. } => {
                if let Some(bar) = &self.bar {
                    bar.finish_and_clear();
                }
            }
            EvalEvent::Started { .. } => {}
        }
    }
}
