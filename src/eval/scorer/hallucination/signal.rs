//! What tells beforehand that an answer may be made up: numbers from probabilities and from other answers to the same
//! question. Nothing here looks at the right answer, so that a signal can be had where none is known.

use std::collections::BTreeMap;

use super::verdict::{Rule, Verdict, holds, words};

/// The probability of the first of two statements, which exclude each other, from their log-likelihoods.
pub(super) fn of_two(first: f64, second: f64) -> f64 {
    1.0 / (1.0 + (second - first).exp())
}

/// How unlikely the words of an answer are among those of itself and of `samples`: the mean negative log of their
/// frequencies, in nats (`SelfCheckGPT`, unigrams without smoothing). None if the answer has no words.
pub(super) fn self_check(answer: &str, samples: &[&str]) -> Option<f64> {
    let said = words(answer);
    if said.is_empty() {
        return None;
    }
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for word in said.iter().cloned().chain(samples.iter().flat_map(|sample| words(sample))) {
        *counts.entry(word).or_insert(0) += 1;
    }
    let total: usize = counts.values().sum();
    let surprise = |word: &String| (total as f64 / counts[word] as f64).ln();
    Some(said.iter().map(surprise).sum::<f64>() / said.len() as f64)
}

/// The entropy of what `samples` mean, in nats: discrete semantic entropy, by the shares of the clusters. None without
/// samples.
///
/// A sample is of the first cluster whose first member means the same: both abstain, or neither does and the words of
/// one hold those of the other, as "William Shakespeare" holds "Shakespeare". Samples without words are one cluster.
pub(super) fn semantic_entropy(rule: &Rule, samples: &[&str]) -> Option<f64> {
    let mut clusters: Vec<(Meaning, usize)> = Vec::new();
    for sample in samples {
        let meaning = Meaning::of(rule, sample);
        match clusters.iter_mut().find(|(known, _)| known.is_that_of(&meaning)) {
            Some((_, n)) => *n += 1,
            None => clusters.push((meaning, 1)),
        }
    }
    let share = |n: usize| n as f64 / samples.len() as f64;
    (!samples.is_empty()).then(|| clusters.iter().map(|(_, n)| share(*n) * -share(*n).ln()).sum::<f64>() + 0.0)
}

/// What a sample means, as far as words tell.
enum Meaning {
    Nothing,
    Abstains,
    Says(Vec<String>),
}

impl Meaning {
    /// By the same rule as the answer; whether it is right is not looked at.
    fn of(rule: &Rule, sample: &str) -> Self {
        match rule.judge(sample) {
            Verdict::Ungraded => Self::Nothing,
            Verdict::Abstained => Self::Abstains,
            Verdict::Right | Verdict::Wrong => Self::Says(words(sample)),
        }
    }

    fn is_that_of(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Nothing, Self::Nothing) | (Self::Abstains, Self::Abstains) => true,
            (Self::Says(one), Self::Says(other)) => holds(one, other) || holds(other, one),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: Option<f64>, expected: f64) {
        assert!((found.unwrap() - expected).abs() < 1e-12, "{found:?} {expected}");
    }

    fn rule() -> Rule {
        Rule::new(&["Bram Stoker".into()], &["I don't know".into()])
    }

    #[test]
    fn p_true_is_a_share_of_two() {
        near(Some(of_two(0.6f64.ln(), 0.2f64.ln())), 0.75);
        near(Some(of_two(-1000.0, -1000.0)), 0.5);
        near(Some(of_two(-1.0, -2000.0)), 1.0);
        near(Some(of_two(-2000.0, -1.0)), 0.0);
    }

    #[test]
    fn a_hand_worked_self_check() {
        // words: bram stoker | bram stoker | mary shelley: 6, of which bram 2, stoker 2
        near(self_check("Bram Stoker", &["bram stoker.", "Mary Shelley"]), 3f64.ln());
        // words: bram | bram bram: never surprising
        near(self_check("Bram", &["Bram Bram"]), 0.0);
        // mean of ln(4/3) and ln(4/1)
        near(self_check("Bram Stoker", &["Bram, Bram"]), f64::midpoint((4.0f64 / 3.0).ln(), 4f64.ln()));
        near(self_check("Bram", &[]), 0.0);
        assert_eq!(self_check(" .", &["Bram"]), None);
    }

    #[test]
    fn a_hand_worked_semantic_entropy() {
        // {stoker, bram stoker, stoker} {shelley} {abstains}: 3/5 1/5 1/5
        let samples = ["Stoker.", "Bram Stoker", "Mary Shelley", "I don't know", "stoker"];
        let expected = -(0.6 * 0.6f64.ln() + 0.4 * 0.2f64.ln());
        near(semantic_entropy(&rule(), &samples), expected);
        let uniform = ["a1", "b1", "c1", "d1"];
        near(semantic_entropy(&rule(), &uniform), 4f64.ln());
        assert_eq!(semantic_entropy(&rule(), &["x", "X.", "the x"]).unwrap().to_bits(), 0.0f64.to_bits());
        near(semantic_entropy(&rule(), &["", ".", "x", "x"]), 2f64.ln());
        near(semantic_entropy(&rule(), &["x"]), 0.0);
        assert_eq!(semantic_entropy(&rule(), &[]), None);
    }

    #[test]
    fn the_right_answer_does_not_matter() {
        let samples = ["Stoker", "Bram Stoker", "Shelley", "Mary Shelley", ""];
        let other = Rule::new(&["Mary Shelley".into()], &["I don't know".into()]);
        assert_eq!(semantic_entropy(&rule(), &samples), semantic_entropy(&other, &samples));
    }
}
