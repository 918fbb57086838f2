//! A mean of values that come in groups.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::t_quantile;

/// The mean of values of which those of one cluster are not independent: questions about one text, spellings of one
/// question.
///
/// The standard error is that of Miller 2024, equation 4, times the factor √(C/(C−1)) for C clusters (Cameron & Miller
/// 2015); the interval is Student's with C−1 degrees of freedom. With fewer than thirty clusters it is too narrow:
/// resample clusters instead ([`Bootstrap`](super::Bootstrap)).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Clustered {
    /// How many values.
    pub n: usize,
    /// In how many clusters.
    pub clusters: usize,
    /// Their mean; 0 if there are none.
    pub mean: f64,
    /// Its standard error; none for fewer than two clusters.
    pub stderr: Option<f64>,
}

impl Clustered {
    /// The mean of values, each with the name of its cluster.
    pub fn of<'a>(values: impl IntoIterator<Item = (&'a str, f64)>) -> Self {
        let mut clusters: BTreeMap<&str, (usize, f64)> = BTreeMap::new();
        for (cluster, value) in values {
            let (count, sum) = clusters.entry(cluster).or_default();
            *count += 1;
            *sum += value;
        }
        let n: usize = clusters.values().map(|(count, _)| count).sum();
        let mean = clusters.values().map(|(_, sum)| sum).sum::<f64>() / n.max(1) as f64;
        let squares: f64 = clusters.values().map(|(count, sum)| (sum - *count as f64 * mean).powi(2)).sum();
        let c = clusters.len();
        let stderr = (c > 1).then(|| (squares * c as f64 / (c - 1) as f64).sqrt() / n as f64);
        Self { n, clusters: c, mean, stderr }
    }

    /// The two-sided interval of this `confidence`, such as 0.95.
    pub fn interval(&self, confidence: f64) -> Option<(f64, f64)> {
        let half = self.stderr? * t_quantile(f64::midpoint(1.0, confidence), self.clusters - 1);
        Some((self.mean - half, self.mean + half))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::stats::Mean;

    #[test]
    fn a_hand_worked_standard_error() {
        // mean 1/2; the clusters deviate by 1/2 + 1/2, -1/2 - 1/2 and 1/2 - 1/2
        let values = [("a", 1.0), ("a", 1.0), ("b", 0.0), ("b", 0.0), ("c", 1.0), ("c", 0.0)];
        let found = Clustered::of(values);
        assert_eq!((found.n, found.clusters, found.mean), (6, 3, 0.5));
        assert!((found.stderr.unwrap() - (2.0f64 * 3.0 / 2.0).sqrt() / 6.0).abs() < 1e-12);
        let (low, high) = found.interval(0.95).unwrap();
        assert!((high - low - 2.0 * 4.302_652_73 * found.stderr.unwrap()).abs() < 1e-6);
    }

    #[test]
    fn clusters_of_one_give_the_plain_standard_error() {
        let values = [1.0, 3.0, 5.0, 2.0];
        let found = Clustered::of(["a", "b", "c", "d"].into_iter().zip(values));
        assert!((found.stderr.unwrap() - Mean::of(&values).stderr.unwrap()).abs() < 1e-12);
        let one = Clustered::of([("a", 1.0), ("a", 2.0)]);
        assert_eq!((one.stderr, one.interval(0.95)), (None, None));
    }
}
