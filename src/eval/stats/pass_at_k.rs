//! Several answers to one question.

/// The chance that at least one of `k` answers is right, estimated without bias from `correct` of `n` (Chen et al.
/// 2021). It is 1 where fewer than `k` are wrong.
pub fn pass_at_k(n: usize, correct: usize, k: usize) -> f64 {
    let wrong = n.saturating_sub(correct);
    if wrong < k {
        return 1.0;
    }
    1.0 - (wrong + 1..=n).map(|i| 1.0 - k as f64 / i as f64).product::<f64>()
}

/// The chance that all of `k` answers are right, estimated without bias from `correct` of `n` (Yao et al. 2024).
pub fn pass_hat_k(n: usize, correct: usize, k: usize) -> f64 {
    (0..k).map(|i| correct.saturating_sub(i) as f64 / n.saturating_sub(i).max(1) as f64).product()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_binomial_coefficients() {
        // 1 - C(7,2)/C(10,2) = 1 - 21/45; C(3,2)/C(10,2) = 3/45
        assert!((pass_at_k(10, 3, 2) - 24.0 / 45.0).abs() < 1e-12);
        assert!((pass_hat_k(10, 3, 2) - 3.0 / 45.0).abs() < 1e-12);
        // 1 - C(90,10)/C(100,10)
        assert!((pass_at_k(100, 10, 10) - 0.669_523_788_913).abs() < 1e-9, "{}", pass_at_k(100, 10, 10));
        for (n, correct, k, at, hat) in
            [(5, 0, 3, 0.0, 0.0), (5, 5, 3, 1.0, 1.0), (5, 3, 3, 1.0, 0.1), (4, 1, 1, 0.25, 0.25)]
        {
            assert!((pass_at_k(n, correct, k) - at).abs() < 1e-12 && (pass_hat_k(n, correct, k) - hat).abs() < 1e-12);
        }
    }
}
