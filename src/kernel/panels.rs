//! The rows of an input, some at a time, as a kernel reads them: number after number of all rows of a panel.

use std::mem::MaybeUninit;

use super::codes::{ROUNDED, Rounded};
use super::lanes::{Isa, Lanes, Work};
use super::shared::Fresh;
use super::team::ranges;

/// Some neighbouring rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Panel {
    /// The first of them.
    pub first: usize,
    /// How many there are.
    pub n_rows: usize,
    /// How many the kernel computes, the rest of them zeros.
    pub width: usize,
    /// The widths of all panels before.
    before: usize,
}

/// Panels of `n_rows` rows, each as wide as one of `sizes`, which ascend.
fn plan(n_rows: usize, sizes: &[usize]) -> Vec<Panel> {
    let most = sizes.last().copied().unwrap_or(1);
    let mut panels = Vec::with_capacity(n_rows.div_ceil(most));
    let (mut first, mut before) = (0, 0);
    while first < n_rows {
        let n_rows = most.min(n_rows - first);
        let width = sizes.iter().copied().find(|&size| size >= n_rows).unwrap_or(most);
        panels.push(Panel { first, n_rows, width, before });
        first += n_rows;
        before += width;
    }
    panels
}

/// An input `[row, n_in]`.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_field_names, reason = "n_rows counts the rows of the input")]
pub(super) struct Rows<'a> {
    pub values: &'a [f32],
    pub n_rows: usize,
    pub n_in: usize,
}

impl<'a> Rows<'a> {
    /// # Panics
    /// If the values are not whole rows.
    pub(super) fn new(values: &'a [f32], n_in: usize) -> Self {
        let n_rows = values.len().checked_div(n_in).unwrap_or(0);
        assert_eq!(values.len(), n_rows * n_in, "the length of an input in rows of {n_in}");
        Self { values, n_rows, n_in }
    }

    fn row(self, row: usize) -> &'a [f32] {
        &self.values[row * self.n_in..(row + 1) * self.n_in]
    }
}

/// The panels of an input, with so many values of a row.
#[derive(Debug)]
pub(super) struct Packed<T> {
    pub panels: Vec<Panel>,
    values: Vec<T>,
    per_row: usize,
}

impl<T> Packed<T> {
    /// The values `from..to` of every row of a panel, `[value][width]`.
    pub(super) fn of(&self, panel: &Panel, from: usize, to: usize) -> &[T] {
        let start = panel.before * self.per_row;
        &self.values[start + from * panel.width..start + to * panel.width]
    }
}

/// Panels that are being written.
struct Writing<T> {
    memory: Fresh<T>,
    per_row: usize,
}

impl<T: Copy + Default + Send + Sync> Writing<T> {
    fn new(panels: &[Panel], per_row: usize) -> Self {
        let total = panels.last().map_or(0, |last| last.before + last.width) * per_row;
        Self { memory: Fresh::new(total), per_row }
    }

    /// The values of a panel, of zeros.
    #[expect(unsafe_code, reason = "panels lie one after the other, and each is written by one thread")]
    #[expect(clippy::mut_from_ref, reason = "threads write different panels")]
    fn of(&self, panel: &Panel) -> &mut [T] {
        let start = panel.before * self.per_row;
        unsafe { self.memory.take(start..start + panel.width * self.per_row) }
    }

    /// The values of a panel, all of which must be written.
    #[expect(unsafe_code, reason = "panels lie one after the other, and each is written by one thread")]
    #[expect(clippy::mut_from_ref, reason = "threads write different panels")]
    fn unwritten(&self, panel: &Panel) -> &mut [MaybeUninit<T>] {
        let start = panel.before * self.per_row;
        unsafe { self.memory.take_unwritten(start..start + panel.width * self.per_row) }
    }

    /// All of them, after each was written.
    #[expect(unsafe_code, reason = "panels make up the memory, and each was taken as zeros or written wholly")]
    fn done(self, panels: &[Panel]) -> Packed<T> {
        Packed { panels: panels.to_vec(), values: unsafe { self.memory.done() }, per_row: self.per_row }
    }
}

/// Rows as they are.
pub(super) fn exact(x: Rows<'_>, sizes: &[usize]) -> Packed<f32> {
    let panels = plan(x.n_rows, sizes);
    let writing = Writing::new(&panels, x.n_in);
    ranges(panels.len(), |range| {
        for panel in &panels[range] {
            match (panel.width, panel.n_rows) {
                (1, 1) => interleave::<1>(x, panel, writing.unwritten(panel)),
                (12, 12) => interleave::<12>(x, panel, writing.unwritten(panel)),
                (6, 6) => interleave::<6>(x, panel, writing.unwritten(panel)),
                _ => interleave_some(x, panel, writing.of(panel)),
            }
        }
    });
    writing.done(&panels)
}

