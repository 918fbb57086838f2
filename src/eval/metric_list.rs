//! The metrics that a task may ask for: which outputs each is of, how it is counted, and what else it may be told.

use std::collections::BTreeMap;

use fancy_regex::Regex;
use serde_json::Value;

use super::filter::{patterns, unknown_keys};
use super::metric::Ignore;
use super::node::{Kind, Node};
use super::problem::{Problem, nearest};
use super::task::{Aggregation, Better};

/// What the requests of a task are, by lm-evaluation-harness's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputType {
    /// Each choice is scored after the context.
    MultipleChoice,
    /// The target is scored after the context.
    Loglikelihood,
    /// The target is scored by itself, however long.
    LoglikelihoodRolling,
    /// The model writes.
    GenerateUntil,
}

impl OutputType {
    /// Every one.
    pub const ALL: [Self; 4] =
        [Self::MultipleChoice, Self::Loglikelihood, Self::LoglikelihoodRolling, Self::GenerateUntil];

    /// Its name in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::MultipleChoice => "multiple_choice",
            Self::Loglikelihood => "loglikelihood",
            Self::LoglikelihoodRolling => "loglikelihood_rolling",
            Self::GenerateUntil => "generate_until",
        }
    }
}

/// A metric.
#[derive(Debug)]
pub struct MetricKind {
    /// Its name in `metric_list`.
    pub name: &'static str,
    /// What it is, in a sentence without a period.
    pub about: &'static str,
    /// The outputs it can be computed from.
    pub of: &'static [OutputType],
    /// How it is counted, unless the task says otherwise.
    pub aggregation: Aggregation,
    /// Which direction is better, unless the task says otherwise.
    pub better: Better,
    /// What else its entry may say.
    pub options: &'static [&'static str],
    /// Whether a task that names no metrics has it.
    pub by_default: bool,
}

use OutputType::{GenerateUntil, Loglikelihood, LoglikelihoodRolling, MultipleChoice};

const CHOICE: MetricKind = MetricKind {
    name: "",
    about: "",
    of: &[MultipleChoice],
    aggregation: Aggregation::Mean,
    better: Better::Higher,
    options: &[],
    by_default: false,
};

const ROLLING: MetricKind = MetricKind {
    of: &[LoglikelihoodRolling],
    aggregation: Aggregation::WeightedPerplexity,
    better: Better::Lower,
    by_default: true,
    ..CHOICE
};

/// Every metric.
pub static METRICS: &[MetricKind] = &[
    MetricKind {
        name: "acc",
        about: "A right choice is the most likely one; of a log-likelihood, the target is what the model would write",
        of: &[MultipleChoice, Loglikelihood],
        by_default: true,
        ..CHOICE
    },
    MetricKind { name: "acc_bytes", about: "The same by log-likelihood for each byte of the choice", ..CHOICE },
    MetricKind { name: "acc_mutual_info", about: "The same by what the context adds to the log-likelihood", ..CHOICE },
    MetricKind {
        name: "acc_norm",
        about: "The same by log-likelihood for each character of the choice",
        by_default: true,
        ..CHOICE
    },
    MetricKind {
        name: "acc_shortest",
        about: "The share of right ones among the choices with the fewest characters: what length alone gives",
        better: Better::Neither,
        ..CHOICE
    },
    MetricKind { name: "acc_tokens", about: "As `acc`, by log-likelihood for each token of the choice", ..CHOICE },
    MetricKind {
        name: "bits_per_byte",
        about: "Bits for each byte of all texts together",
        aggregation: Aggregation::BitsPerByte,
        ..ROLLING
    },
    MetricKind {
        name: "brier_score",
        about: "The squared distance of the choices' probabilities from certainty of the right one",
        better: Better::Lower,
        ..CHOICE
    },
    MetricKind { name: "byte_perplexity", about: "Perplexity for each byte of all texts together", ..ROLLING },
    MetricKind {
        name: "exact_match",
        about: "The answer is a target, apart from what is ignored; of choices, a right one is what the model would write",
        of: &[GenerateUntil, MultipleChoice],
        options: &["regexes_to_ignore", "ignore_case", "ignore_punctuation", "ignore_numbers"],
        ..CHOICE
    },
    MetricKind { name: "f1", about: "F1 of the second of two choices", aggregation: Aggregation::F1, ..CHOICE },
    MetricKind { name: "mc2", about: "The share of the probability of all choices that the right ones have", ..CHOICE },
    MetricKind {
        name: "perplexity",
        about: "e to the mean negative log-likelihood of the targets",
        of: &[Loglikelihood],
        aggregation: Aggregation::Perplexity,
        better: Better::Lower,
        by_default: true,
        ..CHOICE
    },
    MetricKind { name: "word_perplexity", about: "Perplexity for each word of all texts together", ..ROLLING },
];

