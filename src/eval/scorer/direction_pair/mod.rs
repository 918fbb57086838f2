//! Facts with two ends: each is asked for both, from memory and in context, against matched control names, and what is
//! known in one direction is compared with what is known in the other.

mod check;
mod cluster;
mod control;
mod item;
mod score;
mod suite;
#[cfg(test)]
mod tests;
mod wording;

use std::collections::{BTreeMap, HashMap};

use self::item::{Item, Side};
use self::score::{DirectionScore, Probe, Question};
use self::suite::Suite;
use self::wording::Wording;
use super::{Scorer, Sheet};
use crate::eval::prepare::PrepareOptions;
use crate::eval::problem::Problem;
use crate::eval::python;
use crate::eval::request::Response;
use crate::eval::task::{Aggregation, Better, Graded, Grader, MetricSpec, Observation, Observed, Task, TaskItem};
use crate::text::Tokenizer;

/// See the module.
pub(super) const SCORER: Scorer = Scorer {
    name: "direction-pair",
    about: "Asks a fact in both directions and compares the answer with matched control names",
    keys: suite::KEYS,
    task,
};

/// What is observed of a probe.
type Read = fn(&Probe) -> Observed;

/// What is observed of each direction: the name, the value, how it is counted.
static OF_DIRECTION: &[(&str, bool, Read, Aggregation, Better)] = &[
    ("exact_match", false, |probe| Observed::Flag(probe.exact_match()), Aggregation::Mean, Better::Higher),
    ("named", false, |probe| Observed::Flag(probe.named()), Aggregation::Mean, Better::Neither),
    ("best", false, |probe| Observed::Flag(probe.best), Aggregation::Mean, Better::Higher),
    ("lift", false, |probe| Observed::Number(probe.lift), Aggregation::Mean, Better::Higher),
    ("mean_logprob", false, |probe| Observed::Number(probe.mean_logprob), Aggregation::Mean, Better::Neither),
    ("first_rank", false, |probe| Observed::Number(probe.first_rank as f64), Aggregation::Median, Better::Neither),
    ("in_context.exact_match", true, |probe| Observed::Flag(probe.exact_match()), Aggregation::Mean, Better::Neither),
    ("in_context.best", true, |probe| Observed::Flag(probe.best), Aggregation::Mean, Better::Neither),
];

/// What is observed of both directions together: the name, how it is counted, which way is better.
static OF_BOTH: &[(&str, Aggregation, Better)] = &[
    ("known.both", Aggregation::Mean, Better::Neither),
    ("known.forward_only", Aggregation::Mean, Better::Neither),
    ("known.reverse_only", Aggregation::Mean, Better::Neither),
    ("known.neither", Aggregation::Mean, Better::Neither),
    ("known.mcnemar_p", Aggregation::McNemar, Better::Neither),
    ("reverse_given_forward.exact_match", Aggregation::Mean, Better::Neither),
    ("reverse_given_forward.best", Aggregation::Mean, Better::Neither),
    ("forward_given_reverse.exact_match", Aggregation::Mean, Better::Neither),
    ("gap.lift", Aggregation::Mean, Better::Neither),
    ("gap.lift_p", Aggregation::SignFlip, Better::Neither),
];

