//! Pairs of dimensions, turned by the angles of their position.

#![expect(
    clippy::inline_always,
    reason = "the caller is compiled for an instruction set, and only what is inlined in it"
)]

use super::lanes::{Isa, Lanes, Work};
use super::team::new_rows;

/// Which dimensions are turned together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pairs {
    /// `i` and `i + n`, for `n` angles.
    Halves,
    /// `2 i` and `2 i + 1`.
    Neighbours,
}

/// Heads whose first dimensions are turned.
#[derive(Debug, Clone, Copy)]
pub struct Heads<'a> {
    /// `[row, head, d_head]`
    pub x: &'a [f32],
    /// Heads of a row.
    pub n_heads: usize,
    /// Dimensions of a head.
    pub d_head: usize,
    /// Which dimensions are turned together.
    pub pairs: Pairs,
    /// `[pos, n]`; rows beyond the last position begin again with the first.
    pub cos: &'a [f32],
    /// `[pos, n]`
    pub sin: &'a [f32],
    /// How many pairs are turned.
    pub n: usize,
}

/// The heads, turned: `[row, head, d_head]`.
pub fn turn(heads: Heads<'_>, isa: Isa) -> Vec<f32> {
    let width = heads.n_heads * heads.d_head;
    new_rows(heads.x.len(), width, |first, out| {
        out.copy_from_slice(&heads.x[first * width..first * width + out.len()]);
        isa.run(Rows { heads, first, out });
    })
}

struct Rows<'a> {
    heads: Heads<'a>,
    first: usize,
    out: &'a mut [f32],
}

impl Work for Rows<'_> {
    #[inline(always)]
    fn run<L: Lanes>(self, _: L) {
        let Heads { n_heads, d_head, pairs, cos, sin, n, .. } = self.heads;
        let n_pos = (cos.len() / n.max(1)).max(1);
        for (at, row) in self.out.chunks_exact_mut(n_heads * d_head).enumerate() {
            let pos = (self.first + at) % n_pos;
            let (cos, sin) = (&cos[pos * n..(pos + 1) * n], &sin[pos * n..(pos + 1) * n]);
            for head in row.chunks_exact_mut(d_head) {
                match pairs {
                    Pairs::Halves => {
                        let (a, b) = head[..2 * n].split_at_mut(n);
                        for (((a, b), cos), sin) in a.iter_mut().zip(b).zip(cos).zip(sin) {
                            (*a, *b) = (*a * cos - *b * sin, *a * sin + *b * cos);
                        }
                    }
                    Pairs::Neighbours => {
                        for (([a, b], cos), sin) in head.as_chunks_mut::<2>().0.iter_mut().zip(cos).zip(sin) {
                            (*a, *b) = (*a * cos - *b * sin, *a * sin + *b * cos);
                        }
                    }
                }
            }
        }
    }
}
