//! Preference pairs: is the answer that is to be preferred likelier than the one that is not? Rows are those of
//! `RewardBench`: `prompt`, `chosen`, `rejected`; other fields are kept and not looked at.
//!
//! A longer answer is less likely, whatever it says. So three figures stand side by side: the sum of a pair's
//! log-probabilities, the mean per token, and the sum without what length alone explains, fitted over the whole suite.

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

/// What guessing gives: one of two.
const CHANCE: f64 = 0.5;

/// Its line in the registry.
pub(super) const SCORER: Scorer = Scorer {
    name: "comparisons",
    about: "Compares the log-likelihoods of an answer that is preferred and of one that is not",
    keys: &[],
    task,
};

/// The task of a suite of pairs.
fn task(sheet: &Sheet<'_>, _: Option<&Tokenizer>, options: &PrepareOptions<'_>) -> Result<Task, Vec<Problem>> {
    let items = sheet.each(|index| item(sheet, index, options))?;
    sheet.task(items, metrics(), Box::new(Preference), options)
}

fn item(sheet: &Sheet<'_>, index: usize, options: &PrepareOptions<'_>) -> Result<TaskItem, Problem> {
    let [prompt, chosen, rejected] = ["prompt", "chosen", "rejected"].map(|field| filled(sheet, index, field));
    let (prompt, chosen, rejected) = (prompt?, chosen?, rejected?);
    if chosen == rejected {
        return Err(sheet.problem(index, "`chosen` and `rejected` are the same: there is nothing to prefer"));
    }
    let frame = Frame::of(prompt, options).map_err(|what| sheet.problem(index, what))?;
    let asked = |answer: &str| {
        let (context, continuation) = (frame.context.clone(), frame.continuation(answer));
        Request::Loglikelihood(Loglikelihood { context, continuation })
    };
    sheet.item(index, chosen, vec![asked(chosen), asked(rejected)])
}

fn filled<'s>(sheet: &'s Sheet<'_>, index: usize, field: &str) -> Result<&'s str, Problem> {
    let text = sheet.text(index, field)?;
    if text.trim().is_empty() { Err(sheet.problem(index, format!("`{field}` is empty"))) } else { Ok(text) }
}

/// The share of pairs whose preferred answer is likelier, counted in each way, and by how much.
fn metrics() -> Vec<MetricSpec> {
    let share = |metric, aggregation| MetricSpec {
        chance: Some(CHANCE),
        ..MetricSpec::new(metric, aggregation, Better::Higher)
    };
    vec![
        share("acc", Aggregation::Mean),
        share("acc_mean", Aggregation::Mean),
        share("acc_length_controlled", Aggregation::LengthControlledShare),
        MetricSpec::new("margin", Aggregation::Mean, Better::Higher),
        MetricSpec::new("margin_mean", Aggregation::Mean, Better::Higher),
        MetricSpec::new("margin_length_controlled", Aggregation::LengthControlled, Better::Higher),
    ]
}

/// Compares the two answers of a pair; a tie counts against the preferred one.
struct Preference;

impl Grader for Preference {
    fn grade(&self, item: &TaskItem, responses: &[Response]) -> Option<Graded> {
        let [Response::Scored(chosen), Response::Scored(rejected)] = responses else { return None };
        let margin = round9(chosen.loglik() - rejected.loglik());
        let same = parting(chosen, rejected);
        let mean = round9(per_token(chosen, same) - per_token(rejected, same));
        let contrast = Observed::Contrast { margin, length: longer(item)? };
        let observations = vec![
            Observation::new("acc", Observed::Flag(margin > 0.0)),
            Observation::new("acc_mean", Observed::Flag(mean > 0.0)),
            Observation::new("acc_length_controlled", contrast.clone()),
            Observation::new("margin", Observed::Number(margin)),
            Observation::new("margin_mean", Observed::Number(mean)),
            Observation::new("margin_length_controlled", contrast),
        ];
        Some(Graded { observations, ..Graded::default() })
    }

    fn paired(&self) -> Option<&dyn Paired> {
        Some(self)
    }
}

/// How many tokens both answers begin with. They are as likely in both, and may be none of an answer's own, such as the line
/// that a template begins it on, which a mean would count more in a short answer.
fn parting(a: &Scored, b: &Scored) -> usize {
    let tokens = |scored: &Scored| scored.ids.get(scored.boundary..).unwrap_or_default().to_vec();
    tokens(a).iter().zip(&tokens(b)).take_while(|(a, b)| a == b).count()
}

/// The mean of an answer's log-probabilities from this token on.
fn per_token(scored: &Scored, from: usize) -> f64 {
    let rest = scored.logprobs.get(from..).unwrap_or_default();
    rest.iter().sum::<f64>() / rest.len().max(1) as f64
}

/// By how many bytes the preferred answer is the longer one: tokens would depend on the model.
fn longer(item: &TaskItem) -> Option<i64> {
    let bytes = |field: &str| i64::try_from(item.doc.get(field)?.as_str()?.len()).ok();
    Some(bytes("chosen")? - bytes("rejected")?)
}

/// The reward that direct preference optimisation makes of two models: the log of `π(answer) / π_ref(answer)`. The
/// second model is the reference. A scale β changes no comparison and is 1 here.
impl Paired for Preference {
    fn metrics(&self) -> Vec<MetricSpec> {
        let acc = MetricSpec::new("implicit_reward.acc", Aggregation::Mean, Better::Higher);
        let controlled = "implicit_reward.acc_length_controlled";
        let controlled = MetricSpec::new(controlled, Aggregation::LengthControlledShare, Better::Higher);
        vec![
            MetricSpec { chance: Some(CHANCE), ..acc },
            MetricSpec { chance: Some(CHANCE), ..controlled },
            MetricSpec::new("implicit_reward.margin", Aggregation::Mean, Better::Higher),
        ]
    }

    fn observe(&self, pair: &Pair<'_>) -> Option<Vec<Observation>> {
        let [of_model, of_reference] = [pair.a, pair.b].map(contrast);
        let ((margin, length), (reference, _)) = (of_model?, of_reference?);
        let margin = round9(margin - reference);
        Some(vec![
            Observation::new("implicit_reward.acc", Observed::Flag(margin > 0.0)),
            Observation::new("implicit_reward.acc_length_controlled", Observed::Contrast { margin, length }),
            Observation::new("implicit_reward.margin", Observed::Number(margin)),
        ])
    }
}

fn contrast(graded: &Graded) -> Option<(f64, i64)> {
    graded.observations.iter().find_map(|one| one.value.contrast())
}
