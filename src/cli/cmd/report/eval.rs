//! `lmscope report eval`

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::Value;

use super::facts;
use super::target::TargetFile;
use crate::cli::args::hub_cache;
use crate::cli::gate::scores;
use crate::engine::open_text_side;
use crate::eval::curves::curves;
use crate::eval::gate::{self, Gate, Scores};
use crate::eval::record::{self, Record};
use crate::eval::request::{Request, Response};
use crate::eval::results::{IntervalMethod, MetricResult};
use crate::eval::tables;
use crate::eval::task::{Observed, TaskItemRecord};
use crate::figure::{Bar, Bars, Content, Figure, Scale};
use crate::model::source::ModelSource;
use crate::report::{Answered, Block, Fact, Items, Report, ScoredText, Section};
use crate::text::Tokenizer;

#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  lmscope eval run hallucination -o runs/today && lmscope report eval runs/today -o today.html\n  lmscope report eval runs/new --baseline runs/old -o change.html"
)]
pub(super) struct Args {
    /// The records of runs, a section each
    #[arg(value_name = "RECORD", required = true)]
    records: Vec<PathBuf>,
    /// Compare each with this record, or with the baseline that `eval bless` wrote
    #[arg(long, value_name = "RECORD")]
    baseline: Option<PathBuf>,
    /// The model whose tokenizer spells the tokens that were scored; embedded models are found without
    #[arg(long, value_name = "MODEL")]
    tokenizer: Option<String>,
    #[command(flatten)]
    pub(super) target_file: TargetFile,
}

pub(super) fn build(args: &Args) -> anyhow::Result<Report> {
    let baseline = args.baseline.as_deref().map(Baseline::read).transpose()?;
    let (mut sections, mut facts) = (Vec::new(), Vec::new());
    for (at, folder) in args.records.iter().enumerate() {
        let record = read(folder)?;
        let role = if args.records.len() == 1 { "run".to_owned() } else { format!("run {}", at + 1) };
        facts.push(Fact::subject(&format!("{role}: record"), folder.display().to_string()));
        facts.extend(facts::of_run(&role, &record.run));
        let words = words(&record, args.tokenizer.as_deref())?;
        sections.push(results(&role, &record)?);
        if let Some(baseline) = &baseline {
            sections.push(change(&role, &baseline.scores, &record)?);
        }
        sections.push(items(&role, &record, baseline.as_ref().and_then(|old| old.record.as_ref()), words.as_ref())?);
    }
    if let (Some(folder), Some(baseline)) = (&args.baseline, &baseline) {
        facts.push(Fact::subject("baseline: record", folder.display().to_string()));
        facts.extend(baseline.facts());
    }
    let names: Vec<String> = args.records.iter().map(|folder| folder.display().to_string()).collect();
    let beside = args.baseline.as_ref().map_or(String::new(), |folder| format!(", beside {}", folder.display()));
    Ok(Report {
        title: format!("Evaluation: {}", names.join(", ")),
        about: format!("What came of {}{beside}.", if names.len() == 1 { "this run" } else { "these runs" }),
        arguments: Vec::new(),
        facts,
        sections,
    })
}

/// What runs are compared with.
struct Baseline {
    scores: Scores,
    /// None if it is a file of `eval bless`, which holds no answers.
    record: Option<Record>,
}

impl Baseline {
    fn read(path: &Path) -> anyhow::Result<Self> {
        let record = if path.is_dir() { Some(read(path)?) } else { None };
        let scores = match &record {
            Some(record) => Scores::of(record)?,
            None => scores(path)?,
        };
        Ok(Self { scores, record })
    }

    fn facts(&self) -> Vec<Fact> {
        let Some(record) = &self.record else {
            let origin = &self.scores.origin;
            return vec![
                Fact::subject("baseline", &origin.model),
                Fact::subject("baseline: fingerprint", &origin.fingerprint),
                Fact::subject("baseline: SHA-256 of the tokenizer", &origin.tokenizer),
                Fact::subject("baseline: run by", format!("lmscope {}", origin.lmscope_version)),
            ];
        };
        facts::of_run("baseline", &record.run)
    }
}

