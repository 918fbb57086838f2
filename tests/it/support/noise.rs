//! Random numbers that are the same in every run: a test that fails once fails again. The unit tests of `src` include
//! this file too.

use candle_core::{Device, Shape, Tensor};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// A tensor of normally distributed numbers around 0, of standard deviation 1.
pub(crate) fn normal(seed: u64, shape: impl Into<Shape>) -> Tensor {
    let shape = shape.into();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    // Box and Muller's transformation of two uniform numbers
    let mut one = || {
        let [radius, angle]: [f32; 2] = [1.0 - rng.random::<f32>(), rng.random()];
        (-2.0 * radius.ln()).sqrt() * (std::f32::consts::TAU * angle).cos()
    };
    let values = (0..shape.elem_count()).map(|_| one()).collect();
    Tensor::from_vec::<_, f32>(values, shape, &Device::Cpu).unwrap()
}
