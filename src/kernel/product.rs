//! The product of rows with packed matrices, cut into units that any thread may compute.

use std::ops::Range;

use super::kernels::{Inputs, Kernel, Task};
use super::lanes::{Isa, LANES};
use super::matrix::Matrix;
use super::panels::{Panel, Rows};
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

/// Rows that a unit goes through with the same weights.
const UNIT_ROWS: usize = 192;
/// Tiles of a unit, as many as are computed at once: of several panels, and of a single one.
const UNIT_TILES: usize = 2;
const UNIT_TILES_OF_FEW: usize = 8;

/// `x` `[row, n_in]` times the transpose of each matrix `[n_out, n_in]`, plus its bias: `[row, n_out]` each.
///
/// # Panics
/// If sizes contradict each other.
pub fn multiply(x: &[f32], parts: &[(&Matrix, Option<&[f32]>)], input: Input) -> Vec<Vec<f32>> {
    let Some(&(first, _)) = parts.first() else { return Vec::new() };
    let (rows, isa) = (Rows::new(x, first.n_in), first.isa);
    assert!(parts.iter().all(|&(matrix, bias)| fits(matrix, bias, first)), "matrices of one input");
    let inputs = Inputs::new(rows, isa);
    let grids: Vec<Grid<'_>> = parts.iter().map(|&(matrix, bias)| Grid::new(matrix, bias, input, &inputs)).collect();
    let columns: Vec<Range<usize>> = parts.iter().map(|(matrix, _)| 0..matrix.n_out).collect();
    let mut results = vec![Vec::new(); parts.len()];
    let fill = |fillings: &[Filling<'_>]| {
        let n_units = grids.iter().map(Grid::n_units).sum();
        ranges(n_units, |units| compute(&grids, fillings, units, isa));
    };
    #[expect(unsafe_code, reason = "every tile of every panel is a part of some unit, and a unit writes all of it")]
    unsafe {
        filled(&mut results, 0..rows.n_rows, &columns, fill);
    }
    results
}

/// Columns of a [`Piece`], but for the last ones of a product.
pub const PIECE: usize = 512;

/// Some rows and columns of a product.
#[derive(Debug)]
pub struct Piece<'a> {
    /// The rows.
    pub rows: Range<usize>,
    /// The columns, from a multiple of [`PIECE`] on.
    pub columns: Range<usize>,
    /// The numbers, `[row, column]`; whoever reads them may overwrite them.
    pub values: &'a mut [f32],
}

/// What [`multiply`] computes of one matrix, piece by piece: `read` gets each once, from any thread and in any order, and a
/// thread holds one at a time.
///
/// # Panics
/// If sizes contradict each other.
pub fn multiply_in_pieces(
    x: &[f32],
    (matrix, bias): (&Matrix, Option<&[f32]>),
    input: Input,
    read: impl Fn(Piece<'_>) + Sync,
) {
    assert!(fits(matrix, bias, matrix), "a bias for each row of the matrix");
    let inputs = Inputs::new(Rows::new(x, matrix.n_in), matrix.isa);
    let grid = Grid::new(matrix, bias, input, &inputs);
    let at_once = grid.unit_tiles;
    let grid = Grid { unit_tiles: PIECE / LANES, ..grid };
    ranges(grid.n_units(), |units| {
        let mut memory = vec![Vec::new()];
        for unit in units {
            let (tiles, panels) = grid.unit(unit);
            let [Some(first), Some(last)] = [panels.first(), panels.last()] else { continue };
            let rows = first.first..last.first + last.n_rows;
            let columns = LANES * tiles.start..matrix.n_out.min(LANES * tiles.end);
            let fill = |out: &[Filling<'_>]| {
                for first in tiles.clone().step_by(at_once) {
                    let tiles = first..tiles.end.min(first + at_once);
                    grid.compute(tiles, panels, &out[0], matrix.isa);
                }
            };
            #[expect(unsafe_code, reason = "the steps make up the tiles, and each writes all of its rows")]
            unsafe {
                filled(&mut memory, rows.clone(), std::slice::from_ref(&columns), fill);
            }
            read(Piece { rows, columns, values: &mut memory[0] });
        }
    });
}

/// Whether a matrix shares an input with another.
fn fits(matrix: &Matrix, bias: Option<&[f32]>, other: &Matrix) -> bool {
    matrix.n_in == other.n_in && matrix.isa == other.isa && bias.is_none_or(|bias| bias.len() == matrix.n_out)
}

/// One matrix of a product, cut into units.
struct Grid<'a> {
    matrix: &'a Matrix,
    bias: Option<&'a [f32]>,
    kernel: Kernel<'a>,
    unit_tiles: usize,
}

