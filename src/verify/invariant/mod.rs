//! The laws: one file each. A law never knows another.
//!
//! On `--fast` the products round activations to eight bits. Laws of [`Rounding::Breaks`] compare two ways of
//! computing the same numbers, which then round differently; there a deviation above the tolerance proves nothing
//! and is reported as not applicable, with its size. Laws of [`Rounding::Keeps`] hold bit for bit or up to the sums of
//! f32 whatever the products do, and stay a test.

mod batch_is_single;
mod cached_is_uncached;
mod causal_cone;
mod dla_sum;
mod finite;
mod head_sum;
mod lens_is_logits;
mod neuron_sum;
mod patch_first_residual;
mod patch_own_is_noop;
mod pattern_rows;
mod probabilities;
mod residual_sum;

use serde::Serialize;

use super::Subject;
use crate::model::{Dtype, Result};

/// A law of every decoder.
pub trait Invariant: Sync {
    /// The word for it; also the file's name, with `_` for `-`.
    fn name(&self) -> &'static str;

    /// What holds, in a sentence without a period.
    fn about(&self) -> &'static str;

    /// How far off it may be.
    fn tolerance(&self) -> Tolerance;

    /// What quantised products do to it.
    fn rounding(&self) -> Rounding;

    /// How far off it is.
    fn measure(&self, subject: &Subject<'_>) -> Result<Measured>;
}

/// The largest deviation that is still taken for rounding.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Tolerance {
    /// The largest deviation.
    pub limit: f64,
    /// What deviations are divided by.
    pub scale: Scale,
}

/// What deviations are divided by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    /// Nothing: the deviation is in the unit of what is compared.
    Absolute,
    /// The largest absolute value, at that position, of all that is compared or added up.
    PositionMax,
    /// Nothing: violations are counted.
    Count,
}

impl Tolerance {
    /// A limit in the unit of what is compared.
    pub const fn absolute(limit: f64) -> Self {
        Self { limit, scale: Scale::Absolute }
    }

    /// A limit relative to the largest value at the position.
    pub const fn relative(limit: f64) -> Self {
        Self { limit, scale: Scale::PositionMax }
    }

    /// The same where numbers are of another type than f32. Sixteen bits round in proportion to their significant
    /// ones; what holds bit for bit does so in any type. Of f64 hooks show 32 bits.
    #[must_use]
    pub fn in_dtype(self, dtype: Dtype) -> Self {
        /// How often a number is rounded on its way, about.
        const ROUNDINGS: f64 = 16.0;
        let is_exact = self.limit <= 0.0;
        let limit = match (dtype, self.scale) {
            (_, Scale::Count) | (Dtype::F32, _) => self.limit,
            (Dtype::F64, _) if is_exact => LOGITS_APART.limit,
            (Dtype::Bf16 | Dtype::F16, _) if !is_exact => self.limit.max(ROUNDINGS * dtype.rounding()),
            (Dtype::F64 | Dtype::Bf16 | Dtype::F16, _) => self.limit,
        };
        Self { limit, ..self }
    }

    /// No violation at all.
    pub const NONE: Self = Self { limit: 0.0, scale: Scale::Count };
}

/// How far two runs of the same numbers may be apart in their logits: f32 rounds in proportion to them, and a deep
/// model with logits of 20 adds up its sums in another order some thousand times.
const LOGITS_APART: Tolerance = Tolerance::relative(1e-4);

/// What quantised products do to a law.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rounding {
    /// It holds all the same.
    Keeps,
    /// It holds up to the rounding of activations only.
    Breaks,
}

/// What was found.
#[derive(Debug, Clone, PartialEq)]
pub enum Measured {
    /// How far off the law is.
    Deviation {
        /// The largest deviation, in the tolerance's scale; infinite where something is not a number.
        value: f64,
        /// Where it is; empty if there is none.
        at: String,
    },
    /// The law says nothing about this model and prompt.
    NotApplicable(String),
}

/// Every law, the cheapest explanation of a failure first.
pub static INVARIANTS: &[&dyn Invariant] = &[
    &finite::Finite,
    &pattern_rows::PatternRows,
    &residual_sum::ResidualSum,
    &head_sum::HeadSum,
    &neuron_sum::NeuronSum,
    &dla_sum::DlaSum,
    &lens_is_logits::LensIsLogits,
    &cached_is_uncached::CachedIsUncached,
    &batch_is_single::BatchIsSingle,
    &patch_own_is_noop::PatchOwnIsNoop,
    &patch_first_residual::PatchFirstResidual,
    &causal_cone::CausalCone,
    &probabilities::Probabilities,
];
