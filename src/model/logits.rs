//! Statistics of a row of logits, in few passes that the compiler turns into the machine's widest vectors.
//!
//! A lens reads some thousand rows of a whole vocabulary each; none of them is kept, and they may come in parts.
//! Exponentials are a polynomial in f32 (relative error below 2e-7) of fused multiplications, which have the same bits on
//! every processor; sums are f32 within a block and f64 over blocks.

#![expect(
    clippy::inline_always,
    reason = "the inner loops must become part of a function that is compiled for wide vectors"
)]

use candle_core::{Storage, Tensor};
use pulp::{Arch, NullaryFnOnce};

use super::kernel::{PIECE, team};

/// Elements that are added up in f32 before they go into a sum in f64: a part of a row begins at a multiple.
const BLOCK: usize = PIECE;
/// Lanes of the inner loops.
const LANES: usize = 16;
/// Below, an exponential is zero for every purpose.
const LEAST: f32 = -87.0;

/// What one row of logits says.
#[derive(Debug, Clone, PartialEq)]
pub struct RowStats {
    /// Natural log of the sum of exponentials: a logit minus it is a log-probability.
    pub log_sum_exp: f64,
    /// Entropy in nats.
    pub entropy: f64,
    /// The largest logits, largest first; of equals the lower id.
    pub top: Vec<(u32, f32)>,
}

/// Reads a row of logits `[d_vocab]` and the `k` largest of them; `None` if one is not a number.
pub fn row_stats(logits: &[f32], k: usize) -> Option<RowStats> {
    let mut row = RowSoFar::new(k);
    for (first, logits) in (0..).step_by(BLOCK).zip(logits.chunks(BLOCK)) {
        row.add(Part::of(first, logits), logits);
    }
    row.done()
}

/// What neighbouring logits of a row say.
#[derive(Debug, Clone, Copy)]
pub struct Part {
    first: usize,
    /// NaN if there is one.
    max: f32,
    /// `Σ exp(z - max)` and `Σ exp(z - max) (z - max)`.
    sums: (f64, f64),
}

impl Part {
    /// Reads the logits from `first` on, a multiple of 512; there are 512 of them, or fewer at the end of a row.
    pub fn of(first: usize, logits: &[f32]) -> Self {
        let (max, sums) = Arch::new().dispatch(Sums(logits));
        Self { first, max, sums }
    }
}

/// A row of which parts have been read; they may come in any order, and the result is the same bit for bit.
#[derive(Debug, Clone)]
pub struct RowSoFar {
    k: usize,
    top: Vec<(u32, f32)>,
    parts: Vec<Part>,
}

impl RowSoFar {
    /// Of which the `k` largest logits are wanted.
    pub fn new(k: usize) -> Self {
        Self { k, top: Vec::with_capacity(k + 1), parts: Vec::new() }
    }

    /// Adds a part, which was read of these logits.
    pub fn add(&mut self, part: Part, logits: &[f32]) {
        self.parts.push(part);
        let is_full = self.top.len() >= self.k;
        // most parts hold nothing that large
        if is_full && self.top.last().is_none_or(|&(_, least)| part.max < least) {
            return;
        }
        for (id, &value) in (part.first..).zip(logits) {
            let id = u32::try_from(id).unwrap_or(u32::MAX);
            let is_before = |&(other, size): &(u32, f32)| size > value || (size >= value && other < id);
            if self.top.len() == self.k && self.top.last().is_none_or(is_before) {
                continue;
            }
            let place = self.top.partition_point(is_before);
            self.top.insert(place, (id, value));
            self.top.truncate(self.k);
        }
    }

