//! The kernels alone: products of every type of weights, for one row and for many, on one thread or as many as are set.
//!
//! `RAYON_NUM_THREADS=2 cargo bench --bench kernel [-- FILTER]`. The matrix is of the size of a layer of a small model and, for
//! one row, larger than the second cache; items are multiplications, bytes those of the packed weights.

#![expect(clippy::unwrap_used, reason = "a benchmark is run by hand and talks to its reader")]

use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Tensor};
use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};
use lmscope::allocator::{Allocator, keep_freed};
use lmscope::model::kernel::{Input, Isa, Matrix, Room, multiply, multiply_in_pieces};
use lmscope::model::logits::row_stats;

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

const N_OUT: usize = 4096;
const N_IN: usize = 1536;
const ROWS: [usize; 3] = [1, 8, 512];
const TYPES: [GgmlDType; 10] = [
    GgmlDType::F32,
    GgmlDType::BF16,
    GgmlDType::Q4_0,
    GgmlDType::Q4_1,
    GgmlDType::Q5_0,
    GgmlDType::Q5_1,
    GgmlDType::Q8_0,
    GgmlDType::Q4K,
    GgmlDType::Q5K,
    GgmlDType::Q6K,
];

fn main() {
    keep_freed();
    divan::main();
}

fn matrix(dtype: GgmlDType, n_out: usize) -> Matrix {
    let numbers = Tensor::rand(-1f32, 1.0, (n_out, N_IN), &Device::Cpu).unwrap();
    let stored = QTensor::quantize(&numbers, dtype).unwrap();
    Matrix::stored(&stored.data().unwrap(), dtype, [n_out, N_IN], |row| row, Isa::best().unwrap(), &Room::default())
        .unwrap()
}

fn rows(n: usize) -> Vec<f32> {
    Tensor::rand(-1f32, 1.0, n * N_IN, &Device::Cpu).unwrap().to_vec1().unwrap()
}

fn product(bencher: Bencher<'_, '_>, dtype: GgmlDType, n_rows: usize, input: Input) {
    let (matrix, x) = (matrix(dtype, N_OUT), rows(n_rows));
    bencher
        .counter(ItemsCount::new(n_rows * N_OUT * N_IN))
        .counter(BytesCount::new(matrix.n_bytes()))
        .bench_local(|| multiply(&x, &[(&matrix, None)], input));
}

#[divan::bench(args = TYPES, consts = ROWS)]
fn exact<const N: usize>(bencher: Bencher<'_, '_>, dtype: GgmlDType) {
    product(bencher, dtype, N, Input::Exact);
}

#[divan::bench(args = TYPES, consts = ROWS)]
fn fast<const N: usize>(bencher: Bencher<'_, '_>, dtype: GgmlDType) {
    product(bencher, dtype, N, Input::Rounded);
}

/// What a lens does of a row of logits, with the product in front of it.
#[divan::bench(args = [31, 512])]
fn statistics_in_pieces(bencher: Bencher<'_, '_>, n_rows: usize) {
    let (matrix, x) = (matrix(GgmlDType::F32, 8 * N_OUT), rows(n_rows));
    bencher.counter(ItemsCount::new(n_rows * 8 * N_OUT * N_IN)).bench_local(|| {
        multiply_in_pieces(&x, (&matrix, None), Input::Exact, |piece| {
            for row in piece.values.chunks_exact(piece.columns.len()) {
                divan::black_box(row_stats(row, 5));
            }
        });
    });
}
