//! AVX2 with FMA: two registers are sixteen numbers.

#![expect(
    unsafe_code,
    reason = "instructions that only some processors have: a value of `Avx2` is made only where they were found, and loads \
              and stores go through references to arrays of their size"
)]
#![expect(
    clippy::inline_always,
    reason = "the caller is compiled for the instruction set, and only what is inlined in it"
)]

use std::arch::x86_64::{
    __m128i, __m256, __m256i, _mm_cvtsi32_si128, _mm_loadu_si128, _mm256_add_epi32, _mm256_add_ps, _mm256_and_si256,
    _mm256_castsi256_ps, _mm256_cvtepi32_ps, _mm256_cvtph_ps, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_loadu_si256,
    _mm256_madd_epi16, _mm256_mul_ps, _mm256_set1_epi32, _mm256_set1_ps, _mm256_slli_epi16, _mm256_slli_epi32,
    _mm256_srai_epi16, _mm256_srl_epi32, _mm256_srli_epi16, _mm256_storeu_ps,
};

use super::lanes::{LANES, Lanes, Work};
use super::portable;

/// AVX2, FMA and F16C are there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Avx2(());

impl Avx2 {
    pub(super) fn new() -> Option<Self> {
        let is_there =
            is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") && is_x86_feature_detected!("f16c");
        is_there.then_some(Self(()))
    }

    /// Does the work, compiled for these instructions.
    #[expect(clippy::unused_self, reason = "a value is the proof that the instructions are there")]
    pub(super) fn run(self, work: impl Work) {
        // the instructions were found when `self` was made
        unsafe { compiled(work) }
    }
}

#[target_feature(enable = "avx2,fma,f16c")]
fn compiled(work: impl Work) {
    work.run(Avx2(()));
}

/// Where the half `n` of an array begins.
#[inline(always)]
const fn half<T>(from: &[T; LANES], n: usize) -> *const T {
    from.split_at(8 * n).1.as_ptr()
}

/// Eight of the sixteen sums.
#[inline(always)]
unsafe fn dot_bytes(sum: __m256i, w: __m256i, x: __m256i) -> __m256i {
    // bytes 0 and 2 of each word as 16 bits, then 1 and 3: products of pairs fit into 32 bits
    unsafe {
        let w_even = _mm256_and_si256(w, _mm256_set1_epi32(0x00ff_00ff));
        let w_odd = _mm256_srli_epi16::<8>(w);
        let x_even = _mm256_srai_epi16::<8>(_mm256_slli_epi16::<8>(x));
        let x_odd = _mm256_srai_epi16::<8>(x);
        let sum = _mm256_add_epi32(sum, _mm256_madd_epi16(w_even, x_even));
        _mm256_add_epi32(sum, _mm256_madd_epi16(w_odd, x_odd))
    }
}

impl Lanes for Avx2 {
    type F = [__m256; 2];
    type U = [__m256i; 2];
    const IS_WIDE: bool = false;

    #[inline(always)]
    fn splat(self, x: f32) -> Self::F {
        [unsafe { _mm256_set1_ps(x) }; 2]
    }

    #[inline(always)]
    fn load(self, from: &[f32; LANES]) -> Self::F {
        unsafe { [_mm256_loadu_ps(half(from, 0)), _mm256_loadu_ps(half(from, 1))] }
    }

    #[inline(always)]
    fn store(self, x: Self::F, to: &mut [f32; LANES]) {
        let (lower, upper) = to.split_at_mut(8);
        unsafe {
            _mm256_storeu_ps(lower.as_mut_ptr(), x[0]);
            _mm256_storeu_ps(upper.as_mut_ptr(), x[1]);
        }
    }

    #[inline(always)]
    fn mul_add(self, a: Self::F, b: Self::F, c: Self::F) -> Self::F {
        unsafe { [_mm256_fmadd_ps(a[0], b[0], c[0]), _mm256_fmadd_ps(a[1], b[1], c[1])] }
    }

    #[inline(always)]
    fn add(self, a: Self::F, b: Self::F) -> Self::F {
        unsafe { [_mm256_add_ps(a[0], b[0]), _mm256_add_ps(a[1], b[1])] }
    }

    #[inline(always)]
    fn mul(self, a: Self::F, b: Self::F) -> Self::F {
        unsafe { [_mm256_mul_ps(a[0], b[0]), _mm256_mul_ps(a[1], b[1])] }
    }

    #[inline(always)]
    #[expect(clippy::cast_ptr_alignment, reason = "the load asks for no alignment")]
    fn halves(self, from: &[u32; LANES]) -> Self::F {
        let from = (&raw const *from).cast::<__m128i>();
        unsafe { [_mm256_cvtph_ps(_mm_loadu_si128(from)), _mm256_cvtph_ps(_mm_loadu_si128(from.add(1)))] }
    }

    #[inline(always)]
    #[expect(clippy::cast_ptr_alignment, reason = "the load asks for no alignment")]
    fn upper_halves(self, from: &[u32; LANES]) -> Self::F {
        let from = (&raw const from[8..]).cast::<__m128i>();
        unsafe { [_mm256_cvtph_ps(_mm_loadu_si128(from)), _mm256_cvtph_ps(_mm_loadu_si128(from.add(1)))] }
    }

    #[inline(always)]
    fn words(self, from: &[u32; LANES]) -> Self::U {
        unsafe { [_mm256_loadu_si256(half(from, 0).cast()), _mm256_loadu_si256(half(from, 1).cast())] }
    }

    #[inline(always)]
    fn splat_word(self, x: u32) -> Self::U {
        [unsafe { _mm256_set1_epi32(x.cast_signed()) }; 2]
    }

    #[inline(always)]
    fn shifted(self, x: Self::U, by: u32) -> Self::U {
        let by = unsafe { _mm_cvtsi32_si128(by.cast_signed()) };
        unsafe { [_mm256_srl_epi32(x[0], by), _mm256_srl_epi32(x[1], by)] }
    }

    #[inline(always)]
    fn raised(self, x: Self::U) -> Self::U {
        unsafe { [_mm256_slli_epi32::<16>(x[0]), _mm256_slli_epi32::<16>(x[1])] }
    }

    #[inline(always)]
    fn masked(self, x: Self::U, mask: u32) -> Self::U {
        let mask = unsafe { _mm256_set1_epi32(mask.cast_signed()) };
        unsafe { [_mm256_and_si256(x[0], mask), _mm256_and_si256(x[1], mask)] }
    }

    #[inline(always)]
    fn floats(self, x: Self::U) -> Self::F {
        unsafe { [_mm256_cvtepi32_ps(x[0]), _mm256_cvtepi32_ps(x[1])] }
    }

    #[inline(always)]
    fn as_floats(self, x: Self::U) -> Self::F {
        unsafe { [_mm256_castsi256_ps(x[0]), _mm256_castsi256_ps(x[1])] }
    }

    #[inline(always)]
    fn dot_bytes(self, sum: Self::U, w: Self::U, x: Self::U) -> Self::U {
        unsafe { [dot_bytes(sum[0], w[0], x[0]), dot_bytes(sum[1], w[1], x[1])] }
    }

    #[inline(always)]
    fn dot_bf16(self, sum: Self::F, w: Self::U, x: Self::U) -> Self::F {
        portable::dot_bf16(self, sum, w, x)
    }
}
