//! The product of rows with packed matrices, cut into units that any thread may compute.

#![expect(
    clippy::inline_always,
    reason = "the caller is compiled for an instruction set, and only what is inlined in it"
)]

use std::ops::Range;

use super::codes::{self, Layout, Rounded};
use super::floats::{self, BLOCK};
use super::lanes::{Isa, LANES, Lanes, Line, Work};
use super::matrix::{Matrix, Tiles};
use super::pairs;
use super::panels::{self, Bytes, Packed, Panel, Rows};
use super::shared::{Filling, filled};
use super::team::ranges;

/// Rows to multiply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// In f32.
    Exact,
    /// Rounded to what the processor multiplies fastest with the weights.
    Rounded,
}

/// Rows up to which quantised weights are unpacked in registers; for more of them, once for all into memory.
const FEW: usize = 4;
/// Widths of panels, by the registers that there are.
const WIDE: [usize; 7] = [1, 2, 3, 4, 6, 8, 12];
const NARROW: [usize; 5] = [1, 2, 3, 4, 6];
/// The same where integers are summed besides.
const WIDE_BYTES: [usize; 5] = [1, 2, 4, 8, 12];
const NARROW_BYTES: [usize; 3] = [1, 2, 4];
/// Rows that a unit goes through with the same weights.
const UNIT_ROWS: usize = 192;

/// `x` `[row, n_in]` times the transpose of each matrix `[n_out, n_in]`, plus its bias: `[row, n_out]` each.
///
/// # Panics
/// If sizes contradict each other.
pub fn multiply(x: &[f32], parts: &[(&Matrix, Option<&[f32]>)], input: Input) -> Vec<Vec<f32>> {
    let Some(&(first, _)) = parts.first() else { return Vec::new() };
    let (n_in, isa) = (first.n_in, first.isa);
    let n_rows = x.len().checked_div(n_in).unwrap_or(0);
    assert_eq!(x.len(), n_rows * n_in, "the length of an input in rows of {n_in}");
    assert!(parts.iter().all(|(matrix, bias)| {
        matrix.n_in == n_in && matrix.isa == isa && bias.is_none_or(|bias| bias.len() == matrix.n_out)
    }));
    let rows = Rows { values: x, n_rows, n_in };
    let inputs = Inputs::new(rows, parts, input, isa);
    let columns: Vec<usize> = parts.iter().map(|(matrix, _)| matrix.n_out).collect();
    let mut results = vec![Vec::new(); parts.len()];
    let fill = |fillings: &[Filling<'_>]| {
        let jobs = parts.iter().zip(fillings).map(|(&(matrix, bias), out)| inputs.job(matrix, bias, out, input));
        let jobs: Vec<Job<'_>> = jobs.collect();
        let n_units = jobs.iter().map(Job::n_units).sum();
        ranges(n_units, |units| compute(&jobs, units, isa));
    };
    #[expect(unsafe_code, reason = "every tile of every panel is a part of some unit, and a unit writes all of it")]
    unsafe {
        filled(&mut results, n_rows, &columns, fill);
    }
    results
}

/// The input as the matrices need it.
struct Inputs {
    exact: Option<Packed<f32>>,
    pairs: Option<Packed<u32>>,
    bytes: Option<Bytes>,
}

/// How a matrix reads the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    Exact,
    Pairs,
    Bytes,
}

impl Reading {
    const fn of(matrix: &Matrix, input: Input) -> Self {
        match (input, &matrix.tiles) {
            (Input::Exact, _) | (Input::Rounded, Tiles::Floats(_)) => Self::Exact,
            (Input::Rounded, Tiles::Pairs(_)) => Self::Pairs,
            (Input::Rounded, Tiles::Codes(..)) => Self::Bytes,
        }
    }
}

impl Inputs {
    fn new(rows: Rows<'_>, parts: &[(&Matrix, Option<&[f32]>)], input: Input, isa: Isa) -> Self {
        let needs = |reading| parts.iter().any(|(matrix, _)| Reading::of(matrix, input) == reading);
        let is_wide = isa >= Isa::Avx512;
        let sizes: &[usize] = if is_wide { &WIDE } else { &NARROW };
        let of_bytes: &[usize] = if is_wide { &WIDE_BYTES } else { &NARROW_BYTES };
        Self {
            exact: needs(Reading::Exact).then(|| panels::exact(rows, sizes)),
            pairs: needs(Reading::Pairs).then(|| panels::bf16(rows, sizes, isa)),
            bytes: needs(Reading::Bytes).then(|| panels::bytes(rows, of_bytes, isa)),
        }
    }

