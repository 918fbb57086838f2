//! What a suite can see.

use super::normal_quantile;

/// How sure a comparison is to be (Miller 2024, section 5).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Power {
    /// How often a difference is seen where there is none.
    pub alpha: f64,
    /// How often one is seen where there is one.
    pub power: f64,
}

impl Default for Power {
    fn default() -> Self {
        Self { alpha: 0.05, power: 0.8 }
    }
}

impl Power {
    /// The smallest mean difference that `n` items show, where the difference of one item has this `variance`:
    /// between items, plus that between answers to one item over the number of answers, for both models.
    pub fn detectable(self, n: usize, variance: f64) -> f64 {
        self.z() * (variance / n as f64).sqrt()
    }

    /// How many items show a mean difference of `delta`.
    pub fn items(self, delta: f64, variance: f64) -> f64 {
        (self.z().powi(2) * variance / delta.powi(2)).ceil()
    }

    fn z(self) -> f64 {
        normal_quantile(1.0 - self.alpha / 2.0) + normal_quantile(self.power)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worked_examples() {
        for (delta, n) in [(0.03, 969.0), (0.05, 349.0), (0.10, 88.0), (0.01, 8721.0)] {
            let found = Power::default().items(delta, 1.0 / 9.0);
            assert!((found - n).abs() < 0.5, "{delta} {found}");
        }
        for (n, discordance, points) in [(100, 0.1, 8.9), (100, 0.2, 12.5), (1000, 0.1, 2.8), (1000, 0.2, 4.0)] {
            let found = 100.0 * Power::default().detectable(n, discordance);
            assert!((found - points).abs() < 0.05, "{n} {discordance} {found}");
        }
    }
}