fn read(folder: &Path) -> anyhow::Result<Record> {
    record::read(folder).with_context(|| format!("cannot read the record `{}`", folder.display()))
}

/// The tokenizer that was named, or that of an embedded model that the record was made with.
fn words(record: &Record, named: Option<&str>) -> anyhow::Result<Option<Tokenizer>> {
    let known = record.run.tokenizer.as_ref().map(|tokenizer| tokenizer.sha256.as_str());
    if let Some(named) = named {
        let side = open_text_side(&ModelSource::from_arg(named, &hub_cache())?)?;
        if known.is_some_and(|known| known != side.sha256) {
            anyhow::bail!("the record was made with another tokenizer than that of `{named}`");
        }
        return Ok(Some(side.tokenizer));
    }
    let embedded = open_text_side(&ModelSource::from_arg("slide", &hub_cache())?)?;
    Ok((known == Some(embedded.sha256.as_str())).then_some(embedded.tokenizer))
}

fn results(role: &str, record: &Record) -> anyhow::Result<Section> {
    let mut blocks: Vec<Block> = Vec::new();
    let found = record.run.outcome.as_ref().map_or(&[][..], |outcome| &outcome.results);
    let tables = tables::results(&record.run)?;
    for task in &record.run.tasks {
        blocks.extend(shares(&task.name, found, tables.first()).map(Block::Figure));
    }
    blocks.extend(tables.into_iter().chain(curves(record)?).map(Block::Figure));
    let n = record.run.outcome.as_ref().map_or(0, |outcome| outcome.n_items);
    let state = match record.run.status {
        record::Status::Complete => format!("{n} items, complete."),
        record::Status::Running => "The run is not complete: there are no results yet.".into(),
    };
    Ok(Section { title: format!("Results of {role}: {}", record.run.model.name), text: vec![state], blocks })
}

/// The shares of a task's items with their intervals, over all of them and in each stratum, as bars.
fn shares(task: &str, results: &[MetricResult], like: Option<&Figure>) -> Option<Figure> {
    /// More are in the table.
    const MOST: usize = 40;
    let is_share = |one: &&MetricResult| one.task == task && one.method == IntervalMethod::Wilson;
    let bar = |one: &MetricResult| {
        let filter = if one.filter == "none" { String::new() } else { format!(", {}", one.filter) };
        let stratum = one.stratum.as_ref().map_or(String::new(), |stratum| format!(" · {stratum}"));
        Some(Bar { label: format!("{}{filter}{stratum}", one.metric), value: one.value?, interval: one.interval })
    };
    let bars: Vec<Bar> = results.iter().filter(is_share).filter_map(bar).take(MOST).collect();
    (!bars.is_empty()).then(|| Figure {
        title: format!("{task}: shares"),
        caption: format!(
            "Shares of items with their 95 % intervals (Wilson), over all items and by stratum; at most {MOST} are drawn, all \
             of them are in the table."
        ),
        provenance: like.map(|figure| figure.provenance.clone()).unwrap_or_default(),
        content: Content::Bars(Bars { bars, scale: Scale::Probability, unit: "share".into() }),
    })
}

fn change(role: &str, old: &Scores, new: &Record) -> anyhow::Result<Section> {
    let found = gate::compare(old, &Scores::of(new)?, &Gate::default())?;
    let figures = gate::report::figures(&found)?;
    Ok(Section {
        title: format!("Change of {role} from the baseline"),
        text: vec![format!("{}.", gate::report::summary(&found))],
        blocks: figures.into_iter().map(Block::Figure).collect(),
    })
}

