//! What a value means, from which a reader chooses its colours.

use serde::Serialize;

/// The meaning of a range of values.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    /// Probabilities or weights from 0 to 1.
    Probability,
    /// From `low` to `high`, more is more.
    Sequential {
        /// The value drawn faintest.
        low: f32,
        /// The value drawn strongest.
        high: f32,
    },
    /// Deviations from `mid` to both sides, up to `reach`.
    Diverging {
        /// The neutral value.
        mid: f32,
        /// The largest deviation.
        reach: f32,
    },
}

impl Scale {
    /// `value` as a share of the scale, clamped to 0..=1; the middle of a diverging scale is 0.5.
    pub fn share(self, value: f32) -> f32 {
        let share = match self {
            Self::Probability => value,
            Self::Sequential { low, high } if high > low => (value - low) / (high - low),
            Self::Diverging { mid, reach } if reach > 0.0 => 0.5 + (value - mid) / (2.0 * reach),
            Self::Sequential { .. } => 0.0,
            Self::Diverging { .. } => 0.5,
        };
        if share.is_nan() { 0.0 } else { share.clamp(0.0, 1.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_of_each_scale() {
        let cases = [
            (Scale::Probability, 0.25, 0.25),
            (Scale::Sequential { low: 2.0, high: 4.0 }, 3.0, 0.5),
            (Scale::Sequential { low: 2.0, high: 4.0 }, 9.0, 1.0),
            (Scale::Sequential { low: 1.0, high: 1.0 }, 1.0, 0.0),
            (Scale::Diverging { mid: 0.0, reach: 2.0 }, -1.0, 0.25),
            (Scale::Diverging { mid: 0.0, reach: 0.0 }, 1.0, 0.5),
            (Scale::Probability, f32::NAN, 0.0),
        ];
        for (scale, value, share) in cases {
            assert!((scale.share(value) - share).abs() < 1e-6, "{scale:?} {value}");
        }
    }
}
