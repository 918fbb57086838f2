//! The gate of an MLP in one pass on all threads, candle's own activation runs on one.
//!
//! Each number is computed on its own, so that it does not matter which are beside it.

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor};
use pulp::{Arch, NullaryFnOnce};

use super::backward::floats;
use crate::model::kernel::team::new_rows;
use crate::model::logits::sigmoid;

/// `silu(gate) * up`, both in f32 and of one shape.
pub(super) fn swiglu(gate: &Tensor, up: &Tensor) -> Result<Tensor> {
    gate.contiguous()?.apply_op2_no_bwd(&up.contiguous()?, &SwiGlu)
}

struct SwiGlu;

impl CustomOp2 for SwiGlu {
    fn name(&self) -> &'static str {
        "swiglu-rows"
    }

    fn cpu_fwd(&self, s1: &CpuStorage, l1: &Layout, s2: &CpuStorage, l2: &Layout) -> Result<(CpuStorage, Shape)> {
        let (gate, up) = (floats(s1, l1, self.name())?, floats(s2, l2, self.name())?);
        let arch = Arch::new();
        let gated = |first, out: &mut [f32]| arch.dispatch(Gated { gate: &gate[first..], up: &up[first..], out });
        let out = new_rows(gate.len(), 1, gated);
        Ok((CpuStorage::F32(out), l1.shape().clone()))
    }
}

struct Gated<'a> {
    gate: &'a [f32],
    up: &'a [f32],
    out: &'a mut [f32],
}

impl NullaryFnOnce for Gated<'_> {
    type Output = ();

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "it must become part of a function that is compiled for wide vectors")]
    fn call(self) {
        for (out, (&gate, &up)) in self.out.iter_mut().zip(self.gate.iter().zip(self.up)) {
            *out = gate * sigmoid(gate) * up;
        }
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    #[test]
    fn it_is_the_activation_times_the_other_half() {
        let gate: Vec<f32> = (-20_000..=20_000i16).map(|i| f32::from(i) / 100.0).collect();
        let up: Vec<f32> = gate.iter().map(|x| 3.0 - x / 50.0).collect();
        let tensor = |values: &[f32]| Tensor::new(values, &Device::Cpu).unwrap();
        let found: Vec<f32> = swiglu(&tensor(&gate), &tensor(&up)).unwrap().to_vec1().unwrap();
        for ((found, &gate), &up) in found.into_iter().zip(&gate).zip(&up) {
            let expected = f64::from(gate) / (1.0 + (-f64::from(gate)).exp()) * f64::from(up);
            assert!(
                (f64::from(found) - expected).abs() <= 1e-6 * expected.abs().max(1.0),
                "{gate}: {found} {expected}"
            );
        }
    }
}
