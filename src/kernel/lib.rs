//! Products with a matrix that is packed once, by the widest instructions of the processor at hand.
//!
//! A number of the result is summed up in one order, whatever is computed beside it, on however many threads and by
//! whichever instructions: for each 512 numbers of the input one fused multiplication after the other, then these sums.
//! Two kernels read quantised weights: the *exact* one multiplies the numbers that they stand for with an input in f32, the
//! *fast* one an input that is rounded to eight bits (or to bf16, with weights in bf16). What no kernel here reads goes to
//! candle. It must not know what a product is for.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod blocks;
mod codes;
mod floats;
mod kernels;
mod lanes;
mod matrix;
#[cfg(test)]
#[path = "../../tests/it/support/noise.rs"]
mod noise;
pub mod norm;
mod pairs;
mod panels;
mod portable;
mod product;
mod room;
pub mod rope;
mod shared;
pub mod team;

pub use self::lanes::Isa;
pub use self::matrix::Matrix;
pub use self::product::{Input, PIECE, Piece, multiply, multiply_in_pieces};
pub use self::room::Room;