/// Options that many task files give to metrics of log-likelihoods, where lm-evaluation-harness does not look at them.
const WITHOUT_EFFECT: &[&str] =
    &["ignore_case", "ignore_numbers", "ignore_punctuation", "regexes_to_ignore", "hf_evaluate"];

/// A metric that a task asks for.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) kind: &'static MetricKind,
    pub(super) aggregation: Aggregation,
    pub(super) better: Better,
    pub(super) ignore: Ignored,
}

/// What an exact match does not look at.
#[derive(Debug, Default)]
pub(super) struct Ignored {
    pub(super) patterns: Vec<Regex>,
    pub(super) kinds: Vec<Ignore>,
}

impl Wanted {
    fn of(kind: &'static MetricKind) -> Self {
        Self { kind, aggregation: kind.aggregation, better: kind.better, ignore: Ignored::default() }
    }
}

impl MetricKind {
    /// Whether it is what lm-evaluation-harness counts where a file names no metrics.
    fn is_default_of(&self, output: OutputType) -> bool {
        self.of.contains(&output) && (self.by_default || output == GenerateUntil)
    }
}

/// The metrics of a task that names none.
pub(super) fn defaults(output: OutputType) -> Vec<Wanted> {
    METRICS.iter().filter(|kind| kind.is_default_of(output)).map(Wanted::of).collect()
}

/// Reads a `metric_list`.
pub(super) fn read(node: &Node, output: OutputType) -> Result<Vec<Wanted>, Vec<Problem>> {
    let Kind::List(nodes) = &node.kind else { return Err(vec![node.problem("`metric_list` is no list")]) };
    let (mut wanted, mut problems): (Vec<Wanted>, Vec<Problem>) = (Vec::new(), Vec::new());
    for node in nodes {
        match read_metric(node, output) {
            Ok(metric) if wanted.iter().any(|known| known.kind.name == metric.kind.name) => {
                problems.push(node.problem(format!("metric `{}` is there twice", metric.kind.name)));
            }
            Ok(metric) => wanted.push(metric),
            Err(found) => problems.extend(found),
        }
    }
    if nodes.is_empty() {
        problems.push(node.problem("`metric_list` is empty"));
    }
    if problems.is_empty() { Ok(wanted) } else { Err(problems) }
}

/// Metrics of lm-evaluation-harness that are not computed here.
const ELSEWHERE: &[&str] = &["acc_all", "bleu", "bypass", "chrf", "chrf++", "likelihood", "mcc", "ter"];

fn read_metric(node: &Node, output: OutputType) -> Result<Wanted, Vec<Problem>> {
    let Some(name) = node.text().or_else(|| node.get("metric").and_then(Node::text)) else {
        return Err(vec![node.problem("a metric needs its name, as `metric`")]);
    };
    let fitting = || METRICS.iter().filter(|kind| kind.of.contains(&output)).map(|kind| kind.name);
    let Some(kind) = METRICS.iter().find(|kind| kind.name == name && kind.of.contains(&output)) else {
        let what = if ELSEWHERE.contains(&name) {
            let here = fitting().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            format!("metric `{name}` of lm-evaluation-harness is not computed here; of {} are {here}", output.name())
        } else {
            format!("metric `{name}` does not exist for {}, {}", output.name(), nearest(name, fitting()))
        };
        return Err(vec![node.problem(what)]);
    };
    let mut known = vec!["metric", "aggregation", "higher_is_better"];
    known.extend(kind.options);
    if output != GenerateUntil {
        known.extend(WITHOUT_EFFECT);
    }
    let mut problems = unknown_keys(node, &known);
    let mut wanted = Wanted::of(kind);
    match aggregation(node, kind) {
        Ok(found) => wanted.aggregation = found,
        Err(problem) => problems.push(problem),
    }
    match node.get("higher_is_better").map(|node| (node, node.value())) {
        None => {}
        Some((_, Value::Bool(true))) => wanted.better = Better::Higher,
        Some((_, Value::Bool(false))) => wanted.better = Better::Lower,
        Some((node, _)) => problems.push(node.problem("`higher_is_better` is neither true nor false")),
    }
    match ignored(node) {
        Ok(ignored) => wanted.ignore = ignored,
        Err(found) => problems.extend(found),
    }
    if problems.is_empty() { Ok(wanted) } else { Err(problems) }
}

