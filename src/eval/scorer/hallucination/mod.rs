//! Does a model make up answers? Questions with known, obscure and no answers, and about what nobody has heard of; each
//! answer is right, wrong or abstains, and signals say how well the model could have known.
//!
//! The rule for answers is in `verdict`, how questions are asked in `prompt`, signals in `signal`, what is counted in
//! `metrics`. Which question has no answer is the suite's word: an item without `answers`.

mod metrics;
mod prompt;
mod signal;
#[cfg(test)]
mod tests;
mod verdict;

use std::collections::BTreeMap;

use self::metrics::Signals;
use self::prompt::{Open, Prompts, Question};
use self::verdict::{Rule, Verdict};
use super::{Scorer, Sheet};
use crate::eval::hash::hex;
use crate::eval::prepare::PrepareOptions;
use crate::eval::problem::Problem;
use crate::eval::request::{GenerateUntil, Loglikelihood, Request, Response, SampleUntil, Scored};
use crate::eval::task::{Graded, Grader, Task, TaskItem};
use crate::text::Tokenizer;

/// See the module.
pub(super) const SCORER: Scorer = Scorer {
    name: "hallucination",
    about: "Asks what is known, obscure, unanswerable or invented, and counts answers that are made up",
    keys: &["abstaining", "confidence", "max_gen_toks", "prompt", "refusal", "samples", "until"],
    task,
};

/// Confidence targets, with their names in metrics: the share of right answers above which answering pays (Kalai et al.
/// 2025). Without a target, 0, mistakes cost nothing and nothing is said of it.
const TARGETS: &[(&str, f64)] = &[("0", 0.0), ("0.5", 0.5), ("0.75", 0.75), ("0.9", 0.9)];

/// How the questions of a suite are asked, apart from what is asked.
struct Manner {
    prompts: Prompts,
    abstaining: Vec<String>,
    /// The answer that admits not to know, whose probability is a signal.
    refusal: String,
    until: Vec<String>,
    max_new: usize,
    samples: usize,
}

impl Manner {
    fn of(sheet: &Sheet<'_>) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut text = |key: &str, places: &[&str]| match needed(sheet, key, places) {
            Ok(text) => text,
            Err(problem) => {
                problems.push(problem);
                String::new()
            }
        };
        let prompts = Prompts {
            plain: text("prompt", &["{question}"]),
            confidence: text("confidence", &["{percent}", "{penalty}"]),
        };
        let refusal = text("refusal", &[]);
        let mut list = |key: &str| match sheet.settings(key) {
            Ok(texts) if !texts.is_empty() => texts,
            Ok(_) => {
                problems.push(sheet.root.problem(format!("`{key}` is missing: a list of texts is expected")));
                Vec::new()
            }
            Err(problem) => {
                problems.push(problem);
                Vec::new()
            }
        };
        let (abstaining, until) = (list("abstaining"), list("until"));
        let mut count = |key: &str, default: usize| match sheet.count(key) {
            Ok(Some(0)) => {
                problems.push(sheet.root.problem(format!("`{key}` is 0, at least 1 is expected")));
                default
            }
            Ok(found) => found.unwrap_or(default),
            Err(problem) => {
                problems.push(problem);
                default
            }
        };
        let (max_new, samples) = (count("max_gen_toks", 32), count("samples", 5));
        if !problems.is_empty() {
            return Err(problems);
        }
        if Rule::new(&[], &abstaining).judge(&refusal) != Verdict::Abstained {
            let what = format!("`refusal` is {refusal:?}, which holds none of the phrases of `abstaining`");
            return Err(vec![sheet.root.get("refusal").unwrap_or(sheet.root).problem(what)]);
        }
        if Rule::new(&[], &abstaining).judge(&prompts.confidence) == Verdict::Abstained {
            let what = "`confidence` holds a phrase of `abstaining`: an answer that only repeats it would count as one";
            return Err(vec![sheet.root.get("confidence").unwrap_or(sheet.root).problem(what)]);
        }
        Ok(Self { prompts, abstaining, refusal, until, max_new, samples })
    }

    /// What is asked of an item: its answers at each of [`TARGETS`], the refusal, the samples.
    fn requests(&self, id: &str, question: Question<'_>, options: &PrepareOptions<'_>) -> Result<Vec<Request>, String> {
        let answer = |context: String| GenerateUntil { context, until: self.until.clone(), max_new: self.max_new };
        let plain = self.prompts.ask(question, options)?;
        let mut requests = Vec::new();
        for (_, target) in TARGETS {
            let context =
                if *target > 0.0 { self.prompts.ask_with_target(question, *target, options)? } else { plain.clone() };
            requests.push(Request::GenerateUntil(answer(context)));
        }
        let continuation = format!("{}{}", prompt::delimiter(options), self.refusal);
        requests.push(Request::Loglikelihood(Loglikelihood { context: plain.clone(), continuation }));
        let sample = |draw: usize| SampleUntil {
            asked: answer(plain.clone()),
            temperature_milli: 1000,
            seed: seed(options.seed, id, draw),
        };
        requests.extend((0..self.samples).map(|draw| Request::SampleUntil(sample(draw))));
        Ok(requests)
    }
}

