//! Operations in one pass that have a backward pass of their own, for gradients and training on the CPU.
//!
//! candle's fused operations cut the gradient silently, and its differentiable parts of the same operation pass over
//! memory five times. Each operation here is tested against those parts, value and gradient.

use candle_core::backend::BackendStorage as _;
use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Storage, Tensor, bail};
use rayon::prelude::*;

/// Elements of a contiguous f32 tensor.
pub(super) fn floats<'a>(storage: &'a CpuStorage, layout: &Layout, op: &str) -> Result<&'a [f32]> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&storage.as_slice::<f32>()?[start..end]),
        None => bail!("{op} needs contiguous tensors"),
    }
}

fn values(tensor: &Tensor) -> Result<Vec<f32>> {
    tensor.flatten_all()?.to_vec1()
}

fn width(shape: &Shape) -> usize {
    shape.dims().last().copied().unwrap_or(1).max(1)
}

fn like(values: Vec<f32>, tensor: &Tensor) -> Result<Tensor> {
    Tensor::from_vec(values, tensor.shape(), tensor.device())
}

/// `x` `[.., d]` and a gain `[d]` to `x / sqrt(mean(x²) + eps) * gain`.
pub(super) fn rms_norm(x: &Tensor, gain: &Tensor, eps: f64) -> Result<Tensor> {
    #[expect(clippy::cast_possible_truncation, reason = "eps is a small constant")]
    x.contiguous()?.apply_op2(gain, RmsNorm { eps: eps as f32 })
}

/// Softmax over the last axis.
pub(super) fn softmax(scores: &Tensor) -> Result<Tensor> {
    scores.contiguous()?.apply_op1(Softmax)
}

/// `silu(gate) * up`, both of one shape.
pub(super) fn swiglu(gate: &Tensor, up: &Tensor) -> Result<Tensor> {
    gate.contiguous()?.apply_op2(&up.contiguous()?, SwiGlu)
}

/// `x` `[rows, in]` times the transpose of `weight` `[out, in]`: `[rows, out]`.
pub(super) fn linear(x: &Tensor, weight: &Tensor) -> Result<Tensor> {
    x.contiguous()?.apply_op2(weight, Linear)
}

/// What [`linear`] computes, for a weight that has no gradient of its own.
pub(super) fn frozen_linear(x: &Tensor, weight: &Tensor) -> Result<Tensor> {
    x.contiguous()?.apply_op1(FrozenLinear { weight: weight.clone() })
}

/// `y`, which was computed from `x` by a linear map of rows, with `back` as the map of gradients.
pub(super) fn linear_map(
    x: &Tensor,
    y: &Tensor,
    back: impl Fn(&Tensor) -> Mapped + Send + Sync + 'static,
) -> Result<Tensor> {
    x.contiguous()?.apply_op1(LinearMap { y: y.clone(), back: Box::new(back) })
}

/// What a map of tensors returns.
type Mapped = crate::model::Result<Tensor>;

/// Rotates `x` `[batch, pos, head, 2 * n]`, dimension `i` paired with `i + n`, by angles whose cosines and sines are
/// `[pos, n]`.
pub(super) fn rotate(x: &Tensor, cos: &Tensor, sin: &Tensor) -> Result<Tensor> {
    let (_, n_pos, n_heads, _) = x.dims4()?;
    x.contiguous()?.apply_op1(Rotate { cos: values(cos)?, sin: values(sin)?, n_pos, n_heads })
}

struct RmsNorm {
    eps: f32,
}

impl RmsNorm {
    fn inverse_scale(&self, row: &[f32]) -> f32 {
        let mean = row.iter().map(|x| x * x).sum::<f32>() / row.len() as f32;
        1.0 / (mean + self.eps).sqrt()
    }
}