fn items(role: &str, record: &Record, old: Option<&Record>, words: Option<&Tokenizer>) -> anyhow::Result<Section> {
    let mut metrics: Vec<String> = Vec::new();
    for metric in record.run.tasks.iter().flat_map(|task| &task.metrics) {
        let name = named(&metric.metric, &metric.filter);
        if !metrics.contains(&name) {
            metrics.push(name);
        }
    }
    let old = old.map(|record| record.items.iter().map(|item| ((item.task.as_str(), item.id.as_str()), item)));
    let old: Option<BTreeMap<_, _>> = old.map(Iterator::collect);
    let answered = record.items.iter().map(|item| Answered {
        before: old.as_ref().and_then(|old| Some(values(old.get(&(item.task.as_str(), item.id.as_str()))?, &metrics))),
        ..answered(item, &metrics, words)
    });
    let caption =
        "Every item with what was asked, the right answer, the answer and its values; of texts that were scored, \
                   each token with its probability. A list is cut to what fits; open an item to read it whole."
            .to_owned();
    let items = Items::new(&format!("Items of {role}"), caption, metrics.clone(), answered.collect())?;
    Ok(Section { title: format!("Items of {role}"), text: Vec::new(), blocks: vec![Block::Items(items)] })
}

fn named(metric: &str, filter: &str) -> String {
    if filter == "none" { metric.to_owned() } else { format!("{metric}, {filter}") }
}

fn values(item: &TaskItemRecord, metrics: &[String]) -> Vec<Value> {
    let of = |name: &String| {
        let mut all = item.graded.observations.iter();
        all.find(|one| named(&one.metric, &one.filter) == *name).map_or(Value::Null, |one| plain(&one.value))
    };
    metrics.iter().map(of).collect()
}

/// Right or wrong, a number, or nothing.
fn plain(value: &Observed) -> Value {
    match value {
        Observed::Flag(flag) => (*flag).into(),
        Observed::Number(number)
        | Observed::Text { loglik: number, .. }
        | Observed::Contrast { margin: number, .. } => (*number).into(),
        Observed::Ratio { part, whole } => (part / whole).into(),
        Observed::Classes { gold, predicted } => (gold == predicted).into(),
        Observed::Judged { is_right, .. } => (*is_right).into(),
    }
}

fn answered(item: &TaskItemRecord, metrics: &[String], words: Option<&Tokenizer>) -> Answered {
    let strata: Vec<String> = item.strata.iter().map(|(name, value)| format!("{name}={value}")).collect();
    Answered {
        id: item.id.clone(),
        task: item.task.clone(),
        strata: strata.join(", "),
        prompt: item.requests.first().map(context).unwrap_or_default(),
        target: item.target.clone(),
        answer: answer(item),
        values: values(item, metrics),
        before: None,
        scored: item.responses.iter().filter_map(|response| scored(response, words)).collect(),
    }
}

/// What came before the answer.
fn context(request: &Request) -> String {
    request.given().to_owned()
}

/// What the model wrote, or of what was scored the likeliest.
fn answer(item: &TaskItemRecord) -> String {
    let written = item.responses.iter().filter_map(|response| Some(response.generated()?.text.clone()));
    if let Some(first) = written.into_iter().next() {
        return first;
    }
    let scored = item.responses.iter().filter_map(|response| match response {
        Response::Scored(scored) => Some(scored),
        _ => None,
    });
    let best = scored.reduce(|best, one| if one.loglik() > best.loglik() { one } else { best });
    best.map_or(String::new(), |best| best.text.clone())
}

/// The tokens of a text that was scored; their ids where the tokenizer is not at hand.
fn scored(response: &Response, words: Option<&Tokenizer>) -> Option<ScoredText> {
    let Response::Scored(scored) = response else { return None };
    let ids = scored.ids.get(scored.boundary..)?;
    let text = |id: &u32| words.map_or_else(|| format!("#{id}"), |words| words.visible(*id));
    let tokens = ids.iter().zip(&scored.logprobs).zip(&scored.ranks);
    let tokens = tokens.map(|((id, logprob), rank)| (text(id), *logprob, *rank)).collect();
    Some(ScoredText { loglik: scored.loglik(), tokens })
}
