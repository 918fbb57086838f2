//! Quantised weights: for each group of neighbours of sixteen rows, scales, offsets and codes, one after the other.

#![expect(
    clippy::inline_always,
    reason = "the caller is compiled for an instruction set, and only what is inlined in it"
)]
#![expect(
    clippy::needless_range_loop,
    reason = "a number of steps that is known is unrolled, and places become constants"
)]

use half::f16;

use super::blocks::{Group, Kind};
use super::lanes::{LANES, Lanes, Line};

/// How codes of one kind lie in memory.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    /// Codes of a group.
    pub group: usize,
    /// Lines of scales and offsets before those of the codes.
    header: usize,
    /// Lines of a group.
    pub record: usize,
    /// What a weight of zero is coded as, if offsets are not stored.
    pub zero: Option<u8>,
    /// Whether a code is half a byte.
    pub is_narrow: bool,
    is_half: bool,
}

impl Layout {
    pub(super) const fn of(kind: Kind) -> Self {
        let (group, zero, is_half) = (kind.group(), kind.zero(), kind.has_half_scales());
        let header = if is_half || zero.is_some() { 1 } else { 2 };
        // a line is 64 bytes: 16 rows of 4 or 8 codes
        let is_narrow = kind.bits() == 4;
        let record = header + group / if is_narrow { 8 } else { 4 };
        Self { group, header, record, zero, is_narrow, is_half }
    }

    /// Writes the groups of one row into its lane.
    pub(super) fn pack(self, groups: &[Group], lane: usize, tile: &mut [Line<u32>]) {
        for (group, record) in groups.iter().zip(tile.chunks_exact_mut(self.record)) {
            let (header, lines) = record.split_at_mut(self.header);
            if self.is_half {
                let bits = |x: f32| f16::from_f32(x).to_bits();
                put_half(&mut header[0], lane, bits(group.scale));
                if self.zero.is_none() {
                    put_half(&mut header[0], LANES + lane, bits(group.min));
                }
            } else {
                header[0].0[lane] = group.scale.to_bits();
                if self.zero.is_none() {
                    header[1].0[lane] = group.min.to_bits();
                }
            }
            let quads = group.codes.as_chunks::<4>().0;
            for (at, line) in lines.iter_mut().enumerate() {
                line.0[lane] = if self.is_narrow {
                    u32::from_le_bytes(quads[2 * at]) | u32::from_le_bytes(quads[2 * at + 1]) << 4
                } else {
                    u32::from_le_bytes(quads[at])
                };
            }
        }
    }

    /// The first of a group's scales and offsets that is no number.
    pub(super) fn not_finite(self, record: &[Line<u32>]) -> Option<f32> {
        let words = record[..self.header].iter().flat_map(|line| line.0);
        if self.is_half {
            // where there are no offsets, their halves are zeros
            let halves = words.flat_map(|word| word.to_le_bytes().as_chunks::<2>().0.to_vec());
            return halves.map(|half| f16::from_le_bytes(half).to_f32()).find(|x| !x.is_finite());
        }
        words.map(f32::from_bits).find(|x| !x.is_finite())
    }

    /// Scales and offsets of a group.
    #[inline(always)]
    fn header<L: Lanes>(self, lanes: L, record: &[Line<u32>]) -> [L::F; 2] {
        let first = &record[0].0;
        let scale = if self.is_half { lanes.halves(first) } else { lanes.as_floats(lanes.words(first)) };
        let min = match self.zero {
            Some(zero) => lanes.mul(scale, lanes.splat(-f32::from(zero))),
            None if self.is_half => lanes.upper_halves(first),
            None => lanes.as_floats(lanes.words(&record[1].0)),
        };
        [scale, min]
    }
}

/// Writes one of 32 halves of a line.
fn put_half(line: &mut Line<u32>, at: usize, bits: u16) {
    let shift = 16 * (at % 2);
    line.0[at / 2] = line.0[at / 2] & !(0xffff << shift) | u32::from(bits) << shift;
}

/// How far right the code `at` of a word lies.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "at most 28")]
const fn place(is_narrow: bool, at: usize) -> u32 {
    (if is_narrow { 8 * (at % 4) + 4 * (at / 4) } else { 8 * at }) as u32
}

/// Codes of a word.
const fn per_word(is_narrow: bool) -> usize {
    if is_narrow { 8 } else { 4 }
}

/// The bits of a code.
const fn mask(is_narrow: bool) -> u32 {
    if is_narrow { 15 } else { 255 }
}

/// The weights of some groups, `[k][16]`.
#[inline(always)]
pub(super) fn unpack<L: Lanes, const NARROW: bool>(
    lanes: L,
    layout: Layout,
    records: &[Line<u32>],
    into: &mut [Line<f32>],
) {
    for (record, into) in records.chunks_exact(layout.record).zip(into.chunks_exact_mut(layout.group)) {
        let [scale, min] = layout.header(lanes, record);
        for (line, into) in record[layout.header..].iter().zip(into.chunks_exact_mut(per_word(NARROW))) {
            let word = lanes.words(&line.0);
            for at in 0..per_word(NARROW) {
                let code = lanes.floats(lanes.masked(lanes.shifted(word, place(NARROW, at)), mask(NARROW)));
                lanes.store(lanes.mul_add(code, scale, min), &mut into[at].0);
            }
        }
    }
}