    fn job<'a>(&'a self, matrix: &'a Matrix, bias: Option<&'a [f32]>, out: &'a Filling<'a>, input: Input) -> Job<'a> {
        let kernel = match (Reading::of(matrix, input), &self.exact, &self.pairs, &self.bytes, &matrix.tiles) {
            (Reading::Pairs, _, Some(x), _, Tiles::Pairs(lines)) => Kernel::Pairs { x, lines },
            (Reading::Bytes, _, _, Some(x), Tiles::Codes(layout, lines)) => Kernel::Bytes { x, layout: *layout, lines },
            (_, Some(x), ..) => Kernel::Exact { x },
            _ => Kernel::Nothing,
        };
        Job { matrix, bias, out, kernel }
    }
}

/// One matrix of a product.
struct Job<'a> {
    matrix: &'a Matrix,
    bias: Option<&'a [f32]>,
    out: &'a Filling<'a>,
    kernel: Kernel<'a>,
}

#[derive(Clone, Copy)]
enum Kernel<'a> {
    Exact { x: &'a Packed<f32> },
    Pairs { x: &'a Packed<u32>, lines: &'a [Line<u32>] },
    Bytes { x: &'a Bytes, layout: Layout, lines: &'a [Line<u32>] },
    Nothing,
}

impl Job<'_> {
    fn panels(&self) -> &[Panel] {
        match self.kernel {
            Kernel::Exact { x } => &x.panels,
            Kernel::Pairs { x, .. } => &x.panels,
            Kernel::Bytes { x, .. } => x.panels(),
            Kernel::Nothing => &[],
        }
    }

    const fn n_tiles(&self) -> usize {
        self.matrix.n_out.div_ceil(LANES)
    }

    /// Tiles of a unit: as many as are computed at once.
    fn unit_tiles(&self) -> usize {
        if self.panels().len() == 1 { 8 } else { 2 }
    }

    /// Panels of a unit.
    fn unit_panels(&self) -> usize {
        let widest = self.panels().first().map_or(1, |panel| panel.width);
        (UNIT_ROWS / widest).max(1)
    }

    fn n_units(&self) -> usize {
        self.n_tiles().div_ceil(self.unit_tiles()) * self.panels().len().div_ceil(self.unit_panels())
    }

    /// The tiles and panels of a unit; units that share tiles come one after the other.
    fn unit(&self, unit: usize) -> (Range<usize>, &[Panel]) {
        let (tiles, panels) = (self.unit_tiles(), self.unit_panels());
        let across = self.panels().len().div_ceil(panels);
        let (down, at) = (unit / across, unit % across);
        let last = self.panels().len().min((at + 1) * panels);
        (down * tiles..self.n_tiles().min((down + 1) * tiles), &self.panels()[at * panels..last])
    }
}

/// Computes some units of all jobs.
fn compute(jobs: &[Job<'_>], units: Range<usize>, isa: Isa) {
    let mut first = 0;
    for job in jobs {
        let n_units = job.n_units();
        for unit in units.start.max(first)..units.end.min(first + n_units) {
            let (tiles, panels) = job.unit(unit - first);
            job.compute(Task { job, tiles, panels }, isa);
        }
        first += n_units;
    }
}

/// A unit: tiles of a matrix and panels of the input.
struct Task<'a> {
    job: &'a Job<'a>,
    tiles: Range<usize>,
    panels: &'a [Panel],
}

impl<'a> Task<'a> {
    const fn n_in(&self) -> usize {
        self.job.matrix.n_in
    }

    /// Where the sums of a panel go, of the inputs `k`.
    fn to(&self, panel: &Panel, k: &Range<usize>) -> To<'a> {
        let is_last = k.end == self.n_in();
        To { out: self.job.out, panel: *panel, adds: k.start > 0, bias: self.job.bias.filter(|_| is_last) }
    }
}

