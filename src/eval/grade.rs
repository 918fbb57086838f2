//! Reads answers as lm-evaluation-harness 0.4.13 does (`process_results`).

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::choice::{ChoiceScore, MultipleChoice};
use super::filter::Chain;
use super::metric::{self, words};
use super::metric_list::{OutputType, Wanted};
use super::pattern;
use super::request::{Response, Scored};
use super::task::{Graded, Grader, Observation, Observed, TaskItem};

/// What is known of an item beside its requests.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    pub(super) choices: Vec<String>,
    /// The places of the right choices.
    pub(super) gold: Vec<usize>,
    /// The texts that answers are compared with, or that are scored.
    pub(super) targets: Vec<String>,
    /// Whether the target is a list.
    pub(super) several: bool,
    /// The target as the record shows it.
    pub(super) shown: String,
    /// The fields.
    pub(super) doc: Map<String, Value>,
}

/// The grader of a task file.
pub(super) struct HarnessGrader {
    pub(super) output: OutputType,
    pub(super) metrics: Vec<Wanted>,
    pub(super) chains: Vec<Chain>,
    /// In the order of the items.
    pub(super) facts: Vec<Facts>,
}

impl Grader for HarnessGrader {
    fn grade(&self, item: &TaskItem, responses: &[Response]) -> Option<Graded> {
        let facts = self.facts.get(item.index)?;
        match self.output {
            OutputType::GenerateUntil => self.generated(facts, responses),
            OutputType::MultipleChoice => self.choice(facts, responses),
            OutputType::Loglikelihood => self.scored(responses),
            OutputType::LoglikelihoodRolling => self.rolled(facts, responses),
        }
    }
}

impl HarnessGrader {
    /// The same values under the name of each filter, which here picks the only answer.
    fn for_each_filter(&self, value: impl Fn(&Wanted) -> Option<Observed>) -> Option<Graded> {
        let mut observations = Vec::new();
        for chain in &self.chains {
            for metric in &self.metrics {
                observations.push(observation(metric, chain, value(metric)?));
            }
        }
        Some(Graded { filtered: BTreeMap::new(), observations })
    }

    fn scored(&self, responses: &[Response]) -> Option<Graded> {
        let [Response::Scored(scored)] = responses else { return None };
        self.for_each_filter(|metric| match metric.kind.name {
            "acc" => Some(Observed::Flag(scored.is_greedy)),
            "perplexity" => Some(Observed::Number(scored.loglik())),
            _ => None,
        })
    }

    fn rolled(&self, facts: &Facts, responses: &[Response]) -> Option<Graded> {
        let ([Response::Rolled(rolled)], [text]) = (responses, facts.targets.as_slice()) else { return None };
        let (words, bytes) = (words(text), text.len());
        self.for_each_filter(|metric| {
            let units = if metric.kind.name == "word_perplexity" { words } else { bytes };
            Some(Observed::Text { loglik: rolled.loglik(), units })
        })
    }

    fn choice(&self, facts: &Facts, responses: &[Response]) -> Option<Graded> {
        let scored = |response: &Response| match response {
            Response::Scored(scored) => Some(scored.clone()),
            Response::Rolled(_) | Response::Generated(_) | Response::Compressed(_) | Response::Told(_) => None,
        };
        let scored: Vec<Scored> = responses.iter().map(scored).collect::<Option<_>>()?;
        let (in_context, alone) = scored.split_at_checked(facts.choices.len())?;
        let choice = MultipleChoice {
            context: String::new(),
            delimiter: String::new(),
            choices: facts.choices.clone(),
            gold: facts.gold.clone(),
        };
        let score = choice.score(in_context, alone)?;
        self.for_each_filter(|metric| of_choice(metric.kind.name, &score, facts))
    }

    fn generated(&self, facts: &Facts, responses: &[Response]) -> Option<Graded> {
        let [Response::Generated(generated)] = responses else { return None };
        let mut graded = Graded::default();
        for chain in &self.chains {
            let answers = chain.apply(std::slice::from_ref(&generated.text), &facts.doc);
            let answer = answers.first().cloned().unwrap_or_default();
            for metric in &self.metrics {
                let is_right = facts.targets.iter().any(|target| is_match(metric, &answer, target));
                graded.observations.push(observation(metric, chain, Observed::Flag(is_right)));
            }
            graded.filtered.insert(chain.name.clone(), answers);
        }
        Some(graded)
    }
}

fn observation(metric: &Wanted, chain: &Chain, value: Observed) -> Observation {
    Observation { metric: metric.kind.name.to_owned(), filter: chain.name.clone(), value }
}

fn of_choice(metric: &str, score: &ChoiceScore, facts: &Facts) -> Option<Observed> {
    Some(match metric {
        "acc" => Observed::Flag(score.acc()),
        "acc_norm" => Observed::Flag(score.acc_norm()),
        "acc_bytes" => Observed::Flag(score.acc_bytes()),
        "acc_tokens" => Observed::Flag(score.acc_tokens()),
        "acc_shortest" => Observed::Number(score.shortest),
        "acc_mutual_info" => Observed::Flag(score.acc_mutual_info()?),
        "exact_match" => Observed::Flag(score.exact_match),
        "brier_score" => Observed::Number(score.brier()),
        "mc2" => Observed::Number(score.mass()),
        "f1" => Observed::Classes { gold: *facts.gold.first()?, predicted: score.choice },
        _ => return None,
    })
}

/// Whether an answer is a target, apart from what the metric ignores.
fn is_match(metric: &Wanted, answer: &str, target: &str) -> bool {
    let seen = |text: &str| {
        let patterns = metric.ignore.patterns.iter();
        patterns.fold(text.to_owned(), |text, pattern| pattern::remove(pattern, &text))
    };
    metric::exact_match(&seen(answer), &seen(target), &metric.ignore.kinds)
}
