//! `lmscope eval run`

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::against::{self, AgainstArgs};
use super::asked::AskArgs;
use super::source::{Identified, Source, open};
use super::{EvalFormat, print};
use crate::cli::Exit;
use crate::cli::args::{ModelArgs, hub_cache};
use crate::cli::folders;
use crate::cli::gate::{BaselineArgs, GateFormat, scores};
use crate::cli::intervene::InterveneArgs;
use crate::cli::output::Output;
use crate::cli::progress::Progress;
use crate::eval::backend::{Backend, Cached, Replay};
use crate::eval::cache::{Cache, Scope};
use crate::eval::event::Event;
use crate::eval::gate::Scores;
use crate::eval::history::History;
use crate::eval::record::{Existing, FORMAT_VERSION, Origin, Record, Run, Settings, Shard, Status, TaskInfo, Tier};
use crate::eval::scheduler::{Options, Scheduler};
use crate::eval::task::Task;
use crate::eval::{self, run as asking, tables};
use crate::intervene::Intervened;

#[derive(clap::Args, Clone)]
#[command(
    after_help = "Examples:\n  lmscope eval run reversal-curse -m model.gguf -o runs/today\n  lmscope eval run reversal-curse -m model.gguf -o runs/today --resume\n  lmscope eval run reversal-curse -m replay:runs/today\n  lmscope eval run comparisons -m slide-chat --chat --against slide\n\nWithout -o the record is in the folder that is printed. docs/records.md says what is in it."
)]
pub(super) struct Args {
    /// Suites in the binary, folders, or files: suite.toml, or task files of lm-evaluation-harness
    #[arg(value_name = "SUITE", required = true)]
    pub(super) suites: Vec<String>,
    #[command(flatten)]
    pub(super) model: ModelArgs,
    /// With -m replay:RECORD, the model whose tokenizer is used; its weights are not read
    #[arg(long, value_name = "MODEL")]
    pub(super) tokenizer: Option<String>,
    #[command(flatten)]
    pub(super) intervene: InterveneArgs,
    /// The folder for the record
    #[arg(short, long, value_name = "DIR")]
    pub(super) output: Option<PathBuf>,
    /// Go on with the record in the folder of -o where it ended
    #[arg(long, requires = "output")]
    pub(super) resume: bool,
    /// How much of each suite is asked: the items that it calls quick, or all
    #[arg(long, value_enum, default_value = "full")]
    tier: TierArg,
    /// Run only this many items of each task, drawn with the seed
    #[arg(long, value_name = "N")]
    pub(super) limit: Option<usize>,
    /// Seed of whatever is drawn
    #[arg(long, default_value_t = 0)]
    pub(super) seed: u64,
    #[command(flatten)]
    pub(super) asked: AskArgs,
    /// Run only part K of N of the items; `eval merge` puts the parts together
    #[arg(long, value_name = "K/N")]
    pub(super) shard: Option<Shard>,
    /// How many of the likeliest tokens are kept beside the first one of each continuation
    #[arg(long, value_name = "N", default_value_t = Options::default().top_k)]
    top_k: usize,
    /// How many sequences are run together at most, or fewer where --max-memory leaves less room beside the weights; it moves no score
    #[arg(long, value_name = "N", default_value_t = Options::default().batch)]
    batch: usize,
    #[command(flatten)]
    baseline: BaselineArgs,
    #[command(flatten)]
    pub(super) against: AgainstArgs,
    /// Ask the model even what it was asked before
    #[arg(long)]
    no_cache: bool,
    /// How to print
    #[arg(long, value_enum, default_value = "table")]
    pub(super) format: EvalFormat,
}

/// How much of a suite is asked.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum TierArg {
    /// The items that a suite calls quick
    Quick,
    /// All items
    Full,
}

impl TierArg {
    /// What the record says: nothing of the whole.
    fn settings(self) -> Option<Tier> {
        match self {
            Self::Quick => Some(Tier::Quick),
            Self::Full => None,
        }
    }
}

pub(super) fn run(args: &Args, out: &mut Output) -> anyhow::Result<Exit> {
    // a baseline that cannot be read is told before the work
    let old = args.baseline.baseline.as_deref().map(scores).transpose()?;
    if args.against.is_asked() {
        return against::run(args, out);
    }
    let measured = measure(args, out)?;
    let status = tell(args, &measured.record, old.as_ref(), out)?;
    out.note(&format!("record: {}", measured.folder.display()));
    Ok(status)
}

/// A model that was asked.
pub(super) struct Measured {
    pub(super) identified: Identified,
    pub(super) tasks: Vec<Task>,
    pub(super) record: Record,
    pub(super) folder: PathBuf,
}

/// Asks one model, and writes its record.
pub(super) fn measure(args: &Args, out: &mut Output) -> anyhow::Result<Measured> {
    let identified = open(&args.model, &args.intervene, args.tokenizer.as_deref(), out)?;
    let tasks = prepared(args, &identified)?;
    let plan = plan(args, &tasks, &identified);
    let folder = args.output.clone().unwrap_or_else(|| folders::new_record(&plan));
    for note in tasks.iter().flat_map(|task| &task.notes) {
        out.note(note);
    }
    tell_power(&tasks, &plan, out);
    let record = ask(args, &tasks, plan, &identified, &folder, out)?;
    remember(&record, &folder, out);
    Ok(Measured { identified, tasks, record, folder })
}

