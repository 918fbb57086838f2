//! Paired answers that are right or wrong.

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

/// The statistic of the same test with Edwards' correction, which follows χ² with one degree of freedom where there are
/// many discordant pairs; 0 where there are none.
pub fn mcnemar_chi2(b: usize, c: usize) -> f64 {
    let (difference, n) = (b.abs_diff(c) as f64, (b + c) as f64);
    if n == 0.0 { 0.0 } else { (difference - 1.0).max(0.0).powi(2) / n }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn the_corrected_statistic() {
        assert!((mcnemar_chi2(10, 25) - 5.6).abs() < 1e-12);
        assert_eq!((mcnemar_chi2(0, 0), mcnemar_chi2(3, 3)), (0.0, 0.0));
    }
}
