//! The numbers that weights and activations are computed in.

use candle_core::{DType, Tensor};

/// A type of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Dtype {
    /// 32 bits.
    #[default]
    F32,
    /// 64 bits: what the rounding of f32 is measured with.
    F64,
    /// 16 bits, 8 of them significant.
    Bf16,
    /// 16 bits, 11 of them significant, and nothing beyond 65504.
    F16,
}

impl Dtype {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F64 => "f64",
            Self::Bf16 => "bf16",
            Self::F16 => "f16",
        }
    }

    /// Bytes of a number.
    pub const fn size(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F64 => 8,
            Self::Bf16 | Self::F16 => 2,
        }
    }

    /// How far a number is rounded at most, relative to it.
    pub fn rounding(self) -> f64 {
        let significant = match self {
            Self::F32 => 24,
            Self::F64 => 53,
            Self::Bf16 => 8,
            Self::F16 => 11,
        };
        0.5f64.powi(significant)
    }

    /// candle's name for it.
    pub(crate) const fn candle(self) -> DType {
        match self {
            Self::F32 => DType::F32,
            Self::F64 => DType::F64,
            Self::Bf16 => DType::BF16,
            Self::F16 => DType::F16,
        }
    }
}

/// What sums over a row are taken in where numbers are of this type: norms, the softmax and rotations would lose too much
/// in 16 bits.
pub(crate) const fn wide(dtype: DType) -> DType {
    match dtype {
        DType::F64 => DType::F64,
        _ => DType::F32,
    }
}

/// `x` in the type that sums over a row are taken in.
pub(crate) fn widened(x: &Tensor) -> candle_core::Result<Tensor> {
    x.to_dtype(wide(x.dtype()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_is_that_of_the_type() {
        let cases = [
            (Dtype::F32, f64::from(f32::EPSILON)),
            (Dtype::F64, f64::EPSILON),
            (Dtype::Bf16, half::bf16::EPSILON.to_f64()),
            (Dtype::F16, half::f16::EPSILON.to_f64()),
        ];
        for (dtype, spacing) in cases {
            assert!((2.0 * dtype.rounding() / spacing - 1.0).abs() < 1e-12, "{}", dtype.name());
        }
    }
}
