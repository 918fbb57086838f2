//! Attention of some queries of one sequence to all keys before them, which may lie in several pieces.
//!
//! A query's result depends on its own numbers and on its keys and values, added up in the order of their positions: not
//! on the queries beside it, nor on where the pieces are cut. One lane of a vector is one query of one head.

#![expect(
    clippy::inline_always,
    reason = "the inner loops must become part of a function that is compiled for wide vectors"
)]

use std::mem::MaybeUninit;

use pulp::{Arch, NullaryFnOnce, Simd, WithSimd};

use crate::model::logits::exp_or_zero;

/// Keys whose shares are added up before they join those of earlier ones, which keeps long sums exact.
const BLOCK: usize = 256;
/// Keys, or dimensions of the result, that are worked on together: one accumulator each.
const WIDE: usize = 8;
/// Dimensions of the result where there are registers for as many: whole cache lines of the values.
const WIDEST: usize = 16;
/// Registers that [`WIDEST`] accumulators and their sums take.
const MANY_REGISTERS: usize = 32;

/// What is the same for all queries of a block.
#[derive(Clone, Copy)]
pub(super) struct Shared<'a> {
    pub n_heads: usize,
    pub n_kv_heads: usize,
    pub d_head: usize,
    /// What queries are multiplied by.
    pub scale: f32,
    /// The cap of the scores.
    pub softcap: Option<f32>,
    /// How many keys a query sees, itself included.
    pub window: Option<usize>,
    /// What is added to the scores of each head, `[head, key]`.
    pub biases: Option<&'a [f32]>,
}

/// Keys and values of neighbouring positions, `[kv_head, room, d_head]`: there may be room for more positions.
#[derive(Clone, Copy)]
pub(super) struct Piece<'a> {
    /// The first position.
    pub start: usize,
    /// How many there are.
    pub n_pos: usize,
    pub k: &'a [f32],
    pub v: &'a [f32],
}

impl Piece<'_> {
    /// The positions from `lo` up to and without `hi` of one head, cut where blocks begin.
    fn of_head(self, (head, heads): (usize, Shared<'_>), lo: usize, hi: usize) -> impl Iterator<Item = Self> {
        let d = heads.d_head;
        let room = self.k.len() / (heads.n_kv_heads * d);
        let (from, to) = (lo.max(self.start), hi.min(self.start + self.n_pos));
        let at = head * room;
        let mut next = from;
        std::iter::from_fn(move || {
            let start = next;
            next = (start / BLOCK + 1).saturating_mul(BLOCK).min(to);
            let rows = (at + start - self.start) * d..(at + next.max(start) - self.start) * d;
            let n_pos = rows.len() / d;
            (start < to).then(|| Self { start, n_pos, k: &self.k[rows.clone()], v: &self.v[rows] })
        })
    }
}

/// Some neighbouring queries of a sequence.
pub(super) struct Tile<'a> {
    pub heads: Shared<'a>,
    /// The position of the first query.
    pub first: usize,
    /// `[pos, head, d_head]`
    pub q: &'a [f32],
    /// All keys and values up to the last query, in order.
    pub pieces: Vec<Piece<'a>>,
    /// The weighted values, `[pos, head, d_head]`.
    pub out: &'a mut [f32],
    /// Where someone looks at them: scores before the softmax, and weights.
    pub seen: Seen<'a>,
}

/// Rows of each head that are written besides, wholly, `[pos, key]`; none where no one looks.
#[derive(Default)]
pub(super) struct Seen<'a> {
    pub scores: Vec<&'a mut [MaybeUninit<f32>]>,
    pub pattern: Vec<&'a mut [MaybeUninit<f32>]>,
}

impl WithSimd for Tile<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let heads = self.heads;
        let group = heads.n_heads / heads.n_kv_heads.max(1);
        assert_eq!(group * heads.n_kv_heads, heads.n_heads, "heads in groups that share keys");
        let n_rows = self.out.len() / (heads.n_heads * heads.d_head).max(1) * group;
        let n_keys = self.pieces.last().map_or(0, |piece| piece.start + piece.n_pos);
        let mut scratch = Scratch::default();
        for kv_head in 0..heads.n_kv_heads {
            for row in (0..n_rows).step_by(S::F32_LANES) {
                let n = S::F32_LANES.min(n_rows - row);
                self.lanes(simd, Lanes { kv_head, group, row, n, n_keys }, &mut scratch);
            }
        }
    }
}

/// The queries of one vector: `n` rows from `row` on; a row is a position and one of the heads that share keys.
#[derive(Clone, Copy)]
struct Lanes {
    kv_head: usize,
    group: usize,
    row: usize,
    n: usize,
    /// Of the whole sequence.
    n_keys: usize,
}