impl CustomOp2 for RmsNorm {
    fn name(&self) -> &'static str {
        "rms-norm"
    }

    fn cpu_fwd(&self, s1: &CpuStorage, l1: &Layout, s2: &CpuStorage, l2: &Layout) -> Result<(CpuStorage, Shape)> {
        let (x, gain) = (floats(s1, l1, self.name())?, floats(s2, l2, self.name())?);
        let mut out = vec![0f32; x.len()];
        out.par_chunks_mut(gain.len()).zip(x.par_chunks(gain.len())).for_each(|(out, row)| {
            let inverse = self.inverse_scale(row);
            for ((y, x), g) in out.iter_mut().zip(row).zip(gain) {
                *y = x * inverse * g;
            }
        });
        Ok((CpuStorage::F32(out), l1.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, gain: &Tensor, _: &Tensor, grad: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (rows, gains, grads) = (values(x)?, values(gain)?, values(grad)?);
        let d = gains.len();
        let mut dx = vec![0f32; rows.len()];
        let sum = |mut a: Vec<f32>, b: Vec<f32>| {
            a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
            a
        };
        let rows_of = dx.par_chunks_mut(d).zip(rows.par_chunks(d)).zip(grads.par_chunks(d));
        let dgain = rows_of
            .fold(
                || vec![0f32; d],
                |mut dgain, ((dx, row), grad)| {
                    let inverse = self.inverse_scale(row);
                    let along: f32 = row.iter().zip(grad).zip(&gains).map(|((x, dy), g)| x * dy * g).sum();
                    let back = along * inverse * inverse * inverse / d as f32;
                    for i in 0..d {
                        dx[i] = grad[i] * gains[i] * inverse - row[i] * back;
                        dgain[i] += grad[i] * row[i] * inverse;
                    }
                    dgain
                },
            )
            .reduce(|| vec![0f32; d], sum);
        Ok((Some(like(dx, x)?), Some(like(dgain, gain)?)))
    }
}

struct Softmax;

impl CustomOp1 for Softmax {
    fn name(&self) -> &'static str {
        "softmax"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let width = width(layout.shape());
        let mut out = floats(storage, layout, self.name())?.to_vec();
        out.par_chunks_mut(width).for_each(|row| {
            let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let mut sum = 0.0;
            for x in row.iter_mut() {
                *x = (*x - max).exp();
                sum += *x;
            }
            for x in row {
                *x /= sum;
            }
        });
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }

    fn bwd(&self, _: &Tensor, probs: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let width = width(probs.shape());
        let (p, mut grads) = (values(probs)?, values(grad)?);
        grads.par_chunks_mut(width).zip(p.par_chunks(width)).for_each(|(grad, p)| {
            let mean: f32 = grad.iter().zip(p).map(|(g, p)| g * p).sum();
            grad.iter_mut().zip(p).for_each(|(g, p)| *g = p * (*g - mean));
        });
        Ok(Some(like(grads, probs)?))
    }
}

struct SwiGlu;

fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

/// Elements a thread takes at a time.
const CHUNK: usize = 4096;

impl CustomOp2 for SwiGlu {
    fn name(&self) -> &'static str {
        "swiglu"
    }

    fn cpu_fwd(&self, s1: &CpuStorage, l1: &Layout, s2: &CpuStorage, l2: &Layout) -> Result<(CpuStorage, Shape)> {
        let (gate, up) = (floats(s1, l1, self.name())?, floats(s2, l2, self.name())?);
        let mut out = vec![0f32; gate.len()];
        let parts = out.par_chunks_mut(CHUNK).zip(gate.par_chunks(CHUNK)).zip(up.par_chunks(CHUNK));
        parts.for_each(|((out, gate), up)| {
            for ((y, g), u) in out.iter_mut().zip(gate).zip(up) {
                *y = g * sigmoid(*g) * u;
            }
        });
        Ok((CpuStorage::F32(out), l1.shape().clone()))
    }

    fn bwd(&self, gate: &Tensor, up: &Tensor, _: &Tensor, grad: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (mut dgate, mut dup, grads) = (values(gate)?, values(up)?, values(grad)?);
        let parts = dgate.par_chunks_mut(CHUNK).zip(dup.par_chunks_mut(CHUNK)).zip(grads.par_chunks(CHUNK));
        parts.for_each(|((gate, up), grad)| {
            for ((g, u), dy) in gate.iter_mut().zip(up).zip(grad) {
                let s = sigmoid(*g);
                let (silu, slope) = (*g * s, s * (1.0 + *g * (1.0 - s)));
                (*g, *u) = (dy * *u * slope, dy * silu);
            }
        });
        Ok((Some(like(dgate, gate)?), Some(like(dup, up)?)))
    }
}

struct Linear;

impl CustomOp2 for Linear {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn cpu_fwd(&self, s1: &CpuStorage, l1: &Layout, s2: &CpuStorage, l2: &Layout) -> Result<(CpuStorage, Shape)> {
        let ((rows, n_in), (n_out, _)) = (l1.shape().dims2()?, l2.shape().dims2()?);
        let product = s1.matmul(s2, (1, rows, n_out, n_in), l1, &l2.transpose(0, 1)?)?;
        Ok((product, (rows, n_out).into()))
    }

    fn bwd(&self, x: &Tensor, weight: &Tensor, _: &Tensor, grad: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let grad = grad.contiguous()?;
        Ok((Some(grad.matmul(weight)?), Some(grad.t()?.matmul(x)?)))
    }
}

struct FrozenLinear {
    weight: Tensor,
}

impl CustomOp1 for FrozenLinear {
    fn name(&self) -> &'static str {
        "frozen-linear"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (weight, weight_layout) = self.weight.storage_and_layout();
        match &*weight {
            Storage::Cpu(weight) => Linear.cpu_fwd(x, layout, weight, weight_layout),
            _ => bail!("{} needs a weight on the CPU", self.name()),
        }
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some(grad.contiguous()?.matmul(&self.weight)?))
    }
}

struct LinearMap {
    y: Tensor,
    back: Box<dyn Fn(&Tensor) -> Mapped + Send + Sync>,
}

impl CustomOp1 for LinearMap {
    fn name(&self) -> &'static str {
        "linear-map"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        Ok((CpuStorage::F32(values(&self.y)?), self.y.shape().clone()))
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        (self.back)(grad).map(Some).map_err(candle_core::Error::wrap)
    }
}

