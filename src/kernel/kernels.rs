//! What computes a unit of a product: for each kind of weights and of input, a loop over tiles and panels.

#![expect(
    clippy::inline_always,
    reason = "the caller is compiled for an instruction set, and only what is inlined in it"
)]

use std::cell::OnceCell;
use std::ops::Range;

use super::codes::{self, Layout, Rounded};
use super::floats::{self, BLOCK};
use super::lanes::{Isa, LANES, Lanes, Line, Work};
use super::matrix::{Matrix, Tiles};
use super::pairs;
use super::panels::{self, Bytes, Packed, Panel, Rows};
use super::product::Input;
use super::shared::Filling;

/// Rows up to which quantised weights are unpacked in registers; for more of them, once for all into memory.
const FEW: usize = 4;
/// Widths of panels, by the registers that there are.
const WIDE: [usize; 7] = [1, 2, 3, 4, 6, 8, 12];
const NARROW: [usize; 5] = [1, 2, 3, 4, 6];
/// The same where integers are summed besides.
const WIDE_BYTES: [usize; 5] = [1, 2, 4, 8, 12];
const NARROW_BYTES: [usize; 3] = [1, 2, 4];

/// The rows of an input, in each form that a kernel asked for.
pub(super) struct Inputs<'a> {
    rows: Rows<'a>,
    isa: Isa,
    exact: OnceCell<Packed<f32>>,
    pairs: OnceCell<Packed<u32>>,
    bytes: OnceCell<Bytes>,
}

impl<'a> Inputs<'a> {
    pub(super) const fn new(rows: Rows<'a>, isa: Isa) -> Self {
        Self { rows, isa, exact: OnceCell::new(), pairs: OnceCell::new(), bytes: OnceCell::new() }
    }

    fn sizes(&self) -> &'static [usize] {
        if self.isa >= Isa::Avx512 { &WIDE } else { &NARROW }
    }

    fn exact(&self) -> &Packed<f32> {
        self.exact.get_or_init(|| panels::exact(self.rows, self.sizes()))
    }

    fn pairs(&self) -> &Packed<u32> {
        self.pairs.get_or_init(|| panels::bf16(self.rows, self.sizes(), self.isa))
    }

    fn bytes(&self) -> &Bytes {
        let sizes: &[usize] = if self.isa >= Isa::Avx512 { &WIDE_BYTES } else { &NARROW_BYTES };
        self.bytes.get_or_init(|| panels::bytes(self.rows, sizes, self.isa))
    }
}

/// How a matrix is multiplied with an input.
#[derive(Clone, Copy)]
pub(super) enum Kernel<'a> {
    Floats(&'a Packed<f32>, &'a [Line<f32>]),
    Pairs(&'a Packed<f32>, &'a [Line<u32>]),
    Codes(&'a Packed<f32>, Layout, &'a [Line<u32>]),
    /// The numbers are unpacked into memory first.
    Unpacked(&'a Packed<f32>, &'a Tiles),
    RoundedPairs(&'a Packed<u32>, &'a [Line<u32>]),
    RoundedCodes(&'a Bytes, Layout, &'a [Line<u32>]),
}

impl<'a> Kernel<'a> {
    pub(super) fn of(matrix: &'a Matrix, input: Input, inputs: &'a Inputs<'_>) -> Self {
        let is_few = inputs.rows.n_rows <= FEW;
        match (input, &matrix.tiles) {
            (_, Tiles::Floats(lines)) => Self::Floats(inputs.exact(), lines),
            (Input::Rounded, Tiles::Pairs(lines)) => Self::RoundedPairs(inputs.pairs(), lines),
            (Input::Rounded, Tiles::Codes(layout, lines)) => Self::RoundedCodes(inputs.bytes(), *layout, lines),
            (Input::Exact, Tiles::Pairs(lines)) if is_few && matrix.n_in.is_multiple_of(2) => {
                Self::Pairs(inputs.exact(), lines)
            }
            (Input::Exact, Tiles::Codes(layout, lines)) if is_few => Self::Codes(inputs.exact(), *layout, lines),
            (Input::Exact, stored) => Self::Unpacked(inputs.exact(), stored),
        }
    }

