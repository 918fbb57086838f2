//! A row of logits as whole numbers, which both directions of coding must agree on to the bit.

use super::range::Share;

/// Parts of a whole, before every token gets one more.
const PARTS: f64 = 4_294_967_296.0;

/// How many parts of a whole each token has: `1 + ⌊p (2^32 - V)⌋` for a vocabulary of V tokens, where p is the softmax of
/// the row in f64. No token has none, so that every text can be written; together they are 2^32 at most, but for rounding.
///
/// A token of probability p costs at most `-log2 p + V / 2^31` bits, and one that the model rules out 32.
#[derive(Debug, Clone, PartialEq)]
pub struct Shares {
    sizes: Vec<u64>,
    whole: u64,
    max: f64,
    log_sum: f64,
}

impl Shares {
    /// Those of a row; none if one of the logits is no number, or no probability comes of them.
    pub fn of(logits: &[f32]) -> Option<Self> {
        let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        if !max.is_finite() || logits.iter().any(|logit| logit.is_nan()) {
            return None;
        }
        let max = f64::from(max);
        let exponentials: Vec<f64> = logits.iter().map(|&logit| (f64::from(logit) - max).exp()).collect();
        let sum: f64 = exponentials.iter().sum();
        let scale = (PARTS - logits.len() as f64) / sum;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 2^32")]
        let sizes: Vec<u64> = exponentials.iter().map(|&one| 1 + (one * scale) as u64).collect();
        let whole = sizes.iter().sum();
        Some(Self { sizes, whole, max, log_sum: sum.ln() })
    }

    /// The parts of all tokens.
    pub const fn whole(&self) -> u64 {
        self.whole
    }

    /// The share of a token; none if the vocabulary has no such token.
    pub fn share(&self, id: u32) -> Option<Share> {
        let size = *self.sizes.get(id as usize)?;
        Some(Share { start: self.sizes[..id as usize].iter().sum(), size, whole: self.whole })
    }

    /// The token whose share holds a place; none if it is beyond the whole.
    pub fn at(&self, place: u64) -> Option<(u32, Share)> {
        let mut start = 0;
        for (id, &size) in (0..).zip(&self.sizes) {
            if place < start + size {
                return Some((id, Share { start, size, whole: self.whole }));
            }
            start += size;
        }
        None
    }

    /// The natural-log probability of a token, before it was made a whole number of parts.
    pub fn logprob(&self, logit: f32) -> f64 {
        f64::from(logit) - self.max - self.log_sum
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn hand_worked_parts() {
        // 2^32 - 2 parts in halves, and one more for each
        let shares = Shares::of(&[3.0, 3.0]).unwrap();
        let half = (1u64 << 31) - 1 + 1;
        assert_eq!(shares.share(0), Some(Share { start: 0, size: half, whole: 2 * half }));
        assert_eq!(shares.share(1), Some(Share { start: half, size: half, whole: 2 * half }));
        assert_eq!(shares.share(2), None);
        assert!((shares.logprob(3.0) + std::f64::consts::LN_2).abs() < 1e-15);
        // what is ruled out keeps one part
        let shares = Shares::of(&[f32::NEG_INFINITY, 0.0, -1000.0]).unwrap();
        let all = (1u64 << 32) - 3 + 1;
        let sizes: Vec<u64> = (0..3).map(|id| shares.share(id).unwrap().size).collect();
        assert_eq!((sizes, shares.whole()), (vec![1, all, 1], all + 2));
        assert!((shares.share(0).unwrap().bits() - 32.0).abs() < 1e-6);
    }

    #[test]
    fn a_row_that_says_nothing_has_no_shares() {
        assert_eq!(Shares::of(&[]), None);
        assert_eq!(Shares::of(&[1.0, f32::NAN]), None);
        assert_eq!(Shares::of(&[f32::INFINITY, 0.0]), None);
        assert_eq!(Shares::of(&[f32::NEG_INFINITY; 3]), None);
    }

    proptest! {
        #[test]
        fn every_place_belongs_to_the_token_whose_share_it_is_in(
            logits in proptest::collection::vec(prop_oneof![-60f32..60.0, Just(0.0), Just(-1e30f32)], 1..300)
        ) {
            let shares = Shares::of(&logits).unwrap();
            let n = u32::try_from(logits.len()).unwrap();
            let all: Vec<Share> = (0..n).map(|id| shares.share(id).unwrap()).collect();
            prop_assert!(shares.whole() <= (1 << 32) + 1);
            prop_assert_eq!(all.last().map(|last| last.start + last.size), Some(shares.whole()));
            for (id, share) in (0..).zip(&all) {
                prop_assert_eq!(shares.at(share.start), Some((id, *share)));
                prop_assert_eq!(shares.at(share.start + share.size - 1), Some((id, *share)));
                let ideal = -shares.logprob(logits[id as usize]) / std::f64::consts::LN_2;
                prop_assert!(share.bits() <= ideal + f64::from(n) / 2f64.powi(31));
            }
            prop_assert_eq!(shares.at(shares.whole()), None);
        }
    }
}
