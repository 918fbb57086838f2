//! Plain loops, which the compiler turns into what the target always has: NEON on 64-bit ARM.
//!
//! It is also what the other sets are tested against.

#![expect(clippy::inline_always, reason = "a loop becomes vectors where its caller is known")]

use half::f16;

use super::lanes::{LANES, Lanes};

/// No instruction in particular.
#[derive(Debug, Clone, Copy)]
pub(super) struct Portable;

/// What becomes of each lane.
#[inline(always)]
fn each<T: Copy>(of: impl Fn(usize) -> T) -> [T; LANES] {
    std::array::from_fn(of)
}

/// Two f16 of a word.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "half a word is meant")]
fn half_of(words: &[u32], at: usize) -> f32 {
    f16::from_bits((words[at / 2] >> (16 * (at % 2))) as u16).to_f32()
}

/// [`Lanes::dot_bf16`] where no instruction does it: the lower products first, each rounded once.
#[inline(always)]
pub(super) fn dot_bf16<L: Lanes>(lanes: L, sum: L::F, w: L::U, x: L::U) -> L::F {
    let upper = |word| lanes.as_floats(lanes.masked(word, 0xffff_0000));
    let lower = |word| lanes.as_floats(lanes.raised(word));
    let sum = lanes.mul_add(lower(w), lower(x), sum);
    lanes.mul_add(upper(w), upper(x), sum)
}

impl Lanes for Portable {
    type F = [f32; LANES];
    type U = [u32; LANES];
    const IS_WIDE: bool = false;

    #[inline(always)]
    fn splat(self, x: f32) -> Self::F {
        [x; LANES]
    }

    #[inline(always)]
    fn load(self, from: &[f32; LANES]) -> Self::F {
        *from
    }

    #[inline(always)]
    fn store(self, x: Self::F, to: &mut [f32; LANES]) {
        *to = x;
    }

    #[inline(always)]
    fn mul_add(self, a: Self::F, b: Self::F, c: Self::F) -> Self::F {
        each(|i| a[i].mul_add(b[i], c[i]))
    }

    #[inline(always)]
    fn add(self, a: Self::F, b: Self::F) -> Self::F {
        each(|i| a[i] + b[i])
    }

    #[inline(always)]
    fn mul(self, a: Self::F, b: Self::F) -> Self::F {
        each(|i| a[i] * b[i])
    }

    #[inline(always)]
    fn halves(self, from: &[u32; LANES]) -> Self::F {
        each(|i| half_of(&from[..8], i))
    }

    #[inline(always)]
    fn upper_halves(self, from: &[u32; LANES]) -> Self::F {
        each(|i| half_of(&from[8..], i))
    }

    #[inline(always)]
    fn words(self, from: &[u32; LANES]) -> Self::U {
        *from
    }

    #[inline(always)]
    fn splat_word(self, x: u32) -> Self::U {
        [x; LANES]
    }

    #[inline(always)]
    fn shifted(self, x: Self::U, by: u32) -> Self::U {
        each(|i| x[i] >> by)
    }

    #[inline(always)]
    fn raised(self, x: Self::U) -> Self::U {
        each(|i| x[i] << 16)
    }

    #[inline(always)]
    fn masked(self, x: Self::U, mask: u32) -> Self::U {
        each(|i| x[i] & mask)
    }

    #[inline(always)]
    fn floats(self, x: Self::U) -> Self::F {
        each(|i| x[i].cast_signed() as f32)
    }

    #[inline(always)]
    fn as_floats(self, x: Self::U) -> Self::F {
        each(|i| f32::from_bits(x[i]))
    }

    #[inline(always)]
    fn dot_bytes(self, sum: Self::U, w: Self::U, x: Self::U) -> Self::U {
        let product = |w: u8, x: u8| i32::from(w) * i32::from(x.cast_signed());
        let dot =
            |i: usize| w[i].to_le_bytes().into_iter().zip(x[i].to_le_bytes()).map(|(w, x)| product(w, x)).sum::<i32>();
        each(|i| sum[i].wrapping_add(dot(i).cast_unsigned()))
    }

    #[inline(always)]
    fn dot_bf16(self, sum: Self::F, w: Self::U, x: Self::U) -> Self::F {
        dot_bf16(self, sum, w, x)
    }
}
