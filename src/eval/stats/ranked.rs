//! How well a signal tells right from wrong, and how far it may be believed.
//!
//! A signal is larger where an answer is more likely right. Answers of one signal are not told apart: each counts with
//! the share of right ones among them, so that no value depends on the order in which answers are given.

use super::proportion::wilson;

/// The fewest answers that a bin of [`Ranked::bins`] has, where there are several bins.
const FEWEST_IN_BIN: usize = 30;
/// More bins are not made.
const MOST_BINS: usize = 10;

/// Answers with their signals, those that are least likely right first.
#[derive(Debug, Clone, PartialEq)]
pub struct Ranked {
    /// The signal, and the share of right answers among those of this signal.
    answers: Vec<(f64, f64)>,
    n_right: usize,
}

/// Answers of nearly one signal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bin {
    /// How many there are.
    pub n: usize,
    /// Their mean signal.
    pub signal: f64,
    /// The share of right ones.
    pub right: f64,
    /// Wilson's 95 % interval of that share.
    pub interval: (f64, f64),
}

/// What is wrong among the answers that are kept.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Kept {
    /// The share of answers that are kept: those with the largest signals.
    pub coverage: f64,
    /// How many those are.
    pub n: usize,
    /// The share of wrong ones among them.
    pub risk: f64,
    /// Wilson's 95 % interval of that share.
    pub interval: (f64, f64),
}

impl Ranked {
    /// Answers as signal and whether they are right; none without answers, or if a signal is not a number.
    pub fn of(answers: impl IntoIterator<Item = (f64, bool)>) -> Option<Self> {
        let mut sorted: Vec<(f64, bool)> = answers.into_iter().collect();
        if sorted.is_empty() || sorted.iter().any(|(signal, _)| signal.is_nan()) {
            return None;
        }
        sorted.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let n_right = sorted.iter().filter(|(_, is_right)| *is_right).count();
        let mut answers = Vec::with_capacity(sorted.len());
        // 0 and -0 are one signal
        for alike in sorted.chunk_by(|a, b| a.0 >= b.0) {
            let right = alike.iter().filter(|(_, is_right)| *is_right).count() as f64 / alike.len() as f64;
            answers.extend(alike.iter().map(|(signal, _)| (*signal, right)));
        }
        Some(Self { answers, n_right })
    }

    /// The probability that a right answer has a larger signal than a wrong one, where equal ones count half; none
    /// unless there are both.
    pub fn auroc(&self) -> Option<f64> {
        let (n, right) = (self.answers.len() as f64, self.n_right as f64);
        if self.n_right == 0 || self.n_right == self.answers.len() {
            return None;
        }
        let (mut below, mut rank_sum) = (0.0, 0.0);
        for alike in self.answers.chunk_by(|a, b| a.0 >= b.0) {
            let count = alike.len() as f64;
            let mean_rank = below + f64::midpoint(1.0, count);
            rank_sum += mean_rank * alike.iter().map(|(_, right)| right).sum::<f64>();
            below += count;
        }
        Some((rank_sum - right * (right + 1.0) / 2.0) / (right * (n - right)))
    }

    /// Bins of as many answers each, the smallest signals first: ten, or as many as have thirty answers, at least one.
    pub fn bins(&self) -> Vec<Bin> {
        let n = self.answers.len();
        let n_bins = (n / FEWEST_IN_BIN).clamp(1, MOST_BINS);
        (0..n_bins).map(|bin| Bin::of(&self.answers[bin * n / n_bins..(bin + 1) * n / n_bins])).collect()
    }

    /// The expected calibration error: how far the mean signal of a bin is from its share of right answers, on average.
    pub fn ece(&self) -> f64 {
        let n = self.answers.len() as f64;
        self.bins().iter().map(|bin| bin.n as f64 / n * (bin.right - bin.signal).abs()).sum()
    }

    /// What is wrong among the answers with the largest signals, at each of `shares`.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a length")]
    pub fn kept(&self, shares: &[f64]) -> Vec<Kept> {
        let n = self.answers.len();
        let one = |share: &f64| {
            let kept = ((share * n as f64).ceil() as usize).clamp(1, n);
            let wrong: f64 = self.answers[n - kept..].iter().map(|(_, right)| 1.0 - right).sum();
            Kept { coverage: kept as f64 / n as f64, n: kept, risk: wrong / kept as f64, interval: wilson(wrong, kept) }
        };
        shares.iter().map(one).collect()
    }

    /// The area under the curve of risk and coverage: the share of wrong answers among the `k` with the largest
    /// signals, averaged over all `k`.
    pub fn aurc(&self) -> f64 {
        let (mut wrong, mut sum) = (0.0, 0.0);
        for (kept, (_, right)) in (1..).zip(self.answers.iter().rev()) {
            wrong += 1.0 - right;
            sum += wrong / f64::from(kept);
        }
        sum / self.answers.len() as f64
    }
}

