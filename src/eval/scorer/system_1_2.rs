//! `system-1-2`: the same exercises answered at once, step by step and with a calculator.
//!
//! What a model says at once is its fast, habitual answer; steps and tools let it use what it has written before. The
//! difference of each to the direct answer of the same item is the gain. Calls of the calculator are answered here,
//! between two questions; no model runs here.

#[cfg(test)]
mod tests;

use crate::eval::arithmetic::asking::{self, Asking, Mode, exercise};
use crate::eval::arithmetic::calculator::Call;
use crate::eval::arithmetic::{Exercise, Places, answer_of};
use crate::eval::prepare::PrepareOptions;
use crate::eval::problem::Problem;
use crate::eval::request::{GenerateUntil, Loglikelihood, Request, Response, Scored};
use crate::eval::scorer::{Scorer, Sheet};
use crate::eval::task::{Aggregation, Better, Graded, Grader, MetricSpec, Observation, Observed, Task, TaskItem};
use crate::text::Tokenizer;

/// The scorer.
pub(super) const SCORER: Scorer = Scorer {
    name: "system-1-2",
    about: "Exercises answered at once, step by step and with a calculator",
    keys: &asking::KEYS,
    task,
};

/// An answer may call the calculator so often; a further call stands as it was written.
const MOST_CALLS: usize = 3;
/// Requests of an item before it calls: the right answer's log-likelihood, and an answer in each mode.
const ASKED: usize = 1 + Mode::ALL.len();

/// What the grader knows of an item.
struct Facts {
    right: String,
    /// Tokens of the right answer before its first digit.
    lead: usize,
}

struct SystemGrader {
    /// In the order of the items.
    facts: Vec<Facts>,
}

fn task(sheet: &Sheet<'_>, tokenizer: Option<&Tokenizer>, options: &PrepareOptions<'_>) -> Result<Task, Vec<Problem>> {
    let asking = Asking::read(sheet, &Mode::ALL)?;
    let read = sheet.each(|index| {
        let wrong = |what| sheet.problem(index, what);
        let (right, requests) = requests(&asking, exercise(sheet, index)?, options).map_err(wrong)?;
        let lead = lead(&requests, tokenizer).map_err(wrong)?;
        Ok((sheet.item(index, right.clone(), requests)?, Facts { right, lead }))
    })?;
    let (items, facts) = read.into_iter().unzip();
    let mut task = sheet.task(items, metrics(), Box::new(SystemGrader { facts }), options)?;
    task.n_shot = asking.shots(options);
    Ok(task)
}

/// The right answer, and what is asked of an exercise.
fn requests(
    asking: &Asking,
    exercise: Exercise,
    options: &PrepareOptions<'_>,
) -> Result<(String, Vec<Request>), String> {
    let right = exercise.result().to_string();
    let direct = asking.request(exercise, Mode::Direct, options)?;
    let space = if direct.context.ends_with(char::is_whitespace) { "" } else { " " };
    let scored = Loglikelihood { context: direct.context, continuation: format!("{space}{right}") };
    let mut requests = vec![Request::Loglikelihood(scored)];
    for mode in Mode::ALL {
        requests.push(Request::GenerateUntil(asking.request(exercise, mode, options)?));
    }
    Ok((right, requests))
}

/// How many tokens of the right answer come before its first digit: those of the space.
fn lead(requests: &[Request], tokenizer: Option<&Tokenizer>) -> Result<usize, String> {
    let (Some(tokenizer), Some(Request::Loglikelihood(scored))) = (tokenizer, requests.first()) else { return Ok(0) };
    let split = scored.inspect(tokenizer).map_err(|error| error.to_string())?;
    let mut answer = split.ids.iter().skip(split.boundary);
    Ok(answer.position(|id| tokenizer.text(*id).contains(|c: char| c.is_ascii_digit())).unwrap_or(0))
}

fn metrics() -> Vec<MetricSpec> {
    let mut metrics = Vec::new();
    for mode in Mode::ALL {
        let name = |metric| format!("{}.{metric}", mode.name());
        let better = |metric| MetricSpec::new(name(metric), Aggregation::Mean, Better::Higher);
        metrics.extend(["exact_match", "digits", "first_digit", "last_digit"].map(better));
        match mode {
            Mode::Direct => {
                metrics.extend(["top_1", "logprob", "first_logprob", "last_logprob"].map(better));
                metrics.push(MetricSpec::new(name("first_rank"), Aggregation::Median, Better::Lower));
            }
            Mode::Steps => metrics.push(better("gain")),
            Mode::Calculator => metrics.extend(["gain", "well_formed", "right_call"].map(better)),
        }
    }
    metrics
}

