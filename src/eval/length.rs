//! Takes length out of a comparison of answers: a longer one is less likely, whatever it says.
//!
//! A line is fitted through the margins of a suite's pairs over their differences in length, by least squares. What it has
//! at no difference is the margin of pairs of one length; what is left of a margin above the line's slope is not explained
//! by length. A mean per token does this for each answer alone, and so flatters long answers whose ends can be foreseen.

use super::request::round9;

/// Margins with length taken out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Controlled {
    /// The margin of pairs of one length.
    pub(super) mean: f64,
    /// The share of pairs whose margin is above what their lengths alone give; one that equals it counts against them.
    pub(super) share: f64,
}

/// Of `(margin, length)`, at least one. Where all lengths differ alike they explain nothing.
pub(super) fn control(pairs: &[(f64, f64)]) -> Controlled {
    let n = pairs.len() as f64;
    let mean = |of: &dyn Fn(&(f64, f64)) -> f64| pairs.iter().map(of).sum::<f64>() / n;
    let (margin, length) = (mean(&|pair| pair.0), mean(&|pair| pair.1));
    let spread = mean(&|pair| (pair.1 - length).powi(2));
    let together = mean(&|pair| (pair.0 - margin) * (pair.1 - length));
    let slope = if spread > 0.0 { together / spread } else { 0.0 };
    // log-likelihoods have nine decimals: what is less than that is no difference
    let above = pairs.iter().filter(|pair| round9(pair.0 - slope * pair.1) > 0.0).count();
    Controlled { mean: margin - slope * length, share: above as f64 / n }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hand_worked_lines() {
        // the line is margin = 1 - 2 * length, with residuals of 0.5, -1, 0.5 around it
        let pairs = [(3.5, -1.0), (0.0, 0.0), (-0.5, 1.0)];
        let found = control(&pairs);
        assert!((found.mean - 1.0).abs() < 1e-12, "{found:?}");
        // 3.5 - 2 = 1.5, 0 and -0.5 + 2 = 1.5: a tie counts against
        assert!((found.share - 2.0 / 3.0).abs() < 1e-12, "{found:?}");
    }

    #[test]
    fn a_model_that_knows_lengths_alone_is_at_no_margin() {
        let pairs: Vec<(f64, f64)> = (-5..=5).map(|length| (-0.7 * f64::from(length), f64::from(length))).collect();
        assert!(control(&pairs).share.abs() < 1e-12);
        assert!(control(&pairs).mean.abs() < 1e-12);
    }

    #[test]
    fn where_lengths_do_not_differ_margins_are_as_they_are() {
        let found = control(&[(2.0, 3.0), (-1.0, 3.0)]);
        assert_eq!((found.mean, found.share), (0.5, 0.5));
        let one = control(&[(-2.0, 7.0)]);
        assert_eq!((one.mean, one.share), (-2.0, 0.0));
    }
}