/// One panel and neighbouring tiles, whose sums a kernel computes.
trait Sums<L: Lanes>: Copy {
    /// The sums of the panel, `M` wide, with `N` tiles from `tile` on.
    fn sums<const M: usize, const N: usize>(self, lanes: L, tile: usize) -> [[L::F; N]; M];
}

/// Where sums go.
#[derive(Clone, Copy)]
struct To<'a> {
    out: &'a Filling<'a>,
    panel: Panel,
    /// Whether earlier sums are there already.
    adds: bool,
    /// What is added in the end.
    bias: Option<&'a [f32]>,
}

// one function for each kind of weights and of input: a compiler works on several at once
impl Job<'_> {
    fn compute(&self, task: Task<'_>, isa: Isa) {
        let is_few = task.panels.len() == 1 && self.panels().len() == 1 && task.panels[0].width <= FEW;
        match (self.kernel, &self.matrix.tiles) {
            (Kernel::Exact { x }, Tiles::Floats(lines)) => isa.run(OfFloats { task, x, lines }),
            (Kernel::Exact { x }, Tiles::Pairs(lines)) if is_few && self.matrix.n_in.is_multiple_of(2) => {
                isa.run(OfPairs { task, x, lines });
            }
            (Kernel::Exact { x }, Tiles::Codes(layout, lines)) if is_few && layout.is_narrow => {
                isa.run(OfCodes::<true> { task, x, layout: *layout, lines });
            }
            (Kernel::Exact { x }, Tiles::Codes(layout, lines)) if is_few => {
                isa.run(OfCodes::<false> { task, x, layout: *layout, lines });
            }
            (Kernel::Exact { x }, stored) => isa.run(OfUnpacked { task, x, stored }),
            (Kernel::Pairs { x, lines }, _) => isa.run_with_bf16(OfRoundedPairs { task, x, lines }),
            (Kernel::Bytes { x, layout, lines }, _) if layout.is_narrow => {
                isa.run(OfRoundedCodes::<true> { task, x, layout, lines });
            }
            (Kernel::Bytes { x, layout, lines }, _) => isa.run(OfRoundedCodes::<false> { task, x, layout, lines }),
            (Kernel::Nothing, _) => {}
        }
    }
}

struct OfFloats<'a> {
    task: Task<'a>,
    x: &'a Packed<f32>,
    lines: &'a [Line<f32>],
}

impl Work for OfFloats<'_> {
    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let (task, per_tile) = (&self.task, self.task.n_in());
        for k in blocks(per_tile) {
            for panel in task.panels {
                let lines = Run { lines: self.lines, per_tile, from: k.start, to: k.end };
                let sums = Floats { x: self.x.of(panel, k.start, k.end), lines };
                each_tile(lanes, sums, task.tiles.clone(), task.to(panel, &k));
            }
        }
    }
}

struct OfPairs<'a> {
    task: Task<'a>,
    x: &'a Packed<f32>,
    lines: &'a [Line<u32>],
}

impl Work for OfPairs<'_> {
    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let (task, panel) = (&self.task, &self.task.panels[0]);
        for k in blocks(task.n_in()) {
            let lines = Run { lines: self.lines, per_tile: task.n_in() / 2, from: k.start / 2, to: k.end / 2 };
            let sums = Pairs { x: self.x.of(panel, k.start, k.end), lines };
            each_tile_of_few(lanes, sums, task.tiles.clone(), task.to(panel, &k));
        }
    }
}

struct OfCodes<'a, const NARROW: bool> {
    task: Task<'a>,
    x: &'a Packed<f32>,
    layout: Layout,
    lines: &'a [Line<u32>],
}

impl<const NARROW: bool> Work for OfCodes<'_, NARROW> {
    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let (task, panel, layout) = (&self.task, &self.task.panels[0], self.layout);
        for k in blocks(task.n_in()) {
            let lines = records(layout, self.lines, task.n_in(), &k);
            let sums = Codes::<NARROW> { x: self.x.of(panel, k.start, k.end), layout, lines };
            each_tile_of_few(lanes, sums, task.tiles.clone(), task.to(panel, &k));
        }
    }
}

struct OfUnpacked<'a> {
    task: Task<'a>,
    x: &'a Packed<f32>,
    stored: &'a Tiles,
}

