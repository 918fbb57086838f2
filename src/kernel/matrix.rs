//! A matrix in the order in which kernels read it: sixteen rows side by side.

use std::fmt;

use candle_core::quantized::GgmlDType;

use super::blocks::Kind;
use super::codes::{self, Layout};
use super::lanes::{Isa, LANES, Lanes, Line, Work};
use super::pairs;
use super::product::Input;
use super::room::{Lines, Room, Word};
use super::shared::Parts;
use super::team::ranges;

/// A matrix `[n_out, n_in]` to multiply with.
pub struct Matrix {
    pub(super) n_out: usize,
    pub(super) n_in: usize,
    pub(super) isa: Isa,
    pub(super) tiles: Tiles,
}

/// Its numbers, sixteen rows after the other; rows that there are not are zeros.
pub(super) enum Tiles {
    /// `[tile][n_in][16]`
    Floats(Lines<f32>),
    /// bf16, `[tile][n_in / 2][16]`
    Pairs(Lines<u32>),
    /// `[tile][group]` of records.
    Codes(Layout, Lines<u32>),
}

impl fmt::Debug for Matrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { n_out, n_in, isa, .. } = self;
        write!(f, "Matrix {{ {n_out} x {n_in}, {} bytes, {} }}", self.n_bytes(), isa.name())
    }
}

/// Lines `[tile][per_tile]`, of which `pack` fills a lane for each row. On one thread: matrices are packed side by side.
fn packed<T: Word>(
    room: &Room,
    n_out: usize,
    per_tile: usize,
    mut pack: impl FnMut(usize, usize, &mut [Line<T>]),
) -> Lines<T> {
    room.lines(n_out.div_ceil(LANES) * per_tile, |lines| {
        for (tile, lines) in lines.chunks_exact_mut(per_tile.max(1)).enumerate() {
            for (lane, row) in (LANES * tile..n_out.min(LANES * (tile + 1))).enumerate() {
                pack(row, lane, lines);
            }
        }
    })
}

impl Matrix {
    /// Packs numbers `[n_out, n_in]`.
    pub fn floats(numbers: &[f32], [n_out, n_in]: [usize; 2], isa: Isa, room: &Room) -> Self {
        let pack = |row, lane: usize, lines: &mut [Line<f32>]| {
            let numbers = &numbers[row * n_in..(row + 1) * n_in];
            lines.iter_mut().zip(numbers).for_each(|(line, &x)| line.0[lane] = x);
        };
        Self { n_out, n_in, isa, tiles: Tiles::Floats(packed(room, n_out, n_in, pack)) }
    }

    /// Packs rows of a matrix as a file stores it; `row` says which row of the file each of ours `[n_out, n_in]` is, and
    /// is asked once for each, in their order, when those before are packed. None if no kernel reads this type.
    pub fn stored(
        data: &[u8],
        dtype: GgmlDType,
        shape: [usize; 2],
        row: impl Fn(usize) -> usize,
        isa: Isa,
        room: &Room,
    ) -> Option<Self> {
        let [n_out, n_in] = shape;
        match dtype {
            GgmlDType::F32 => {
                let numbers = |ours| data[4 * n_in * row(ours)..][..4 * n_in].as_chunks::<4>().0.iter();
                let pack = |ours, lane: usize, lines: &mut [Line<f32>]| {
                    lines.iter_mut().zip(numbers(ours)).for_each(|(line, &x)| line.0[lane] = f32::from_le_bytes(x));
                };
                Some(Self { n_out, n_in, isa, tiles: Tiles::Floats(packed(room, n_out, n_in, pack)) })
            }
            GgmlDType::BF16 => {
                let numbers = |ours| data[2 * n_in * row(ours)..][..2 * n_in].chunks(4);
                let pack = |ours, lane: usize, lines: &mut [Line<u32>]| {
                    for (line, pair) in lines.iter_mut().zip(numbers(ours)) {
                        let word =
                            [pair[0], pair[1], pair.get(2).copied().unwrap_or(0), pair.get(3).copied().unwrap_or(0)];
                        line.0[lane] = u32::from_le_bytes(word);
                    }
                };
                Some(Self { n_out, n_in, isa, tiles: Tiles::Pairs(packed(room, n_out, n_in.div_ceil(2), pack)) })
            }
            _ => {
                let kind = Kind::of(dtype)?;
                let (layout, row_bytes) = (Layout::of(kind), kind.row_bytes(n_in));
                let mut groups = Vec::new();
                let pack = |ours, lane: usize, lines: &mut [Line<u32>]| {
                    kind.groups(&data[row_bytes * row(ours)..][..row_bytes], &mut groups);
                    layout.pack(&groups, lane, lines);
                };
                let lines = packed(room, n_out, n_in / layout.group * layout.record, pack);
                Some(Self { n_out, n_in, isa, tiles: Tiles::Codes(layout, lines) })
            }
        }
    }

    /// Whether there is a kernel that reads numbers of this type, and takes less memory than f32.
    pub const fn reads(dtype: GgmlDType) -> bool {
        matches!(dtype, GgmlDType::BF16) || Kind::of(dtype).is_some()
    }

    /// Bytes that a matrix of such numbers takes.
    pub fn n_bytes_stored(dtype: GgmlDType, [n_out, n_in]: [usize; 2]) -> Option<u64> {
        let per_tile = match dtype {
            GgmlDType::BF16 => n_in.div_ceil(2),
            _ => {
                let layout = Layout::of(Kind::of(dtype)?);
                n_in / layout.group * layout.record
            }
        };
        Some((n_out.div_ceil(LANES) * per_tile * size_of::<Line<u32>>()) as u64)
    }

