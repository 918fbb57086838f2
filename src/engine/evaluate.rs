//! A suite on the loaded model, one item after the other, so that it can be watched and stopped at any item.
//!
//! It writes no record: `eval` measures, and here is told what came of it, and where each item is decided.

use std::sync::Arc;
use std::time::Instant;

use super::{EngineError, Event, EventSink, Loaded, Named, Outcome, Progress, Tokens};
use crate::eval::record::{Settings, TaskInfo};
use crate::eval::request::{GenerateUntil, Loglikelihood, Request, Response, Scored};
use crate::eval::results::{self, MetricResult};
use crate::eval::scheduler::{Options, Scheduler};
use crate::eval::task::{Better, Observed, Task, TaskItem, TaskItemRecord};
use crate::eval::{self, BUILTIN, Outline, PrepareOptions, run};
use crate::model::CancelToken;

/// The answer to [`Request::Evaluate`](super::Request::Evaluate).
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluated {
    /// Every metric over all items and over each stratum.
    pub results: Vec<MetricResult>,
}

impl Evaluated {
    /// The metrics over all items that say better or worse.
    pub fn main(&self) -> impl Iterator<Item = &MetricResult> {
        self.results.iter().filter(|result| result.stratum.is_none() && result.better != Better::Neither)
    }
}

/// An item that was scored.
#[derive(Debug, Clone, PartialEq)]
pub struct EvalItem {
    /// Its name.
    pub id: String,
    /// Whether it is right, by each metric that says so and that says better or worse.
    pub verdicts: Vec<(String, bool)>,
    /// The right answer.
    pub gold: String,
    /// What the model answered to the first request.
    pub answer: String,
    /// Where the answer to the first request is decided; nothing if no token of it is known.
    pub deciding: Option<Look>,
}

/// Tokens that are looked at from their end, and what is asked there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// The tokens before the one that decides.
    pub tokens: Tokens,
    /// How many at their beginning were added, and are not of the text.
    pub n_added: usize,
    /// Token A.
    pub token: Named,
    /// Token B, if there is a rival.
    pub versus: Option<Named>,
}

/// What a metric is called: by itself, and by its filter where there is one.
pub fn metric_name(metric: &str, filter: &str) -> String {
    if filter == "none" { metric.to_owned() } else { format!("{metric}/{filter}") }
}

/// The suites in the binary.
pub(super) fn suites() -> Result<Vec<Outline>, EngineError> {
    let mut all = Vec::new();
    for builtin in BUILTIN {
        all.extend(eval::outline(builtin.name, &PrepareOptions::default())?);
    }
    Ok(all)
}

/// Asks the items that a run with these settings asks; what was told before it is cancelled remains true.
pub(super) fn evaluate(
    loaded: &Loaded,
    suite: &str,
    (limit, seed): (Option<usize>, u64),
    cancel: &CancelToken,
    sink: &mut dyn EventSink,
) -> Result<Outcome, EngineError> {
    let tasks = eval::prepare(suite, &loaded.tokenizer, &PrepareOptions { seed, ..PrepareOptions::default() })?;
    let settings = Settings { seed: Some(seed), limit, ..Settings::default() };
    let drawn = |task| run::selected(task, &settings).into_iter().map(move |item| (task, item));
    let wanted: Vec<(&Task, &TaskItem)> = tasks.iter().flat_map(drawn).collect();
    let mut scheduler = Scheduler::new(&loaded.decoder, &loaded.tokenizer, cancel).with_options(Options::default());
    sink.send(Event::Progress(Progress { done: 0, total: wanted.len(), unit: "items" }));
    let (begun, total) = (Instant::now(), wanted.len());
    let mut records = Vec::with_capacity(total);
    for (done, (task, item)) in (1..).zip(&wanted) {
        let record = run::ask_one(task, item, &mut scheduler)?;
        let item = Arc::new(told(&record, task, loaded)?);
        let left = begun.elapsed().mul_f64((total - done) as f64 / done as f64);
        sink.send(Event::Scored { item, total, left });
        sink.send(Event::Progress(Progress { done, total, unit: "items" }));
        records.push(record);
    }
    let infos: Vec<TaskInfo> = tasks.iter().map(TaskInfo::of).collect();
    Ok(Outcome::Evaluated(Arc::new(Evaluated { results: results::of(&infos, &records) })))
}

fn told(record: &TaskItemRecord, task: &Task, loaded: &Loaded) -> Result<EvalItem, EngineError> {
    let is_main = |metric: &str, filter: &str| {
        let spec = task.metrics.iter().find(|spec| spec.metric == metric && spec.filter == filter);
        spec.is_some_and(|spec| spec.better != Better::Neither)
    };
    let observations = record.graded.observations.iter().filter(|one| is_main(&one.metric, &one.filter));
    let verdict = |one: &eval::task::Observation| match one.value {
        Observed::Flag(is_right) => Some((metric_name(&one.metric, &one.filter), is_right)),
        Observed::Number(_)
        | Observed::Text { .. }
        | Observed::Ratio { .. }
        | Observed::Classes { .. }
        | Observed::Judged { .. }
        | Observed::Contrast { .. } => None,
    };
    let first = First::of(record);
    Ok(EvalItem {
        id: record.id.clone(),
        verdicts: observations.filter_map(verdict).collect(),
        gold: record.target.trim().to_owned(),
        answer: first.as_ref().map(|first| first.answer(record, loaded)).unwrap_or_default(),
        deciding: first.and_then(|first| first.look(loaded).transpose()).transpose()?,
    })
}