impl<'a> Grid<'a> {
    fn new(matrix: &'a Matrix, bias: Option<&'a [f32]>, input: Input, inputs: &'a Inputs<'_>) -> Self {
        let kernel = Kernel::of(matrix, input, inputs);
        let unit_tiles = if kernel.panels().len() == 1 { UNIT_TILES_OF_FEW } else { UNIT_TILES };
        Self { matrix, bias, kernel, unit_tiles }
    }

    const fn n_tiles(&self) -> usize {
        self.matrix.n_out.div_ceil(LANES)
    }

    /// Panels of a unit.
    fn unit_panels(&self) -> usize {
        let widest = self.kernel.panels().first().map_or(1, |panel| panel.width);
        (UNIT_ROWS / widest).max(1)
    }

    fn n_units(&self) -> usize {
        self.n_tiles().div_ceil(self.unit_tiles) * self.kernel.panels().len().div_ceil(self.unit_panels())
    }

    /// The tiles and panels of a unit; units that share tiles come one after the other.
    fn unit(&self, unit: usize) -> (Range<usize>, &'a [Panel]) {
        let (all, at_once) = (self.kernel.panels(), self.unit_panels());
        let across = all.len().div_ceil(at_once);
        let (down, at) = (unit / across, unit % across);
        let panels = &all[at * at_once..all.len().min((at + 1) * at_once)];
        (down * self.unit_tiles..self.n_tiles().min((down + 1) * self.unit_tiles), panels)
    }

    fn compute(&self, tiles: Range<usize>, panels: &[Panel], out: &Filling<'_>, isa: Isa) {
        self.kernel.compute(&Task { n_in: self.matrix.n_in, tiles, panels, bias: self.bias, out }, isa);
    }
}

