//! Intervals of whatever can be computed from a sample.

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::{Mean, normal_cdf, normal_quantile};

/// How a sample is resampled (Efron & Tibshirani 1993).
///
/// What is drawn are units: items, or clusters of items that are not independent. A statistic that is a ratio of sums
/// gets the drawn units and makes the ratio anew.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bootstrap {
    /// How often.
    pub resamples: usize,
    /// The seed.
    pub seed: u64,
    /// Such as 0.95.
    pub confidence: f64,
}

impl Default for Bootstrap {
    fn default() -> Self {
        Self { resamples: 10_000, seed: 0, confidence: 0.95 }
    }
}

/// How an interval was read from the resamples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// Bias-corrected and accelerated.
    Bca,
    /// The percentiles themselves: where all resamples lie on one side of the estimate, or every unit is alike.
    Percentile,
}

/// An estimate between two bounds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The statistic of the sample.
    pub estimate: f64,
    /// The lower bound.
    pub low: f64,
    /// The upper bound.
    pub high: f64,
    /// The standard deviation over the resamples.
    pub stderr: f64,
    /// How the bounds were read.
    pub method: Method,
}

impl Bootstrap {
    /// The interval of a statistic, which is given the indices of `n` units, drawn with repetition; none without units
    /// or resamples, or where the statistic is not a number.
    pub fn interval(self, n: usize, statistic: impl Fn(&[usize]) -> f64) -> Option<Interval> {
        if n == 0 || self.resamples == 0 {
            return None;
        }
        let all: Vec<usize> = (0..n).collect();
        let estimate = statistic(&all);
        let mut drawn = self.draw(n, &statistic);
        if estimate.is_nan() || drawn.iter().any(|value| value.is_nan()) {
            return None;
        }
        drawn.sort_by(f64::total_cmp);
        let bias = normal_quantile(share_below(&drawn, estimate));
        let tail = (1.0 - self.confidence) / 2.0;
        let (method, low, high) = match acceleration(&all, &statistic).filter(|_| bias.is_finite()) {
            Some(acceleration) => {
                let corrected = |p| {
                    let z = bias + normal_quantile(p);
                    normal_cdf(bias + z / (1.0 - acceleration * z))
                };
                (Method::Bca, corrected(tail), corrected(1.0 - tail))
            }
            None => (Method::Percentile, tail, 1.0 - tail),
        };
        let spread = Mean::of(&drawn).stderr.unwrap_or(0.0) * (drawn.len() as f64).sqrt();
        Some(Interval { estimate, low: quantile(&drawn, low), high: quantile(&drawn, high), stderr: spread, method })
    }

    /// The statistic of each resample.
    fn draw(self, n: usize, statistic: &impl Fn(&[usize]) -> f64) -> Vec<f64> {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        let mut units = vec![0; n];
        let mut one = || {
            units.fill_with(|| rng.random_range(0..n));
            statistic(&units)
        };
        (0..self.resamples).map(|_| one()).collect()
    }
}

/// The share of sorted values below `value`; equal ones count half.
fn share_below(sorted: &[f64], value: f64) -> f64 {
    let (below, up_to) = (sorted.partition_point(|x| *x < value), sorted.partition_point(|x| *x <= value));
    (below + up_to) as f64 / 2.0 / sorted.len() as f64
}

/// How fast the standard error changes with the estimate, by leaving out one unit after another.
fn acceleration(all: &[usize], statistic: &impl Fn(&[usize]) -> f64) -> Option<f64> {
    let without = |out: &usize| statistic(&all.iter().copied().filter(|unit| unit != out).collect::<Vec<_>>());
    let left: Vec<f64> = all.iter().map(without).collect();
    let mean = Mean::of(&left).mean;
    let (squares, cubes) = left.iter().fold((0.0, 0.0), |(squares, cubes), value| {
        let gap: f64 = mean - value;
        (squares + gap.powi(2), cubes + gap.powi(3))
    });
    Some(cubes / (6.0 * squares.powf(1.5))).filter(|found| found.is_finite())
}

/// The value below which a share `p` of sorted values lies, between two of them where it must.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index between 0 and the length")]
fn quantile(sorted: &[f64], p: f64) -> f64 {
    let at = p * (sorted.len() - 1) as f64;
    let (below, above) = (at.floor() as usize, at.ceil() as usize);
    sorted[below] + (sorted[above] - sorted[below]) * at.fract()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Skewed: the squares of 0 to 39, in another order.
    fn sample() -> Vec<f64> {
        (0..40u32).map(|i| f64::from((i * 7 + 3) % 40).powi(2) / 100.0).collect()
    }

    fn mean_of(values: &[f64]) -> impl Fn(&[usize]) -> f64 {
        move |units: &[usize]| units.iter().map(|unit| values[*unit]).sum::<f64>() / units.len() as f64
    }

    #[test]
    fn the_interval_of_a_mean_is_that_of_scipy() {
        // scipy.stats.bootstrap((x,), np.mean, n_resamples=100000, method="BCa"), three seeds: 3.79-3.81, 6.67-6.71
        let values = sample();
        let bootstrap = Bootstrap { resamples: 20_000, seed: 5, confidence: 0.95 };
        let found = bootstrap.interval(values.len(), mean_of(&values)).unwrap();
        assert_eq!(found.method, Method::Bca);
        for (found, expected) in [(found.low, 3.80), (found.high, 6.69), (found.stderr, 0.736)] {
            assert!((found - expected).abs() < 0.02 * expected, "{found} {expected}");
        }
        assert_eq!(bootstrap.interval(values.len(), mean_of(&values)), Some(found));
        let other = Bootstrap { seed: 6, ..bootstrap }.interval(values.len(), mean_of(&values)).unwrap();
        assert_ne!(other.low.to_bits(), found.low.to_bits());
    }

    #[test]
    fn a_ratio_is_made_anew_from_what_was_drawn() {
        // nats and bytes of documents: the ratio is the same in each, so it cannot vary
        let documents = [(2.0, 1.0), (8.0, 4.0), (20.0, 10.0)];
        let ratio = |units: &[usize]| {
            let sum =
                units.iter().fold((0.0, 0.0), |sum, unit| (sum.0 + documents[*unit].0, sum.1 + documents[*unit].1));
            sum.0 / sum.1
        };
        let found = Bootstrap::default().interval(documents.len(), ratio).unwrap();
        assert_eq!((found.low, found.high, found.method), (2.0, 2.0, Method::Percentile));
    }

    #[test]
    fn what_has_no_interval_has_none() {
        assert_eq!(Bootstrap::default().interval(0, |_| 0.0), None);
        assert_eq!(Bootstrap::default().interval(3, |_| f64::NAN), None);
        assert_eq!(Bootstrap { resamples: 0, ..Bootstrap::default() }.interval(3, |_| 0.0), None);
        assert!(Bootstrap::default().interval(1, |_| 1.0).is_some());
    }
}