fn task(sheet: &Sheet<'_>, tokenizer: Option<&Tokenizer>, options: &PrepareOptions<'_>) -> Result<Task, Vec<Problem>> {
    let suite = Suite::of(sheet)?;
    let lengths = Lengths::of(&suite, tokenizer).map_err(|what| vec![sheet.root.problem(what)])?;
    let ask = Ask { suite: &suite, lengths: &lengths, wording: Wording::new(&suite.spec, options), seed: options.seed };
    let (mut questions, mut problems) = (BTreeMap::new(), Vec::new());
    for item in &suite.items {
        match ask.both(item) {
            Ok(both) => {
                questions.insert(item.row, both);
            }
            Err(what) => problems.push(sheet.problem(item.row, what)),
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let clusters = cluster::of(&suite.items);
    let of_item = |(item, cluster): (&Item, String)| TaskItem {
        id: item.id.clone(),
        index: item.row,
        doc: sheet.rows.all.get(item.row).map(|row| row.fields.clone()).unwrap_or_default(),
        target: item.b.clone(),
        cluster: Some(cluster),
        strata: strata(sheet, item),
        requests: questions.get(&item.row).map(score::requests).unwrap_or_default(),
    };
    let items = suite.items.iter().zip(clusters).map(of_item).collect();
    let metrics = metrics(suite.spec.controls);
    let mut task = sheet.task(items, metrics, Box::new(DirectionGrader { questions }), options)?;
    task.notes = suite.notes;
    Ok(task)
}

/// What is also counted alone: the fields that the suite names, else how the embedded model has read the fact. A fact
/// without such a field is in none.
fn strata(sheet: &Sheet<'_>, item: &Item) -> BTreeMap<String, String> {
    let names = if sheet.strata().is_empty() { &["seen".to_owned()][..] } else { sheet.strata() };
    let value = |name: &String| match name.as_str() {
        "relation" => Some((name.clone(), item.relation.clone())),
        _ => {
            let found = sheet.field(item.row, name).filter(|value| !value.is_null());
            found.map(|value| (name.clone(), python::str(value)))
        }
    };
    names.iter().filter_map(value).collect()
}

fn metrics(controls: usize) -> Vec<MetricSpec> {
    let guess = 1.0 / (controls + 1) as f64;
    let both = ["forward", "reverse"].into_iter();
    let of_direction =
        |direction: &str, (name, _, _, aggregation, better): &(&str, bool, Read, Aggregation, Better)| {
            let chance = name.ends_with("best").then_some(guess);
            MetricSpec { chance, ..MetricSpec::new(format!("{direction}.{name}"), *aggregation, *better) }
        };
    let mut metrics: Vec<MetricSpec> =
        both.flat_map(|direction| OF_DIRECTION.iter().map(move |row| of_direction(direction, row))).collect();
    let of_both = |(name, aggregation, better): &(&str, Aggregation, Better)| {
        let chance = name.ends_with("best").then_some(guess);
        MetricSpec { chance, ..MetricSpec::new(*name, *aggregation, *better) }
    };
    metrics.extend(OF_BOTH.iter().map(of_both));
    metrics
}

/// Tokens of each name, with what stands before it; none are known without a tokenizer.
struct Lengths(HashMap<String, usize>);

impl Lengths {
    fn of(suite: &Suite, tokenizer: Option<&Tokenizer>) -> Result<Self, String> {
        let Some(tokenizer) = tokenizer else { return Ok(Self(HashMap::new())) };
        let names =
            suite.items.iter().flat_map(|item| [&item.a, &item.b].into_iter().chain(&item.a_also).chain(&item.b_also));
        let length = |name: &String| {
            let ids = tokenizer.encode(&format!(" {name}")).map_err(|error| error.to_string())?;
            Ok((name.clone(), ids.len()))
        };
        names.map(length).collect::<Result<_, String>>().map(Self)
    }

    fn get(&self, name: &str) -> usize {
        self.0.get(name).copied().unwrap_or(0)
    }
}

/// Puts facts into questions.
struct Ask<'a> {
    suite: &'a Suite,
    lengths: &'a Lengths,
    wording: Wording<'a>,
    seed: u64,
}

impl Ask<'_> {
    /// The forward and the reverse question.
    fn both(&self, item: &Item) -> Result<[Question; 2], String> {
        Ok([self.question(item, Side::B)?, self.question(item, Side::A)?])
    }

    fn question(&self, item: &Item, asked: Side) -> Result<Question, String> {
        let all: Vec<&Item> = self.suite.items.iter().collect();
        let answers = control::answers(item, asked, &all);
        let longest = answers.iter().map(|name| self.lengths.get(name)).max().unwrap_or(0);
        Ok(Question {
            in_context: self.wording.in_context(item, asked)?,
            prompt: self.wording.plain(item, asked)?,
            delimiter: self.wording.delimiter(),
            max_new: self.wording.spare_tokens() + longest,
            until: wording::stops(&self.suite.spec, &answers),
            after: self.suite.spec.until.clone(),
            answers: answers.into_iter().map(str::to_owned).collect(),
            controls: control::choose(self.suite, item, asked, self.seed, &|name| self.lengths.get(name)),
        })
    }
}

/// Reads the answers about both ends of each fact.
struct DirectionGrader {
    /// The forward and the reverse question of each item, by its place in the file.
    questions: BTreeMap<usize, [Question; 2]>,
}

impl Grader for DirectionGrader {
    fn grade(&self, item: &TaskItem, responses: &[Response]) -> Option<Graded> {
        let [forward, reverse] = score::score(self.questions.get(&item.index)?, responses)?;
        let mut observations = of_direction("forward", &forward);
        observations.extend(of_direction("reverse", &reverse));
        observations.extend(of_both(&forward.plain, &reverse.plain));
        Some(Graded { filtered: BTreeMap::new(), observations })
    }
}

fn of_direction(direction: &str, score: &DirectionScore) -> Vec<Observation> {
    let observe = |(name, in_context, read, ..): &(&str, bool, Read, Aggregation, Better)| {
        let probe = if *in_context { &score.in_context } else { &score.plain };
        Observation::new(format!("{direction}.{name}"), read(probe))
    };
    OF_DIRECTION.iter().map(observe).collect()
}

/// What is only seen of both directions together. Known is what is answered with a right name and nothing else; a share of
/// facts that are known in one direction is counted over those alone.
fn of_both(forward: &Probe, reverse: &Probe) -> Vec<Observation> {
    let known = (forward.exact_match(), reverse.exact_match());
    let gap = forward.lift - reverse.lift;
    let class = |is_known: bool| usize::from(is_known);
    let mut observations = vec![
        Observation::new("known.both", Observed::Flag(known == (true, true))),
        Observation::new("known.forward_only", Observed::Flag(known == (true, false))),
        Observation::new("known.reverse_only", Observed::Flag(known == (false, true))),
        Observation::new("known.neither", Observed::Flag(known == (false, false))),
        Observation::new("known.mcnemar_p", Observed::Classes { gold: class(known.0), predicted: class(known.1) }),
        Observation::new("gap.lift", Observed::Number(gap)),
        Observation::new("gap.lift_p", Observed::Number(gap)),
    ];
    let given = [
        ("reverse_given_forward.exact_match", forward.exact_match(), reverse.exact_match()),
        ("reverse_given_forward.best", forward.best, reverse.best),
        ("forward_given_reverse.exact_match", reverse.exact_match(), forward.exact_match()),
    ];
    let given = given.into_iter().filter(|(_, is_given, _)| *is_given);
    observations.extend(given.map(|(name, _, is_right)| Observation::new(name, Observed::Flag(is_right))));
    observations
}
