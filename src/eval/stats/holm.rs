//! Several tests at once.

/// Holm's adjusted p-values (1979), in the order of `p`: where they are at most α, the chance of even one false alarm
/// in the whole family is at most α.
pub fn holm(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&a, &b| p[a].total_cmp(&p[b]));
    let (mut adjusted, mut largest) = (vec![1.0; p.len()], 0.0f64);
    for (rank, index) in order.into_iter().enumerate() {
        largest = largest.max((p.len() - rank) as f64 * p[index]).min(1.0);
        adjusted[index] = largest;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_adjusted_values_of_r() {
        // p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm") and p.adjust(c(0.02, 0.9, 0.8), "holm")
        let cases: [(&[f64], &[f64]); 3] = [
            (&[0.01, 0.04, 0.03, 0.005], &[0.03, 0.06, 0.06, 0.02]),
            (&[0.02, 0.9, 0.8], &[0.06, 1.0, 1.0]),
            (&[], &[]),
        ];
        for (p, expected) in cases {
            let found = holm(p);
            assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12), "{found:?}");
            assert_eq!(found.len(), expected.len());
        }
    }
}
