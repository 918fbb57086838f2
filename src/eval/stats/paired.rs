//! Two scores of each item.

use serde::{Deserialize, Serialize};

use super::{Mean, t_quantile};

/// The difference of two runs that scored the same items (Miller 2024, section 4).
///
/// What makes an item hard makes it hard for both, so this is narrower than comparing two means.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Paired {
    /// How many items.
    pub n: usize,
    /// The mean of new minus old.
    pub difference: f64,
    /// Its standard error; none for fewer than two items.
    pub stderr: Option<f64>,
    /// How alike the scores are (Pearson); none where one run gives every item the same score.
    pub correlation: Option<f64>,
}

impl Paired {
    /// Compares scores, old and new of one item at a time.
    pub fn of(scores: &[(f64, f64)]) -> Self {
        let differences: Vec<f64> = scores.iter().map(|(old, new)| new - old).collect();
        let Mean { n, mean, stderr } = Mean::of(&differences);
        Self { n, difference: mean, stderr, correlation: correlation(scores) }
    }

    /// The two-sided interval of this `confidence`, Student's with n−1 degrees of freedom.
    pub fn interval(&self, confidence: f64) -> Option<(f64, f64)> {
        self.one_sided(f64::midpoint(1.0, confidence))
    }

    /// A lower and an upper bound, each of which holds alone with this `confidence`.
    pub fn one_sided(&self, confidence: f64) -> Option<(f64, f64)> {
        let half = self.stderr? * t_quantile(confidence, self.n - 1);
        Some((self.difference - half, self.difference + half))
    }
}

fn correlation(scores: &[(f64, f64)]) -> Option<f64> {
    let (old, new): (Vec<f64>, Vec<f64>) = scores.iter().copied().unzip();
    let (old_mean, new_mean) = (Mean::of(&old).mean, Mean::of(&new).mean);
    let sum =
        |term: &dyn Fn(f64, f64) -> f64| scores.iter().map(|(x, y)| term(x - old_mean, y - new_mean)).sum::<f64>();
    let product = sum(&|x, _| x * x) * sum(&|_, y| y * y);
    (product > 0.0).then(|| sum(&|x, y| x * y) / product.sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hand_worked_difference() {
        // differences 1, 0, -1, 2: mean 1/2, squared deviations 1/4 + 1/4 + 9/4 + 9/4, over 3 and over 4
        let found = Paired::of(&[(0.0, 1.0), (1.0, 1.0), (1.0, 0.0), (0.0, 2.0)]);
        assert_eq!((found.n, found.difference), (4, 0.5));
        let stderr = (5.0f64 / 12.0).sqrt();
        assert!((found.stderr.unwrap() - stderr).abs() < 1e-12);
        let (low, high) = found.interval(0.95).unwrap();
        assert!(
            (low - (0.5 - 3.182_446_305 * stderr)).abs() < 1e-8 && (high - (0.5 + 3.182_446_305 * stderr)).abs() < 1e-8
        );
        assert!((found.one_sided(0.975).unwrap().0 - low).abs() < 1e-12);
    }

    #[test]
    fn pairing_takes_the_correlation_out_of_the_standard_error() {
        let scores = [(1.0, 2.0), (2.0, 2.5), (3.0, 5.0), (4.0, 4.5), (5.0, 7.0)];
        let found = Paired::of(&scores);
        let (old, new): (Vec<f64>, Vec<f64>) = scores.into_iter().unzip();
        let (a, b) = (Mean::of(&old).stderr.unwrap(), Mean::of(&new).stderr.unwrap());
        let expected = (a * a + b * b - 2.0 * found.correlation.unwrap() * a * b).sqrt();
        assert!((found.stderr.unwrap() - expected).abs() < 1e-12);
    }

    #[test]
    fn too_little_to_tell_is_no_interval() {
        assert_eq!(Paired::of(&[(1.0, 0.0)]).interval(0.95), None);
        assert_eq!(Paired::of(&[(1.0, 0.0), (1.0, 1.0)]).correlation, None);
        assert_eq!(Paired::of(&[]).n, 0);
    }
}
