//! Normalised rows, each in one pass over what the cache holds. Sums are taken in sixteen lanes, whatever the processor.

#![expect(
    clippy::inline_always,
    reason = "the caller is compiled for an instruction set, and only what is inlined in it"
)]

use super::lanes::{Isa, LANES, Lanes, Work};
use super::team::{new_rows, new_rows_of};

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

/// Rows `x + y` `[row, d]`, and the same normalised.
///
/// # Panics
/// If there are not as many of one as of the other.
pub fn add_and_normalise([x, y]: [&[f32]; 2], d: usize, norm: Norm<'_>, isa: Isa) -> [Vec<f32>; 2] {
    assert_eq!(x.len(), y.len(), "rows that are added");
    new_rows_of(x.len(), d, |first, [sum, out]| {
        let here = first * d..first * d + out.len();
        isa.run(Added { x: &x[here.clone()], y: &y[here], out: &mut *sum });
        isa.run(Rows { x: sum, d, norm, out });
    })
}

/// What each row `x` `[row, d]` is divided by: `[row]`.
pub fn scales(x: &[f32], d: usize, norm: Norm<'_>, isa: Isa) -> Vec<f32> {
    let mut scales = vec![0.0; x.len().checked_div(d).unwrap_or(0)];
    isa.run(Scales { x, d, norm, out: &mut scales });
    scales
}

struct Added<'a> {
    x: &'a [f32],
    y: &'a [f32],
    out: &'a mut [f32],
}

impl Work for Added<'_> {
    #[inline(always)]
    fn run<L: Lanes>(self, _: L) {
        for ((out, x), y) in self.out.iter_mut().zip(self.x).zip(self.y) {
            *out = x + y;
        }
    }
}

struct Scales<'a> {
    x: &'a [f32],
    d: usize,
    norm: Norm<'a>,
    out: &'a mut [f32],
}

impl Work for Scales<'_> {
    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let mut centred = vec![0.0; self.d];
        for (x, out) in self.x.chunks_exact(self.d).zip(self.out) {
            centre(lanes, x, self.norm.centres, &mut centred);
            *out = scale(lanes, &centred, self.norm.eps);
        }
    }
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
            centre(lanes, x, centres, out);
            let inverse = 1.0 / scale(lanes, out, eps);
            match gain {
                Some(gain) => out.iter_mut().zip(gain).for_each(|(out, gain)| *out = *out * inverse * gain),
                None => out.iter_mut().for_each(|out| *out *= inverse),
            }
            if let Some(bias) = bias {
                out.iter_mut().zip(bias).for_each(|(out, bias)| *out += bias);
            }
        }
    }
}

/// A row as its squares are taken of.
#[inline(always)]
fn centre<L: Lanes>(lanes: L, x: &[f32], centres: Centring, out: &mut [f32]) {
    match centres {
        Centring::None => out.copy_from_slice(x),
        Centring::Mean => {
            let mean = sum(lanes, x, Terms::Plain) / x.len() as f32;
            out.iter_mut().zip(x).for_each(|(out, x)| *out = x - mean);
        }
    }
}

/// What a row is divided by.
#[inline(always)]
fn scale<L: Lanes>(lanes: L, centred: &[f32], eps: f32) -> f32 {
    (sum(lanes, centred, Terms::Squares) / centred.len() as f32 + eps).sqrt()
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
                    let (half, twice): (Vec<f32>, Vec<f32>) = x.iter().map(|x| (x / 4.0, 2.0 * x)).unzip();
                    for isa in Isa::available() {
                        let same = |found: &[f32], expected: &[f32]| {
                            found.iter().zip(expected).all(|(a, b)| a.to_bits() == b.to_bits())
                        };
                        assert!(same(&normalise(&x, d, norm, isa), &portable), "{d} {}", isa.name());
                        let [sum, normed] = add_and_normalise([&half, &twice], d, norm, isa);
                        let expected: Vec<f32> = half.iter().zip(&twice).map(|(a, b)| a + b).collect();
                        assert!(same(&sum, &expected), "{d} {}", isa.name());
                        assert!(same(&normed, &normalise(&expected, d, norm, isa)), "{d} {}", isa.name());
                    }
                }
            }
        }
    }

    #[test]
    fn a_row_is_its_normalised_form_times_its_scale() {
        for (centres, d) in [(Centring::None, 577), (Centring::Mean, 100), (Centring::Mean, 7)] {
            let x: Vec<f32> = (0..d * 3).map(|i| ((i * 7919) % 1000) as f32 / 300.0 - 1.0).collect();
            let norm = Norm { centres, eps: 1e-5, gain: None, bias: None };
            for isa in Isa::available() {
                let (scales, normalized) = (scales(&x, d, norm, isa), normalise(&x, d, norm, isa));
                assert_eq!(scales.len(), 3);
                for ((x, normalized), scale) in x.chunks(d).zip(normalized.chunks(d)).zip(scales) {
                    let mean = if centres == Centring::Mean { x.iter().sum::<f32>() / d as f32 } else { 0.0 };
                    for (x, normalized) in x.iter().zip(normalized) {
                        assert!((normalized * scale - (x - mean)).abs() < 1e-5, "{normalized} {scale} {x}");
                    }
                }
            }
        }
    }
}
