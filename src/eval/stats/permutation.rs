//! Paired differences, whichever way they are distributed.

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// Up to here every choice of signs is tried.
const EXACT: usize = 20;

/// How the signs of differences are flipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignFlip {
    /// Choices of signs that are drawn where there are too many to try all.
    pub draws: usize,
    /// The seed of those draws.
    pub seed: u64,
}

impl Default for SignFlip {
    fn default() -> Self {
        Self { draws: 10_000, seed: 0 }
    }
}

/// What flipping signs says.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Permutation {
    /// Two-sided: how often a sum is as far from zero as that of the differences, if their signs mean nothing.
    pub p: f64,
    /// Whether every choice of signs was tried, rather than some drawn.
    pub exact: bool,
}

impl SignFlip {
    /// Tests differences, or the sums of them in each cluster. A difference of zero has no sign and changes nothing.
    pub fn test(self, differences: &[f64]) -> Permutation {
        let differences: Vec<f64> = differences.iter().copied().filter(|difference| *difference != 0.0).collect();
        let all: f64 = differences.iter().map(|difference| difference.abs()).sum();
        // what is equal on paper is counted, whatever the order of adding up
        let bound = differences.iter().sum::<f64>().abs() - 1e-9 * all;
        if differences.len() <= EXACT {
            let count = extreme(&differences, 0.0, bound);
            return Permutation { p: count as f64 / (1u64 << differences.len()) as f64, exact: true };
        }
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        let mut flipped = || differences.iter().map(|d| if rng.random::<bool>() { *d } else { -d }).sum::<f64>();
        let count = (0..self.draws).filter(|_| flipped().abs() >= bound).count();
        Permutation { p: (1 + count) as f64 / (1 + self.draws) as f64, exact: false }
    }

    /// The p of a difference that is no sum: of `units` some are drawn, and what belongs to the old and to the new run
    /// is swapped in them. `difference` is told which are.
    pub fn swap(self, units: usize, difference: impl Fn(&[bool]) -> f64) -> f64 {
        let mut sides = vec![false; units];
        let observed = difference(&sides).abs();
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        let mut swapped = || {
            sides.fill_with(|| rng.random::<bool>());
            difference(&sides).abs()
        };
        // what is equal on paper is counted, whatever the order of adding up
        let bound = observed - 1e-9 * observed;
        let count = (0..self.draws).filter(|_| swapped() >= bound).count();
        (1 + count) as f64 / (1 + self.draws) as f64
    }
}

/// How many choices of signs of `rest`, added to `sum`, are at least `bound` from zero.
fn extreme(rest: &[f64], sum: f64, bound: f64) -> u64 {
    match rest.split_first() {
        Some((first, rest)) => extreme(rest, sum + first, bound) + extreme(rest, sum - first, bound),
        None => u64::from(sum.abs() >= bound),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::stats::mcnemar;

    fn exact(differences: &[f64]) -> f64 {
        let found = SignFlip::default().test(differences);
        assert!(found.exact);
        found.p
    }

    #[test]
    fn few_differences_are_counted_out() {
        // of 8 sums only 1 + 2 + 3 and its opposite are as far from zero
        assert!((exact(&[1.0, 2.0, 3.0]) - 0.25).abs() < 1e-12);
        // |1 + 2 - 3| = 0 is reached by all
        assert!((exact(&[1.0, 2.0, -3.0]) - 1.0).abs() < 1e-12);
        assert!((exact(&[]) - 1.0).abs() < 1e-12);
        // ten tenths do not add up to one, and still all ten of one sign are two choices of 1,024
        assert!((exact(&[0.1; 10]) - 2.0 / 1024.0).abs() < 1e-12);
    }

    #[test]
    fn on_right_and_wrong_it_is_mcnemar() {
        let differences = |b, c| [vec![1.0; b], vec![-1.0; c], vec![0.0; 7]].concat();
        assert!((exact(&differences(3, 9)) - mcnemar(3, 9)).abs() < 1e-12);
        let drawn = SignFlip { draws: 40_000, seed: 3 }.test(&differences(10, 25));
        assert!(!drawn.exact && (drawn.p - mcnemar(10, 25)).abs() < 0.003, "{drawn:?}");
        assert_eq!(drawn, SignFlip { draws: 40_000, seed: 3 }.test(&differences(10, 25)));
        assert!(SignFlip::default().test(&[1.0; 50]).p <= 1.0 / 10_000.0);
    }

    #[test]
    fn swapping_is_flipping_signs_where_the_difference_is_a_sum() {
        let differences: Vec<f64> = (0..30u32).map(|i| f64::from(i % 7) - 2.5).collect();
        let sum = |sides: &[bool]| {
            differences.iter().zip(sides).map(|(d, swapped)| if *swapped { -d } else { *d }).sum::<f64>()
        };
        let flip = SignFlip { draws: 20_000, seed: 1 };
        assert!((flip.swap(30, sum) - flip.test(&differences).p).abs() < 0.02);
        assert!((flip.swap(30, |_| 0.0) - 1.0).abs() < 1e-12);
    }
}