    /// Bytes that a matrix of f32 takes.
    pub const fn n_bytes_floats([n_out, n_in]: [usize; 2]) -> u64 {
        (n_out.div_ceil(LANES) * n_in * size_of::<Line<f32>>()) as u64
    }

    /// The first number, or scale of quantised numbers, that is none.
    pub fn not_finite(&self) -> Option<f32> {
        let is_finite = |lines: &[Line<f32>]| {
            lines.iter().fold(true, |all, line| all & line.0.iter().fold(true, |all, x| all & x.is_finite()))
        };
        match &self.tiles {
            Tiles::Floats(lines) => {
                let damaged = lines.chunks(64).find(|lines| !is_finite(lines))?;
                damaged.iter().flat_map(|line| line.0).find(|x| !x.is_finite())
            }
            Tiles::Pairs(lines) => {
                let halves = |word: u32| [f32::from_bits(word << 16), f32::from_bits(word & 0xffff_0000)];
                let is_finite = |line: &Line<u32>| {
                    line.0.iter().fold(true, |all, &word| all & halves(word).into_iter().all(f32::is_finite))
                };
                let damaged = lines.iter().find(|line| !is_finite(line))?;
                damaged.0.into_iter().flat_map(halves).find(|x| !x.is_finite())
            }
            Tiles::Codes(layout, lines) => {
                lines.chunks_exact(layout.record).find_map(|record| layout.not_finite(record))
            }
        }
    }

    /// Rows and columns.
    pub const fn dims(&self) -> [usize; 2] {
        [self.n_out, self.n_in]
    }

    /// Whether it rounds what it is multiplied with.
    pub const fn rounds(&self, input: Input) -> bool {
        matches!(input, Input::Rounded) && !matches!(self.tiles, Tiles::Floats(_))
    }

    /// Bytes of its numbers.
    pub fn n_bytes(&self) -> usize {
        match &self.tiles {
            Tiles::Floats(lines) => size_of_val(&lines[..]),
            Tiles::Pairs(lines) | Tiles::Codes(_, lines) => size_of_val(&lines[..]),
        }
    }

    /// Some of its rows, `[rows, n_in]`.
    pub fn rows(&self, rows: &[usize]) -> Vec<f32> {
        let mut into = vec![0f32; rows.len() * self.n_in];
        let parts = Parts::new(&mut into);
        ranges(rows.len(), |range| {
            let mut tile = None;
            let mut scratch = Vec::new();
            for at in range {
                if tile != Some(rows[at] / LANES) {
                    tile = Some(rows[at] / LANES);
                    scratch = self.tile(rows[at] / LANES);
                }
                #[expect(unsafe_code, reason = "rows lie one after the other, and each is written by one thread")]
                let into = unsafe { parts.take(at * self.n_in..(at + 1) * self.n_in) };
                let lane = rows[at] % LANES;
                into.iter_mut().zip(&scratch).for_each(|(into, line)| *into = line.0[lane]);
            }
        });
        into
    }

    /// The tiles that hold these rows as a matrix of their own, and which of its rows each is.
    pub fn around(&self, rows: &[usize]) -> (Self, Vec<usize>) {
        let mut tiles: Vec<usize> = rows.iter().map(|row| row / LANES).collect();
        tiles.sort_unstable();
        tiles.dedup();
        let place = |row: &usize| tiles.partition_point(|&tile| tile < row / LANES) * LANES + row % LANES;
        let places = rows.iter().map(place).collect();
        let n_tiles = self.n_out.div_ceil(LANES);
        let picked = match &self.tiles {
            Tiles::Floats(lines) => Tiles::Floats(picked(lines, n_tiles, &tiles)),
            Tiles::Pairs(lines) => Tiles::Pairs(picked(lines, n_tiles, &tiles)),
            Tiles::Codes(layout, lines) => Tiles::Codes(*layout, picked(lines, n_tiles, &tiles)),
        };
        (Self { n_out: tiles.len() * LANES, n_in: self.n_in, isa: self.isa, tiles: picked }, places)
    }

    /// The numbers of a tile, `[n_in][16]`.
    fn tile(&self, tile: usize) -> Vec<Line<f32>> {
        // an odd number of columns leaves half a pair
        let mut lines = vec![Line([0f32; LANES]); self.n_in.next_multiple_of(2)];
        self.isa.run(UnpackTile { matrix: self, tile, into: &mut lines });
        lines
    }
}

/// Some of the tiles that lines make up.
fn picked<T: Copy>(lines: &[Line<T>], n_tiles: usize, tiles: &[usize]) -> Lines<T> {
    let per_tile = lines.len().checked_div(n_tiles).unwrap_or(0);
    Lines::Own(tiles.iter().flat_map(|tile| &lines[tile * per_tile..(tile + 1) * per_tile]).copied().collect())
}

struct UnpackTile<'a> {
    matrix: &'a Matrix,
    tile: usize,
    into: &'a mut [Line<f32>],
}

impl Work for UnpackTile<'_> {
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "the caller is compiled for an instruction set")]
    fn run<L: Lanes>(self, lanes: L) {
        let n_tiles = self.matrix.n_out.div_ceil(LANES);
        let of = |len: usize| self.tile * (len / n_tiles)..(self.tile + 1) * (len / n_tiles);
        match &self.matrix.tiles {
            Tiles::Floats(lines) => self.into[..self.matrix.n_in].copy_from_slice(&lines[of(lines.len())]),
            Tiles::Pairs(lines) => pairs::unpack(lanes, &lines[of(lines.len())], self.into),
            Tiles::Codes(layout, lines) if layout.is_narrow => {
                codes::unpack::<L, true>(lanes, *layout, &lines[of(lines.len())], self.into);
            }
            Tiles::Codes(layout, lines) => {
                codes::unpack::<L, false>(lanes, *layout, &lines[of(lines.len())], self.into);
            }
        }
    }
}