/// The first request of an item, with what belongs to it.
enum First<'a> {
    /// Continuations of one context: the right one, and the others.
    Choice { asked: &'a Loglikelihood, gold: &'a Scored, rivals: Vec<&'a Scored> },
    /// A text without a context.
    Text(&'a Scored),
    /// An answer that was written.
    Written { asked: &'a GenerateUntil, ids: &'a [u32] },
}

impl<'a> First<'a> {
    fn of(record: &'a TaskItemRecord) -> Option<Self> {
        match (record.requests.first()?, record.responses.first()?) {
            (Request::Loglikelihood(asked), Response::Scored(_)) => {
                let mut rivals = after(&asked.context, record);
                let target = record.target.trim();
                let named = rivals.iter().position(|one| one.text.trim() == target);
                // a task may name the right choice by its place
                let gold = named.or_else(|| target.parse().ok().filter(|at| *at < rivals.len())).unwrap_or(0);
                let gold = rivals.remove(gold);
                Some(Self::Choice { asked, gold, rivals })
            }
            (_, Response::Rolled(rolled)) => rolled.windows.first().map(Self::Text),
            (Request::GenerateUntil(asked), Response::Generated(said)) => Some(Self::Written { asked, ids: &said.ids }),
            _ => None,
        }
    }

    /// What the model answered: what it wrote, else the likeliest choice, else what it would write first.
    fn answer(&self, record: &TaskItemRecord, loaded: &Loaded) -> String {
        let context = match self {
            Self::Choice { asked, .. } => &asked.context,
            Self::Written { asked, .. } => &asked.context,
            Self::Text(_) => return String::new(),
        };
        let written = record.requests.iter().zip(&record.responses).find_map(|pair| match pair {
            (Request::GenerateUntil(asked), Response::Generated(said)) if asked.context == *context => {
                Some(said.text.trim().to_owned())
            }
            _ => None,
        });
        written.or_else(|| self.likeliest(loaded)).unwrap_or_default()
    }

    fn likeliest(&self, loaded: &Loaded) -> Option<String> {
        let Self::Choice { gold, rivals, .. } = self else { return None };
        if rivals.is_empty() && !gold.is_greedy {
            return gold.top.first().map(|(id, _)| loaded.tokenizer.text(*id).trim().to_owned());
        }
        let best = rivals.iter().fold(*gold, |best, one| if one.loglik() > best.loglik() { *one } else { best });
        Some(best.text.trim().to_owned())
    }

    /// The tokens before the first one in which the right answer differs from its strongest rival.
    fn look(&self, loaded: &Loaded) -> Result<Option<Look>, EngineError> {
        let (context, before, token, versus) = match self {
            Self::Choice { asked, gold, rivals } => {
                let (shared, versus) = parting(gold, rivals);
                let at = gold.boundary + shared;
                (asked.context.as_str(), gold.ids.get(..at).map(<[u32]>::to_vec), gold.ids.get(at).copied(), versus)
            }
            Self::Text(scored) => {
                let at = scored.boundary;
                ("", scored.ids.get(..at).map(<[u32]>::to_vec), scored.ids.get(at).copied(), None)
            }
            Self::Written { asked, ids } => {
                let before = asked.ids(&loaded.tokenizer, loaded.info.config.n_ctx).map_err(unasked)?;
                (asked.context.as_str(), Some(before), ids.first().copied(), None)
            }
        };
        let named = |id| Named { id, visible: loaded.tokenizer.visible(id) };
        let looked = before.zip(token).map(|(ids, token)| Look {
            n_added: added(context, &ids, loaded),
            tokens: super::job::tokens(&loaded.tokenizer, &ids, "as the suite asks".to_owned()),
            token: named(token),
            versus: versus.map(named),
        });
        Ok(looked)
    }
}

/// All continuations that were scored after a context.
fn after<'a>(context: &str, record: &'a TaskItemRecord) -> Vec<&'a Scored> {
    let pairs = record.requests.iter().zip(&record.responses);
    let scored = pairs.filter_map(|pair| match pair {
        (Request::Loglikelihood(asked), Response::Scored(scored)) if asked.context == context => Some(scored),
        _ => None,
    });
    scored.collect()
}

/// How many tokens the right continuation shares with its strongest rival, and the rival's token after them; where no
/// rival was scored, the likeliest token that is not the right one.
fn parting(gold: &Scored, rivals: &[&Scored]) -> (usize, Option<u32>) {
    let (context, right) = gold.ids.split_at(gold.boundary.min(gold.ids.len()));
    let comparable = rivals.iter().filter(|one| one.ids.get(..one.boundary) == Some(context));
    let strongest = comparable.max_by(|a, b| a.loglik().total_cmp(&b.loglik()));
    let parted = strongest.and_then(|rival| {
        let other = rival.ids.get(rival.boundary..)?;
        let shared = right.iter().zip(other).take_while(|(a, b)| a == b).count();
        (shared < right.len()).then_some((shared, Some(*other.get(shared)?)))
    });
    let likely = || gold.top.iter().map(|(id, _)| *id).find(|id| right.first() != Some(id));
    parted.unwrap_or_else(|| (0, likely()))
}

/// How many tokens stand before the text.
fn added(context: &str, ids: &[u32], loaded: &Loaded) -> usize {
    let tokenizer = &loaded.tokenizer;
    let is_added =
        |id: u32| [tokenizer.bos(), tokenizer.eos()].contains(&Some(id)) && !context.starts_with(&tokenizer.text(id));
    usize::from(ids.first().is_some_and(|id| is_added(*id)))
}

fn unasked(error: eval::scheduler::Error) -> EngineError {
    match error {
        eval::scheduler::Error::Text(error) => error.into(),
        eval::scheduler::Error::Model(error) => error.into(),
        other => EngineError::Ask(other),
    }
}
