//! How the values of items become one value, by lm-evaluation-harness's names and arithmetic.

use std::f64::consts::LN_2;

use super::length;
use super::metric;
use super::stats::{Ranked, SignFlip, mcnemar};
use super::task::{Aggregation, Observed};

impl Aggregation {
    /// The value over all items; none if there is none, or if a value is not of the kind that is counted.
    pub fn of<'a>(self, values: impl Iterator<Item = &'a Observed>) -> Option<f64> {
        let values: Vec<&Observed> = values.collect();
        if values.is_empty() {
            return None;
        }
        let all = |read: fn(&Observed) -> Option<f64>| values.iter().map(|value| read(value)).collect();
        let numbers = || -> Option<Vec<f64>> { all(Observed::number) };
        match self {
            Self::Mean => numbers().map(|numbers| mean(&numbers)),
            Self::Median => numbers().map(median),
            Self::Perplexity => numbers().map(|numbers| metric::perplexity(&numbers)),
            Self::WeightedPerplexity => nats_per_unit(&values).map(f64::exp),
            Self::BitsPerByte => nats_per_unit(&values).map(|nats| nats / LN_2),
            Self::F1 => classes(&values).map(|classes| metric::f1(&classes)),
            Self::Ratio => ratio(&values),
            Self::McNemar => classes(&values).map(|classes| mcnemar_p(&classes)),
            Self::SignFlip => numbers().map(|numbers| SignFlip::default().test(&numbers).p),
            Self::Auroc => ranked(&values)?.auroc(),
            Self::Ece => ranked(&values).map(|ranked| ranked.ece()),
            Self::Aurc => ranked(&values).map(|ranked| ranked.aurc()),
            Self::LengthControlled => contrasts(&values).map(|pairs| length::control(&pairs).mean),
            Self::LengthControlledShare => contrasts(&values).map(|pairs| length::control(&pairs).share),
        }
    }

    /// Whether it is counted in strata too; what ranks answers needs more of them than a stratum has.
    pub fn has_strata(self) -> bool {
        !matches!(self, Self::Auroc | Self::Ece | Self::Aurc)
    }

    /// Whether it is a p-value: one is not drawn anew, nor compared with that of another run.
    pub const fn is_p(self) -> bool {
        matches!(self, Self::McNemar | Self::SignFlip)
    }
}

impl Observed {
    /// As a number, if it is one: 1 for right, 0 for wrong.
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Flag(flag) => Some(f64::from(u8::from(*flag))),
            Self::Number(number) => Some(*number),
            Self::Text { .. }
            | Self::Classes { .. }
            | Self::Ratio { .. }
            | Self::Judged { .. }
            | Self::Contrast { .. } => None,
        }
    }

    /// The signal of an answer and whether it is right, if it is ranked.
    pub fn judged(&self) -> Option<(f64, bool)> {
        match self {
            Self::Judged { signal, is_right } => Some((*signal, *is_right)),
            Self::Flag(_)
            | Self::Number(_)
            | Self::Text { .. }
            | Self::Ratio { .. }
            | Self::Classes { .. }
            | Self::Contrast { .. } => None,
        }
    }

    /// The classes of an item, gold and predicted, if it is in one.
    pub fn classes(&self) -> Option<(usize, usize)> {
        match self {
            Self::Classes { gold, predicted } => Some((*gold, *predicted)),
            Self::Flag(_)
            | Self::Number(_)
            | Self::Text { .. }
            | Self::Ratio { .. }
            | Self::Judged { .. }
            | Self::Contrast { .. } => None,
        }
    }

    /// The margin of a pair of answers and by how much the preferred one is longer, if it is one.
    pub fn contrast(&self) -> Option<(f64, i64)> {
        match self {
            Self::Contrast { margin, length } => Some((*margin, *length)),
            Self::Flag(_)
            | Self::Number(_)
            | Self::Text { .. }
            | Self::Ratio { .. }
            | Self::Classes { .. }
            | Self::Judged { .. } => None,
        }
    }

    /// Whether every number in it is one.
    pub fn is_finite(&self) -> bool {
        match self {
            Self::Number(number)
            | Self::Text { loglik: number, .. }
            | Self::Judged { signal: number, .. }
            | Self::Contrast { margin: number, .. } => number.is_finite(),
            Self::Ratio { part, whole } => part.is_finite() && whole.is_finite(),
            Self::Flag(_) | Self::Classes { .. } => true,
        }
    }
}

fn mean(numbers: &[f64]) -> f64 {
    numbers.iter().sum::<f64>() / numbers.len() as f64
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_unstable_by(f64::total_cmp);
    let last = numbers.len() - 1;
    f64::midpoint(numbers[last / 2], numbers[numbers.len() / 2])
}

/// The negative log-likelihood of all texts for each of their words or bytes.
fn nats_per_unit(values: &[&Observed]) -> Option<f64> {
    let (mut nats, mut all) = (0.0, 0);
    for value in values {
        let Observed::Text { loglik, units } = value else { return None };
        nats -= loglik;
        all += units;
    }
    Some(nats / all as f64)
}