struct Rotate {
    cos: Vec<f32>,
    sin: Vec<f32>,
    n_pos: usize,
    n_heads: usize,
}

impl Rotate {
    /// Rotates `x` in place; a `turn` of -1 undoes a rotation by 1.
    fn turn(&self, x: &mut [f32], turn: f32) {
        let half = self.cos.len() / self.n_pos.max(1);
        x.par_chunks_mut(self.n_heads * 2 * half).enumerate().for_each(|(row, heads)| {
            let at = row % self.n_pos * half;
            let (cos, sin) = (&self.cos[at..at + half], &self.sin[at..at + half]);
            for head in heads.chunks_mut(2 * half) {
                let (first, second) = head.split_at_mut(half);
                for i in 0..half {
                    let (a, b, s) = (first[i], second[i], sin[i] * turn);
                    (first[i], second[i]) = (a * cos[i] - b * s, a * s + b * cos[i]);
                }
            }
        });
    }
}

impl CustomOp1 for Rotate {
    fn name(&self) -> &'static str {
        "rotate"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let mut out = floats(storage, layout, self.name())?.to_vec();
        self.turn(&mut out, 1.0);
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let mut grads = values(grad)?;
        self.turn(&mut grads, -1.0);
        Ok(Some(like(grads, x)?))
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{D, Device, Var};
    use candle_nn::ops;

    use super::*;
    use crate::noise::normal;

    fn var(seed: u64, shape: &[usize]) -> Var {
        Var::from_tensor(&normal(seed, shape)).unwrap()
    }

    /// Compares value and gradients of an operation with those of its parts.
    fn check(vars: &[&Var], ours: impl Fn() -> Result<Tensor>, parts: impl Fn() -> Result<Tensor>) {
        let (ours, parts) = (ours().unwrap(), parts().unwrap());
        let weights = normal(3, ours.shape());
        let gradients = |of: &Tensor| (of * &weights).unwrap().sum_all().unwrap().backward().unwrap();
        let (our_grads, part_grads) = (gradients(&ours), gradients(&parts));
        let close = |a: &Tensor, b: &Tensor| {
            assert_eq!(a.shape(), b.shape());
            let (a, b) = (values(a).unwrap(), values(b).unwrap());
            let worst = a.iter().zip(&b).map(|(a, b)| (a - b).abs()).fold(0f32, f32::max);
            assert!(worst < 2e-5, "{worst}");
        };
        close(&ours, &parts);
        for var in vars {
            close(our_grads.get(var.as_tensor()).unwrap(), part_grads.get(var.as_tensor()).unwrap());
        }
    }

    #[test]
    fn rms_norm_equals_its_parts() {
        let (x, gain) = (var(1, &[2, 3, 5]), var(2, &[5]));
        check(
            &[&x, &gain],
            || rms_norm(&x, &gain, 1e-5),
            || {
                let scale = (x.sqr()?.mean_keepdim(D::Minus1)? + 1e-5)?.sqrt()?;
                x.broadcast_div(&scale)?.broadcast_mul(&gain)
            },
        );
    }

    #[test]
    fn softmax_equals_its_parts_and_knows_masks() {
        let x = var(1, &[2, 3, 4]);
        check(&[&x], || softmax(&x), || ops::softmax(&x, D::Minus1));
        let masked = Tensor::new(&[[0f32, f32::NEG_INFINITY]], &Device::Cpu).unwrap();
        assert_eq!(values(&softmax(&masked).unwrap()).unwrap(), [1.0, 0.0]);
    }

    #[test]
    fn swiglu_equals_its_parts() {
        let (gate, up) = (var(1, &[3, 7]), var(2, &[3, 7]));
        check(&[&gate, &up], || swiglu(&gate, &up), || gate.silu()? * up.as_tensor());
    }

    #[test]
    fn linear_equals_a_product_with_the_transpose() {
        let (x, weight) = (var(1, &[4, 3]), var(2, &[5, 3]));
        check(&[&x, &weight], || linear(&x, &weight), || x.matmul(&weight.t()?));
        check(&[&x], || frozen_linear(&x, &weight), || x.matmul(&weight.t()?));
    }

    #[test]
    fn a_rotation_equals_its_parts() {
        let x = var(1, &[2, 3, 2, 4]);
        let angles = Tensor::arange(0f32, 6.0, &Device::Cpu).unwrap().reshape((3, 2)).unwrap();
        let (cos, sin) = (angles.cos().unwrap(), angles.sin().unwrap());
        check(
            &[&x],
            || rotate(&x, &cos, &sin),
            || {
                let (first, second) = (x.narrow(3, 0, 2)?, x.narrow(3, 2, 2)?);
                let (cos, sin) = (cos.unsqueeze(1)?, sin.unsqueeze(1)?);
                let turned = (first.broadcast_mul(&cos)? - second.broadcast_mul(&sin)?)?;
                let other = (first.broadcast_mul(&sin)? + second.broadcast_mul(&cos)?)?;
                Tensor::cat(&[turned, other], 3)
            },
        );
    }
}
