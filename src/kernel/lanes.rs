//! Sixteen numbers side by side, in whatever registers the processor has: what a file per instruction set provides.
//!
//! A kernel is written once over [`Lanes`] and compiled once for each set. It must not ask which set it runs on but
//! through the constants here, and every set gives the same bits: a sum is taken in the order that is written, with fused
//! multiplications.

use super::portable::Portable;
#[cfg(target_arch = "x86_64")]
use super::{avx2::Avx2, avx512::Avx512};

/// How many numbers.
pub(super) const LANES: usize = 16;

/// A line of the cache that a load reads whole.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[repr(C, align(64))]
pub(super) struct Line<T>(pub [T; LANES]);

/// An instruction set that is there; a value of it is the proof.
pub(super) trait Lanes: Copy {
    /// Sixteen f32.
    type F: Copy;
    /// Sixteen words of 32 bits, or integers.
    type U: Copy;
    /// Whether sums of 12 rows by 2 lines stay in registers; otherwise 6 by 1 do.
    const IS_WIDE: bool;

    fn splat(self, x: f32) -> Self::F;
    fn load(self, from: &[f32; LANES]) -> Self::F;
    fn store(self, x: Self::F, to: &mut [f32; LANES]);
    /// `a * b + c`, rounded once.
    fn mul_add(self, a: Self::F, b: Self::F, c: Self::F) -> Self::F;
    fn add(self, a: Self::F, b: Self::F) -> Self::F;
    fn mul(self, a: Self::F, b: Self::F) -> Self::F;
    /// The first eight words as sixteen f16.
    fn halves(self, from: &[u32; LANES]) -> Self::F;
    /// The last eight words as sixteen f16.
    fn upper_halves(self, from: &[u32; LANES]) -> Self::F;

    fn words(self, from: &[u32; LANES]) -> Self::U;
    fn splat_word(self, x: u32) -> Self::U;
    /// `x >> by`, filled with zeros.
    fn shifted(self, x: Self::U, by: u32) -> Self::U;
    /// `x << 16`
    fn raised(self, x: Self::U) -> Self::U;
    fn masked(self, x: Self::U, mask: u32) -> Self::U;
    /// Integers as numbers.
    fn floats(self, x: Self::U) -> Self::F;
    /// The same bits.
    fn as_floats(self, x: Self::U) -> Self::F;
    /// To each integer of `sum`, the products of the four unsigned bytes of `w` with the four signed bytes of `x`.
    fn dot_bytes(self, sum: Self::U, w: Self::U, x: Self::U) -> Self::U;
    /// To each number of `sum`, the products of the two bf16 of `w` with the two of `x`.
    fn dot_bf16(self, sum: Self::F, w: Self::U, x: Self::U) -> Self::F;
}

/// What is to be done with an instruction set.
pub(super) trait Work {
    fn run<L: Lanes>(self, lanes: L);
}

/// The instruction sets that kernels are compiled for, best last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Isa {
    /// What the compiler makes of plain loops: NEON on 64-bit ARM; elsewhere correct and slow.
    Portable,
    /// AVX2 with FMA and F16C.
    Avx2,
    /// AVX-512 with VNNI.
    Avx512,
    /// The same, with products of bf16.
    Avx512Bf16,
}

impl Isa {
    /// Those that this processor has.
    pub fn available() -> Vec<Self> {
        let all = [Self::Portable, Self::Avx2, Self::Avx512, Self::Avx512Bf16];
        all.into_iter().filter(|isa| isa.is_there()).collect()
    }

    #[cfg(target_arch = "x86_64")]
    fn is_there(self) -> bool {
        match self {
            Self::Portable => true,
            Self::Avx2 => Avx2::new().is_some(),
            Self::Avx512 => Avx512::<false>::new().is_some(),
            Self::Avx512Bf16 => Avx512::<true>::new().is_some(),
        }
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn is_there(self) -> bool {
        self == Self::Portable
    }

    /// The best of them, or none where candle's product is faster.
    pub fn best() -> Option<Self> {
        static BEST: std::sync::OnceLock<Option<Isa>> = std::sync::OnceLock::new();
        let is_worth_it = |isa: &Self| *isa != Self::Portable || cfg!(target_arch = "aarch64");
        *BEST.get_or_init(|| Self::available().into_iter().rev().find(is_worth_it))
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Avx2 => "AVX2",
            Self::Avx512 => "AVX-512 VNNI",
            Self::Avx512Bf16 => "AVX-512 VNNI BF16",
        }
    }

    /// Does the work with this set, or with the best below it that is there.
    #[cfg(target_arch = "x86_64")]
    pub(super) fn run(self, work: impl Work) {
        match (self, Avx512::<false>::new(), Avx2::new()) {
            (Self::Avx512Bf16 | Self::Avx512, Some(lanes), _) => lanes.run(work),
            (Self::Avx512Bf16 | Self::Avx512 | Self::Avx2, _, Some(lanes)) => lanes.run(work),
            _ => work.run(Portable),
        }
    }

    /// The same of work that multiplies bf16.
    #[cfg(target_arch = "x86_64")]
    pub(super) fn run_with_bf16(self, work: impl Work) {
        match (self, Avx512::<true>::new()) {
            (Self::Avx512Bf16, Some(lanes)) => lanes.run(work),
            _ => self.run(work),
        }
    }

    /// The same of work that multiplies bf16.
    #[cfg(not(target_arch = "x86_64"))]
    pub(super) fn run_with_bf16(self, work: impl Work) {
        self.run(work);
    }

    /// Does the work with what is there.
    #[cfg(not(target_arch = "x86_64"))]
    pub(super) fn run(self, work: impl Work) {
        work.run(Portable);
    }
}
