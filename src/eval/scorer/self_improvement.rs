//! `self-improvement`: how much a model could learn from its own answers, if a checker kept the right ones.
//!
//! Of each exercise one greedy answer and several drawn ones. A right answer among those drawn, where the greedy one is
//! wrong, is a lesson that the model could be trained on; the vote and the most probable draw say how much of it needs no
//! checker.

#[cfg(test)]
mod tests;

use super::Scorer;
use crate::eval::arithmetic::asking::{Asking, Mode, exercise};
use crate::eval::arithmetic::{Exercise, answer_of};
use crate::eval::hash;
use crate::eval::prepare::PrepareOptions;
use crate::eval::problem::Problem;
use crate::eval::request::{Generated, Request, Response, SampleUntil};
use crate::eval::scorer::Sheet;
use crate::eval::stats::pass_at_k;
use crate::eval::task::{Aggregation, Better, Graded, Grader, MetricSpec, Observation, Observed, Task, TaskItem};
use crate::text::Tokenizer;

/// The scorer.
pub(super) const SCORER: Scorer = Scorer {
    name: "self-improvement",
    about: "Several drawn answers to each exercise, beside the greedy one and a checker",
    keys: &["direct", "draws", "example", "question", "steps", "until"],
    task,
};

/// The modes that are drawn from.
const MODES: [Mode; 2] = [Mode::Direct, Mode::Steps];
/// Drawn from the model's own distribution.
const TEMPERATURE_MILLI: u32 = 1_000;
/// Draws where the suite does not say.
const DRAWS: usize = 8;
/// The most draws.
const MOST_DRAWS: usize = 256;

struct DrawGrader {
    draws: usize,
}

fn task(sheet: &Sheet<'_>, _: Option<&Tokenizer>, options: &PrepareOptions<'_>) -> Result<Task, Vec<Problem>> {
    let asking = Asking::read(sheet, &MODES)?;
    let draws = draws(sheet).map_err(|problem| vec![problem])?;
    let items = sheet.each(|index| {
        let exercise = exercise(sheet, index)?;
        let mut item = sheet.item(index, exercise.result().to_string(), Vec::new())?;
        let requests = requests(&asking, exercise, draws, &item.id, options);
        item.requests = requests.map_err(|what| sheet.problem(index, what))?;
        Ok(item)
    })?;
    let mut task = sheet.task(items, metrics(draws), Box::new(DrawGrader { draws }), options)?;
    task.n_shot = asking.shots(options);
    Ok(task)
}

fn draws(sheet: &Sheet<'_>) -> Result<usize, Problem> {
    let draws = sheet.count("draws")?.unwrap_or(DRAWS);
    if (1..=MOST_DRAWS).contains(&draws) {
        return Ok(draws);
    }
    let node = sheet.root.get("draws").unwrap_or(sheet.root);
    Err(node.problem(format!("`draws` is {draws}, a number from 1 to {MOST_DRAWS} is expected")))
}

/// Of each mode the greedy answer, and then those that are drawn.
fn requests(
    asking: &Asking,
    exercise: Exercise,
    draws: usize,
    id: &str,
    options: &PrepareOptions<'_>,
) -> Result<Vec<Request>, String> {
    let mut requests = Vec::new();
    for mode in MODES {
        let asked = asking.request(exercise, mode, options)?;
        requests.push(Request::GenerateUntil(asked.clone()));
        requests.extend((0..draws).map(|draw| {
            let seed = seed(options.seed, id, mode, draw);
            let asked = asked.clone();
            Request::SampleUntil(SampleUntil { asked, temperature_milli: TEMPERATURE_MILLI, seed })
        }));
    }
    Ok(requests)
}

/// The seed of a draw: another one for each item, mode and draw.
fn seed(run: u64, id: &str, mode: Mode, draw: usize) -> u64 {
    let digits = hash::hex(&[&run.to_string(), id, mode.name(), &draw.to_string()]);
    digits.bytes().take(16).fold(0, |seed, digit| (seed << 4) | u64::from(char::from(digit).to_digit(16).unwrap_or(0)))
}