impl Lanes {
    /// Position in the tile and head of a lane.
    const fn of(self, lane: usize) -> (usize, usize) {
        let row = self.row + lane;
        (row / self.group, self.kv_head * self.group + row % self.group)
    }

    /// What all keys have for a lane, of the rows of every head.
    fn row_of<'r>(self, rows: &'r mut [&mut [MaybeUninit<f32>]], lane: usize) -> &'r mut [MaybeUninit<f32>] {
        let (pos, head) = self.of(lane);
        &mut rows[head][pos * self.n_keys..(pos + 1) * self.n_keys]
    }
}

/// Buffers that are used again.
#[derive(Default)]
struct Scratch {
    /// `[d_head, lane]`
    q: Vec<f32>,
    /// `[key, lane]`
    weights: Vec<f32>,
    /// The same, divided by their sums.
    shares: Vec<f32>,
    /// `[d_head, lane]`
    z: Vec<f32>,
}

impl Tile<'_> {
    #[inline(always)]
    fn lanes<S: Simd>(&mut self, simd: S, lanes: Lanes, scratch: &mut Scratch) {
        let (heads, d, width) = (self.heads, self.heads.d_head, S::F32_LANES);
        let (first, last) = (self.first + lanes.of(0).0, self.first + lanes.of(lanes.n - 1).0);
        let (lo, hi) = (heads.window.map_or(0, |window| (first + 1).saturating_sub(window)), last + 1);
        let head = (lanes.kv_head, heads);
        let pieces: Vec<Piece<'_>> = self.pieces.iter().flat_map(|piece| piece.of_head(head, lo, hi)).collect();
        scratch.q.clear();
        scratch.q.resize(d * width, 0.0);
        for lane in 0..lanes.n {
            let (pos, head) = lanes.of(lane);
            let q = &self.q[(pos * heads.n_heads + head) * d..][..d];
            q.iter().enumerate().for_each(|(i, &x)| scratch.q[i * width + lane] = x * heads.scale);
        }
        scratch.weights.resize((hi - lo) * width, 0.0);
        let (q, weights) = (S::as_simd_f32s(&scratch.q).0, S::as_mut_simd_f32s(&mut scratch.weights).0);
        for piece in &pieces {
            let weights = &mut weights[piece.start - lo..];
            let wide = piece.k.chunks_exact(WIDE * d);
            let rest = wide.remainder().chunks_exact(d).zip(&mut weights[piece.k.len() / d / WIDE * WIDE..]);
            for (key, weight) in rest {
                [*weight] = scores::<S, 1>(simd, key, q);
            }
            for (keys, weights) in wide.zip(weights.chunks_exact_mut(WIDE)) {
                weights.copy_from_slice(&scores::<S, WIDE>(simd, keys, q));
            }
        }
        self.adjust(lanes, &mut scratch.weights, width, lo, hi);
        show(&mut self.seen.scores, lanes, (lo, hi, f32::NEG_INFINITY), &scratch.weights);
        let weights = S::as_mut_simd_f32s(&mut scratch.weights).0;
        let max = weights.iter().fold(simd.splat_f32s(f32::NEG_INFINITY), |max, &x| simd.max_f32s(max, x));
        for weight in weights {
            *weight = simd.sub_f32s(*weight, max);
        }
        for weight in &mut scratch.weights {
            *weight = exp_or_zero(*weight);
        }
        let weights = S::as_simd_f32s(&scratch.weights).0;
        let sum = sum(simd, weights, lo);
        if !self.seen.pattern.is_empty() {
            scratch.shares.resize((hi - lo) * width, 0.0);
            for (share, &weight) in S::as_mut_simd_f32s(&mut scratch.shares).0.iter_mut().zip(weights) {
                *share = simd.div_f32s(weight, sum);
            }
            show(&mut self.seen.pattern, lanes, (lo, hi, 0.0), &scratch.shares);
        }
        scratch.z.resize(d * width, 0.0);
        let z = S::as_mut_simd_f32s(&mut scratch.z).0;
        let mut at = 0;
        while S::REGISTER_COUNT >= MANY_REGISTERS && at + WIDEST <= d {
            let values = values::<S, WIDEST>(simd, &pieces, (at, d), weights, lo);
            z[at..at + WIDEST].copy_from_slice(&values.map(|value| simd.div_f32s(value, sum)));
            at += WIDEST;
        }
        while at + WIDE <= d {
            let values = values::<S, WIDE>(simd, &pieces, (at, d), weights, lo);
            z[at..at + WIDE].copy_from_slice(&values.map(|value| simd.div_f32s(value, sum)));
            at += WIDE;
        }
        while at < d {
            z[at] = simd.div_f32s(values::<S, 1>(simd, &pieces, (at, d), weights, lo)[0], sum);
            at += 1;
        }
        for lane in 0..lanes.n {
            let (pos, head) = lanes.of(lane);
            let out = &mut self.out[(pos * heads.n_heads + head) * d..][..d];
            out.iter_mut().enumerate().for_each(|(i, out)| *out = scratch.z[i * width + lane]);
        }
    }

    /// What becomes of the scores `[key, lane]` before the softmax: cap, bias, and nothing of keys that are not seen.
    #[inline(always)]
    fn adjust(&self, lanes: Lanes, scores: &mut [f32], width: usize, lo: usize, hi: usize) {
        if let Some(cap) = self.heads.softcap {
            for score in &mut *scores {
                *score = cap * (*score / cap).tanh();
            }
        }
        for lane in 0..lanes.n {
            let (pos, head) = lanes.of(lane);
            let query = self.first + pos;
            if let Some(biases) = self.heads.biases {
                let biases = &biases[head * (biases.len() / self.heads.n_heads)..];
                (lo..hi).for_each(|key| scores[(key - lo) * width + lane] += biases[key]);
            }
            let seen_from = self.heads.window.map_or(0, |window| (query + 1).saturating_sub(window));
            for key in (lo..seen_from).chain(query + 1..hi) {
                scores[(key - lo) * width + lane] = f32::NEG_INFINITY;
            }
        }
    }
}