/// A text of the suite that must be there, and hold these places.
fn needed(sheet: &Sheet<'_>, key: &str, places: &[&str]) -> Result<String, Problem> {
    let Some(text) = sheet.setting(key)? else {
        return Err(sheet.root.problem(format!("`{key}` is missing: a text is expected")));
    };
    match places.iter().find(|place| !text.contains(**place)) {
        Some(place) => Err(sheet.root.get(key).unwrap_or(sheet.root).problem(format!("`{key}` lacks {place}"))),
        None => Ok(text),
    }
}

/// The seed of a sample: another one for each item and each draw.
fn seed(seed: u64, id: &str, draw: usize) -> u64 {
    let hash = hex(&[&seed.to_string(), id, &draw.to_string()]);
    u64::from_str_radix(&hash[..16], 16).unwrap_or(seed)
}

fn task(sheet: &Sheet<'_>, _: Option<&Tokenizer>, options: &PrepareOptions<'_>) -> Result<Task, Vec<Problem>> {
    let manner = Manner::of(sheet)?;
    let (items, asked) = sheet.each(|index| item(sheet, &manner, index, options))?.into_iter().unzip();
    let grader = HallucinationGrader { asked, samples: manner.samples, delimiter: prompt::delimiter(options) };
    sheet.task(items, metrics::specs(), Box::new(grader), options)
}

fn item(
    sheet: &Sheet<'_>,
    manner: &Manner,
    index: usize,
    options: &PrepareOptions<'_>,
) -> Result<(TaskItem, Asked), Problem> {
    let statement = sheet.field(index, "statement").map(|_| sheet.text(index, "statement")).transpose()?;
    let question = Question { text: sheet.text(index, "question")?, statement };
    let answers = sheet.texts(index, "answers")?;
    let rule = Rule::new(&answers, &manner.abstaining);
    if !answers.is_empty() && !rule.is_answerable() {
        return Err(sheet.problem(index, "`answers` holds no word: without an answer, the list is empty"));
    }
    if let Some(answer) = answers.iter().find(|answer| rule.judge(answer) == Verdict::Abstained) {
        return Err(sheet.problem(index, format!("the answer {answer:?} holds a phrase of `abstaining`")));
    }
    let of_prompt = |what: String| sheet.problem(index, what);
    let is_true = Open::is_true(question.text, options).map_err(of_prompt)?;
    let target = answers.first().map_or(manner.refusal.as_str(), String::as_str);
    let mut item = sheet.item(index, target, Vec::new())?;
    item.requests = manner.requests(&item.id, question, options).map_err(of_prompt)?;
    Ok((item, Asked { rule, is_true }))
}