/// Writes a panel of `M` rows wholly.
fn interleave<const M: usize>(x: Rows<'_>, panel: &Panel, into: &mut [MaybeUninit<f32>]) {
    let rows: [&[f32]; M] = std::array::from_fn(|lane| &x.row(panel.first + lane)[..x.n_in]);
    let (into, rest) = into.as_chunks_mut::<M>();
    assert!(into.len() == x.n_in && rest.is_empty(), "a place for each number of each row");
    for (k, into) in into.iter_mut().enumerate() {
        for lane in 0..M {
            into[lane].write(rows[lane][k]);
        }
    }
}

/// Writes the rows that there are to a panel of zeros.
fn interleave_some(x: Rows<'_>, panel: &Panel, into: &mut [f32]) {
    for lane in 0..panel.n_rows {
        let row = x.row(panel.first + lane);
        row.iter().zip(into.chunks_exact_mut(panel.width)).for_each(|(&x, into)| into[lane] = x);
    }
}

/// Rows in bf16, two neighbours in one word.
pub(super) fn bf16(x: Rows<'_>, sizes: &[usize], isa: Isa) -> Packed<u32> {
    let panels = plan(x.n_rows, sizes);
    let writing = Writing::new(&panels, x.n_in.div_ceil(2));
    ranges(panels.len(), |range| {
        isa.run(RoundToBf16 { x, panels: &panels[range], writing: &writing });
    });
    writing.done(&panels)
}

struct RoundToBf16<'a> {
    x: Rows<'a>,
    panels: &'a [Panel],
    writing: &'a Writing<u32>,
}

impl Work for RoundToBf16<'_> {
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "the caller is compiled for an instruction set")]
    fn run<L: Lanes>(self, _: L) {
        for panel in self.panels {
            let into = self.writing.of(panel);
            for lane in 0..panel.n_rows {
                let row = self.x.row(panel.first + lane);
                for (pair, into) in row.chunks(2).zip(into.chunks_exact_mut(panel.width)) {
                    let upper = pair.get(1).map_or(0, |&x| bf16_bits(x));
                    into[lane] = bf16_bits(pair[0]) | upper << 16;
                }
            }
        }
    }
}

/// The nearest bf16, of two the even one.
pub(super) fn bf16_bits(x: f32) -> u32 {
    let bits = x.to_bits();
    let rounded = bits.wrapping_add(0x7fff + (bits >> 16 & 1)) >> 16;
    if x.is_nan() { bits >> 16 | 0x40 } else { rounded }
}

/// Rows rounded to eight bits.
#[derive(Debug)]
pub(super) struct Bytes {
    words: Packed<u32>,
    scales: Packed<f32>,
    /// By the groups that weights have.
    sums: [Packed<i32>; 2],
    scaled: [Packed<f32>; 2],
}

/// Lengths of groups of weights.
const GROUPS: [usize; 2] = [32, 16];

impl Bytes {
    pub(super) fn panels(&self) -> &[Panel] {
        &self.words.panels
    }

    /// A panel for weights in groups of this length.
    pub(super) fn of(&self, panel: &Panel, group: usize) -> Rounded<'_> {
        let which = usize::from(group != GROUPS[0]);
        let (sums, scaled) = (&self.sums[which], &self.scaled[which]);
        Rounded {
            words: self.words.of(panel, 0, self.words.per_row),
            scales: self.scales.of(panel, 0, self.scales.per_row),
            sums: sums.of(panel, 0, sums.per_row),
            scaled: scaled.of(panel, 0, scaled.per_row),
        }
    }
}

/// Each 32 neighbours of a row as integers from -127 to 127 with a scale (`Q8_0` of llama.cpp, with a scale in f32).
pub(super) fn bytes(x: Rows<'_>, sizes: &[usize], isa: Isa) -> Bytes {
    let panels = plan(x.n_rows, sizes);
    let (words, scales) = (Writing::new(&panels, x.n_in / 4), Writing::new(&panels, x.n_in / ROUNDED));
    let sums = GROUPS.map(|group| Writing::new(&panels, x.n_in / group));
    let scaled = GROUPS.map(|group| Writing::new(&panels, x.n_in / group));
    ranges(panels.len(), |range| {
        let panels = &panels[range];
        isa.run(RoundToBytes { x, panels, words: &words, scales: &scales, sums: &sums, scaled: &scaled });
    });
    Bytes {
        words: words.done(&panels),
        scales: scales.done(&panels),
        sums: sums.map(|sums| sums.done(&panels)),
        scaled: scaled.map(|scaled| scaled.done(&panels)),
    }
}