impl Work for OfUnpacked<'_> {
    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let (task, n_in) = (&self.task, self.task.n_in());
        let most = n_in.min(BLOCK).next_multiple_of(2);
        let mut scratch = vec![Line([0f32; LANES]); task.tiles.len() * most];
        for k in blocks(n_in) {
            let per_tile = k.len().next_multiple_of(2);
            for (into, tile) in scratch.chunks_exact_mut(per_tile).zip(task.tiles.clone()) {
                unpack(lanes, self.stored, n_in, tile, &k, into);
            }
            let lines = Run { lines: &scratch[..], per_tile, from: 0, to: k.len() };
            for panel in task.panels {
                let sums = Scratch { x: self.x.of(panel, k.start, k.end), lines, first: task.tiles.start };
                each_tile(lanes, sums, task.tiles.clone(), task.to(panel, &k));
            }
        }
    }
}

struct OfRoundedPairs<'a> {
    task: Task<'a>,
    x: &'a Packed<u32>,
    lines: &'a [Line<u32>],
}

impl Work for OfRoundedPairs<'_> {
    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let (task, per_tile) = (&self.task, self.task.n_in().div_ceil(2));
        for k in blocks(task.n_in()) {
            let (from, to) = (k.start / 2, k.end.div_ceil(2));
            for panel in task.panels {
                let lines = Run { lines: self.lines, per_tile, from, to };
                let sums = RoundedPairs { x: self.x.of(panel, from, to), lines };
                each_tile(lanes, sums, task.tiles.clone(), task.to(panel, &k));
            }
        }
    }
}

struct OfRoundedCodes<'a, const NARROW: bool> {
    task: Task<'a>,
    x: &'a Bytes,
    layout: Layout,
    lines: &'a [Line<u32>],
}

impl<const NARROW: bool> Work for OfRoundedCodes<'_, NARROW> {
    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let (task, layout) = (&self.task, self.layout);
        let per_tile = task.n_in() / layout.group * layout.record;
        let lines = Run { lines: self.lines, per_tile, from: 0, to: per_tile };
        for panel in task.panels {
            let sums = RoundedCodes::<NARROW> { x: self.x.of(panel, layout.group), layout, lines };
            each_tile_of_bytes(lanes, sums, task.tiles.clone(), task.to(panel, &(0..task.n_in())));
        }
    }
}

/// The records of some codes of each tile.
#[inline(always)]
fn records<'a>(layout: Layout, lines: &'a [Line<u32>], n_in: usize, k: &Range<usize>) -> Run<'a, u32> {
    let lines_of = |n: usize| n / layout.group * layout.record;
    Run { lines, per_tile: lines_of(n_in), from: lines_of(k.start), to: lines_of(k.end) }
}

/// Writes the numbers `k` of a tile that is not stored as f32.
#[inline(always)]
fn unpack<L: Lanes>(lanes: L, stored: &Tiles, n_in: usize, tile: usize, k: &Range<usize>, into: &mut [Line<f32>]) {
    match stored {
        Tiles::Floats(_) => {}
        Tiles::Pairs(lines) => {
            let run = Run { lines, per_tile: n_in.div_ceil(2), from: k.start / 2, to: k.end.div_ceil(2) };
            pairs::unpack(lanes, run.of(tile), into);
        }
        Tiles::Codes(layout, lines) => {
            let run = records(*layout, lines, n_in, k);
            if layout.is_narrow {
                codes::unpack::<L, true>(lanes, *layout, run.of(tile), into);
            } else {
                codes::unpack::<L, false>(lanes, *layout, run.of(tile), into);
            }
        }
    }
}

/// What is summed up before it joins earlier sums.
fn blocks(n_in: usize) -> impl Iterator<Item = Range<usize>> {
    (0..n_in).step_by(BLOCK).map(move |from| from..n_in.min(from + BLOCK))
}

/// The lines `from..to` of each tile.
#[derive(Clone, Copy)]
struct Run<'a, T> {
    lines: &'a [Line<T>],
    per_tile: usize,
    from: usize,
    to: usize,
}

impl<'a, T: Copy> Run<'a, T> {
    #[inline(always)]
    fn of(self, tile: usize) -> &'a [Line<T>] {
        &self.lines[tile * self.per_tile + self.from..tile * self.per_tile + self.to]
    }

    #[inline(always)]
    fn several<const N: usize>(self, tile: usize) -> [&'a [Line<T>]; N] {
        let mut runs: [&[Line<T>]; N] = [&[]; N];
        for (n, run) in runs.iter_mut().enumerate() {
            *run = self.of(tile + n);
        }
        runs
    }
}

