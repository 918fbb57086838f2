//! Runs a suite on a model.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::path::PathBuf;

use super::control;
use super::item::{Item, Side};
use super::pair_event::{EvalEvent, EvalSink};
use super::pair_record::{self as record, FORMAT_VERSION, Header, RunRecord};
use super::scheduler::{self, Scheduler};
use super::scorer::{self, ItemRecord, Question, Scorer};
use super::suite::{Suite, hex};
use super::summary::RunSummary;
use crate::model::{self, CancelToken, CausalLm};
use crate::text::Tokenizer;

/// Tokens that a greedy answer may have beyond those of the longest true one: room for the stop and for another
/// spelling.
const SPARE_TOKENS: usize = 4;

/// Which model is measured: what the loader knows of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ModelInfo {
    /// Its name.
    pub name: String,
    /// Its fingerprint.
    pub fingerprint: String,
    /// Number types and arithmetic.
    pub precision: String,
}

/// How a suite is run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunOptions {
    /// Which model this is.
    pub model: ModelInfo,
    /// Breaks ties between control names and draws the sample.
    pub seed: u64,
    /// Score only a sample of this many items.
    pub limit: Option<usize>,
    /// When the run began, in the caller's words.
    pub started: String,
    /// Where to write the record; a record that is there is resumed.
    pub record: Option<PathBuf>,
}

/// A run that did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An item could not be scored.
    #[error("score item `{id}`")]
    Item {
        /// The item.
        id: String,
        /// Why.
        source: scheduler::Error,
    },
    /// The names could not be cut into tokens.
    #[error("count the tokens of the names")]
    Names(#[from] crate::text::Error),
    /// The record could not be used.
    #[error(transparent)]
    Record(#[from] record::Error),
    /// No scorer has the suite's name for it.
    #[error("score the suite with `{name}`: there is no such scorer")]
    Scorer {
        /// The name.
        name: String,
    },
    /// The scorer did not get a response to each request.
    #[error("score item `{id}`: the responses do not match the requests")]
    Responses {
        /// The item.
        id: String,
    },
}

impl Error {
    /// What to do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Item { source, .. } => source.hint(),
            Self::Names(error) => error.hint(),
            Self::Record(error) => error.hint(),
            Self::Scorer { .. } | Self::Responses { .. } => None,
        }
    }

    /// Whether the run was cancelled rather than broken. Its record can be resumed either way.
    pub fn is_cancelled(&self) -> bool {
        matches!(self, Self::Item { source: scheduler::Error::Model(model::Error::Cancelled), .. })
    }
}

/// Runs the items that the record does not hold yet, and counts all of them.
pub fn run(
    suite: &Suite,
    lm: &dyn CausalLm,
    tokenizer: &Tokenizer,
    options: &RunOptions,
    cancel: &CancelToken,
    sink: &mut dyn EvalSink,
) -> Result<RunSummary, Error> {
    let job = Job::new(suite, tokenizer, options.seed)?;
    let header = header(suite, tokenizer, options);
    let mut record = options.record.as_deref().map(|path| RunRecord::open(path, &header)).transpose()?;
    let header = record.as_ref().map_or(header, |record| record.header.clone());
    let items = sample(&suite.items, options);
    let mut scheduler = Scheduler::new(lm, tokenizer, cancel);
    let scores = job.score_all(&items, &mut scheduler, record.as_mut(), sink)?;
    let summary = RunSummary::new(header, &scores);
    if let Some(record) = &mut record {
        record.summary(&summary)?;
    }
    sink.event(EvalEvent::Finished { total: items.len() });
    Ok(summary)
}

/// What stays the same from item to item.
struct Job<'a> {
    suite: &'a Suite,
    scorer: &'static dyn Scorer,
    /// Tokens of each name, with the space before it.
    lengths: HashMap<&'a str, usize>,
    seed: u64,
}

impl<'a> Job<'a> {
    fn new(suite: &'a Suite, tokenizer: &Tokenizer, seed: u64) -> Result<Self, Error> {
        let name = &suite.spec.scorer;
        let scorer = scorer::by_name(name).ok_or_else(|| Error::Scorer { name: name.clone() })?;
        let mut lengths = HashMap::new();
        for name in suite.items.iter().flat_map(|item| [item.a.as_str(), item.b.as_str()]) {
            lengths.insert(name, tokenizer.encode(&format!(" {name}"))?.len());
        }
        Ok(Self { suite, scorer, lengths, seed })
    }