/// Computes some units of all matrices.
fn compute(grids: &[Grid<'_>], fillings: &[Filling<'_>], units: Range<usize>, isa: Isa) {
    let mut first = 0;
    for (grid, out) in grids.iter().zip(fillings) {
        let n_units = grid.n_units();
        for unit in units.start.max(first)..units.end.min(first + n_units) {
            let (tiles, panels) = grid.unit(unit - first);
            grid.compute(tiles, panels, out, isa);
        }
        first += n_units;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use candle_core::Device;
    use candle_core::quantized::{GgmlDType, QTensor};
    use half::bf16;

    use super::super::room::Room;
    use super::*;
    use crate::blocks::TYPES;
    use crate::noise::normal;

    /// Odd sizes, one row of the matrix, several blocks of sums.
    const SHAPES: [[usize; 2]; 6] = [[1, 3], [16, 1], [33, 577], [100, 64], [200, 1100], [5, 512]];
    /// Widths of panels, their neighbours, and several units.
    const N_ROWS: [usize; 9] = [1, 2, 3, 4, 5, 7, 12, 29, 401];

    fn random(seed: u64, n: usize) -> Vec<f32> {
        normal(seed, n).to_vec1().unwrap()
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
        let dense = (normal(1, (n_out, 768)) + 0.1).unwrap();
        let stored = QTensor::quantize(&dense, dtype).unwrap();
        let numbers: Vec<f32> = stored.dequantize(&Device::Cpu).unwrap().flatten_all().unwrap().to_vec1().unwrap();
        let matrix =
            Matrix::stored(&stored.data().unwrap(), dtype, [n_out, 768], |row| row, isa, &Room::default()).unwrap();
        (matrix, Matrix::floats(&numbers, [n_out, 768], isa, &Room::default()))
    }

    #[test]
    fn a_product_is_that_of_the_definition_with_the_same_bits_by_every_instruction_set() {
        for [n_out, n_in] in SHAPES {
            let w = random(1, n_out * n_in);
            for n_rows in N_ROWS {
                let x = random(2, n_rows * n_in);
                let of = |isa| one(&x, &Matrix::floats(&w, [n_out, n_in], isa, &Room::default()), Input::Exact);
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
                    let x = random(2, n_rows * 768);
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
                let halves: Vec<bf16> = random(1, n_out * n_in).into_iter().map(bf16::from_f32).collect();
                let numbers: Vec<f32> = halves.iter().map(|half| half.to_f32()).collect();
                let bytes: Vec<u8> = halves.iter().flat_map(|half| half.to_le_bytes()).collect();
                let stored =
                    Matrix::stored(&bytes, GgmlDType::BF16, [n_out, n_in], |row| row, isa, &Room::default()).unwrap();
                let dense = Matrix::floats(&numbers, [n_out, n_in], isa, &Room::default());
                for n_rows in N_ROWS {
                    let x = random(2, n_rows * n_in);
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
            let x = random(2, 13 * 768);
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
        let halves: Vec<u8> = random(1, 70 * 768).into_iter().flat_map(|x| bf16::from_f32(x).to_le_bytes()).collect();
        let mut matrices: Vec<Matrix> = TYPES.iter().map(|&dtype| quantised(dtype, 70, isa).0).collect();
        matrices.push(Matrix::stored(&halves, GgmlDType::BF16, [70, 768], |row| row, isa, &Room::default()).unwrap());
        matrices.extend([Matrix::floats(&random(1, 70 * 768), [70, 768], isa, &Room::default())]);
        let x = random(2, 401 * 768);
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
        let (x, bias) = (random(2, 6 * 768), random(3, 19));
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
    fn pieces_make_up_the_product_bit_for_bit() {
        let isa = Isa::available()[Isa::available().len() - 1];
        let n_out = 2 * PIECE + 37;
        let mut matrices: Vec<Matrix> = TYPES.iter().map(|&dtype| quantised(dtype, n_out, isa).0).collect();
        matrices.push(Matrix::floats(&random(1, n_out * 768), [n_out, 768], isa, &Room::default()));
        let bias = random(3, n_out);
        for (matrix, n_rows) in matrices.iter().zip([1, 4, 5, 401].into_iter().cycle()) {
            let x = random(2, n_rows * 768);
            for input in [Input::Exact, Input::Rounded] {
                let whole = multiply(&x, &[(matrix, Some(&bias))], input).remove(0);
                let joined = Mutex::new(vec![f32::NAN; whole.len()]);
                multiply_in_pieces(&x, (matrix, Some(&bias)), input, |piece| {
                    assert!(piece.columns.start.is_multiple_of(PIECE) && piece.columns.len() <= PIECE);
                    let mut joined = joined.lock().unwrap();
                    for (row, values) in piece.rows.zip(piece.values.chunks_exact(piece.columns.len())) {
                        let place = &mut joined[row * n_out..][piece.columns.clone()];
                        assert!(place.iter().all(|value| value.is_nan()), "once");
                        place.copy_from_slice(values);
                    }
                });
                assert!(bits(&joined.into_inner().unwrap()) == bits(&whole), "{matrix:?} {input:?} {n_rows}");
            }
        }
        multiply_in_pieces(&[], (&matrices[0], None), Input::Exact, |_| panic!("no rows"));
    }

    #[test]
    fn tiles_around_some_rows_give_these_rows_the_same_bits() {
        let isa = Isa::available()[Isa::available().len() - 1];
        let mut matrices: Vec<Matrix> = TYPES.iter().map(|&dtype| quantised(dtype, 100, isa).0).collect();
        matrices.push(Matrix::floats(&random(1, 100 * 768), [100, 768], isa, &Room::default()));
        let halves: Vec<u8> = random(1, 100 * 768).into_iter().flat_map(|x| bf16::from_f32(x).to_le_bytes()).collect();
        matrices.push(Matrix::stored(&halves, GgmlDType::BF16, [100, 768], |row| row, isa, &Room::default()).unwrap());
        let (x, ids) = (random(2, 7 * 768), [99, 3, 3, 64, 15, 98]);
        for matrix in &matrices {
            let (some, places) = matrix.around(&ids);
            for input in [Input::Exact, Input::Rounded] {
                let (whole, part) = (one(&x, matrix, input), one(&x, &some, input));
                for (row, part) in part.chunks(some.dims()[0]).enumerate() {
                    let found: Vec<f32> = places.iter().map(|&place| part[place]).collect();
                    let expected: Vec<f32> = ids.iter().map(|id| whole[row * 100 + id]).collect();
                    assert!(bits(&found) == bits(&expected), "{matrix:?} {input:?}");
                }
            }
        }
    }

    #[test]
    fn what_is_not_a_number_stays_so() {
        let isa = Isa::available()[Isa::available().len() - 1];
        let (stored, _) = quantised(GgmlDType::Q4_1, 17, isa);
        for bad in [f32::NAN, f32::INFINITY] {
            let mut x = random(2, 2 * 768);
            x[40] = bad;
            for input in [Input::Exact, Input::Rounded] {
                let found = one(&x, &stored, input);
                assert!(found[..17].iter().all(|value| !value.is_finite()), "{input:?}");
                assert!(found[17..].iter().all(|value| value.is_finite()));
            }
        }
    }
}