/// Prints the results and how they compare; as JSON only the latter, because the record has the former.
fn tell(args: &Args, record: &Record, old: Option<&Scores>, out: &mut Output) -> anyhow::Result<Exit> {
    let Some(old) = old else {
        print(out, args.format, &tables::results(&record.run)?, &record.run)?;
        return Ok(Exit::Done);
    };
    let format = match args.format {
        EvalFormat::Json => GateFormat::Json,
        EvalFormat::Table => {
            print(out, args.format, &tables::results(&record.run)?, &record.run)?;
            writeln!(out)?;
            GateFormat::Table
        }
    };
    let verdict = args.baseline.gate.judge(old, &Scores::of(record)?, format, out)?;
    Ok(if args.baseline.is_gated { verdict } else { Exit::Done })
}

/// The tasks of all suites.
fn prepared(args: &Args, identified: &Identified) -> anyhow::Result<Vec<Task>> {
    let hub = hub_cache();
    let options = args.asked.options(args.seed, (identified.source.chat(), &identified.model.name), &hub)?;
    Ok(eval::prepare_all(&args.suites, identified.source.tokenizer(), &options)?)
}

fn plan(args: &Args, tasks: &[Task], identified: &Identified) -> Run {
    let recorded = match &identified.source {
        Source::Record { record, .. } => Some(&record.run.settings),
        Source::Model { .. } => None,
    };
    let chosen = |value: usize, recorded: Option<Option<usize>>| recorded.unwrap_or(Some(value));
    Run {
        format_version: FORMAT_VERSION,
        status: Status::Running,
        model: identified.model.clone(),
        tokenizer: identified.tokenizer.clone(),
        tasks: tasks.iter().map(TaskInfo::of).collect(),
        settings: Settings {
            seed: Some(args.seed),
            tier: args.tier.settings(),
            limit: args.limit,
            batch: chosen(args.batch.max(1), recorded.map(|settings| settings.batch)),
            top_k: chosen(args.top_k, recorded.map(|settings| settings.top_k)),
            shard: args.shard,
            chat: args.asked.turns(),
            system: args.asked.system().map(str::to_owned),
        },
        origin: Origin {
            lmscope_version: env!("CARGO_PKG_VERSION").into(),
            command: std::env::args().collect(),
            started: folders::now(),
            imported: None,
        },
        outcome: None,
    }
}

/// What a change between two runs of this suite must be to be seen.
fn tell_power(tasks: &[Task], plan: &Run, out: &mut Output) {
    for task in tasks {
        let n = asking::selected(task, &plan.settings).len();
        let points = 100.0 * eval::results::detectable(n, 0.2);
        out.note(&format!(
            "{}: {n} items show a change of a share from {points:.1} points on (power 80 %, alpha 5 %, if 20 % of the items flip)",
            task.name
        ));
    }
}

fn ask(
    args: &Args,
    tasks: &[Task],
    plan: Run,
    identified: &Identified,
    folder: &Path,
    out: &mut Output,
) -> anyhow::Result<Record> {
    let cancel = out.cancel();
    match &identified.source {
        Source::Record { folder: recorded, record, .. } => {
            let mut replay = Replay::new(recorded.clone(), record);
            answered(args, tasks, plan, &mut replay, folder)
        }
        Source::Model { loaded, interventions, room } => {
            let lm = Intervened::new(&loaded.decoder, interventions);
            let defaults = Options::default();
            let memory = room.unwrap_or(defaults.memory);
            let options = Options { batch: args.batch, top_k: args.top_k, memory, ..defaults };
            let mut scheduler = Scheduler::new(&lm, &loaded.tokenizer, &cancel).with_options(options);
            let cache = if args.no_cache { None } else { opened_cache(&plan, out) };
            let mut cached = Cached::new(&mut scheduler, cache);
            let record = answered(args, tasks, plan, &mut cached, folder);
            if let Some(trouble) = cached.trouble() {
                warn(out, "the cache of responses was given up", trouble);
            }
            if cached.hits() > 0 {
                out.note(&format!(
                    "{} requests were answered from the cache; --no-cache asks them again",
                    cached.hits()
                ));
            }
            record
        }
    }
}

fn answered(
    args: &Args,
    tasks: &[Task],
    plan: Run,
    backend: &mut dyn Backend,
    folder: &Path,
) -> anyhow::Result<Record> {
    let started = Instant::now();
    let mut bar = Progress::new("{bar:30} {pos}/{len} items {per_sec} {eta} left {msg}");
    let mut sink = |event| {
        if let Event::Item { done, total, task, .. } = event {
            bar.tell(done as u64, total as u64, &task);
        }
    };
    let existing = if args.resume { Existing::Resume } else { Existing::Refuse };
    let output = asking::Output { folder: Some(folder), existing, elapsed: &|| started.elapsed() };
    Ok(asking::run(tasks, plan, backend, &output, &mut sink)?)
}

/// The cache of this model's responses. Without it a run takes longer, and is no different.
fn opened_cache(plan: &Run, out: &mut Output) -> Option<Cache> {
    let scope = Scope::of(plan)?;
    match Cache::open(&folders::cache().join("responses.sqlite"), scope) {
        Ok(cache) => Some(cache),
        Err(error) => {
            warn(out, "the cache of responses is not used", &error);
            None
        }
    }
}

fn remember(record: &Record, folder: &Path, out: &mut Output) {
    let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.into());
    let added = History::open(&folders::history()).and_then(|mut history| history.add(&record.run, Some(&folder)));
    if let Err(error) = added {
        warn(out, "the run is not in the history", &error);
    }
}

fn warn(out: &mut Output, what: &str, error: &eval::cache::Error) {
    let because = std::error::Error::source(error).map_or(String::new(), |source| format!(": {source}"));
    let hint = error.hint().map_or(String::new(), |hint| format!("; {hint}"));
    out.note(&format!("warning: {what}: {error}{because}{hint}"));
}
