//! The suites of facts with two ends, as a [`Task`]: each fact is asked for both ends, from memory and in context.

mod control;
pub mod item;
pub mod score;
pub mod suite;

use std::collections::{BTreeMap, HashMap};

use serde_json::{Map, Value};

use self::item::{Item, Seen, Side};
use self::score::{DirectionScore, ItemRecord, Probe, Question};
use self::suite::Suite;
use super::hash::hex;
use super::request::Response;
use super::task::{Aggregation, Better, Graded, Grader, MetricSpec, Observation, Observed, Task, TaskItem};
use crate::text::{self, Tokenizer};

/// What `suite.toml` calls it.
pub(super) const SCORER: &str = "direction-pair";

/// Tokens that a greedy answer may have beyond those of the longest true one: room for the stop and for another
/// spelling.
const SPARE_TOKENS: usize = 4;

/// What is observed of a probe.
type Read = fn(&Probe) -> Observed;

/// What is observed of each direction: the name, the value, how it is counted.
static OF_DIRECTION: &[(&str, bool, Read, Aggregation, Better)] = &[
    ("exact_match", false, |probe| Observed::Flag(probe.exact_match), Aggregation::Mean, Better::Higher),
    ("best", false, |probe| Observed::Flag(probe.best), Aggregation::Mean, Better::Higher),
    ("lift", false, |probe| Observed::Number(probe.lift), Aggregation::Mean, Better::Higher),
    ("mean_logprob", false, |probe| Observed::Number(probe.mean_logprob), Aggregation::Mean, Better::Neither),
    (
        "first_rank",
        false,
        |probe| Observed::Number(probe.gold.first_rank() as f64),
        Aggregation::Median,
        Better::Neither,
    ),
    ("in_context.exact_match", true, |probe| Observed::Flag(probe.exact_match), Aggregation::Mean, Better::Neither),
    ("in_context.best", true, |probe| Observed::Flag(probe.best), Aggregation::Mean, Better::Neither),
];

/// The task that a checked suite is for this tokenizer; `seed` breaks ties between control names.
pub(super) fn task(suite: Suite, tokenizer: &Tokenizer, seed: u64) -> Result<Task, text::Error> {
    let lengths = lengths(&suite, tokenizer)?;
    let ask = Ask { suite: &suite, lengths: &lengths, seed };
    let questions: Vec<[Question; 2]> =
        suite.items.iter().map(|item| [Side::B, Side::A].map(|asked| ask.question(item, asked))).collect();
    let grader = DirectionGrader { items: suite.items.clone(), questions };
    let items = (0..).zip(&grader.items).map(|(index, item)| grader.task_item(index, item)).collect();
    Ok(Task {
        name: suite.spec.name.clone(),
        version: suite.spec.version.to_string(),
        hash: hex(&[&suite.hash, &seed.to_string()]),
        output_type: suite.spec.scorer.clone(),
        n_shot: 0,
        groups: Vec::new(),
        quick: None,
        items,
        metrics: metrics(&suite),
        grader: Box::new(grader),
    })
}

fn metrics(suite: &Suite) -> Vec<MetricSpec> {
    let guess = 1.0 / (suite.spec.controls + 1) as f64;
    let both = ["forward", "reverse"].into_iter();
    let spec = |direction: &str, (name, _, _, aggregation, better): &(&str, bool, Read, Aggregation, Better)| {
        let metric = format!("{direction}.{name}");
        let bounds = suite.spec.gate.get(&metric).copied().unwrap_or_default();
        let chance = name.ends_with("best").then_some(guess);
        MetricSpec { chance, bounds, ..MetricSpec::new(metric, *aggregation, *better) }
    };
    both.flat_map(|direction| OF_DIRECTION.iter().map(move |row| spec(direction, row))).collect()
}

/// The names that `[gate]` may have.
pub(super) fn metric_names() -> Vec<String> {
    let both = ["forward", "reverse"].into_iter();
    both.flat_map(|direction| OF_DIRECTION.iter().map(move |row| format!("{direction}.{}", row.0))).collect()
}

/// Tokens of each name, with the space before it.
fn lengths(suite: &Suite, tokenizer: &Tokenizer) -> Result<HashMap<String, usize>, text::Error> {
    let names = suite.items.iter().flat_map(|item| [&item.a, &item.b]);
    names.map(|name| Ok((name.clone(), tokenizer.encode(&format!(" {name}"))?.len()))).collect()
}

/// Puts facts into questions.
struct Ask<'a> {
    suite: &'a Suite,
    lengths: &'a HashMap<String, usize>,
    seed: u64,
}

impl Ask<'_> {
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
}

/// Reads the answers about both ends of each fact.
struct DirectionGrader {
    items: Vec<Item>,
    /// The forward and the reverse question of each item.
    questions: Vec<[Question; 2]>,
}

impl DirectionGrader {
    fn task_item(&self, index: usize, item: &Item) -> TaskItem {
        let [forward, reverse] = &self.questions[index];
        TaskItem {
            id: item.id.clone(),
            index,
            doc: doc(item),
            target: item.b.clone(),
            // facts of one person or work are not independent
            cluster: Some(item.a.clone()),
            strata: item.seen.map(|seen| ("seen".to_owned(), word(seen).to_owned())).into_iter().collect(),
            requests: score::requests(forward, reverse),
        }
    }
}

impl Grader for DirectionGrader {
    fn grade(&self, item: &TaskItem, responses: &[Response]) -> Option<Graded> {
        let [forward, reverse] = self.questions.get(item.index)?;
        let fact = self.items.get(item.index)?;
        let scores = score::score(fact, forward, reverse, responses.to_vec())?;
        Some(Graded { filtered: BTreeMap::new(), observations: observations(&scores) })
    }
}

fn observations(scores: &ItemRecord) -> Vec<Observation> {
    let both = [("forward", &scores.forward), ("reverse", &scores.reverse)];
    both.into_iter().flat_map(|(name, score)| of_direction(name, score)).collect()
}

fn of_direction(direction: &str, score: &DirectionScore) -> Vec<Observation> {
    let observe = |(name, in_context, read, ..): &(&str, bool, Read, Aggregation, Better)| {
        Observation::new(
            format!("{direction}.{name}"),
            read(if *in_context { &score.in_context } else { &score.plain }),
        )
    };
    OF_DIRECTION.iter().map(observe).collect()
}

fn doc(item: &Item) -> Map<String, Value> {
    match serde_json::to_value(item) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    }
}

fn word(seen: Seen) -> &'static str {
    match seen {
        Seen::Ab => "ab",
        Seen::Ba => "ba",
        Seen::Both => "both",
    }
}