/// The softmax of a row of scores in its place, with the bits that [`Tile`] gives a pattern.
pub(super) fn softmax(row: &mut [f32]) {
    Arch::new().dispatch(Softmax(row));
}

struct Softmax<'a>(&'a mut [f32]);

impl NullaryFnOnce for Softmax<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let row = self.0;
        let max = row.iter().fold(f32::NEG_INFINITY, |max, &x| if x > max { x } else { max });
        for x in &mut *row {
            *x = exp_or_zero(*x - max);
        }
        let (mut total, mut sum) = (0.0, 0.0);
        for block in row.chunks(BLOCK) {
            (total, sum) = (total + sum, 0.0);
            for x in block {
                sum += x;
            }
        }
        total += sum;
        for x in row {
            *x /= total;
        }
    }
}

/// Writes the rows of some lanes: `values` `[key, lane]` from key `lo` to `hi`, and `beyond` elsewhere.
#[inline(always)]
fn show(rows: &mut [&mut [MaybeUninit<f32>]], lanes: Lanes, (lo, hi, beyond): (usize, usize, f32), values: &[f32]) {
    /// Keys whose values stay in the first cache while each lane takes its own.
    const KEYS: usize = 16;
    if rows.is_empty() {
        return;
    }
    let width = values.len() / (hi - lo);
    for lane in 0..lanes.n {
        let row = lanes.row_of(rows, lane);
        row[..lo].fill(MaybeUninit::new(beyond));
        row[hi..].fill(MaybeUninit::new(beyond));
    }
    for (block, from) in values.chunks(KEYS * width).zip((lo..).step_by(KEYS)) {
        for lane in 0..lanes.n {
            let row = &mut lanes.row_of(rows, lane)[from..from + block.len() / width];
            row.iter_mut().zip(block.chunks_exact(width)).for_each(|(to, values)| _ = to.write(values[lane]));
        }
    }
}

/// Products of `N` keys `[key, d_head]` with the queries `[d_head]`.
#[inline(always)]
fn scores<S: Simd, const N: usize>(simd: S, keys: &[f32], q: &[S::f32s]) -> [S::f32s; N] {
    let d = q.len();
    let mut sums = [simd.splat_f32s(0.0); N];
    let (chunks, rest) = q.as_chunks::<WIDE>();
    let keys: [(&[[f32; WIDE]], &[f32]); N] = std::array::from_fn(|i| keys[i * d..(i + 1) * d].as_chunks::<WIDE>());
    for (at, q) in chunks.iter().enumerate() {
        let keys: [&[f32; WIDE]; N] = std::array::from_fn(|i| &keys[i].0[at]);
        for (e, &q) in q.iter().enumerate() {
            for i in 0..N {
                sums[i] = simd.mul_add_e_f32s(simd.splat_f32s(keys[i][e]), q, sums[i]);
            }
        }
    }
    for (e, &q) in rest.iter().enumerate() {
        for i in 0..N {
            sums[i] = simd.mul_add_e_f32s(simd.splat_f32s(keys[i].1[e]), q, sums[i]);
        }
    }
    sums
}

