//! What is counted, and what one item adds to it.

use super::TARGETS;
use super::verdict::{Rule, Verdict};
use crate::eval::task::{Aggregation, Better, MetricSpec, Observation, Observed};

/// Signals by which right answers might be told from wrong ones, each turned so that more speaks for right.
pub(super) struct Signals {
    /// The probability that the model gives to its answer being true.
    pub(super) p_true: f64,
    /// The probability of the answer that admits not to know.
    pub(super) p_idk: f64,
    /// Entropy of the first token of the answer, in nats.
    pub(super) entropy: f64,
    /// See [`self_check`](super::signal::self_check).
    pub(super) self_check: f64,
    /// See [`semantic_entropy`](super::signal::semantic_entropy).
    pub(super) semantic_entropy: f64,
}

/// The name of a signal, and its value, larger where an answer is more likely right.
type Signal = (&'static str, fn(&Signals) -> f64);

/// Every signal.
const SIGNALS: &[Signal] = &[
    ("p_true", |signals| signals.p_true),
    ("p_idk", |signals| -signals.p_idk),
    ("entropy", |signals| -signals.entropy),
    ("self_check", |signals| -signals.self_check),
    ("semantic_entropy", |signals| -signals.semantic_entropy),
];

/// What is counted of the plain answers.
const PLAIN: &[(&str, Better)] = &[
    ("correct", Better::Higher),
    ("wrong", Better::Lower),
    ("abstained", Better::Neither),
    ("ungraded", Better::Lower),
    ("hallucination_rate", Better::Lower),
];

/// How far `p_true` may be believed.
const BELIEF: &[(&str, Aggregation)] =
    &[("brier.p_true", Aggregation::Mean), ("ece.p_true", Aggregation::Ece), ("aurc.p_true", Aggregation::Aurc)];

/// Every metric.
pub(super) fn specs() -> Vec<MetricSpec> {
    let plain = PLAIN.iter().map(|(name, better)| MetricSpec::new(*name, Aggregation::Mean, *better));
    let of_target = |(name, target): &(&str, f64)| {
        let mut specs = vec![MetricSpec::new(format!("score@{name}"), Aggregation::Mean, Better::Higher)];
        if *target > 0.0 {
            let rate = format!("hallucination_rate@{name}");
            specs.push(MetricSpec::new(format!("abstained@{name}"), Aggregation::Mean, Better::Neither));
            specs.push(MetricSpec::new(rate, Aggregation::Mean, Better::Lower));
        }
        specs
    };
    let auroc = SIGNALS.iter().map(|(name, _)| MetricSpec {
        chance: Some(0.5),
        ..MetricSpec::new(format!("auroc.{name}"), Aggregation::Auroc, Better::Higher)
    });
    let belief = BELIEF.iter().map(|(name, how)| MetricSpec::new(*name, *how, Better::Lower));
    plain.chain(TARGETS.iter().flat_map(of_target)).chain(auroc).chain(belief).collect()
}

/// What an item adds. `said` are the verdicts at each of [`TARGETS`], the plain answer first; there are signals where
/// that claims to be an answer.
pub(super) fn observations(rule: &Rule, said: &[Verdict], signals: Option<&Signals>) -> Vec<Observation> {
    let plain = said.first().copied().unwrap_or(Verdict::Ungraded);
    let flag = |name: &str, value: bool| Observation::new(name, Observed::Flag(value));
    let mut found = vec![
        flag("correct", rule.is_correct(plain)),
        flag("wrong", plain == Verdict::Wrong),
        flag("abstained", plain == Verdict::Abstained),
        flag("ungraded", plain == Verdict::Ungraded),
    ];
    if plain.is_answer() {
        found.push(flag("hallucination_rate", plain == Verdict::Wrong));
    }
    for ((name, target), verdict) in TARGETS.iter().zip(said) {
        found.push(Observation::new(format!("score@{name}"), Observed::Number(verdict.score(*target))));
        if *target > 0.0 {
            found.push(flag(&format!("abstained@{name}"), *verdict == Verdict::Abstained));
            if verdict.is_answer() {
                found.push(flag(&format!("hallucination_rate@{name}"), *verdict == Verdict::Wrong));
            }
        }
    }
    found.extend(signals.into_iter().flat_map(|signals| of_signals(signals, plain == Verdict::Right)));
    found
}

fn of_signals(signals: &Signals, is_right: bool) -> Vec<Observation> {
    let judged = |signal: f64| Observed::Judged { signal, is_right };
    let auroc = SIGNALS.iter().map(|(name, of)| Observation::new(format!("auroc.{name}"), judged(of(signals))));
    let truth = f64::from(u8::from(is_right));
    let brier = Observed::Number((signals.p_true - truth).powi(2));
    let belief =
        [("brier.p_true", brier), ("ece.p_true", judged(signals.p_true)), ("aurc.p_true", judged(signals.p_true))];
    auroc.chain(belief.map(|(name, value)| Observation::new(name, value))).collect()
}
