//! The product of rows with a matrix, into memory that nobody clears first.
//!
//! It asks the same of the same kernel as candle does and so gives the same numbers; candle writes zeros into the result
//! beforehand, on one thread. It must not be used where a gradient is asked for.

use candle_core::utils::get_num_threads;
use candle_core::{CpuStorage, CustomOp2, DType, Layout, Result, Shape, Tensor};
use gemm::{Parallelism, gemm};

use super::backward::floats;

/// `x` `[row, in]` times the transpose of `weight` `[out, in]`: `[row, out]`.
pub(super) fn product(x: &Tensor, weight: &Tensor) -> Result<Tensor> {
    if is_ours(x) && is_ours(weight) { x.apply_op2_no_bwd(weight, &Product) } else { x.matmul(&weight.t()?) }
}

/// Whether candle, too, would give these numbers to the kernel; where it is built with another, that one is asked.
fn is_ours(tensor: &Tensor) -> bool {
    !cfg!(any(feature = "mkl", feature = "accelerate"))
        && tensor.device().is_cpu()
        && tensor.dtype() == DType::F32
        && tensor.is_contiguous()
        && tensor.elem_count() > 0
}

struct Product;

impl CustomOp2 for Product {
    fn name(&self) -> &'static str {
        "product"
    }

    fn cpu_fwd(&self, s1: &CpuStorage, l1: &Layout, s2: &CpuStorage, l2: &Layout) -> Result<(CpuStorage, Shape)> {
        let (rows, n_in) = l1.shape().dims2()?;
        let (n_out, width) = l2.shape().dims2()?;
        if n_in != width {
            candle_core::bail!("a product of rows of {n_in} with a matrix of {width}");
        }
        let out = multiply(floats(s1, l1, self.name())?, floats(s2, l2, self.name())?, [rows, n_out, n_in]);
        Ok((CpuStorage::F32(out), (rows, n_out).into()))
    }
}

/// `x` `[row, in]` times the transpose of `weight` `[out, in]`; none of the sizes `[row, out, in]` is 0.
fn multiply(x: &[f32], weight: &[f32], [rows, n_out, n_in]: [usize; 3]) -> Vec<f32> {
    assert!(n_in > 0 && x.len() == rows * n_in && weight.len() == n_out * n_in, "sizes of a product");
    let threads = get_num_threads();
    let parallelism = if threads > 1 { Parallelism::Rayon(threads) } else { Parallelism::None };
    let (n_in_stride, n_out_stride) = (n_in.cast_signed(), n_out.cast_signed());
    let mut out = Vec::with_capacity(rows * n_out);
    #[expect(unsafe_code, reason = "a kernel that takes pointers, and memory that it fills")]
    // the slices are as long as their sizes and strides say, which is asserted; the result has room for `rows * n_out`,
    // overlaps nothing, is not read and, as `n_in` is not 0, written wholly before its length is set
    unsafe {
        gemm(
            rows,
            n_out,
            n_in,
            out.as_mut_ptr(),
            1,
            n_out_stride,
            false,
            x.as_ptr(),
            1,
            n_in_stride,
            weight.as_ptr(),
            n_in_stride,
            1,
            0f32,
            1f32,
            false,
            false,
            false,
            parallelism,
        );
        out.set_len(rows * n_out);
    }
    out
}

#[cfg(test)]
mod tests {

    use super::*;
    use crate::noise::normal;

    fn bits(tensor: &Tensor) -> Vec<u32> {
        tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap().into_iter().map(f32::to_bits).collect()
    }

    #[test]
    fn it_is_candles_product_bit_for_bit() {
        for n_in in [1, 3, 64, 577] {
            for n_out in [1, 2, 17, 576, 1030] {
                let weight = normal(1, (n_out, n_in));
                for rows in [1, 2, 5, 16, 33, 130] {
                    // rows from the middle of a tensor: they do not start where its memory does
                    let x = normal(2, (rows + 3, n_in));
                    let x = x.narrow(0, 2, rows).unwrap();
                    let expected = x.matmul(&weight.t().unwrap()).unwrap();
                    let found = product(&x, &weight).unwrap();
                    assert_eq!(found.dims(), expected.dims());
                    assert!(bits(&found) == bits(&expected), "{rows} {n_out} {n_in}");
                }
            }
        }
    }

    #[test]
    fn what_the_kernel_does_not_take_goes_to_candle() {
        let of = |shape: (usize, usize)| normal(1, shape);
        let (x, weight) = (of((4, 6)), of((5, 6)));
        let turned = of((6, 4)).t().unwrap();
        let double = |x: &Tensor| x.to_dtype(DType::F64).unwrap();
        assert_eq!(product(&turned, &weight).unwrap().dims(), [4, 5]);
        assert_eq!(product(&double(&x), &double(&weight)).unwrap().dtype(), DType::F64);
        assert_eq!(bits(&product(&of((2, 0)), &of((3, 0))).unwrap()), [0; 6]);
        assert_eq!(product(&of((0, 6)), &weight).unwrap().dims(), [0, 5]);
        assert!(product(&x, &of((5, 7))).is_err());
    }
}