    fn question(&self, item: &Item, asked: Side) -> Question {
        let count = |name: &str| self.lengths.get(name).copied().unwrap_or(0);
        let all: Vec<&Item> = self.suite.items.iter().collect();
        let prompt = self.suite.prompt(item, asked);
        let opposite = self.suite.prompt(item, asked.other());
        let answers = control::answers(item, asked, &all);
        Question {
            in_context: format!("{opposite} {}. {prompt}", item.name(asked.other())),
            prompt,
            max_new: SPARE_TOKENS + answers.iter().map(|name| count(name)).max().unwrap_or(0),
            answers: answers.into_iter().map(str::to_owned).collect(),
            controls: control::choose(self.suite, item, asked, self.seed, &count),
            until: self.suite.spec.until.clone(),
        }
    }

    /// The scores of the items, those from the record included, in the order of the items.
    fn score_all(
        &self,
        items: &[&Item],
        scheduler: &mut Scheduler<'_>,
        mut record: Option<&mut RunRecord>,
        sink: &mut dyn EvalSink,
    ) -> Result<Vec<ItemRecord>, Error> {
        let total = items.len();
        let mut known = finished(record.as_deref_mut());
        let mut done = items.iter().filter(|item| known.contains_key(&item.id)).count();
        sink.event(EvalEvent::Started { total, resumed: done });
        let mut scores = Vec::with_capacity(total);
        for item in items {
            if let Some(score) = known.remove(&item.id) {
                scores.push(score);
                continue;
            }
            let score = self.score(item, scheduler)?;
            if let Some(record) = record.as_deref_mut() {
                record.item(&score)?;
            }
            done += 1;
            sink.event(item_event(&score, done, total));
            scores.push(score);
        }
        Ok(scores)
    }

    fn score(&self, item: &Item, scheduler: &mut Scheduler<'_>) -> Result<ItemRecord, Error> {
        let (forward, reverse) = (self.question(item, Side::B), self.question(item, Side::A));
        let answered = scheduler.answer(&self.scorer.requests(&forward, &reverse));
        let responses = answered.map_err(|source| Error::Item { id: item.id.clone(), source })?;
        let score = self.scorer.score(item, &forward, &reverse, responses);
        score.ok_or_else(|| Error::Responses { id: item.id.clone() })
    }
}

fn header(suite: &Suite, tokenizer: &Tokenizer, options: &RunOptions) -> Header {
    Header {
        format_version: FORMAT_VERSION,
        lmscope_version: env!("CARGO_PKG_VERSION").into(),
        model: options.model.name.clone(),
        fingerprint: options.model.fingerprint.clone(),
        precision: options.model.precision.clone(),
        bos: tokenizer.adds_bos(),
        suite: suite.spec.name.clone(),
        suite_version: suite.spec.version,
        suite_hash: suite.hash.clone(),
        scorer: suite.spec.scorer.clone(),
        controls: suite.spec.controls,
        seed: options.seed,
        started: options.started.clone(),
    }
}

/// The items to score, in the order of the suite. Which ones a limit keeps is drawn with the seed.
fn sample<'a>(items: &'a [Item], options: &RunOptions) -> Vec<&'a Item> {
    let mut drawn: Vec<(usize, &Item)> = items.iter().enumerate().collect();
    if let Some(limit) = options.limit {
        drawn.sort_by_cached_key(|(_, item)| hex(&[&options.seed.to_string(), &item.id]));
        drawn.truncate(limit);
        drawn.sort_by_key(|(index, _)| *index);
    }
    drawn.into_iter().map(|(_, item)| item).collect()
}

fn finished(record: Option<&mut RunRecord>) -> HashMap<String, ItemRecord> {
    let items = record.map(|record| std::mem::take(&mut record.finished)).unwrap_or_default();
    items.into_iter().map(|score| (score.item.id.clone(), score)).collect()
}

fn item_event(score: &ItemRecord, done: usize, total: usize) -> EvalEvent {
    let (forward, reverse) = (score.forward.plain.exact_match, score.reverse.plain.exact_match);
    EvalEvent::Item { done, total, id: score.item.id.clone(), forward, reverse }
}
