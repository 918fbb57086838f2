//! A share of yes.

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
        let (low, high) = wilson(count as f64, n);
        let rate = count as f64 / n as f64;
        Self { count, n, rate, low, high }
    }

    /// The share of yes among `answers`.
    pub fn of(answers: impl Iterator<Item = bool>) -> Self {
        let (count, n) = answers.fold((0, 0), |(count, n), yes| (count + usize::from(yes), n + 1));
        Self::new(count, n)
    }
}

/// Wilson's 95 % interval of `count` among `n`, which is not 0; answers that are not told apart may count in part.
pub(super) fn wilson(count: f64, n: usize) -> (f64, f64) {
    let total = n as f64;
    let rate = count / total;
    let scale = 1.0 + Z * Z / total;
    let centre = (rate + Z * Z / (2.0 * total)) / scale;
    let half = Z * (rate * (1.0 - rate) / total + Z * Z / (4.0 * total * total)).sqrt() / scale;
    let low = if count <= 0.0 { 0.0 } else { (centre - half).max(0.0) };
    let high = if count >= total { 1.0 } else { (centre + half).min(1.0) };
    (low, high)
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
}