#[derive(Clone, Copy)]
struct Floats<'a> {
    x: &'a [f32],
    lines: Run<'a, f32>,
}

impl<L: Lanes> Sums<L> for Floats<'_> {
    #[inline(always)]
    fn sums<const M: usize, const N: usize>(self, lanes: L, tile: usize) -> [[L::F; N]; M] {
        floats::sums::<L, M, N>(lanes, self.x, self.lines.several::<N>(tile))
    }
}

/// Floats that were unpacked for the tiles from `first` on.
#[derive(Clone, Copy)]
struct Scratch<'a> {
    x: &'a [f32],
    lines: Run<'a, f32>,
    first: usize,
}

impl<L: Lanes> Sums<L> for Scratch<'_> {
    #[inline(always)]
    fn sums<const M: usize, const N: usize>(self, lanes: L, tile: usize) -> [[L::F; N]; M] {
        floats::sums::<L, M, N>(lanes, self.x, self.lines.several::<N>(tile - self.first))
    }
}

#[derive(Clone, Copy)]
struct Pairs<'a> {
    x: &'a [f32],
    lines: Run<'a, u32>,
}

impl<L: Lanes> Sums<L> for Pairs<'_> {
    #[inline(always)]
    fn sums<const M: usize, const N: usize>(self, lanes: L, tile: usize) -> [[L::F; N]; M] {
        pairs::sums::<L, M, N>(lanes, self.x, self.lines.several::<N>(tile))
    }
}

#[derive(Clone, Copy)]
struct Codes<'a, const NARROW: bool> {
    x: &'a [f32],
    layout: Layout,
    lines: Run<'a, u32>,
}

impl<L: Lanes, const NARROW: bool> Sums<L> for Codes<'_, NARROW> {
    #[inline(always)]
    fn sums<const M: usize, const N: usize>(self, lanes: L, tile: usize) -> [[L::F; N]; M] {
        codes::sums::<L, NARROW, M, N>(lanes, self.layout, self.x, self.lines.several::<N>(tile))
    }
}

#[derive(Clone, Copy)]
struct RoundedPairs<'a> {
    x: &'a [u32],
    lines: Run<'a, u32>,
}

impl<L: Lanes> Sums<L> for RoundedPairs<'_> {
    #[inline(always)]
    fn sums<const M: usize, const N: usize>(self, lanes: L, tile: usize) -> [[L::F; N]; M] {
        pairs::rounded_sums::<L, M, N>(lanes, self.x, self.lines.several::<N>(tile))
    }
}

#[derive(Clone, Copy)]
struct RoundedCodes<'a, const NARROW: bool> {
    x: Rounded<'a>,
    layout: Layout,
    lines: Run<'a, u32>,
}

impl<L: Lanes, const NARROW: bool> Sums<L> for RoundedCodes<'_, NARROW> {
    #[inline(always)]
    fn sums<const M: usize, const N: usize>(self, lanes: L, tile: usize) -> [[L::F; N]; M] {
        codes::rounded_sums::<L, NARROW, M, N>(lanes, self.layout, self.x, self.lines.several::<N>(tile))
    }
}

/// All tiles of a range, as many at once as there are registers for.
#[inline(always)]
fn each_tile<L: Lanes>(lanes: L, sums: impl Sums<L>, tiles: Range<usize>, to: To<'_>) {
    match (to.panel.width, L::IS_WIDE) {
        (12, true) => run::<L, 12, 2>(lanes, sums, tiles, to),
        (8, true) => run::<L, 8, 2>(lanes, sums, tiles, to),
        (6, true) => run::<L, 6, 2>(lanes, sums, tiles, to),
        (6, false) => run::<L, 6, 1>(lanes, sums, tiles, to),
        _ => each_tile_of_few(lanes, sums, tiles, to),
    }
}

