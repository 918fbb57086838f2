//! The largest of many deviations, and where it is.

use candle_core::{DType, Tensor};

use super::invariant::{Measured, Scale};
use crate::model::Result;

/// The largest deviation so far.
#[derive(Debug, Default)]
pub(super) struct Worst {
    value: f64,
    at: String,
}

impl Worst {
    /// Takes note of a deviation; one that is not a number is infinite.
    pub(super) fn note(&mut self, value: f64, at: impl FnOnce() -> String) {
        let value = if value.is_nan() { f64::INFINITY } else { value.abs() };
        if value > self.value {
            *self = Self { value, at: at() };
        }
    }

    /// Compares two tensors of one shape element by element; equal bits do not deviate. `name` and `axes` say where.
    pub(super) fn compare(&mut self, found: &Tensor, expected: &Tensor, scale: Scale, place: Place<'_>) -> Result<()> {
        let shape = expected.dims().to_vec();
        if found.dims() != shape {
            self.note(f64::INFINITY, || format!("{}: shape {:?}, not {shape:?}", place.name, found.dims()));
            return Ok(());
        }
        let (found, expected) = (flat(found)?, flat(expected)?);
        let width = shape.last().copied().unwrap_or(1).max(1);
        for (row, (ours, theirs)) in found.chunks(width).zip(expected.chunks(width)).enumerate() {
            let unit = match scale {
                Scale::Absolute | Scale::Count => 1.0,
                Scale::PositionMax => largest(theirs),
            };
            for (column, (&a, &b)) in ours.iter().zip(theirs).enumerate() {
                if a.to_bits() != b.to_bits() {
                    let deviation = (f64::from(a) - f64::from(b)) / unit;
                    self.note(deviation, || place.of(&shape, row * width + column));
                }
            }
        }
        Ok(())
    }

    /// What was found, as an invariant tells it.
    pub(super) fn measured(self) -> Measured {
        Measured::Deviation { value: self.value, at: self.at }
    }
}

/// The name of a tensor and of its axes.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub name: &'a str,
    pub axes: &'a [&'a str],
}

impl<'a> Place<'a> {
    /// Logits `[pos, d_vocab]`.
    pub(super) const LOGITS: Place<'static> = Place { name: "logits", axes: &["pos", "token"] };

    /// A stream `[pos, d_model]`.
    pub(super) const fn stream(name: &'a str) -> Self {
        Self { name, axes: &["pos", "dim"] }
    }

    /// `blocks.1.hook_attn_out [pos 3, dim 17]`.
    fn of(&self, shape: &[usize], mut index: usize) -> String {
        let mut parts = Vec::new();
        for (axis, &len) in shape.iter().enumerate().rev() {
            let name = self.axes.get(axis).copied().unwrap_or("axis");
            parts.push(format!("{name} {}", index % len.max(1)));
            index /= len.max(1);
        }
        parts.reverse();
        format!("{} [{}]", self.name, parts.join(", "))
    }
}

/// The elements in order.
pub(super) fn flat(tensor: &Tensor) -> Result<Vec<f32>> {
    Ok(tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?)
}

/// The largest absolute value, never 0.
fn largest(values: &[f32]) -> f64 {
    values.iter().map(|&value| f64::from(value.abs())).fold(f64::MIN_POSITIVE, f64::max)
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    fn compared(found: &[[f32; 2]; 2], expected: &[[f32; 2]; 2], scale: Scale) -> Measured {
        let tensor = |rows| Tensor::new(rows, &Device::Cpu).unwrap();
        let mut worst = Worst::default();
        worst.compare(&tensor(found), &tensor(expected), scale, Place::stream("x")).unwrap();
        worst.measured()
    }

    #[test]
    fn the_largest_deviation_is_kept_with_its_place() {
        let deviation = |value, at: &str| Measured::Deviation { value, at: at.into() };
        let expected = [[1.0, 2.0], [100.0, 4.0]];
        let found = [[1.5, 2.0], [100.0, 5.0]];
        assert_eq!(compared(&found, &expected, Scale::Absolute), deviation(1.0, "x [pos 1, dim 1]"));
        assert_eq!(compared(&found, &expected, Scale::PositionMax), deviation(0.25, "x [pos 0, dim 0]"));
        assert_eq!(compared(&expected, &expected, Scale::Absolute), deviation(0.0, ""));
        let broken = [[1.0, f32::NAN], [100.0, 4.0]];
        assert_eq!(compared(&broken, &expected, Scale::Absolute), deviation(f64::INFINITY, "x [pos 0, dim 1]"));
    }

    #[test]
    fn another_shape_is_an_infinite_deviation() {
        let of = |n| Tensor::zeros((1, n), DType::F32, &Device::Cpu).unwrap();
        let mut worst = Worst::default();
        worst.compare(&of(2), &of(3), Scale::Absolute, Place::LOGITS).unwrap();
        assert!(matches!(worst.measured(), Measured::Deviation { value, .. } if value.is_infinite()));
    }
}
