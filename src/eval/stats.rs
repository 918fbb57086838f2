//! Intervals and tests. Formulas only; nothing here knows what is counted.

use serde::{Deserialize, Serialize};

/// The 97.5 % point of the normal distribution.
const Z: f64 = 1.959_963_984_540_054;

/// A share of yes, with Wilson's 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Proportion {
    /// How many yes.
    pub count: usize,
    /// Of how many.
    pub n: usize,
    /// Their ratio; 0 if there are none.
    pub rate: f64,
    /// The lower end of the interval.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

impl Proportion {
    /// `count` of `n`. Wilson 1927.
    pub fn new(count: usize, n: usize) -> Self {
        if n == 0 {
            return Self { count, n, rate: 0.0, low: 0.0, high: 1.0 };
        }
        let total = n as f64;
        let rate = count as f64 / total;
        let scale = 1.0 + Z * Z / total;
        let centre = (rate + Z * Z / (2.0 * total)) / scale;
        let half = Z * (rate * (1.0 - rate) / total + Z * Z / (4.0 * total * total)).sqrt() / scale;
        let low = if count == 0 { 0.0 } else { (centre - half).max(0.0) };
        let high = if count == n { 1.0 } else { (centre + half).min(1.0) };
        Self { count, n, rate, low, high }
    }

    /// The share of yes among `answers`.
    pub fn of(answers: impl Iterator<Item = bool>) -> Self {
        let (count, n) = answers.fold((0, 0), |(count, n), yes| (count + usize::from(yes), n + 1));
        Self::new(count, n)
    }
}

/// A mean with its standard error.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Mean {
    /// How many values.
    pub n: usize,
    /// Their mean; 0 if there are none.
    pub mean: f64,
    /// Its standard error; none for fewer than two values.
    pub stderr: Option<f64>,
}

impl Mean {
    /// The mean of values.
    pub fn of(values: &[f64]) -> Self {
        let n = values.len();
        let mean = values.iter().sum::<f64>() / n.max(1) as f64;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let stderr = (n > 1).then(|| (squares / (n - 1) as f64 / n as f64).sqrt());
        Self { n, mean, stderr }
    }
}

/// The exact two-sided p-value of `McNemar`'s test for `b` and `c` discordant pairs.
pub fn mcnemar(b: usize, c: usize) -> f64 {
    let n = b + c;
    // ln of C(n, i) / 2^n, from one i to the next
    let mut term = -(n as f64) * std::f64::consts::LN_2;
    let mut tail = 0.0;
    for i in 0..=b.min(c) {
        tail += term.exp();
        term += ((n - i) as f64).ln() - ((i + 1) as f64).ln();
    }
    (2.0 * tail).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wilson_intervals_are_the_published_ones() {
        let cases =
            [(79, 100, 0.7002, 0.8583), (0, 30, 0.0, 0.1135), (495, 1513, 0.3040, 0.3512), (30, 30, 0.8865, 1.0)];
        for (count, n, low, high) in cases {
            let found = Proportion::new(count, n);
            assert!((found.low - low).abs() < 5e-5 && (found.high - high).abs() < 5e-5, "{found:?}");
        }
        assert_eq!((Proportion::new(0, 0).low, Proportion::new(0, 0).high), (0.0, 1.0));
        assert_eq!(Proportion::of([true, false, true].into_iter()).count, 2);
    }

    #[test]
    fn mcnemar_is_the_binomial_tail() {
        let cases = [(10, 25, 0.016_67), (0, 0, 1.0), (0, 5, 2.0 / 32.0), (1, 5, 14.0 / 64.0), (3, 3, 1.0)];
        for (b, c, p) in cases {
            assert!((mcnemar(b, c) - p).abs() < 5e-6, "{b} {c} {}", mcnemar(b, c));
            assert_eq!(mcnemar(b, c).to_bits(), mcnemar(c, b).to_bits());
        }
        assert!(mcnemar(0, 5000) < 1e-300);
    }

    #[test]
    fn a_hand_worked_mean() {
        // squared deviations 4 + 0 + 4, divided by 2 and by 3
        let mean = Mean::of(&[1.0, 3.0, 5.0]);
        assert_eq!((mean.mean, mean.n), (3.0, 3));
        assert!((mean.stderr.unwrap() - (4.0f64 / 3.0).sqrt()).abs() < 1e-12);
        assert_eq!(Mean::of(&[2.0]).stderr, None);
    }
}
