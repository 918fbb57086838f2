//! Questions with a right answer, wrong ones and "I don't know.", asked alike of a base model and of an assistant.
//!
//! One run says what one model makes of them; with a second model (`--against`) every figure is a paired difference, and
//! the distributions of both are compared along the same answer.

#[cfg(test)]
mod tests;

use super::{Scorer, Sheet};
use crate::eval::frame::Frame;
use crate::eval::prepare::PrepareOptions;
use crate::eval::problem::Problem;
use crate::eval::request::{Loglikelihood, Request, Response, Scored, round9};
use crate::eval::task::{
    Aggregation, Better, Graded, Grader, MetricSpec, Observation, Observed, Pair, Paired, Task, TaskItem,
};
use crate::text::Tokenizer;

/// Keys of `suite.toml`.
const KEYS: &[&str] = &["abstain"];

/// Its line in the registry.
pub(super) const SCORER: Scorer = Scorer {
    name: "base-vs-assistant",
    about: "Scores answers and not knowing, and compares the distributions of two models along one answer",
    keys: KEYS,
    task,
};

/// The task of a suite of questions.
fn task(sheet: &Sheet<'_>, _: Option<&Tokenizer>, options: &PrepareOptions<'_>) -> Result<Task, Vec<Problem>> {
    let abstain = sheet.setting("abstain").map_err(|problem| vec![problem])?.unwrap_or_default();
    if abstain.trim().is_empty() {
        return Err(vec![sheet.root.problem("`abstain` is missing: the answer of a model that does not know")]);
    }
    let read = sheet.each(|index| Question::read(sheet, index, &abstain, options))?;
    let (items, asked) = read.into_iter().unzip();
    sheet.task(items, metrics(), Box::new(Questions { asked }), options)
}

fn metrics() -> Vec<MetricSpec> {
    vec![
        MetricSpec::new("acc", Aggregation::Mean, Better::Higher),
        MetricSpec::new("abstains", Aggregation::Mean, Better::Neither),
        MetricSpec::new("p_abstain", Aggregation::Mean, Better::Neither),
        MetricSpec::new("p_answer", Aggregation::Mean, Better::Higher),
    ]
}

/// One question.
struct Question {
    /// Whether the first answer is a right one; else there is none.
    has_answer: bool,
    /// The text along which two models are compared.
    along: Loglikelihood,
}

impl Question {
    fn read(
        sheet: &Sheet<'_>,
        index: usize,
        abstain: &str,
        options: &PrepareOptions<'_>,
    ) -> Result<(TaskItem, Self), Problem> {
        let question = sheet.text(index, "question")?;
        let (answer, others) = (sheet.texts(index, "answer")?, sheet.texts(index, "others")?);
        let wrong = |what: &str| Err(sheet.problem(index, what.to_owned()));
        if answer.len() > 1 {
            return wrong("`answer` holds several texts, one is expected, or none where nobody knows");
        }
        if others.is_empty() {
            return wrong("`others` is empty: there is nothing to choose from");
        }
        let mut choices: Vec<&str> = answer.iter().chain(&others).map(String::as_str).collect();
        choices.push(abstain);
        if let Some((at, again)) = choices.iter().enumerate().find(|(at, one)| choices[..*at].contains(one)) {
            let what = format!("`{again}` is there twice: answer {} of `answer`, `others` and `abstain`", at + 1);
            return Err(sheet.problem(index, what));
        }
        let frame = Frame::of(question, options).map_err(|what| sheet.problem(index, what))?;
        let request = |text: &&str| {
            let (context, continuation) = (frame.context.clone(), frame.continuation(text));
            Request::Loglikelihood(Loglikelihood { context, continuation })
        };
        let item =
            sheet.item(index, answer.first().map_or(abstain, String::as_str), choices.iter().map(request).collect())?;
        let along = frame.along(answer.first().map_or(abstain, String::as_str));
        Ok((item, Self { has_answer: !answer.is_empty(), along }))
    }
}

/// Reads the answers; the last request is always that of not knowing.
struct Questions {
    asked: Vec<Question>,
}

impl Grader for Questions {
    fn grade(&self, item: &TaskItem, responses: &[Response]) -> Option<Graded> {
        let question = self.asked.get(item.index)?;
        let scored = |response: &Response| match response {
            Response::Scored(scored) => Some(Scored::loglik(scored)),
            Response::Rolled(_) | Response::Generated(_) | Response::Told(_) | Response::Compressed(_) => None,
        };
        let logliks: Vec<f64> = responses.iter().map(scored).collect::<Option<_>>()?;
        if logliks.len() != item.requests.len() {
            return None;
        }
        let (abstain, answers) = logliks.split_last()?;
        let best = answers.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        // shares of all that may be answered, so that what a template puts before every answer counts for nothing
        let top = best.max(*abstain);
        let all: f64 = logliks.iter().map(|loglik| (loglik - top).exp()).sum();
        let share = |loglik: f64| Observed::Number(round9((loglik - top).exp() / all));
        let mut observations = vec![
            Observation::new("abstains", Observed::Flag(*abstain > best)),
            Observation::new("p_abstain", share(*abstain)),
        ];
        if let Some((answer, others)) = answers.split_first().filter(|_| question.has_answer) {
            let is_best = others.iter().all(|other| answer > other);
            observations.push(Observation::new("acc", Observed::Flag(is_best)));
            observations.push(Observation::new("p_answer", share(*answer)));
        }
        Some(Graded { observations, ..Graded::default() })
    }

    fn paired(&self) -> Option<&dyn Paired> {
        Some(self)
    }
}

impl Paired for Questions {
    fn metrics(&self) -> Vec<MetricSpec> {
        ["kl.a_b", "kl.b_a"].map(|name| MetricSpec::new(name, Aggregation::Mean, Better::Neither)).to_vec()
    }

    fn text(&self, item: &TaskItem) -> Option<Loglikelihood> {
        self.asked.get(item.index).map(|question| question.along.clone())
    }

    fn observe(&self, pair: &Pair<'_>) -> Option<Vec<Observation>> {
        // models of other tokens, and records, have no distributions to compare
        let Some(divergence) = pair.divergence else { return Some(Vec::new()) };
        let [a_b, b_a] = divergence.mean();
        let one = |name: &str, value| Observation::new(name, Observed::Number(value));
        Some(vec![one("kl.a_b", a_b), one("kl.b_a", b_a)])
    }
}