impl Bin {
    fn of(answers: &[(f64, f64)]) -> Self {
        let n = answers.len();
        let right: f64 = answers.iter().map(|(_, right)| right).sum();
        let signal = answers.iter().map(|(signal, _)| signal).sum::<f64>() / n as f64;
        Self { n, signal, right: right / n as f64, interval: wilson(right, n) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranked(answers: &[(f64, bool)]) -> Ranked {
        Ranked::of(answers.iter().copied()).unwrap()
    }

    fn near(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-12, "{found} {expected}");
    }

    /// In another order: nothing may depend on it.
    fn turned(answers: &[(f64, bool)]) -> Vec<(f64, bool)> {
        let mut turned: Vec<(f64, bool)> = answers.iter().rev().copied().collect();
        turned.rotate_left(answers.len() / 2);
        turned
    }

    #[test]
    fn a_hand_worked_auroc() {
        // right: .9 .6 .5; wrong: .7 .5. Pairs won: .9 both, .6 one, .5 one half: 3.5 of 6
        let answers = [(0.9, true), (0.7, false), (0.6, true), (0.5, true), (0.5, false)];
        near(ranked(&answers).auroc().unwrap(), 3.5 / 6.0);
        near(ranked(&turned(&answers)).auroc().unwrap(), 3.5 / 6.0);
        near(ranked(&[(1.0, true), (0.0, false)]).auroc().unwrap(), 1.0);
        near(ranked(&[(0.0, true), (1.0, false)]).auroc().unwrap(), 0.0);
        near(ranked(&[(0.0, true), (-0.0, false)]).auroc().unwrap(), 0.5);
        assert_eq!(ranked(&[(0.3, true), (0.4, true)]).auroc(), None);
        assert_eq!(ranked(&[(0.3, false)]).auroc(), None);
    }

    #[test]
    fn the_auroc_is_the_share_of_pairs_that_are_in_order() {
        let answers: Vec<(f64, bool)> = (0..40u32).map(|i| (f64::from(i * 17 % 11) / 7.0, i * 29 % 13 < 6)).collect();
        let (mut won, mut pairs) = (0.0, 0.0);
        for (right, _) in answers.iter().filter(|(_, is_right)| *is_right) {
            for (wrong, _) in answers.iter().filter(|(_, is_right)| !*is_right) {
                won += if right > wrong {
                    1.0
                } else if right < wrong {
                    0.0
                } else {
                    0.5
                };
                pairs += 1.0;
            }
        }
        near(ranked(&answers).auroc().unwrap(), won / pairs);
    }

    #[test]
    fn a_hand_worked_calibration_error() {
        // one bin: |3/5 right - mean .64|
        let few = [(0.9, true), (0.7, false), (0.6, true), (0.5, true), (0.5, false)];
        near(ranked(&few).ece(), 0.04);
        // 60 answers, two bins of 30: 30 at .2 of which 12 are right, 30 at .8 of which 27 are: .5*.2 + .5*.1
        let two: Vec<(f64, bool)> = (0..60).map(|i| if i < 30 { (0.2, i < 12) } else { (0.8, i < 57) }).collect();
        let found = ranked(&turned(&two));
        near(found.ece(), 0.15);
        let bins = found.bins();
        assert_eq!(bins.iter().map(|bin| bin.n).collect::<Vec<_>>(), [30, 30]);
        near(bins[0].right, 0.4);
        near(bins[1].right, 0.9);
        assert!(bins[1].interval.0 < 0.9 && bins[1].interval.1 > 0.9);
        // certain and always right
        assert_eq!(ranked(&[(1.0, true); 7]).ece().to_bits(), 0.0f64.to_bits());
        assert_eq!(ranked(&vec![(0.5, true); 1000]).bins().len(), 10);
    }

    #[test]
    fn a_signal_across_two_bins_does_not_depend_on_the_order() {
        // 60 answers of one signal, half of them right: both bins have half
        let answers: Vec<(f64, bool)> = (0..60).map(|i| (0.5, i < 30)).collect();
        let bins = ranked(&answers).bins();
        assert_eq!((bins.len(), bins[0].right, bins[1].right), (2, 0.5, 0.5));
        near(ranked(&answers).ece(), 0.0);
    }

    #[test]
    fn a_hand_worked_curve_of_risk_and_coverage() {
        // kept first: .9 right, .7 wrong, .6 right, .5 half right twice; risks 0, 1/2, 1/3, 1.5/4, 2/5
        let answers = [(0.9, true), (0.7, false), (0.6, true), (0.5, true), (0.5, false)];
        let found = ranked(&turned(&answers));
        near(found.aurc(), (0.0 + 0.5 + 1.0 / 3.0 + 0.375 + 0.4) / 5.0);
        let kept = found.kept(&[0.1, 0.2, 0.5, 1.0]);
        assert_eq!(kept.iter().map(|kept| kept.n).collect::<Vec<_>>(), [1, 1, 3, 5]);
        near(kept[2].risk, 1.0 / 3.0);
        near(kept[2].coverage, 0.6);
        near(kept[3].risk, 0.4);
        assert!(kept[3].interval.0 < 0.4 && kept[3].interval.1 > 0.4);
        assert_eq!(ranked(&[(0.1, false); 4]).aurc().to_bits(), 1.0f64.to_bits());
        assert_eq!(ranked(&[(0.1, true)]).aurc().to_bits(), 0.0f64.to_bits());
    }

    #[test]
    fn nothing_and_what_is_no_number_have_no_rank() {
        assert_eq!(Ranked::of([]), None);
        assert_eq!(Ranked::of([(f64::NAN, true), (0.0, false)]), None);
    }
}
