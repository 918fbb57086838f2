//! AVX-512: one register is sixteen numbers.

#![expect(
    unsafe_code,
    reason = "instructions that only some processors have: a value of `Avx512` is made only where they were found, and \
              loads and stores go through references to arrays of their size"
)]
#![expect(
    clippy::inline_always,
    reason = "the caller is compiled for the instruction set, and only what is inlined in it"
)]

use std::arch::x86_64::{
    __m128i, __m512, __m512bh, __m512i, _mm_cvtsi32_si128, _mm256_loadu_si256, _mm512_add_ps, _mm512_and_si512,
    _mm512_castsi512_ps, _mm512_cvtepi32_ps, _mm512_cvtph_ps, _mm512_dpbf16_ps, _mm512_dpbusd_epi32, _mm512_fmadd_ps,
    _mm512_loadu_ps, _mm512_loadu_si512, _mm512_mul_ps, _mm512_set1_epi32, _mm512_set1_ps, _mm512_slli_epi32,
    _mm512_srl_epi32, _mm512_storeu_ps,
};

use super::lanes::{LANES, Lanes, Work};
use super::portable;

/// AVX-512 with VNNI is there; `BF16`: products of bf16 as well.
#[derive(Debug, Clone, Copy)]
pub(super) struct Avx512<const BF16: bool>(());

impl<const BF16: bool> Avx512<BF16> {
    pub(super) fn new() -> Option<Self> {
        let is_there = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vnni")
            && is_x86_feature_detected!("fma")
            && (!BF16 || is_x86_feature_detected!("avx512bf16"));
        is_there.then_some(Self(()))
    }

    /// Does the work, compiled for these instructions.
    #[expect(clippy::unused_self, reason = "a value is the proof that the instructions are there")]
    pub(super) fn run(self, work: impl Work) {
        // the instructions were found when `self` was made
        if BF16 { unsafe { with_bf16(work) } } else { unsafe { without_bf16(work) } }
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vnni,avx512bf16,fma,avx2")]
fn with_bf16(work: impl Work) {
    work.run(Avx512::<true>(()));
}

#[target_feature(enable = "avx512f,avx512bw,avx512vnni,fma,avx2")]
fn without_bf16(work: impl Work) {
    work.run(Avx512::<false>(()));
}

impl<const BF16: bool> Lanes for Avx512<BF16> {
    type F = __m512;
    type U = __m512i;
    const IS_WIDE: bool = true;

    #[inline(always)]
    fn splat(self, x: f32) -> __m512 {
        unsafe { _mm512_set1_ps(x) }
    }

    #[inline(always)]
    fn load(self, from: &[f32; LANES]) -> __m512 {
        unsafe { _mm512_loadu_ps(from.as_ptr()) }
    }

    #[inline(always)]
    fn store(self, x: __m512, to: &mut [f32; LANES]) {
        unsafe { _mm512_storeu_ps(to.as_mut_ptr(), x) }
    }

    #[inline(always)]
    fn mul_add(self, a: __m512, b: __m512, c: __m512) -> __m512 {
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }

    #[inline(always)]
    fn add(self, a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_add_ps(a, b) }
    }

    #[inline(always)]
    fn mul(self, a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_mul_ps(a, b) }
    }

    #[inline(always)]
    fn halves(self, from: &[u32; LANES]) -> __m512 {
        unsafe { _mm512_cvtph_ps(_mm256_loadu_si256((&raw const from[..8]).cast())) }
    }

    #[inline(always)]
    fn upper_halves(self, from: &[u32; LANES]) -> __m512 {
        unsafe { _mm512_cvtph_ps(_mm256_loadu_si256((&raw const from[8..]).cast())) }
    }

    #[inline(always)]
    fn words(self, from: &[u32; LANES]) -> __m512i {
        unsafe { _mm512_loadu_si512((&raw const *from).cast()) }
    }

    #[inline(always)]
    fn splat_word(self, x: u32) -> __m512i {
        unsafe { _mm512_set1_epi32(x.cast_signed()) }
    }

    #[inline(always)]
    fn shifted(self, x: __m512i, by: u32) -> __m512i {
        let by: __m128i = unsafe { _mm_cvtsi32_si128(by.cast_signed()) };
        unsafe { _mm512_srl_epi32(x, by) }
    }

    #[inline(always)]
    fn raised(self, x: __m512i) -> __m512i {
        unsafe { _mm512_slli_epi32::<16>(x) }
    }

    #[inline(always)]
    fn masked(self, x: __m512i, mask: u32) -> __m512i {
        unsafe { _mm512_and_si512(x, _mm512_set1_epi32(mask.cast_signed())) }
    }

    #[inline(always)]
    fn floats(self, x: __m512i) -> __m512 {
        unsafe { _mm512_cvtepi32_ps(x) }
    }

    #[inline(always)]
    fn as_floats(self, x: __m512i) -> __m512 {
        unsafe { _mm512_castsi512_ps(x) }
    }

    #[inline(always)]
    fn dot_bytes(self, sum: __m512i, w: __m512i, x: __m512i) -> __m512i {
        unsafe { _mm512_dpbusd_epi32(sum, w, x) }
    }

    #[inline(always)]
    fn dot_bf16(self, sum: __m512, w: __m512i, x: __m512i) -> __m512 {
        if BF16 {
            // the same 512 bits, seen as 32 numbers
            let (w, x) =
                unsafe { (std::mem::transmute::<__m512i, __m512bh>(w), std::mem::transmute::<__m512i, __m512bh>(x)) };
            unsafe { _mm512_dpbf16_ps(sum, w, x) }
        } else {
            portable::dot_bf16(self, sum, w, x)
        }
    }
}
