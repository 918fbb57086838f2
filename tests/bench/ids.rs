//! What the benchmarks run, and `peers.py` too: tokens from all over a vocabulary.

/// The first `n` of them.
pub(super) fn ids(n: usize) -> Vec<u32> {
    (0u32..).map(|i| 1000 + i.wrapping_mul(7919) % 20_000).take(n).collect()
}
