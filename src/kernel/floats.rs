//! Weights as f32, sixteen rows of the matrix side by side: `[n_out / 16][n_in][16]`.

#![expect(
    clippy::inline_always,
    reason = "the caller is compiled for an instruction set, and only what is inlined in it"
)]

use super::lanes::{Lanes, Line};

/// Products of a number of the input that are added up before they join those of earlier ones, which keeps long sums exact
/// and what is being read in the cache.
pub(super) const BLOCK: usize = 512;

/// The sums of `M` rows `[k][M]` with `N` tiles `[k][16]`.
#[inline(always)]
pub(super) fn sums<L: Lanes, const M: usize, const N: usize>(
    lanes: L,
    x: &[f32],
    tiles: [&[Line<f32>]; N],
) -> [[L::F; N]; M] {
    let mut sums = [[lanes.splat(0.0); N]; M];
    let x = x.as_chunks::<M>().0;
    assert!(tiles.iter().all(|tile| tile.len() >= x.len()), "the length of a tile");
    for (k, x) in x.iter().enumerate() {
        let mut w = [lanes.splat(0.0); N];
        for n in 0..N {
            #[expect(unsafe_code, reason = "the length of every tile was asserted; a check here keeps sums in memory")]
            let line = unsafe { tiles[n].get_unchecked(k) };
            w[n] = lanes.load(&line.0);
        }
        for m in 0..M {
            let x = lanes.splat(x[m]);
            for n in 0..N {
                sums[m][n] = lanes.mul_add(x, w[n], sums[m][n]);
            }
        }
    }
    sums
}