    /// What the row says; `None` if a logit is not a number.
    pub fn done(mut self) -> Option<RowStats> {
        self.parts.sort_unstable_by_key(|part| part.first);
        if self.parts.iter().any(|part| part.max.is_nan()) {
            return None;
        }
        let max = self.parts.iter().map(|part| part.max).fold(f32::NEG_INFINITY, f32::max);
        let (mut sum, mut weighted) = (0f64, 0f64);
        for part in self.parts.iter().filter(|part| part.max > f32::NEG_INFINITY) {
            let shift = if part.max < max { f64::from(part.max) - f64::from(max) } else { 0.0 };
            sum += part.sums.0 * shift.exp();
            weighted += (part.sums.1 + part.sums.0 * shift) * shift.exp();
        }
        // p = exp(z - max) / sum, so that -Σ p ln p = ln sum - Σ p (z - max)
        let entropy = (sum.ln() - weighted / sum).max(0.0);
        Some(RowStats { log_sum_exp: f64::from(max) + sum.ln(), entropy, top: self.top })
    }
}

/// What `read` makes of each of the first `n` rows of `logits` `[.., d_vocab]` in f32, on all threads.
pub fn read_rows<T: Send>(
    logits: &Tensor,
    n: usize,
    read: impl Fn(usize, &[f32]) -> T + Sync,
) -> super::Result<Vec<T>> {
    let logits = logits.contiguous()?;
    let width = logits.dims().last().copied().unwrap_or(1).max(1);
    let (storage, layout) = logits.storage_and_layout();
    let values = match &*storage {
        Storage::Cpu(storage) => &storage.as_slice::<f32>()?[layout.start_offset()..],
        Storage::Cuda(_) | Storage::Metal(_) => {
            return Err(candle_core::Error::Msg("logits are read on the CPU".into()).bt().into());
        }
    };
    Ok(team::map(n, |at| read(at, &values[at * width..(at + 1) * width])))
}

/// How many of `logits` are larger than `value`.
pub fn n_larger(logits: &[f32], value: f32) -> usize {
    Arch::new().dispatch(Larger(logits, value))
}

/// Probabilities of logits whose log-sum-exp is known, into `out`.
pub fn probabilities(logits: &[f32], log_sum_exp: f64, out: &mut [f32]) {
    #[expect(clippy::cast_possible_truncation, reason = "probabilities are f32 here")]
    let shift = log_sum_exp as f32;
    Arch::new().dispatch(Probabilities { logits, shift, out });
}

/// `Σ a b`.
pub fn dot(a: &[f32], b: &[f32]) -> f64 {
    Arch::new().dispatch(Dot(a, b))
}

// a closure is not always inlined where wide vectors are, and calls `fmaf` for each number then

/// The largest, and sums of exponentials.
struct Sums<'a>(&'a [f32]);

impl NullaryFnOnce for Sums<'_> {
    type Output = (f32, (f64, f64));

    #[inline(always)]
    fn call(self) -> Self::Output {
        let max = max(self.0);
        (max, exp_sums(self.0, max))
    }
}

struct Larger<'a>(&'a [f32], f32);

impl NullaryFnOnce for Larger<'_> {
    type Output = usize;

    #[inline(always)]
    fn call(self) -> usize {
        let mut sum = 0;
        for block in self.0.chunks(BLOCK) {
            let mut lanes = [0u32; LANES];
            let (chunks, rest) = block.as_chunks::<LANES>();
            for chunk in chunks {
                for lane in 0..LANES {
                    lanes[lane] += u32::from(chunk[lane] > self.1);
                }
            }
            let rest = rest.iter().map(|&logit| u32::from(logit > self.1)).sum::<u32>();
            sum += (lanes.iter().sum::<u32>() + rest) as usize;
        }
        sum
    }
}

struct Probabilities<'a> {
    logits: &'a [f32],
    shift: f32,
    out: &'a mut [f32],
}

impl NullaryFnOnce for Probabilities<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        for (out, &logit) in self.out.iter_mut().zip(self.logits) {
            *out = exp(logit - self.shift);
        }
    }
}

struct Dot<'a>(&'a [f32], &'a [f32]);