/// The same of panels of up to four rows.
#[inline(always)]
fn each_tile_of_few<L: Lanes>(lanes: L, sums: impl Sums<L>, tiles: Range<usize>, to: To<'_>) {
    match (to.panel.width, L::IS_WIDE) {
        (1, true) => run::<L, 1, 8>(lanes, sums, tiles, to),
        (2, true) => run::<L, 2, 4>(lanes, sums, tiles, to),
        (3, true) => run::<L, 3, 4>(lanes, sums, tiles, to),
        (4, true) => run::<L, 4, 4>(lanes, sums, tiles, to),
        (1, false) => run::<L, 1, 4>(lanes, sums, tiles, to),
        (2, false) => run::<L, 2, 2>(lanes, sums, tiles, to),
        (3, false) => run::<L, 3, 1>(lanes, sums, tiles, to),
        (4, false) => run::<L, 4, 1>(lanes, sums, tiles, to),
        (width, _) => unreachable!("no kernel is {width} rows wide"),
    }
}

/// The same where integers are summed besides.
#[inline(always)]
fn each_tile_of_bytes<L: Lanes>(lanes: L, sums: impl Sums<L>, tiles: Range<usize>, to: To<'_>) {
    match (to.panel.width, L::IS_WIDE) {
        (12, true) => run::<L, 12, 1>(lanes, sums, tiles, to),
        (8, true) => run::<L, 8, 1>(lanes, sums, tiles, to),
        (4, true) => run::<L, 4, 2>(lanes, sums, tiles, to),
        (2, true) => run::<L, 2, 4>(lanes, sums, tiles, to),
        (1, true) => run::<L, 1, 8>(lanes, sums, tiles, to),
        (4, false) => run::<L, 4, 1>(lanes, sums, tiles, to),
        (2, false) => run::<L, 2, 1>(lanes, sums, tiles, to),
        (1, false) => run::<L, 1, 2>(lanes, sums, tiles, to),
        (width, _) => unreachable!("no kernel is {width} rows wide"),
    }
}

#[inline(always)]
fn run<L: Lanes, const M: usize, const N: usize>(lanes: L, sums: impl Sums<L>, tiles: Range<usize>, to: To<'_>) {
    let mut tile = tiles.start;
    while tile + N <= tiles.end {
        let found = sums.sums::<M, N>(lanes, tile);
        put(lanes, &found, tile, to);
        tile += N;
    }
    while tile < tiles.end {
        let found = sums.sums::<M, 1>(lanes, tile);
        put(lanes, &found, tile, to);
        tile += 1;
    }
}