    pub(super) fn panels(&self) -> &'a [Panel] {
        match self {
            Self::Floats(x, _) | Self::Pairs(x, _) | Self::Codes(x, ..) | Self::Unpacked(x, _) => &x.panels,
            Self::RoundedPairs(x, _) => &x.panels,
            Self::RoundedCodes(x, ..) => x.panels(),
        }
    }

    // one function for each kind of weights and of input: a compiler works on several at once
    pub(super) fn compute(self, task: &Task<'_>, isa: Isa) {
        match self {
            Self::Floats(x, lines) => isa.run(OfFloats { task, x, lines }),
            Self::Pairs(x, lines) => isa.run(OfPairs { task, x, lines }),
            Self::Codes(x, layout, lines) if layout.is_narrow => isa.run(OfCodes::<true> { task, x, layout, lines }),
            Self::Codes(x, layout, lines) => isa.run(OfCodes::<false> { task, x, layout, lines }),
            Self::Unpacked(x, stored) => isa.run(OfUnpacked { task, x, stored }),
            Self::RoundedPairs(x, lines) => isa.run_with_bf16(OfRoundedPairs { task, x, lines }),
            Self::RoundedCodes(x, layout, lines) if layout.is_narrow => {
                isa.run(OfRoundedCodes::<true> { task, x, layout, lines });
            }
            Self::RoundedCodes(x, layout, lines) => isa.run(OfRoundedCodes::<false> { task, x, layout, lines }),
        }
    }
}

/// What a kernel computes at once: tiles of a matrix with panels of the input.
pub(super) struct Task<'a> {
    pub n_in: usize,
    pub tiles: Range<usize>,
    pub panels: &'a [Panel],
    pub bias: Option<&'a [f32]>,
    pub out: &'a Filling<'a>,
}

impl<'a> Task<'a> {
    /// Where the sums of a panel go, of the inputs `k`.
    fn to(&self, panel: &Panel, k: &Range<usize>) -> To<'a> {
        let is_last = k.end == self.n_in;
        To { out: self.out, panel: *panel, adds: k.start > 0, bias: self.bias.filter(|_| is_last) }
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

struct OfFloats<'a> {
    task: &'a Task<'a>,
    x: &'a Packed<f32>,
    lines: &'a [Line<f32>],
}

impl Work for OfFloats<'_> {
    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let (task, per_tile) = (self.task, self.task.n_in);
        for k in blocks(per_tile) {
            for panel in task.panels {
                let lines = Run { lines: self.lines, first: 0, per_tile, from: k.start, to: k.end };
                let sums = Floats { x: self.x.of(panel, k.start, k.end), lines };
                each_tile(lanes, sums, task.tiles.clone(), task.to(panel, &k));
            }
        }
    }
}

struct OfPairs<'a> {
    task: &'a Task<'a>,
    x: &'a Packed<f32>,
    lines: &'a [Line<u32>],
}

impl Work for OfPairs<'_> {
    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let (task, panel) = (self.task, &self.task.panels[0]);
        for k in blocks(task.n_in) {
            let lines = Run { lines: self.lines, first: 0, per_tile: task.n_in / 2, from: k.start / 2, to: k.end / 2 };
            let sums = Pairs { x: self.x.of(panel, k.start, k.end), lines };
            each_tile_of_few(lanes, sums, task.tiles.clone(), task.to(panel, &k));
        }
    }
}

struct OfCodes<'a, const NARROW: bool> {
    task: &'a Task<'a>,
    x: &'a Packed<f32>,
    layout: Layout,
    lines: &'a [Line<u32>],
}

impl<const NARROW: bool> Work for OfCodes<'_, NARROW> {
    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let (task, panel, layout) = (self.task, &self.task.panels[0], self.layout);
        for k in blocks(task.n_in) {
            let lines = records(layout, self.lines, task.n_in, &k);
            let sums = Codes::<NARROW> { x: self.x.of(panel, k.start, k.end), layout, lines };
            each_tile_of_few(lanes, sums, task.tiles.clone(), task.to(panel, &k));
        }
    }
}

