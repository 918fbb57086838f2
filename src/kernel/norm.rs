//! Normalised rows, each in one pass over what the cache holds. Sums are taken in sixteen lanes, whatever the processor.

#![expect(
    clippy::inline_always,
    reason = "the caller is compiled for an instruction set, and only what is inlined in it"
)]

use super::lanes::{Isa, LANES, Lanes, Work};
use super::team::new_rows;

/// How rows are normalised.
#[derive(Debug, Clone, Copy)]
pub struct Norm<'a> {
    /// Whether the mean is taken away first.
    pub centres: Centring,
    /// What is added to the mean of the squares.
    pub eps: f32,
    /// What the result is multiplied by, `[d]`.
    pub gain: Option<&'a [f32]>,
    /// What is added to it, `[d]`.
    pub bias: Option<&'a [f32]>,
}

/// What the squares are taken of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Centring {
    /// Numbers as they are.
    None,
    /// Their distances from their mean.
    Mean,
}

/// Rows `x` `[row, d]`, normalised.
pub fn normalise(x: &[f32], d: usize, norm: Norm<'_>, isa: Isa) -> Vec<f32> {
    new_rows(x.len(), d, |first, out| {
        let x = &x[first * d..first * d + out.len()];
        isa.run(Rows { x, d, norm, out });
    })
}

struct Rows<'a> {
    x: &'a [f32],
    d: usize,
    norm: Norm<'a>,
    out: &'a mut [f32],
}

impl Work for Rows<'_> {
    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let Norm { centres, eps, gain, bias } = self.norm;
        for (x, out) in self.x.chunks_exact(self.d).zip(self.out.chunks_exact_mut(self.d)) {
            let n = self.d as f32;
            match centres {
                Centring::None => out.copy_from_slice(x),
                Centring::Mean => {
                    let mean = sum(lanes, x, Terms::Plain) / n;
                    out.iter_mut().zip(x).for_each(|(out, x)| *out = x - mean);
                }
            }
            let scale = 1.0 / (sum(lanes, out, Terms::Squares) / n + eps).sqrt();
            match gain {
                Some(gain) => out.iter_mut().zip(gain).for_each(|(out, gain)| *out = *out * scale * gain),
                None => out.iter_mut().for_each(|out| *out *= scale),
            }
            if let Some(bias) = bias {
                out.iter_mut().zip(bias).for_each(|(out, bias)| *out += bias);
            }
        }
    }
}

/// What is summed up.
#[derive(Clone, Copy)]
enum Terms {
    Plain,
    Squares,
}

/// Each lane in order, then the lanes by halves.
#[inline(always)]
fn sum<L: Lanes>(lanes: L, x: &[f32], terms: Terms) -> f32 {
    let (chunks, rest) = x.as_chunks::<LANES>();
    let mut last = [0.0; LANES];
    last[..rest.len()].copy_from_slice(rest);
    let one = lanes.splat(1.0);
    let mut sum = lanes.splat(0.0);
    for x in chunks.iter().chain([&last]) {
        let x = lanes.load(x);
        sum = match terms {
            Terms::Plain => lanes.mul_add(x, one, sum),
            Terms::Squares => lanes.mul_add(x, x, sum),
        };
    }
    let mut parts = [0.0; LANES];
    lanes.store(sum, &mut parts);
    let mut width = LANES / 2;
    while width > 0 {
        for i in 0..width {
            parts[i] += parts[i + width];
        }
        width /= 2;
    }
    parts[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expected(x: &[f32], norm: Norm<'_>) -> Vec<f64> {
        let n = x.len() as f64;
        let mean = if norm.centres == Centring::Mean { x.iter().map(|&x| f64::from(x)).sum::<f64>() / n } else { 0.0 };
        let centred: Vec<f64> = x.iter().map(|&x| f64::from(x) - mean).collect();
        let scale = 1.0 / (centred.iter().map(|x| x * x).sum::<f64>() / n + f64::from(norm.eps)).sqrt();
        let of = |i: usize, all: Option<&[f32]>, none: f64| all.map_or(none, |all| f64::from(all[i]));
        centred.iter().enumerate().map(|(i, x)| x * scale * of(i, norm.gain, 1.0) + of(i, norm.bias, 0.0)).collect()
    }

    #[test]
    fn rows_are_those_of_the_definition_with_the_same_bits_by_every_instruction_set() {
        for d in [1, 7, 16, 100, 577] {
            let x: Vec<f32> = (0..d * 40).map(|i| ((i * 7919) % 1000) as f32 / 300.0 - 1.0).collect();
            let (gain, bias): (Vec<f32>, Vec<f32>) =
                (0..d).map(|i| (0.5 + i as f32 / 50.0, i as f32 / 9.0 - 3.0)).unzip();
            for centres in [Centring::None, Centring::Mean] {
                for (gain, bias) in [(None, None), (Some(&gain[..]), None), (Some(&gain[..]), Some(&bias[..]))] {
                    let norm = Norm { centres, eps: 1e-5, gain, bias };
                    let portable = normalise(&x, d, norm, Isa::Portable);
                    for (x, found) in x.chunks(d).zip(portable.chunks(d)) {
                        for (found, expected) in found.iter().zip(expected(x, norm)) {
                            let near = (f64::from(*found) - expected).abs() <= 3e-6 * (1.0 + expected.abs());
                            assert!(near || d == 1, "{d} {centres:?}: {found} {expected}");
                        }
                    }
                    for isa in Isa::available() {
                        let found = normalise(&x, d, norm, isa);
                        assert!(
                            found.iter().zip(&portable).all(|(a, b)| a.to_bits() == b.to_bits()),
                            "{d} {}",
                            isa.name()
                        );
                    }
                }
            }
        }
    }
}