struct RoundToBytes<'a> {
    x: Rows<'a>,
    panels: &'a [Panel],
    words: &'a Writing<u32>,
    scales: &'a Writing<f32>,
    sums: &'a [Writing<i32>; 2],
    scaled: &'a [Writing<f32>; 2],
}

impl Work for RoundToBytes<'_> {
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "the caller is compiled for an instruction set")]
    fn run<L: Lanes>(self, _: L) {
        for panel in self.panels {
            let width = panel.width;
            let (words, scales) = (self.words.of(panel), self.scales.of(panel));
            let [sums, halves] = self.sums.each_ref().map(|sums| sums.of(panel));
            let [scaled, scaled_halves] = self.scaled.each_ref().map(|scaled| scaled.of(panel));
            for lane in 0..panel.n_rows {
                let row = self.x.row(panel.first + lane).as_chunks::<ROUNDED>().0;
                for (group, x) in row.iter().enumerate() {
                    let (scale, codes) = rounded(x);
                    scales[group * width + lane] = scale;
                    let sum = |codes: &[i8]| codes.iter().map(|&code| i32::from(code)).sum::<i32>();
                    let parts = [sum(&codes[..16]), sum(&codes[16..])];
                    for (half, part) in parts.into_iter().enumerate() {
                        halves[(2 * group + half) * width + lane] = part;
                        scaled_halves[(2 * group + half) * width + lane] = scale * part as f32;
                    }
                    sums[group * width + lane] = parts[0] + parts[1];
                    scaled[group * width + lane] = scale * (parts[0] + parts[1]) as f32;
                    for (at, quad) in codes.as_chunks::<4>().0.iter().enumerate() {
                        let word = u32::from_le_bytes(quad.map(i8::cast_unsigned));
                        words[(group * ROUNDED / 4 + at) * width + lane] = word;
                    }
                }
            }
        }
    }
}

/// A scale, and integers that it multiplies.
#[inline(always)]
fn rounded(x: &[f32; ROUNDED]) -> (f32, [i8; ROUNDED]) {
    /// 1.5 * 2^23: adding it rounds to an integer, which the lowest bits then are.
    const ROUND: f32 = 12_582_912.0;
    // as integers, so that what is not a number is the largest and makes everything so
    let most = f32::from_bits(x.iter().fold(0, |most, x| x.abs().to_bits().max(most)));
    let by = if most == 0.0 { 0.0 } else { 127.0 / most };
    let mut codes = [0i8; ROUNDED];
    for (code, x) in codes.iter_mut().zip(x) {
        *code = (x * by + ROUND).to_bits().to_le_bytes()[0].cast_signed();
    }
    (most / 127.0, codes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_in_one_panel() {
        for sizes in [&[1, 2, 3, 4, 6, 8, 12][..], &[1, 2, 4]] {
            for n_rows in 0..40 {
                let panels = plan(n_rows, sizes);
                let rows: Vec<usize> = panels.iter().flat_map(|one| one.first..one.first + one.n_rows).collect();
                assert_eq!(rows, (0..n_rows).collect::<Vec<_>>());
                assert!(panels.iter().all(|one| one.n_rows <= one.width && sizes.contains(&one.width)));
            }
        }
    }

    #[test]
    fn hand_worked_bytes() {
        let mut x = [0.0; ROUNDED];
        (x[0], x[1], x[2], x[3]) = (2.0, -1.0, 0.5, -2.0);
        let (scale, codes) = rounded(&x);
        assert!((scale - 2.0 / 127.0).abs() < 1e-9);
        // 63.5 goes to the even neighbour
        assert_eq!(codes[..5], [127, -64, 32, -127, 0]);
        assert_eq!(rounded(&[0.0; ROUNDED]), (0.0, [0; ROUNDED]));
    }

    #[test]
    fn bf16_rounds_to_the_nearest() {
        for x in [1.0f32, 257.0 / 256.0, 259.0 / 256.0, -3.3e38, 0.0, 1e-40, f32::INFINITY] {
            assert_eq!(bf16_bits(x), u32::from(half::bf16::from_f32(x).to_bits()), "{x}");
        }
        assert!(half::bf16::from_bits(u16::try_from(bf16_bits(f32::NAN)).unwrap()).is_nan());
    }
}