struct OfUnpacked<'a> {
    task: &'a Task<'a>,
    x: &'a Packed<f32>,
    stored: &'a Tiles,
}

impl Work for OfUnpacked<'_> {
    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let (task, n_in) = (self.task, self.task.n_in);
        let most = n_in.min(BLOCK).next_multiple_of(2);
        let mut scratch = vec![Line([0f32; LANES]); task.tiles.len() * most];
        for k in blocks(n_in) {
            let per_tile = k.len().next_multiple_of(2);
            for (into, tile) in scratch.chunks_exact_mut(per_tile).zip(task.tiles.clone()) {
                unpack(lanes, self.stored, n_in, tile, &k, into);
            }
            let lines = Run { lines: &scratch[..], first: task.tiles.start, per_tile, from: 0, to: k.len() };
            for panel in task.panels {
                let sums = Floats { x: self.x.of(panel, k.start, k.end), lines };
                each_tile(lanes, sums, task.tiles.clone(), task.to(panel, &k));
            }
        }
    }
}

struct OfRoundedPairs<'a> {
    task: &'a Task<'a>,
    x: &'a Packed<u32>,
    lines: &'a [Line<u32>],
}

impl Work for OfRoundedPairs<'_> {
    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let (task, per_tile) = (self.task, self.task.n_in.div_ceil(2));
        for k in blocks(task.n_in) {
            let (from, to) = (k.start / 2, k.end.div_ceil(2));
            for panel in task.panels {
                let lines = Run { lines: self.lines, first: 0, per_tile, from, to };
                let sums = RoundedPairs { x: self.x.of(panel, from, to), lines };
                each_tile(lanes, sums, task.tiles.clone(), task.to(panel, &k));
            }
        }
    }
}

struct OfRoundedCodes<'a, const NARROW: bool> {
    task: &'a Task<'a>,
    x: &'a Bytes,
    layout: Layout,
    lines: &'a [Line<u32>],
}

impl<const NARROW: bool> Work for OfRoundedCodes<'_, NARROW> {
    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let (task, layout) = (self.task, self.layout);
        let per_tile = task.n_in / layout.group * layout.record;
        let lines = Run { lines: self.lines, first: 0, per_tile, from: 0, to: per_tile };
        for panel in task.panels {
            let sums = RoundedCodes::<NARROW> { x: self.x.of(panel, layout.group), layout, lines };
            each_tile_of_bytes(lanes, sums, task.tiles.clone(), task.to(panel, &(0..task.n_in)));
        }
    }
}

/// The records of some codes of each tile.
#[inline(always)]
fn records<'a>(layout: Layout, lines: &'a [Line<u32>], n_in: usize, k: &Range<usize>) -> Run<'a, u32> {
    let lines_of = |n: usize| n / layout.group * layout.record;
    Run { lines, first: 0, per_tile: lines_of(n_in), from: lines_of(k.start), to: lines_of(k.end) }
}

/// Writes the numbers `k` of a tile that is not stored as f32.
#[inline(always)]
fn unpack<L: Lanes>(lanes: L, stored: &Tiles, n_in: usize, tile: usize, k: &Range<usize>, into: &mut [Line<f32>]) {
    match stored {
        Tiles::Floats(_) => {}
        Tiles::Pairs(lines) => {
            let run = Run { lines, first: 0, per_tile: n_in.div_ceil(2), from: k.start / 2, to: k.end.div_ceil(2) };
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

/// The lines `from..to` of each tile; `first` is the tile that the lines begin with.
#[derive(Clone, Copy)]
struct Run<'a, T> {
    lines: &'a [Line<T>],
    first: usize,
    per_tile: usize,
    from: usize,
    to: usize,
}

impl<'a, T: Copy> Run<'a, T> {
    #[inline(always)]
    fn of(self, tile: usize) -> &'a [Line<T>] {
        let start = (tile - self.first) * self.per_tile;
        &self.lines[start + self.from..start + self.to]
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
