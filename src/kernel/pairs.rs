//! Weights as bf16, two neighbours of a row in one word: `[n_out / 16][n_in / 2][16]`.

#![expect(
    clippy::inline_always,
    reason = "the caller is compiled for an instruction set, and only what is inlined in it"
)]

use super::lanes::{Lanes, Line};

/// The upper of two numbers.
const UPPER: u32 = 0xffff_0000;

/// The numbers of some words, `[2 k][16]`.
#[inline(always)]
pub(super) fn unpack<L: Lanes>(lanes: L, words: &[Line<u32>], into: &mut [Line<f32>]) {
    for (line, into) in words.iter().zip(into.as_chunks_mut::<2>().0) {
        let word = lanes.words(&line.0);
        lanes.store(lanes.as_floats(lanes.raised(word)), &mut into[0].0);
        lanes.store(lanes.as_floats(lanes.masked(word, UPPER)), &mut into[1].0);
    }
}

/// The sums of `M` rows `[2 k][M]` with `N` tiles `[k][16]`: what [`floats::sums`](super::floats::sums) gives for their
/// numbers, bit for bit.
#[inline(always)]
pub(super) fn sums<L: Lanes, const M: usize, const N: usize>(
    lanes: L,
    x: &[f32],
    tiles: [&[Line<u32>]; N],
) -> [[L::F; N]; M] {
    let mut sums = [[lanes.splat(0.0); N]; M];
    let x = x.as_chunks::<M>().0.as_chunks::<2>().0;
    assert!(tiles.iter().all(|tile| tile.len() >= x.len()), "the length of a tile");
    for (k, [lower, upper]) in x.iter().enumerate() {
        for n in 0..N {
            #[expect(unsafe_code, reason = "the length of every tile was asserted; a check here keeps sums in memory")]
            let line = unsafe { tiles[n].get_unchecked(k) };
            let word = lanes.words(&line.0);
            let (first, second) = (lanes.as_floats(lanes.raised(word)), lanes.as_floats(lanes.masked(word, UPPER)));
            for m in 0..M {
                sums[m][n] = lanes.mul_add(lanes.splat(lower[m]), first, sums[m][n]);
                sums[m][n] = lanes.mul_add(lanes.splat(upper[m]), second, sums[m][n]);
            }
        }
    }
    sums
}

/// The same of rows in bf16, two neighbours in one word: `[k][M]`.
#[inline(always)]
pub(super) fn rounded_sums<L: Lanes, const M: usize, const N: usize>(
    lanes: L,
    x: &[u32],
    tiles: [&[Line<u32>]; N],
) -> [[L::F; N]; M] {
    let mut sums = [[lanes.splat(0.0); N]; M];
    let x = x.as_chunks::<M>().0;
    assert!(tiles.iter().all(|tile| tile.len() >= x.len()), "the length of a tile");
    for (k, x) in x.iter().enumerate() {
        let mut w = [lanes.splat_word(0); N];
        for n in 0..N {
            #[expect(unsafe_code, reason = "the length of every tile was asserted; a check here keeps sums in memory")]
            let line = unsafe { tiles[n].get_unchecked(k) };
            w[n] = lanes.words(&line.0);
        }
        for m in 0..M {
            let x = lanes.splat_word(x[m]);
            for n in 0..N {
                sums[m][n] = lanes.dot_bf16(sums[m][n], w[n], x);
            }
        }
    }
    sums
}
