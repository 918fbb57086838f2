//! `lmscope eval verify`

use std::path::Path;

use super::asked::AskArgs;
use super::source::{Source, open};
use super::{EvalFormat, print};
use crate::cli::Exit;
use crate::cli::args::{ModelArgs, hub_cache};
use crate::cli::intervene::InterveneArgs;
use crate::cli::output::Output;
use crate::eval::recheck::{self, Subject, Way};
use crate::eval::record::{self, FORMAT_VERSION, Origin, Record, Run, Settings, Status};
use crate::eval::request::Response;
use crate::eval::scheduler::Options;
use crate::eval::task::{TaskItem, TaskItemRecord};
use crate::eval::{self, run as asking, tables};
use crate::intervene::Intervened;

#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  lmscope eval verify reversal-curse -n 4\n  lmscope eval verify runs/today -n 4 -m model.gguf\n\nExit status: 0 nothing moves by more than --tolerance, 1 something does."
)]
pub(super) struct Args {
    /// A record, or a suite
    #[arg(value_name = "RECORD|SUITE")]
    what: String,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    intervene: InterveneArgs,
    #[command(flatten)]
    asked: AskArgs,
    /// How many items of each task are asked again, drawn with the seed
    #[arg(short, long, value_name = "K", default_value_t = 8)]
    n: usize,
    /// Seed of whatever is drawn
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// The largest difference of a log-probability that is let pass, in nats
    #[arg(long, value_name = "NATS", default_value_t = 1e-4)]
    tolerance: f64,
    /// How to print
    #[arg(long, value_enum, default_value = "table")]
    format: EvalFormat,
}

/// A record cannot be asked again.
#[derive(Debug, thiserror::Error)]
#[error("verify with `{model}`: a record cannot be asked again")]
struct NotAModel {
    model: String,
}

pub(super) fn run(args: &Args, out: &mut Output) -> anyhow::Result<Exit> {
    let identified = open(&args.model, &args.intervene, None, out)?;
    let Source::Model { loaded, interventions, .. } = &identified.source else {
        return Err(NotAModel { model: args.model.model.clone() }.into());
    };
    let folder = Path::new(&args.what);
    let record = folder.join("run.json").is_file().then(|| record::read(folder)).transpose()?;
    let tasks: Vec<Vec<TaskItem>> = match &record {
        Some(record) => record.run.tasks.iter().map(|task| asked(record, &task.name)).collect(),
        None => {
            let hub = hub_cache();
            let options = args.asked.options(args.seed, (loaded.chat.as_ref(), &loaded.info.name), &hub)?;
            let tasks = eval::prepare(&args.what, &loaded.tokenizer, &options)?;
            tasks.into_iter().map(|task| task.items).collect()
        }
    };
    let plan = plan(args, identified.model.clone(), identified.tokenizer.clone());
    let lm = Intervened::new(&loaded.decoder, interventions);
    let cancel = out.cancel();
    let subject = Subject { lm: &lm, tokenizer: &loaded.tokenizer, cancel: &cancel, run: &plan };
    let mut ways: Vec<Way> = Vec::new();
    for items in &tasks {
        let drawn = asking::drawn(items, &plan.settings);
        let expected = subject.alone(&drawn)?;
        let mut found = subject.ways(&drawn, &expected)?;
        if let Some(record) = &record {
            found.push(recheck::recorded(&drawn, &expected, &answered(record, &drawn)));
        }
        ways.extend(found);
    }
    print(out, args.format, &[tables::ways(&ways, &args.what)?], &ways)?;
    let holds = ways.iter().all(|way| way.largest <= args.tolerance && way.texts == 0);
    Ok(if holds { Exit::Done } else { Exit::No })
}

/// What this model is told apart by.
fn plan(args: &Args, model: record::Model, tokenizer: Option<record::TokenizerInfo>) -> Run {
    let defaults = Options::default();
    Run {
        format_version: FORMAT_VERSION,
        status: Status::Running,
        model,
        tokenizer,
        tasks: Vec::new(),
        settings: Settings {
            seed: Some(args.seed),
            tier: None,
            limit: Some(args.n),
            batch: Some(defaults.batch),
            top_k: Some(defaults.top_k),
            shard: None,
            chat: args.asked.turns(),
            system: args.asked.system().map(str::to_owned),
        },
        origin: Origin {
            lmscope_version: env!("CARGO_PKG_VERSION").into(),
            command: std::env::args().collect(),
            started: None,
            imported: None,
        },
        outcome: None,
    }
}

/// What a task of a record asked.
fn asked(record: &Record, task: &str) -> Vec<TaskItem> {
    record.items_of(task).map(TaskItemRecord::asked).collect()
}

/// What the record has as responses to these items.
fn answered(record: &Record, items: &[&TaskItem]) -> Vec<Response> {
    let of =
        |item: &&TaskItem| record.items.iter().find(|known| known.id == item.id && known.requests == item.requests);
    items.iter().filter_map(of).flat_map(|item| item.responses.iter().cloned()).collect()
}