impl NullaryFnOnce for Dot<'_> {
    type Output = f64;

    #[inline(always)]
    fn call(self) -> f64 {
        let mut sum = 0.0;
        for (a, b) in self.0.chunks(BLOCK).zip(self.1.chunks(BLOCK)) {
            let mut lanes = [0f32; LANES];
            let (a, rest_of_a) = a.as_chunks::<LANES>();
            let (b, rest_of_b) = b.as_chunks::<LANES>();
            let rest: f32 = rest_of_a.iter().zip(rest_of_b).map(|(a, b)| a * b).sum();
            for (a, b) in a.iter().zip(b) {
                for lane in 0..LANES {
                    lanes[lane] = a[lane].mul_add(b[lane], lanes[lane]);
                }
            }
            sum += f64::from(lanes.iter().sum::<f32>() + rest);
        }
        sum
    }
}

/// The largest element; NaN if there is one.
#[inline(always)]
fn max(values: &[f32]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; LANES];
    // as wide as the numbers: a narrower mask would be packed at every step
    let mut nan = [0u32; LANES];
    let chunks = values.chunks_exact(LANES);
    let rest = chunks.remainder();
    for chunk in chunks {
        for lane in 0..LANES {
            nan[lane] |= u32::from(chunk[lane].is_nan());
            lanes[lane] = if chunk[lane] > lanes[lane] { chunk[lane] } else { lanes[lane] };
        }
    }
    if nan.iter().any(|&nan| nan > 0) || rest.iter().any(|value| value.is_nan()) {
        return f32::NAN;
    }
    lanes.iter().chain(rest).copied().fold(f32::NEG_INFINITY, f32::max)
}

/// `Σ exp(z - max)` and `Σ exp(z - max) (z - max)` of a block.
#[inline(always)]
fn exp_sums(block: &[f32], max: f32) -> (f64, f64) {
    let (mut plain, mut weighted) = ([0f32; LANES], [0f32; LANES]);
    let chunks = block.chunks_exact(LANES);
    let rest = chunks.remainder();
    for chunk in chunks {
        for lane in 0..LANES {
            let shifted = clamped(chunk[lane] - max);
            let exponential = exp(shifted);
            plain[lane] += exponential;
            weighted[lane] += exponential * shifted;
        }
    }
    for &logit in rest {
        let shifted = clamped(logit - max);
        plain[0] += exp(shifted);
        weighted[0] += exp(shifted) * shifted;
    }
    (f64::from(plain.iter().sum::<f32>()), f64::from(weighted.iter().sum::<f32>()))
}

/// Below, the exponential is zero for every purpose; minus infinity must not meet it in a product.
#[inline(always)]
fn clamped(x: f32) -> f32 {
    if x > LEAST { x } else { LEAST }
}

/// `e^x` of `x` up to 88; exactly zero from -87 down.
#[inline(always)]
pub(super) fn exp_or_zero(x: f32) -> f32 {
    let power = exp(x);
    if x > LEAST { power } else { 0.0 }
}

/// `1 / (1 + e^-x)`.
#[inline(always)]
pub(super) fn sigmoid(x: f32) -> f32 {
    const MOST: f32 = 87.0;
    let negated = if -x < MOST { -x } else { MOST };
    1.0 / (1.0 + exp(negated))
}

