//! The difference of two shares of the same items.

use super::distribution::root;
use super::normal_quantile;

/// A lower and an upper bound of the share of `gained` minus that of `lost` among `n` pairs, each of which holds alone
/// with this `confidence`. Tango 1998: it stays wide where no pair, or nearly none, differs.
pub fn tango(gained: usize, lost: usize, n: usize, confidence: f64) -> (f64, f64) {
    if n == 0 {
        return (-1.0, 1.0);
    }
    let z = normal_quantile(confidence);
    let estimate = (gained as f64 - lost as f64) / n as f64;
    // the score falls as the assumed difference rises
    let low = root(-1.0, estimate, |difference| score(gained, lost, n, difference) > z);
    let high = root(estimate, 1.0, |difference| score(gained, lost, n, difference) > -z);
    (low, high)
}

/// How many standard errors the counts are from an assumed difference.
fn score(gained: usize, lost: usize, n: usize, difference: f64) -> f64 {
    let (gained, lost, n) = (gained as f64, lost as f64, n as f64);
    let away = gained - lost - n * difference;
    // the most likely share of lost pairs, given the difference
    let linear = -gained - lost + (2.0 * n - gained + lost) * difference;
    let root = (linear * linear + 8.0 * n * lost * difference * (1.0 - difference)).max(0.0).sqrt();
    let variance = n * (2.0 * (root - linear) / (4.0 * n) + difference * (1.0 - difference));
    if away == 0.0 { 0.0 } else { away / variance.max(0.0).sqrt() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bounds_are_those_of_a_numeric_likelihood() {
        // scipy: the likelihood maximised for each difference, and the root of the score
        let cases = [
            (25, 10, 200, 0.017_912, 0.135_515),
            (3, 9, 50, -0.262_726, 0.017_798),
            (1, 0, 30, -0.083_964, 0.166_704),
            (10, 10, 1000, -0.009_533, 0.009_533),
        ];
        for (gained, lost, n, low, high) in cases {
            let found = tango(gained, lost, n, 0.975);
            assert!((found.0 - low).abs() < 1e-5 && (found.1 - high).abs() < 1e-5, "{gained} {lost} {n} {found:?}");
            let mirrored = tango(lost, gained, n, 0.975);
            assert!((mirrored.0 + high).abs() < 1e-5 && (mirrored.1 + low).abs() < 1e-5, "{mirrored:?}");
        }
        // z²/(n + z²)
        let (low, high) = tango(0, 0, 100, 0.975);
        assert!((high - 0.036_995).abs() < 1e-5 && (low + high).abs() < 1e-9, "{low} {high}");
        assert_eq!(tango(0, 0, 0, 0.95), (-1.0, 1.0));
    }
}