/// Writes sums, or adds them to what is there.
#[inline(always)]
fn put<L: Lanes, const M: usize, const N: usize>(lanes: L, sums: &[[L::F; N]; M], tile: usize, to: To<'_>) {
    for (m, sums) in sums.iter().enumerate().take(to.panel.n_rows) {
        let row = to.panel.first + m;
        for (n, &sum) in sums.iter().enumerate() {
            let column = LANES * (tile + n);
            let mut sum = sum;
            if to.adds {
                #[expect(unsafe_code, reason = "an earlier block of the same unit wrote it, and no other unit does")]
                let earlier = unsafe { to.out.read(row, column) };
                sum = lanes.add(lanes.load(&earlier), sum);
            }
            if let Some(bias) = to.bias {
                let mut line = [0.0; LANES];
                bias[column..].iter().zip(&mut line).for_each(|(&bias, line)| *line = bias);
                sum = lanes.add(sum, lanes.load(&line));
            }
            let mut line = [0.0; LANES];
            lanes.store(sum, &mut line);
            #[expect(unsafe_code, reason = "no other unit reads or writes these columns of these rows")]
            unsafe {
                to.out.write(row, column, &line);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use candle_core::quantized::{GgmlDType, QTensor};
    use candle_core::{Device, Tensor};
    use half::bf16;

    use super::*;
    use crate::blocks::TYPES;

    /// Odd sizes, one row of the matrix, several blocks of sums.
    const SHAPES: [[usize; 2]; 6] = [[1, 3], [16, 1], [33, 577], [100, 64], [200, 1100], [5, 512]];
    /// Widths of panels, their neighbours, and several units.
    const N_ROWS: [usize; 9] = [1, 2, 3, 4, 5, 7, 12, 29, 401];

    fn random(n_rows: usize, n: usize) -> Vec<f32> {
        Tensor::randn(0f32, 1.0, n_rows * n, &Device::Cpu).unwrap().to_vec1().unwrap()
    }

    fn bits(values: &[f32]) -> Vec<u32> {
        values.iter().map(|value| value.to_bits()).collect()
    }

    fn one(x: &[f32], matrix: &Matrix, input: Input) -> Vec<f32> {
        multiply(x, &[(matrix, None)], input).remove(0)
    }

    /// The product in f64, and the sum of its terms' sizes.
    fn expected(x: &[f32], w: &[f32], n_in: usize) -> Vec<(f64, f64)> {
        let of = |x: &[f32], w: &[f32]| {
            let terms = x.iter().zip(w).map(|(&x, &w)| f64::from(x) * f64::from(w));
            terms.fold((0.0, 0.0), |(sum, size), term| (sum + term, size + term.abs()))
        };
        x.chunks(n_in).flat_map(|x| w.chunks(n_in).map(move |w| of(x, w))).collect()
    }

    fn assert_near(found: &[f32], expected: &[(f64, f64)], relative: f64, what: &str) {
        assert_eq!(found.len(), expected.len(), "{what}");
        for (&found, &(sum, size)) in found.iter().zip(expected) {
            assert!((f64::from(found) - sum).abs() <= relative * size + 1e-12, "{what}: {found} {sum}");
        }
    }

    fn quantised(dtype: GgmlDType, n_out: usize, isa: Isa) -> (Matrix, Matrix) {
        let dense = Tensor::randn(0.1f32, 1.0, (n_out, 768), &Device::Cpu).unwrap();
        let stored = QTensor::quantize(&dense, dtype).unwrap();
        let numbers: Vec<f32> = stored.dequantize(&Device::Cpu).unwrap().flatten_all().unwrap().to_vec1().unwrap();
        let matrix = Matrix::stored(&stored.data().unwrap(), dtype, [n_out, 768], |row| row, isa).unwrap();
        (matrix, Matrix::floats(&numbers, [n_out, 768], isa))
    }

    #[test]
    fn a_product_is_that_of_the_definition_with_the_same_bits_by_every_instruction_set() {
        for [n_out, n_in] in SHAPES {
            let w = random(n_out, n_in);
            for n_rows in N_ROWS {
                let x = random(n_rows, n_in);
                let of = |isa| one(&x, &Matrix::floats(&w, [n_out, n_in], isa), Input::Exact);
                let portable = of(Isa::Portable);
                assert_near(&portable, &expected(&x, &w, n_in), 1e-6, "f32");
                for isa in Isa::available() {
                    assert!(bits(&of(isa)) == bits(&portable), "{} {n_rows} x {n_out} x {n_in}", isa.name());
                }
            }
        }
    }

    #[test]
    fn quantised_weights_multiply_as_the_numbers_they_stand_for_bit_for_bit() {
        for isa in Isa::available() {
            for dtype in TYPES {
                let (stored, dense) = quantised(dtype, 37, isa);
                for n_rows in [1, 2, 3, 4, 5, 13] {
                    let x = random(n_rows, 768);
                    let same = bits(&one(&x, &stored, Input::Exact)) == bits(&one(&x, &dense, Input::Exact));
                    assert!(same, "{dtype:?} {n_rows} {}", isa.name());
                }
                let ids = [36, 0, 17, 16, 16];
                // a zero may have another sign
                assert!(stored.rows(&ids) == dense.rows(&ids), "{dtype:?}");
            }
        }
    }

    #[test]
    fn bf16_weights_multiply_as_the_numbers_they_are() {
        for isa in Isa::available() {
            for [n_out, n_in] in SHAPES {
                let halves: Vec<bf16> = random(n_out, n_in).into_iter().map(bf16::from_f32).collect();
                let numbers: Vec<f32> = halves.iter().map(|half| half.to_f32()).collect();
                let bytes: Vec<u8> = halves.iter().flat_map(|half| half.to_le_bytes()).collect();
                let stored = Matrix::stored(&bytes, GgmlDType::BF16, [n_out, n_in], |row| row, isa).unwrap();
                let dense = Matrix::floats(&numbers, [n_out, n_in], isa);
                for n_rows in N_ROWS {
                    let x = random(n_rows, n_in);
                    let same = bits(&one(&x, &stored, Input::Exact)) == bits(&one(&x, &dense, Input::Exact));
                    assert!(same, "{n_rows} x {n_out} x {n_in} {}", isa.name());
                    let rounded: Vec<f32> = x.iter().map(|&x| bf16::from_f32(x).to_f32()).collect();
                    let fast = one(&x, &stored, Input::Rounded);
                    assert_near(&fast, &expected(&rounded, &numbers, n_in), 1e-6, "bf16, fast");
                }
            }
        }
    }

    #[test]
    fn the_fast_product_rounds_the_input_to_eight_bits_and_nothing_else() {
        for dtype in TYPES {
            let (stored, dense) = quantised(dtype, 37, Isa::Portable);
            let numbers = dense.rows(&(0..37).collect::<Vec<_>>());
            let x = random(13, 768);
            // what the rounded input stands for, on its own
            let rounded: Vec<f32> = x
                .chunks(32)
                .flat_map(|x| {
                    let most = x.iter().fold(0f32, |most, x| most.max(x.abs()));
                    x.iter().map(move |x| (x * (127.0 / most)).round_ties_even() * (most / 127.0))
                })
                .collect();
            let found = one(&x, &stored, Input::Rounded);
            assert_near(&found, &expected(&rounded, &numbers, 768), 2e-6, &format!("{dtype:?}"));
            let mut stored = stored;
            for isa in Isa::available() {
                stored.isa = isa;
                assert!(bits(&one(&x, &stored, Input::Rounded)) == bits(&found), "{dtype:?} {}", isa.name());
            }
        }
    }

    #[test]
    fn a_row_gets_the_same_bits_in_any_company() {
        let isa = Isa::available()[Isa::available().len() - 1];
        let halves: Vec<u8> = random(70, 768).into_iter().flat_map(|x| bf16::from_f32(x).to_le_bytes()).collect();
        let mut matrices: Vec<Matrix> = TYPES.iter().map(|&dtype| quantised(dtype, 70, isa).0).collect();
        matrices.push(Matrix::stored(&halves, GgmlDType::BF16, [70, 768], |row| row, isa).unwrap());
        matrices.extend([Matrix::floats(&random(70, 768), [70, 768], isa)]);
        let x = random(401, 768);
        for matrix in &matrices {
            for input in [Input::Exact, Input::Rounded] {
                let all = one(&x, matrix, input);
                for (from, n) in [(0, 1), (400, 1), (7, 2), (100, 3), (5, 4), (31, 6), (200, 12), (17, 30), (1, 400)] {
                    let found = one(&x[from * 768..(from + n) * 768], matrix, input);
                    assert!(bits(&found) == bits(&all[from * 70..(from + n) * 70]), "{matrix:?} {input:?} {from} {n}");
                }
            }
        }
    }

    #[test]
    fn several_matrices_share_an_input_and_a_bias_is_added() {
        let isa = Isa::available()[Isa::available().len() - 1];
        let (stored, _) = quantised(GgmlDType::Q6K, 40, isa);
        let (other, dense) = quantised(GgmlDType::Q4_1, 19, isa);
        let (x, bias) = (random(6, 768), random(1, 19));
        for input in [Input::Exact, Input::Rounded] {
            let together = multiply(&x, &[(&stored, None), (&other, Some(&bias)), (&dense, None)], input);
            let alone = [one(&x, &stored, input), one(&x, &other, input), one(&x, &dense, input)];
            assert!(bits(&together[0]) == bits(&alone[0]) && bits(&together[2]) == bits(&alone[2]));
            for (found, alone) in together[1].chunks(19).zip(alone[1].chunks(19)) {
                let added: Vec<f32> = alone.iter().zip(&bias).map(|(alone, bias)| alone + bias).collect();
                assert!(bits(found) == bits(&added));
            }
        }
        assert_eq!(multiply(&[], &[(&dense, None)], Input::Exact), [Vec::<f32>::new()]);
    }

    #[test]
    fn what_is_not_a_number_stays_so() {
        let isa = Isa::available()[Isa::available().len() - 1];
        let (stored, _) = quantised(GgmlDType::Q4_1, 17, isa);
        for bad in [f32::NAN, f32::INFINITY] {
            let mut x = random(2, 768);
            x[40] = bad;
            for input in [Input::Exact, Input::Rounded] {
                let found = one(&x, &stored, input);
                assert!(found[..17].iter().all(|value| !value.is_finite()), "{input:?}");
                assert!(found[17..].iter().all(|value| value.is_finite()));
            }
        }
    }
}