/// What is known of an item beside its requests.
struct Asked {
    rule: Rule,
    is_true: Open,
}

/// Reads the answers of items.
struct HallucinationGrader {
    /// In the order of the items.
    asked: Vec<Asked>,
    samples: usize,
    delimiter: &'static str,
}

/// What a model said about an item.
struct Said<'a> {
    /// At each of [`TARGETS`], the plain answer first.
    answers: Vec<&'a str>,
    /// How likely it is to admit not to know.
    refusal: &'a Scored,
    samples: Vec<&'a str>,
    /// Entropy of the first token, in nats.
    entropy: f64,
    /// That the answer is true, and that it is false; asked where there is one.
    beliefs: Option<(f64, f64)>,
}

impl<'a> Said<'a> {
    fn of(responses: &'a [Response], n_samples: usize) -> Option<Self> {
        let (answers, rest) = responses.split_at_checked(TARGETS.len())?;
        let (refusal, rest) = rest.split_first()?;
        let (samples, beliefs) = rest.split_at_checked(n_samples)?;
        let (Response::Scored(refusal), Some(Response::Generated(first))) = (refusal, samples.first()) else {
            return None;
        };
        let beliefs = match beliefs {
            [] => None,
            [Response::Scored(yes), Response::Scored(no)] => Some((yes.loglik(), no.loglik())),
            _ => return None,
        };
        let (answers, entropy) = (texts(answers)?, first.entropy?);
        Some(Self { answers, refusal, samples: texts(samples)?, entropy, beliefs })
    }

    fn verdicts(&self, rule: &Rule) -> Vec<Verdict> {
        self.answers.iter().map(|answer| rule.judge(answer)).collect()
    }

    /// None where there is no answer to be sure of.
    fn signals(&self, rule: &Rule) -> Option<Signals> {
        let (yes, no) = self.beliefs?;
        Some(Signals {
            p_true: signal::of_two(yes, no),
            p_idk: self.refusal.loglik().exp(),
            entropy: self.entropy,
            self_check: signal::self_check(self.answers.first()?, &self.samples)?,
            semantic_entropy: signal::semantic_entropy(rule, &self.samples)?,
        })
    }
}

fn texts(responses: &[Response]) -> Option<Vec<&str>> {
    responses.iter().map(text).collect()
}

fn text(response: &Response) -> Option<&str> {
    response.generated().map(|said| said.text.trim())
}

impl Grader for HallucinationGrader {
    /// Whether the plain answer is true, once, if it claims to be one.
    fn follow_up(&self, item: &TaskItem, asked: &[Request], responses: &[Response]) -> Vec<Request> {
        let (Some(known), Some(said)) = (self.asked.get(item.index), Said::of(responses, self.samples)) else {
            return Vec::new();
        };
        let answer = said.answers.first().copied().unwrap_or_default();
        if asked.len() > item.requests.len() || !known.rule.judge(answer).is_answer() {
            return Vec::new();
        }
        let context = known.is_true.filled(answer, &said.samples);
        let belief = |letter: &str| {
            let continuation = format!("{}{letter}", self.delimiter);
            Request::Loglikelihood(Loglikelihood { context: context.clone(), continuation })
        };
        vec![belief("A"), belief("B")]
    }

    fn grade(&self, item: &TaskItem, responses: &[Response]) -> Option<Graded> {
        let rule = &self.asked.get(item.index)?.rule;
        let said = Said::of(responses, self.samples)?;
        let verdicts = said.verdicts(rule);
        let signals = said.signals(rule);
        if verdicts.first()?.is_answer() != signals.is_some() {
            return None;
        }
        Some(Graded {
            filtered: BTreeMap::new(),
            observations: metrics::observations(rule, &verdicts, signals.as_ref()),
        })
    }
}