/// The sum of weights whose first is that of key `lo`.
#[inline(always)]
fn sum<S: Simd>(simd: S, weights: &[S::f32s], lo: usize) -> S::f32s {
    let (mut total, mut sum) = (simd.splat_f32s(0.0), simd.splat_f32s(0.0));
    for (key, &weight) in (lo..).zip(weights) {
        if key.is_multiple_of(BLOCK) {
            (total, sum) = (simd.add_f32s(total, sum), simd.splat_f32s(0.0));
        }
        sum = simd.add_f32s(sum, weight);
    }
    simd.add_f32s(total, sum)
}

/// Dimensions `at..at + N` of the weighted values.
#[inline(always)]
fn values<S: Simd, const N: usize>(
    simd: S,
    pieces: &[Piece<'_>],
    (at, d): (usize, usize),
    weights: &[S::f32s],
    lo: usize,
) -> [S::f32s; N] {
    let zero = simd.splat_f32s(0.0);
    let (mut totals, mut sums) = ([zero; N], [zero; N]);
    for piece in pieces {
        if piece.start.is_multiple_of(BLOCK) {
            for i in 0..N {
                (totals[i], sums[i]) = (simd.add_f32s(totals[i], sums[i]), zero);
            }
        }
        for (row, &weight) in piece.v.chunks_exact(d).zip(&weights[piece.start - lo..]) {
            if let Some(values) = row[at..].first_chunk::<N>() {
                for i in 0..N {
                    sums[i] = simd.mul_add_e_f32s(simd.splat_f32s(values[i]), weight, sums[i]);
                }
            }
        }
    }
    for i in 0..N {
        totals[i] = simd.add_f32s(totals[i], sums[i]);
    }
    totals
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers that look random, from -1 to 1.
    fn numbers(n: usize, seed: u32) -> Vec<f32> {
        let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        };
        (0..n).map(|_| next()).collect()
    }

    /// A sequence of `n` keys of which the last `n_queries` are asked.
    struct Case<'a> {
        heads: Shared<'a>,
        n: usize,
        n_queries: usize,
        q: Vec<f32>,
        /// `[kv_head, pos, d_head]`
        k: Vec<f32>,
        v: Vec<f32>,
    }

    impl<'a> Case<'a> {
        fn new(heads: Shared<'a>, n: usize, n_queries: usize) -> Self {
            let numbers = |n: usize, seed| numbers(n * heads.d_head, seed);
            let (q, kv) = (numbers(n_queries * heads.n_heads, 1), heads.n_kv_heads * n);
            Self { heads, n, n_queries, q, k: numbers(kv, 2), v: numbers(kv, 3) }
        }

        /// The keys or values of some positions, `[kv_head, pos, d_head]`.
        fn part(&self, all: &[f32], (from, to): (usize, usize)) -> Vec<f32> {
            let d = self.heads.d_head;
            let of_head = |head: usize| all[(head * self.n + from) * d..(head * self.n + to) * d].to_vec();
            (0..self.heads.n_kv_heads).flat_map(of_head).collect()
        }

        /// With keys in pieces that end at `cuts`, and so many queries at a time.
        fn run(&self, cuts: &[usize], tile: usize) -> Vec<f32> {
            let ends: Vec<usize> = [0].into_iter().chain(cuts.iter().copied()).chain([self.n]).collect();
            let parts: Vec<(usize, Vec<f32>, Vec<f32>)> = ends
                .windows(2)
                .map(|ends| {
                    let range = (ends[0], ends[1]);
                    (ends[0], self.part(&self.k, range), self.part(&self.v, range))
                })
                .collect();
            let of_pos = self.heads.n_kv_heads * self.heads.d_head;
            let pieces: Vec<Piece<'_>> =
                parts.iter().map(|(start, k, v)| Piece { start: *start, n_pos: k.len() / of_pos, k, v }).collect();
            let width = self.heads.n_heads * self.heads.d_head;
            let mut out = vec![f32::NAN; self.q.len()];
            for (at, (out, q)) in out.chunks_mut(tile * width).zip(self.q.chunks(tile * width)).enumerate() {
                let first = self.n - self.n_queries + at * tile;
                let (pieces, seen) = (pieces.clone(), Seen::default());
                Arch::new().dispatch(Tile { heads: self.heads, first, q, pieces, out, seen });
            }
            out
        }

        /// The same in f64, as it is defined.
        fn expected(&self) -> Vec<f64> {
            let (heads, d) = (self.heads, self.heads.d_head);
            let mut out = Vec::new();
            for query in 0..self.n_queries {
                for head in 0..heads.n_heads {
                    let pos = self.n - self.n_queries + query;
                    let q = &self.q[(query * heads.n_heads + head) * d..][..d];
                    let at = |key: usize| (head * heads.n_kv_heads / heads.n_heads * self.n + key) * d;
                    let from = heads.window.map_or(0, |window| (pos + 1).saturating_sub(window));
                    let score = |key: usize| {
                        let dot = q.iter().zip(&self.k[at(key)..]).map(|(&q, &k)| f64::from(q) * f64::from(k));
                        let score = dot.sum::<f64>() * f64::from(heads.scale);
                        let capped =
                            heads.softcap.map_or(score, |cap| f64::from(cap) * (score / f64::from(cap)).tanh());
                        capped + heads.biases.map_or(0.0, |biases| f64::from(biases[head * self.n + key]))
                    };
                    let weights: Vec<(usize, f64)> = (from..=pos).map(|key| (key, score(key).exp())).collect();
                    let total: f64 = weights.iter().map(|(_, weight)| weight).sum();
                    out.extend((0..d).map(|i| {
                        weights.iter().map(|&(key, weight)| weight * f64::from(self.v[at(key) + i])).sum::<f64>()
                            / total
                    }));
                }
            }
            out
        }
    }

    #[test]
    fn a_pattern_is_the_softmax_of_its_scores_bit_for_bit() {
        let heads = Shared {
            n_heads: 6,
            n_kv_heads: 2,
            d_head: 20,
            scale: 0.7,
            softcap: None,
            window: Some(500),
            biases: None,
        };
        let case = Case::new(heads, 600, 30);
        let unknown = || vec![MaybeUninit::new(f32::NAN); 6 * 30 * 600];
        let (mut scores, mut pattern) = (unknown(), unknown());
        let mut out = vec![0.0; case.q.len()];
        let pieces = vec![Piece { start: 0, n_pos: 600, k: &case.k, v: &case.v }];
        let seen =
            Seen { scores: scores.chunks_mut(30 * 600).collect(), pattern: pattern.chunks_mut(30 * 600).collect() };
        Arch::new().dispatch(Tile { heads, first: 570, q: &case.q, pieces, out: &mut out, seen });
        assert_eq!(out, case.run(&[], 16));
        #[expect(unsafe_code, reason = "every number was written above")]
        let written = |rows: &[MaybeUninit<f32>]| rows.iter().map(|x| unsafe { x.assume_init() }).collect::<Vec<_>>();
        for (scores, pattern) in scores.chunks(600).zip(pattern.chunks(600)) {
            let (mut scores, pattern) = (written(scores), written(pattern));
            softmax(&mut scores);
            assert_eq!(scores, pattern);
            assert!((pattern.iter().sum::<f32>() - 1.0).abs() < 1e-5);
        }
    }

    #[test]
    fn weighted_values_are_those_of_the_definition_however_they_are_cut() {
        let plain =
            Shared { n_heads: 6, n_kv_heads: 2, d_head: 20, scale: 0.7, softcap: None, window: None, biases: None };
        let biases: Vec<f32> = numbers(6 * 600, 9);
        let kinds = [
            plain,
            Shared { n_kv_heads: 6, d_head: 8, ..plain },
            Shared { n_heads: 1, n_kv_heads: 1, d_head: 3, ..plain },
            Shared { softcap: Some(0.5), ..plain },
            Shared { window: Some(5), ..plain },
            Shared { window: Some(300), ..plain },
            Shared { biases: Some(&biases), ..plain },
        ];
        for heads in kinds {
            for (n, n_queries) in [(1, 1), (7, 7), (40, 3), (600, 30)] {
                let of_n: Vec<f32> = biases.chunks(600).flat_map(|of_head| of_head[..n].iter().copied()).collect();
                let heads = Shared { biases: heads.biases.map(|_| of_n.as_slice()), ..heads };
                let case = Case::new(heads, n, n_queries);
                let found = case.run(&[], 16);
                let what = format!("{n} keys, {n_queries} queries, {} of {}", heads.d_head, heads.n_heads);
                for (found, expected) in found.iter().zip(case.expected()) {
                    assert!((f64::from(*found) - expected).abs() < 2e-6, "{what}: {found} {expected}");
                }
                for (cuts, tile) in [(vec![], 1), (vec![n / 2], 5), ((1..n).collect(), 3), (vec![n / 3, n / 3 + 1], 16)]
                {
                    let cuts: Vec<usize> = cuts.into_iter().filter(|&cut| 0 < cut && cut < n).collect();
                    assert_eq!(case.run(&cuts, tile), found, "{what}, tiles of {tile}");
                }
            }
        }
    }
}
