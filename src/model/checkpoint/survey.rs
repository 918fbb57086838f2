//! The numbers of one stored tensor: moments, quantiles, a histogram. It is read twice, an entry of its first axis at a
//! time, so that no more than that is in memory.

use candle_core::DType;

use super::{Checkpoint, Part};
use crate::model::{CancelToken, Result};

/// Bins that quantiles are told from.
const FINE: usize = 1 << 16;
/// Bars of the histogram.
const BARS: usize = 64;
/// The quantiles that are told.
const QUANTILES: [f64; 7] = [0.001, 0.01, 0.25, 0.5, 0.75, 0.99, 0.999];

/// What the numbers of a tensor are like.
#[derive(Debug, Clone, PartialEq)]
pub struct Survey {
    /// The tensor's name.
    pub name: String,
    /// How many numbers are finite.
    pub n: u64,
    /// How many are not.
    pub n_not_finite: u64,
    /// How many are exactly zero.
    pub n_zero: u64,
    /// Their mean.
    pub mean: f64,
    /// Their standard deviation, of all numbers and not of a sample.
    pub std: f64,
    /// The smallest.
    pub min: f64,
    /// The largest.
    pub max: f64,
    /// Shares and the values below which they lie, up to [`resolution`](Self::resolution).
    pub quantiles: Vec<(f64, f64)>,
    /// How far a quantile may be off.
    pub resolution: f64,
    /// How many numbers lie in each of equally wide bins from the smallest to the largest.
    pub histogram: Vec<u64>,
}

/// Surveys a tensor; none if there is none of this name. `tell` hears how many rows are read, of how many.
///
/// # Errors
/// Data that cannot be read, or cancellation.
pub fn survey(
    checkpoint: &dyn Checkpoint,
    name: &str,
    cancel: &CancelToken,
    tell: &mut dyn FnMut(usize, usize),
) -> Result<Option<Survey>> {
    let Some(shape) = checkpoint.shape(name) else { return Ok(None) };
    let n_parts = if shape.len() > 1 { shape[0] } else { 1 };
    let part = |at: usize| if shape.len() > 1 { Part { tensor: name, index: Some(at) } } else { Part::whole(name) };
    let mut pass = |round: usize, take: &mut dyn FnMut(&[f64])| -> Result<()> {
        for at in 0..n_parts {
            cancel.check()?;
            let row = checkpoint.dense(part(at))?.to_dtype(DType::F64)?.flatten_all()?.to_vec1::<f64>()?;
            take(&row);
            tell(round * n_parts + at + 1, 2 * n_parts);
        }
        Ok(())
    };
    let mut moments = Moments::default();
    pass(0, &mut |row| row.iter().for_each(|&value| moments.add(value)))?;
    let mut bins = Bins::new(moments.min, moments.max);
    pass(1, &mut |row| row.iter().for_each(|&value| bins.add(value)))?;
    Ok(Some(summed(name, &moments, &bins)))
}

fn summed(name: &str, moments: &Moments, bins: &Bins) -> Survey {
    let is_empty = moments.n == 0;
    Survey {
        name: name.to_owned(),
        n: moments.n,
        n_not_finite: moments.n_not_finite,
        n_zero: moments.n_zero,
        mean: moments.mean,
        std: (moments.squares / moments.n.max(1) as f64).sqrt(),
        min: if is_empty { 0.0 } else { moments.min },
        max: if is_empty { 0.0 } else { moments.max },
        quantiles: QUANTILES.into_iter().map(|share| (share, bins.quantile(share, moments.n))).collect(),
        resolution: bins.width(),
        histogram: bins.counts.chunks(FINE / BARS).map(|chunk| chunk.iter().sum()).collect(),
    }
}

/// Sums of one pass, as Welford keeps them.
struct Moments {
    n: u64,
    n_not_finite: u64,
    n_zero: u64,
    mean: f64,
    squares: f64,
    min: f64,
    max: f64,
}

impl Default for Moments {
    fn default() -> Self {
        let (min, max) = (f64::INFINITY, f64::NEG_INFINITY);
        Self { n: 0, n_not_finite: 0, n_zero: 0, mean: 0.0, squares: 0.0, min, max }
    }
}

impl Moments {
    fn add(&mut self, value: f64) {
        if !value.is_finite() {
            self.n_not_finite += 1;
            return;
        }
        self.n += 1;
        self.n_zero += u64::from(value == 0.0);
        let away = value - self.mean;
        self.mean += away / self.n as f64;
        self.squares += away * (value - self.mean);
        (self.min, self.max) = (self.min.min(value), self.max.max(value));
    }
}

/// How many numbers lie where, between the smallest and the largest.
struct Bins {
    min: f64,
    max: f64,
    counts: Vec<u64>,
}

impl Bins {
    fn new(min: f64, max: f64) -> Self {
        Self { min, max, counts: vec![0; FINE] }
    }

    fn width(&self) -> f64 {
        if self.max > self.min { (self.max - self.min) / FINE as f64 } else { 0.0 }
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of some bins")]
    fn add(&mut self, value: f64) {
        if !value.is_finite() {
            return;
        }
        let width = self.width();
        let bin = if width > 0.0 { ((value - self.min) / width) as usize } else { 0 };
        self.counts[bin.min(FINE - 1)] += 1;
    }

    /// The middle of the bin in which this share of the numbers is reached.
    fn quantile(&self, share: f64, n: u64) -> f64 {
        let wanted = share * n as f64;
        let mut below = 0;
        for (bin, count) in self.counts.iter().enumerate() {
            below += count;
            if *count > 0 && below as f64 >= wanted {
                return (self.min + (bin as f64 + 0.5) * self.width()).min(self.max);
            }
        }
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_worked_by_hand() {
        let numbers: Vec<f64> = (0..=1000).map(f64::from).chain([f64::NAN, f64::INFINITY]).collect();
        let mut moments = Moments::default();
        for &value in &numbers {
            moments.add(value);
        }
        let mut bins = Bins::new(moments.min, moments.max);
        for &value in &numbers {
            bins.add(value);
        }
        let found = summed("x", &moments, &bins);
        assert_eq!((found.n, found.n_not_finite, found.n_zero, found.min, found.max), (1001, 2, 1, 0.0, 1000.0));
        assert!((found.mean - 500.0).abs() < 1e-9);
        // the variance of 0..=n is n (n + 2) / 12
        assert!((found.std - (1000.0f64 * 1002.0 / 12.0).sqrt()).abs() < 1e-9);
        for (share, value) in &found.quantiles {
            assert!((value - share * 1000.0).abs() <= 1.0 + found.resolution, "{share} {value}");
        }
        assert_eq!(found.histogram.iter().sum::<u64>(), 1001);
        assert_eq!(found.histogram.len(), BARS);
        assert!(found.histogram.iter().all(|&n| (15..=17).contains(&n)), "{:?}", found.histogram);
    }

    #[test]
    fn one_number_and_no_number_are_told_as_such() {
        let mut moments = Moments::default();
        moments.add(2.5);
        let mut bins = Bins::new(moments.min, moments.max);
        bins.add(2.5);
        let found = summed("x", &moments, &bins);
        assert_eq!((found.mean, found.std, found.min, found.max), (2.5, 0.0, 2.5, 2.5));
        assert!(found.quantiles.iter().all(|(_, value)| (*value - 2.5).abs() < f64::EPSILON));
        let nothing = Moments::default();
        let found = summed("x", &nothing, &Bins::new(nothing.min, nothing.max));
        assert_eq!((found.n, found.min, found.max, found.std), (0, 0.0, 0.0, 0.0));
    }
}
