//! Which position of one run belongs to which of the other.

use similar::{Algorithm, DiffOp, capture_diff_slices};

/// Pairs of positions, rising in both: equal tokens, and tokens that stand in each other's place.
pub(super) fn aligned(a: &[u32], b: &[u32]) -> Vec<(usize, usize)> {
    let pairs = |op: DiffOp| match op {
        DiffOp::Equal { old_index, new_index, len } => (old_index, new_index, len),
        DiffOp::Replace { old_index, old_len, new_index, new_len } => (old_index, new_index, old_len.min(new_len)),
        DiffOp::Delete { old_index, new_index, .. } | DiffOp::Insert { old_index, new_index, .. } => {
            (old_index, new_index, 0)
        }
    };
    let runs = capture_diff_slices(Algorithm::Myers, a, b).into_iter().map(pairs);
    runs.flat_map(|(old, new, len)| (0..len).map(move |offset| (old + offset, new + offset))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_tokens_meet_and_replaced_ones_stand_opposite() {
        assert_eq!(aligned(&[1, 2, 3], &[1, 2, 3]), [(0, 0), (1, 1), (2, 2)]);
        assert_eq!(aligned(&[1, 2, 3], &[1, 9, 3]), [(0, 0), (1, 1), (2, 2)]);
        assert_eq!(aligned(&[1, 2, 3, 4], &[1, 3, 4]), [(0, 0), (2, 1), (3, 2)]);
        assert_eq!(aligned(&[1, 5], &[1, 6, 7, 5]), [(0, 0), (1, 3)]);
        assert_eq!(aligned(&[], &[1]), []);
    }
}