fn aggregation(node: &Node, kind: &MetricKind) -> Result<Aggregation, Problem> {
    let Some(node) = node.get("aggregation") else { return Ok(kind.aggregation) };
    let known: BTreeMap<&str, Aggregation> = BTreeMap::from([match kind.aggregation {
        Aggregation::Mean => ("mean", Aggregation::Mean),
        Aggregation::Median => ("median", Aggregation::Median),
        Aggregation::Perplexity => ("perplexity", Aggregation::Perplexity),
        Aggregation::WeightedPerplexity => ("weighted_perplexity", Aggregation::WeightedPerplexity),
        Aggregation::BitsPerByte => ("bits_per_byte", Aggregation::BitsPerByte),
        Aggregation::F1 => ("f1", Aggregation::F1),
        Aggregation::Ratio => ("ratio", Aggregation::Ratio),
        Aggregation::McNemar => ("mcnemar", Aggregation::McNemar),
        Aggregation::SignFlip => ("sign_flip", Aggregation::SignFlip),
        Aggregation::Auroc => ("auroc", Aggregation::Auroc),
        Aggregation::Ece => ("ece", Aggregation::Ece),
        Aggregation::Aurc => ("aurc", Aggregation::Aurc),
        Aggregation::LengthControlled => ("length_controlled", Aggregation::LengthControlled),
        Aggregation::LengthControlledShare => ("length_controlled_share", Aggregation::LengthControlledShare),
    }]);
    let name = node.text().unwrap_or_default();
    let found = known.get(if name == "brier_score" && kind.name == name { "mean" } else { name });
    found.copied().ok_or_else(|| {
        let near = nearest(name, known.keys().copied());
        node.problem(format!("`{}` cannot be counted by {}, {near}", kind.name, node.is_a()))
    })
}

fn ignored(node: &Node) -> Result<Ignored, Vec<Problem>> {
    let mut kinds = Vec::new();
    let flags = [
        ("ignore_case", Ignore::Case),
        ("ignore_punctuation", Ignore::Punctuation),
        ("ignore_numbers", Ignore::Numbers),
    ];
    for (name, kind) in flags {
        match node.get(name).map(|node| (node, node.value())) {
            None | Some((_, Value::Bool(false))) => {}
            Some((_, Value::Bool(true))) => kinds.push(kind),
            Some((node, _)) => return Err(vec![node.problem(format!("`{name}` is neither true nor false"))]),
        }
    }
    Ok(Ignored { patterns: patterns(node.get("regexes_to_ignore"))?, kinds })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::yaml;

    #[test]
    fn the_defaults_are_those_of_the_harness() {
        let names = |output| defaults(output).iter().map(|wanted| wanted.kind.name).collect::<Vec<_>>();
        assert_eq!(names(MultipleChoice), ["acc", "acc_norm"]);
        assert_eq!(names(Loglikelihood), ["acc", "perplexity"]);
        assert_eq!(names(LoglikelihoodRolling), ["bits_per_byte", "byte_perplexity", "word_perplexity"]);
        assert_eq!(names(GenerateUntil), ["exact_match"]);
    }

    #[test]
    fn what_only_the_harness_computes_is_refused_as_that() {
        for name in ELSEWHERE {
            assert!(METRICS.iter().all(|kind| kind.name != *name), "{name} is computed here");
            let problems =
                read(&yaml::read("t.yaml", &format!("- metric: {name}\n")).unwrap(), GenerateUntil).unwrap_err();
            let expected = format!(
                "t.yaml:1: metric `{name}` of lm-evaluation-harness is not computed here; of generate_until are `"
            );
            assert!(problems[0].to_string().starts_with(&expected), "{problems:?}");
        }
    }

    #[test]
    fn all_mistakes_are_told() {
        let list = "- metric: acc_nrom\n- {metric: acc, aggregation: meen}\n- {metric: exact_match, ignore_cases: true}\n- {metric: acc}\n- acc\n- {metric: word_perplexity}\n";
        let problems = read(&yaml::read("t.yaml", list).unwrap(), MultipleChoice).unwrap_err();
        let told: Vec<String> = problems.iter().map(Problem::to_string).collect();
        assert_eq!(told.len(), 5, "{told:?}");
        assert!(told[0].contains("`acc_nrom`") && told[0].contains("`acc_norm`"));
        assert!(told[1].contains("cannot be counted by \"meen\", the nearest is `mean`"));
        assert!(told[2].contains("`ignore_case`"));
        assert!(told[3].contains("twice"));
        assert!(told[4].contains("for multiple_choice"));
    }
}