/// The sum of all parts by the sum of all wholes.
fn ratio(values: &[&Observed]) -> Option<f64> {
    let (mut parts, mut wholes) = (0.0, 0.0);
    for value in values {
        let Observed::Ratio { part, whole } = value else { return None };
        parts += part;
        wholes += whole;
    }
    Some(parts / wholes)
}

fn mcnemar_p(classes: &[(usize, usize)]) -> f64 {
    let count = |wanted: (bool, bool)| classes.iter().filter(|(one, other)| (*one == 1, *other == 1) == wanted).count();
    mcnemar(count((true, false)), count((false, true)))
}

fn classes(values: &[&Observed]) -> Option<Vec<(usize, usize)>> {
    values.iter().map(|value| value.classes()).collect()
}

/// The answers by their signals; none if there is anything else.
fn ranked(values: &[&Observed]) -> Option<Ranked> {
    let answers: Option<Vec<(f64, bool)>> = values.iter().map(|value| value.judged()).collect();
    Ranked::of(answers?)
}

/// Margins with the differences in length.
fn contrasts(values: &[&Observed]) -> Option<Vec<(f64, f64)>> {
    let float = |(margin, length): (f64, i64)| (margin, length as f64);
    values.iter().map(|value| value.contrast().map(float)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(aggregation: Aggregation, values: &[Observed]) -> Option<f64> {
        aggregation.of(values.iter())
    }

    fn near(found: Option<f64>, expected: f64) {
        assert!((found.unwrap() - expected).abs() < 1e-12, "{found:?} {expected}");
    }

    #[test]
    fn hand_worked_values() {
        let numbers = [Observed::Number(-1.0), Observed::Number(-4.0), Observed::Number(-1.0)];
        near(of(Aggregation::Mean, &numbers), -2.0);
        near(of(Aggregation::Median, &numbers), -1.0);
        near(of(Aggregation::Median, &numbers[..2]), -2.5);
        near(of(Aggregation::Perplexity, &numbers), 2f64.exp());
        near(of(Aggregation::Mean, &[Observed::Flag(true), Observed::Flag(false)]), 0.5);
        // 6 nats over 3 units, not the mean of 1 and 5
        let texts = [Observed::Text { loglik: -1.0, units: 1 }, Observed::Text { loglik: -5.0, units: 2 }];
        near(of(Aggregation::WeightedPerplexity, &texts), 2f64.exp());
        near(of(Aggregation::BitsPerByte, &texts), 2.0 / LN_2);
        // 3 of 6, not the mean of 1 and 1/4
        let ratios = [(2.0, 2.0), (1.0, 4.0)].map(|(part, whole)| Observed::Ratio { part, whole });
        near(of(Aggregation::Ratio, &ratios), 0.5);
        let class = |gold, predicted| Observed::Classes { gold, predicted };
        // of six discordant pairs five are of one kind: 2 (1 + 6) / 64; those that agree do not count
        let pairs =
            [(1, 0), (1, 0), (1, 0), (1, 0), (1, 0), (0, 1), (1, 1), (0, 0)].map(|(one, other)| class(one, other));
        near(of(Aggregation::McNemar, &pairs), 14.0 / 64.0);
        near(of(Aggregation::McNemar, &pairs[6..]), 1.0);
        // of 8 choices of signs two are as far from zero
        near(of(Aggregation::SignFlip, &[1.0, 2.0, 3.0].map(Observed::Number)), 0.25);
        near(of(Aggregation::F1, &[class(1, 1), class(1, 0), class(0, 0)]), 2.0 / 3.0);
        // the surest is wrong, the other two right: no pair in order; |2/3 - 0.6|; risks 1, 1/2, 1/3
        let judged = |signal, is_right| Observed::Judged { signal, is_right };
        let answers = [judged(0.9, false), judged(0.6, true), judged(0.3, true)];
        near(of(Aggregation::Auroc, &answers), 0.0);
        near(of(Aggregation::Ece, &answers), 2.0 / 3.0 - 0.6);
        near(of(Aggregation::Aurc, &answers), (1.0 + 0.5 + 1.0 / 3.0) / 3.0);
    }

    #[test]
    fn nothing_and_the_wrong_kind_have_no_value() {
        assert_eq!(of(Aggregation::Mean, &[]), None);
        assert_eq!(of(Aggregation::Ratio, &[Observed::Number(1.0)]), None);
        assert_eq!(of(Aggregation::McNemar, &[Observed::Number(1.0)]), None);
        assert_eq!(of(Aggregation::SignFlip, &[Observed::Classes { gold: 0, predicted: 0 }]), None);
        assert_eq!(of(Aggregation::F1, &[Observed::Flag(true)]), None);
        for aggregation in [Aggregation::Auroc, Aggregation::Ece, Aggregation::Aurc] {
            assert_eq!([of(aggregation, &[]), of(aggregation, &[Observed::Flag(true)])], [None, None]);
        }
        assert_eq!(of(Aggregation::Mean, &[Observed::Flag(true), Observed::Classes { gold: 0, predicted: 0 }]), None);
    }
}
