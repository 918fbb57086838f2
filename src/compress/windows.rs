//! What a model sees of a text that is longer than its context.

/// Windows over a sequence: the first token is given, all others are predicted, each by one window.
///
/// A window is at most `length` tokens that are run. The first predicts as many as it can; each later one predicts
/// `stride` more, after as many of the tokens before as have room. A stride of the whole length is cheapest, and lets the
/// first tokens of a window be predicted from next to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Windows {
    length: usize,
    stride: usize,
}

/// One window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The first token that is run.
    pub start: usize,
    /// The first token that is predicted.
    pub first: usize,
    /// The token after the last one that is predicted.
    pub end: usize,
}

impl Windows {
    /// Windows of at least one token, and a stride from one token to the whole length.
    pub fn new(length: usize, stride: usize) -> Self {
        let length = length.max(1);
        Self { length, stride: stride.clamp(1, length) }
    }

    /// A whole context, which moves on by half of it.
    pub fn half(n_ctx: usize) -> Self {
        Self::new(n_ctx, n_ctx / 2)
    }

    /// The most tokens that are run.
    pub const fn length(&self) -> usize {
        self.length
    }

    /// How many tokens a later window predicts.
    pub const fn stride(&self) -> usize {
        self.stride
    }

    /// The windows over the given token and `n` more.
    pub fn spans(&self, n: usize) -> impl Iterator<Item = Span> + use<> {
        let (length, stride) = (self.length, self.stride);
        let end_of = move |first: usize| (n + 1).min(first + if first == 1 { length } else { stride });
        let span = move |first: usize| {
            let end = end_of(first);
            Span { start: (end - 1).saturating_sub(length), first, end }
        };
        std::iter::successors((n > 0).then(|| span(1)), move |last| (last.end <= n).then(|| span(last.end)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn spans(length: usize, stride: usize, n: usize) -> Vec<(usize, usize, usize)> {
        Windows::new(length, stride).spans(n).map(|span| (span.start, span.first, span.end)).collect()
    }

    #[test]
    fn hand_worked_windows() {
        assert_eq!(spans(4, 4, 0), []);
        assert_eq!(spans(4, 4, 3), [(0, 1, 4)]);
        assert_eq!(spans(4, 4, 4), [(0, 1, 5)]);
        // the last window is filled from before
        assert_eq!(spans(4, 4, 6), [(0, 1, 5), (2, 5, 7)]);
        assert_eq!(spans(4, 2, 7), [(0, 1, 5), (2, 5, 7), (3, 7, 8)]);
        assert_eq!(spans(1, 1, 3), [(0, 1, 2), (1, 2, 3), (2, 3, 4)]);
        assert_eq!(Windows::half(1), Windows::new(0, 9));
    }

    proptest! {
        #[test]
        fn every_token_is_predicted_once_after_what_fits(length in 1usize..40, stride in 1usize..50, n in 0usize..200) {
            let windows = Windows::new(length, stride);
            let mut next = 1;
            for span in windows.spans(n) {
                prop_assert_eq!(span.first, next);
                prop_assert!(span.start < span.first && span.first < span.end && span.end <= n + 1);
                let run = span.end - 1 - span.start;
                prop_assert!(run <= length);
                prop_assert!(run == length || span.start == 0);
                next = span.end;
            }
            prop_assert_eq!(next, n + 1);
        }
    }
}