impl Grader for SystemGrader {
    /// Goes on after a well-formed call of the calculator, with its result put in.
    fn follow_up(&self, _: &TaskItem, asked: &[Request], responses: &[Response]) -> Vec<Request> {
        let calls = responses.len().saturating_sub(ASKED);
        let (Some(Request::GenerateUntil(last)), Some(Response::Generated(written))) = (asked.last(), responses.last())
        else {
            return Vec::new();
        };
        let answered = Call::first(&written.text).and_then(|call| call.answered());
        match answered {
            Some(answered) if calls < MOST_CALLS => vec![Request::GenerateUntil(GenerateUntil {
                context: format!("{}{answered}", last.context),
                until: last.until.clone(),
                max_new: last.max_new,
            })],
            _ => Vec::new(),
        }
    }

    fn grade(&self, item: &TaskItem, responses: &[Response]) -> Option<Graded> {
        let facts = self.facts.get(item.index)?;
        let (first, written) = responses.split_first()?;
        let Response::Scored(scored) = first else { return None };
        let text = |response: &Response| Some(response.generated()?.text.clone());
        let texts: Vec<String> = written.iter().map(text).collect::<Option<_>>()?;
        let [direct, steps, calls @ ..] = texts.as_slice() else { return None };
        let last = calls.last()?;
        let mut graded = Graded::default();
        for (mode, text) in Mode::ALL.into_iter().zip([direct, steps, last]) {
            answered(&mut graded, mode, text, &facts.right);
        }
        scored_at_once(&mut graded, scored, facts.lead);
        called(&mut graded, calls, &facts.right);
        gains(&mut graded, [direct, steps, last], &facts.right);
        Some(graded)
    }
}

fn observe(graded: &mut Graded, mode: Mode, metric: &str, value: Observed) {
    graded.observations.push(Observation::new(format!("{}.{metric}", mode.name()), value));
}

/// What the answer in a mode is worth.
fn answered(graded: &mut Graded, mode: Mode, text: &str, right: &str) {
    let answer = answer_of(text);
    let places = Places::of(answer.as_deref(), right);
    observe(graded, mode, "exact_match", Observed::Flag(answer.as_deref() == Some(right)));
    observe(graded, mode, "digits", Observed::Number(places.share));
    observe(graded, mode, "first_digit", Observed::Flag(places.first));
    observe(graded, mode, "last_digit", Observed::Flag(places.last));
    graded.filtered.insert(mode.name().to_owned(), vec![answer.unwrap_or_default()]);
}

/// How probable the digits of the right answer are at once; the space before them counts for nothing.
fn scored_at_once(graded: &mut Graded, scored: &Scored, lead: usize) {
    let mode = Mode::Direct;
    let logprobs = scored.logprobs.get(lead..).unwrap_or_default();
    let ranks = scored.ranks.get(lead..).unwrap_or_default();
    observe(graded, mode, "top_1", Observed::Flag(!ranks.is_empty() && ranks.iter().all(|rank| *rank == 1)));
    observe(graded, mode, "logprob", Observed::Number(logprobs.iter().sum()));
    for (metric, logprob) in [("first_logprob", logprobs.first()), ("last_logprob", logprobs.last())] {
        if let Some(logprob) = logprob {
            observe(graded, mode, metric, Observed::Number(*logprob));
        }
    }
    if let Some(rank) = ranks.first() {
        observe(graded, mode, "first_rank", Observed::Number(*rank as f64));
    }
}

/// Whether the calculator was called as it should be, and whether a call gave the right answer.
fn called(graded: &mut Graded, calls: &[String], right: &str) {
    let values: Vec<i128> = calls.iter().filter_map(|text| Call::first(text)?.value).collect();
    let well_formed = calls.first().and_then(|text| Call::first(text)?.value).is_some();
    observe(graded, Mode::Calculator, "well_formed", Observed::Flag(well_formed));
    let is_right = values.iter().any(|value| value.to_string() == right);
    observe(graded, Mode::Calculator, "right_call", Observed::Flag(is_right));
}

/// What steps and the calculator gain on the direct answer: 1, 0 or -1.
fn gains(graded: &mut Graded, texts: [&String; 3], right: &str) {
    let [direct, steps, calculator] = texts.map(|text| f64::from(u8::from(answer_of(text).as_deref() == Some(right))));
    observe(graded, Mode::Steps, "gain", Observed::Number(steps - direct));
    observe(graded, Mode::Calculator, "gain", Observed::Number(calculator - direct));
}
