//! A mean with its standard error.

use serde::{Deserialize, Serialize};

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hand_worked_mean() {
        // squared deviations 4 + 0 + 4, divided by 2 and by 3
        let mean = Mean::of(&[1.0, 3.0, 5.0]);
        assert_eq!((mean.mean, mean.n), (3.0, 3));
        assert!((mean.stderr.unwrap() - (4.0f64 / 3.0).sqrt()).abs() < 1e-12);
        assert_eq!(Mean::of(&[2.0]).stderr, None);
    }
}