/// `e^x` for `x` from -87 to 88 (Cephes' polynomial after reduction by powers of two).
#[inline(always)]
fn exp(x: f32) -> f32 {
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    const ROUND: f32 = 12_582_912.0; // 1.5 * 2^23: adding it rounds to an integer
    const MANTISSA_BITS: u32 = 23;
    let x = clamped(x);
    let rounded = x.mul_add(std::f32::consts::LOG2_E, ROUND);
    let n = rounded - ROUND;
    let r = n.mul_add(-LN2_LOW, n.mul_add(-LN2_HIGH, x));
    let p = 1.987_569_1e-4_f32;
    let p = p.mul_add(r, 1.398_199_9e-3);
    let p = p.mul_add(r, 8.333_452e-3);
    let p = p.mul_add(r, 4.166_579_6e-2);
    let p = p.mul_add(r, 1.666_666_5e-1);
    let p = p.mul_add(r, 0.5);
    let y = (p * r).mul_add(r, r + 1.0);
    // the last bits of `rounded` are those of n, from -126 to 127: as an exponent, 2^n; a cast would not become vectors
    let power = f32::from_bits((rounded.to_bits() << MANTISSA_BITS).wrapping_add(127 << MANTISSA_BITS));
    y * power
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::sample::{entropy_bits, log_softmax, ranking};

    /// Numbers that look random, from -20 to 20.
    fn row(n: usize, seed: u32) -> Vec<f32> {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 24) as f32 * 40.0 - 20.0
        };
        (0..n).map(|_| next()).collect()
    }

    #[test]
    fn statistics_are_those_of_plain_sums_in_f64() {
        for (n, k) in [(1, 1), (7, 3), (16, 5), (511, 5), (513, 5), (5000, 10)] {
            let logits = row(n, u32::try_from(n).unwrap());
            let stats = row_stats(&logits, k).unwrap();
            let logprobs = log_softmax(&logits);
            let lse = f64::from(logits[0]) - logprobs[0];
            assert!((stats.log_sum_exp - lse).abs() < 1e-5, "{n}");
            assert!((stats.entropy / std::f64::consts::LN_2 - entropy_bits(&logprobs)).abs() < 1e-4, "{n}");
            let expected: Vec<u32> = ranking(&logits).into_iter().take(k).collect();
            assert_eq!(stats.top.iter().map(|&(id, _)| id).collect::<Vec<_>>(), expected, "{n}");
            let value = logits[n / 2];
            let rank = ranking(&logits).iter().position(|&id| id as usize == n / 2).unwrap();
            assert_eq!(n_larger(&logits, value), rank, "{n}");
            let mut probs = vec![0.0; n];
            probabilities(&logits, stats.log_sum_exp, &mut probs);
            let off =
                probs.iter().zip(&logprobs).map(|(&p, logp)| (f64::from(p) - logp.exp()).abs()).fold(0.0, f64::max);
            assert!(off < 1e-6, "{n}: {off}");
            let expected: f64 = probs.iter().zip(&logits).map(|(&p, &z)| f64::from(p) * f64::from(z)).sum();
            assert!((dot(&probs, &logits) - expected).abs() < 1e-5, "{n}");
        }
    }

    #[test]
    fn parts_in_any_order_say_the_same_bit_for_bit() {
        // few values, so that some are equal
        let logits: Vec<f32> = row(5000, 7).into_iter().map(|value| (2.0 * value).round() / 2.0).collect();
        let expected = row_stats(&logits, 9).unwrap();
        for turn in 0..10 {
            let mut parts: Vec<(usize, &[f32])> = (0..).step_by(BLOCK).zip(logits.chunks(BLOCK)).collect();
            parts.rotate_left(turn);
            parts[turn..].reverse();
            let mut row = RowSoFar::new(9);
            for (first, logits) in parts {
                row.add(Part::of(first, logits), logits);
            }
            let found = row.done().unwrap();
            assert_eq!(found.log_sum_exp.to_bits(), expected.log_sum_exp.to_bits());
            assert_eq!(found.entropy.to_bits(), expected.entropy.to_bits());
            assert_eq!(found.top, expected.top);
        }
    }

    #[test]
    fn equals_masked_entries_and_what_is_no_number() {
        let stats = row_stats(&[1.0, 3.0, f32::NEG_INFINITY, 3.0], 2).unwrap();
        assert_eq!(stats.top, [(1, 3.0), (3, 3.0)]);
        assert!(stats.entropy.is_finite() && stats.log_sum_exp.is_finite());
        assert_eq!(row_stats(&[1.0, f32::NAN, 2.0], 1), None);
        let mut long = vec![0.0; 2 * BLOCK];
        long[BLOCK + 3] = f32::NAN;
        assert_eq!(row_stats(&long, 1), None);
        // a block that is masked as a whole changes nothing
        long[BLOCK..].fill(f32::NEG_INFINITY);
        assert_eq!(row_stats(&long, 1), row_stats(&long[..BLOCK], 1));
    }

    #[test]
    fn the_exponential_is_that_of_f64() {
        for step in -8700..=8800i16 {
            let x = f32::from(step) / 100.0;
            let expected = f64::from(x).exp();
            assert!((f64::from(exp(x)) / expected - 1.0).abs() < 2.5e-7, "{x}");
        }
    }
}