/// The sums of `M` rows `[k][M]` with `N` tiles of records: what [`floats::sums`](super::floats::sums) gives for their
/// weights, bit for bit.
#[inline(always)]
pub(super) fn sums<L: Lanes, const NARROW: bool, const M: usize, const N: usize>(
    lanes: L,
    layout: Layout,
    x: &[f32],
    tiles: [&[Line<u32>]; N],
) -> [[L::F; N]; M] {
    let mut sums = [[lanes.splat(0.0); N]; M];
    let zero = lanes.splat(0.0);
    for (group, x) in x.as_chunks::<M>().0.chunks_exact(layout.group).enumerate() {
        let from = group * layout.record;
        let tiles = tiles.map(|tile| &tile[from..from + layout.record]);
        let mut headers = [[zero; 2]; N];
        for n in 0..N {
            headers[n] = layout.header(lanes, tiles[n]);
        }
        for (line, x) in x.chunks_exact(per_word(NARROW)).enumerate() {
            for n in 0..N {
                let word = lanes.words(&tiles[n][layout.header + line].0);
                for at in 0..per_word(NARROW) {
                    let code = lanes.floats(lanes.masked(lanes.shifted(word, place(NARROW, at)), mask(NARROW)));
                    let weight = lanes.mul_add(code, headers[n][0], headers[n][1]);
                    for m in 0..M {
                        sums[m][n] = lanes.mul_add(lanes.splat(x[at][m]), weight, sums[m][n]);
                    }
                }
            }
        }
    }
    sums
}

/// Rows rounded to eight bits, as a kernel reads them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rounded<'a> {
    /// Four neighbours in a word, `[k / 4][M]`.
    pub words: &'a [u32],
    /// What they are multiplied by, `[k / 32][M]`.
    pub scales: &'a [f32],
    /// The sum of the integers of each group of weights, `[k / group][M]`.
    pub sums: &'a [i32],
    /// The same times their scale.
    pub scaled: &'a [f32],
}

/// Neighbours of a row that are rounded with one scale.
pub(super) const ROUNDED: usize = 32;

/// The sums of `M` rounded rows with `N` tiles of records: integers within a group, then f32.
#[inline(always)]
pub(super) fn rounded_sums<L: Lanes, const NARROW: bool, const M: usize, const N: usize>(
    lanes: L,
    layout: Layout,
    x: Rounded<'_>,
    tiles: [&[Line<u32>]; N],
) -> [[L::F; N]; M] {
    let zero = lanes.splat(0.0);
    let mut sums = [[zero; N]; M];
    let (scales, integers, scaled) =
        (x.scales.as_chunks::<M>().0, x.sums.as_chunks::<M>().0, x.scaled.as_chunks::<M>().0);
    let words = x.words.as_chunks::<M>().0;
    for (group, words) in words.chunks_exact(layout.group / 4).enumerate() {
        let from = group * layout.record;
        let tiles = tiles.map(|tile| &tile[from..from + layout.record]);
        let (scales, integers, scaled) = (&scales[group * layout.group / ROUNDED], &integers[group], &scaled[group]);
        let mut dots = [[lanes.splat_word(0); N]; M];
        if let Some(zero) = layout.zero {
            for m in 0..M {
                let less = integers[m].wrapping_mul(-i32::from(zero)).cast_unsigned();
                dots[m] = [lanes.splat_word(less); N];
            }
        }
        for (line, words) in words.chunks_exact(per_word(NARROW) / 4).enumerate() {
            for n in 0..N {
                let word = lanes.words(&tiles[n][layout.header + line].0);
                if NARROW {
                    let (low, high) =
                        (lanes.masked(word, 0x0f0f_0f0f), lanes.masked(lanes.shifted(word, 4), 0x0f0f_0f0f));
                    for m in 0..M {
                        dots[m][n] = lanes.dot_bytes(dots[m][n], low, lanes.splat_word(words[0][m]));
                        dots[m][n] = lanes.dot_bytes(dots[m][n], high, lanes.splat_word(words[1][m]));
                    }
                } else {
                    for m in 0..M {
                        dots[m][n] = lanes.dot_bytes(dots[m][n], word, lanes.splat_word(words[0][m]));
                    }
                }
            }
        }
        for n in 0..N {
            let [scale, min] = layout.header(lanes, tiles[n]);
            for m in 0..M {
                let by = lanes.mul(scale, lanes.splat(scales[m]));
                sums[m][n] = lanes.mul_add(lanes.floats(dots[m][n]), by, sums[m][n]);
                if layout.zero.is_none() {
                    sums[m][n] = lanes.mul_add(min, lanes.splat(scaled[m]), sums[m][n]);
                }
            }
        }
    }
    sums
}