/// How many draws pass@k is told of: powers of two, and all of them.
fn counts(draws: usize) -> Vec<usize> {
    let powers = (0..).map(|power| 1 << power).take_while(|count| *count < draws);
    powers.chain([draws]).collect()
}

fn metrics(draws: usize) -> Vec<MetricSpec> {
    let mut metrics = Vec::new();
    for mode in MODES {
        let name = |metric: &str| format!("{}.{metric}", mode.name());
        let higher = |metric: &str| MetricSpec::new(name(metric), Aggregation::Mean, Better::Higher);
        metrics.push(higher("exact_match"));
        metrics.extend(counts(draws).into_iter().map(|count| higher(&format!("pass_at_{count}"))));
        metrics.extend(["majority", "best", "majority_gain"].map(higher));
        metrics.push(MetricSpec::new(name("yield"), Aggregation::Mean, Better::Neither));
    }
    metrics
}

impl Grader for DrawGrader {
    fn grade(&self, item: &TaskItem, responses: &[Response]) -> Option<Graded> {
        let written: Vec<&Generated> = responses.iter().map(Response::generated).collect::<Option<_>>()?;
        if written.len() != MODES.len() * (1 + self.draws) {
            return None;
        }
        let mut graded = Graded::default();
        for (mode, answers) in MODES.into_iter().zip(written.chunks(1 + self.draws)) {
            let (greedy, drawn) = answers.split_first()?;
            of_mode(&mut graded, mode, Answers::of(greedy, drawn), &item.target);
        }
        Some(graded)
    }
}

/// The numbers that the answers of one mode give.
struct Answers {
    greedy: Option<String>,
    /// Each with its log-probability.
    drawn: Vec<(Option<String>, f64)>,
}

impl Answers {
    fn of(greedy: &Generated, drawn: &[&Generated]) -> Self {
        let number = |answer: &&Generated| (answer_of(&answer.text), answer.logprobs.iter().sum());
        Self { greedy: answer_of(&greedy.text), drawn: drawn.iter().map(number).collect() }
    }

    /// The number that most draws give; of as many, the first.
    fn majority(&self) -> Option<&str> {
        let numbers = || self.drawn.iter().filter_map(|(number, _)| number.as_deref());
        let votes = |number: &str| numbers().filter(|other| *other == number).count();
        numbers().fold(None, |best, number| match best {
            Some(best) if votes(best) >= votes(number) => Some(best),
            _ => Some(number),
        })
    }

    /// The number of the most probable draw; of as probable ones, the first.
    fn best(&self) -> Option<&str> {
        let drawn = self.drawn.iter();
        let best = drawn.reduce(|best, one| if one.1 > best.1 { one } else { best });
        best.and_then(|(number, _)| number.as_deref())
    }
}

fn of_mode(graded: &mut Graded, mode: Mode, answers: Answers, right: &str) {
    let mut observe = |metric: &str, value| {
        graded.observations.push(Observation::new(format!("{}.{metric}", mode.name()), value));
    };
    let is_right = |number: Option<&str>| number == Some(right);
    let correct = answers.drawn.iter().filter(|(number, _)| is_right(number.as_deref())).count();
    let (n, greedy, majority) =
        (answers.drawn.len(), is_right(answers.greedy.as_deref()), is_right(answers.majority()));
    observe("exact_match", Observed::Flag(greedy));
    for count in counts(n) {
        observe(&format!("pass_at_{count}"), Observed::Number(pass_at_k(n, correct, count)));
    }
    observe("majority", Observed::Flag(majority));
    observe("best", Observed::Flag(is_right(answers.best())));
    observe("majority_gain", Observed::Number(f64::from(u8::from(majority)) - f64::from(u8::from(greedy))));
    observe("yield", Observed::Flag(!greedy && correct > 0));
    let numbers = std::iter::once(answers.greedy).chain(answers.drawn.into_iter().map(|(number, _)| number));
    graded.filtered.insert(mode.name().to_owned(), numbers.map(Option::unwrap_or_default).collect());
}
