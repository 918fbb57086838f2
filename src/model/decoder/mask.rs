//! What is added to attention scores: the causal mask, windows, and linear position biases.

use std::cell::{OnceCell, RefCell};

use candle_core::{DType, Device, Tensor};
use half::bf16;

use crate::model::{Alibi, DecoderConfig, Positions, Result};

/// The additive masks of one forward pass, one for each kind of block, made when one is asked for.
pub(super) struct Masks<'a> {
    cfg: &'a DecoderConfig,
    start: usize,
    n_pos: usize,
    dtype: DType,
    /// By window.
    made: RefCell<Vec<(Option<usize>, Option<Tensor>)>>,
    biases: OnceCell<Option<Vec<f32>>>,
}

impl<'a> Masks<'a> {
    /// Masks for `n_pos` queries after `start` positions.
    pub(super) const fn new(cfg: &'a DecoderConfig, start: usize, n_pos: usize, dtype: DType) -> Self {
        Self { cfg, start, n_pos, dtype, made: RefCell::new(Vec::new()), biases: OnceCell::new() }
    }

    /// `[query, key]` or `[head, query, key]`; none where all keys are visible as they are.
    pub(super) fn get(&self, window: Option<usize>) -> Result<Option<Tensor>> {
        if let Some((_, mask)) = self.made.borrow().iter().find(|(of, _)| *of == window) {
            return Ok(mask.clone());
        }
        let made = mask(self.cfg, Span { start: self.start, n_pos: self.n_pos, window }, self.dtype)?;
        self.made.borrow_mut().push((window, made.clone()));
        Ok(made)
    }

    /// The bias of each head on each key, `[head, key]`, if there is one.
    pub(super) fn biases(&self) -> Option<&[f32]> {
        self.biases.get_or_init(|| biases(self.cfg, self.start + self.n_pos)).as_deref()
    }
}

#[derive(Clone, Copy)]
struct Span {
    start: usize,
    n_pos: usize,
    window: Option<usize>,
}

impl Span {
    const fn n_keys(self) -> usize {
        self.start + self.n_pos
    }

    /// Whether the query of row `row` sees `key`: not a later one, and none outside its window.
    fn sees(self, row: usize, key: usize) -> bool {
        let query = self.start + row;
        key <= query && self.window.is_none_or(|window| query - key < window)
    }
}

fn mask(cfg: &DecoderConfig, span: Span, dtype: DType) -> Result<Option<Tensor>> {
    let alibi = alibi(cfg);
    let sees_all = span.n_pos == 1 && (0..span.n_keys()).all(|key| span.sees(0, key));
    if sees_all && alibi.is_none() {
        return Ok(None);
    }
    let shape = (span.n_pos, span.n_keys());
    let rows = (0..span.n_pos).flat_map(|row| (0..span.n_keys()).map(move |key| (row, key)));
    let values = rows.map(|(row, key)| if span.sees(row, key) { 0.0 } else { f32::NEG_INFINITY });
    let mask = Tensor::from_vec(values.collect::<Vec<f32>>(), shape, &Device::Cpu)?;
    let mask = match alibi {
        None => mask,
        Some(kind) => {
            let shape = (cfg.n_heads, 1, span.n_keys());
            Tensor::from_vec(bias(cfg, kind, span.n_keys()), shape, &Device::Cpu)?.broadcast_add(&mask)?
        }
    };
    Ok(Some(mask.to_dtype(dtype)?))
}

const fn alibi(cfg: &DecoderConfig) -> Option<Alibi> {
    match cfg.positions {
        Positions::Alibi(kind) => Some(kind),
        Positions::None | Positions::Learned | Positions::Rotary { .. } => None,
    }
}

/// The bias of each head on each key, `[head, key]`, if there is one.
pub(super) fn biases(cfg: &DecoderConfig, n_keys: usize) -> Option<Vec<f32>> {
    alibi(cfg).map(|kind| bias(cfg, kind, n_keys))
}

/// The bias of each head on each key, `[head, key]`. It grows with the key's position, and the softmax does not
/// see that it does not depend on the query's.
fn bias(cfg: &DecoderConfig, kind: Alibi, n_keys: usize) -> Vec<f32> {
    #[expect(clippy::cast_possible_truncation, reason = "scores are f32")]
    let scale = (1.0 / (cfg.d_head as f64).sqrt()) as f32;
    let one = |slope: f32, key: usize| match kind {
        Alibi::AfterScaling => slope * key as f32,
        // the reference computes the bias in bf16
        Alibi::BeforeScaling => (bf16::from_f32(slope) * bf16::from_f32(key as f32)).to_f32() * scale,
    };
    slopes(cfg.n_heads).into_iter().flat_map(|slope| (0..n_keys).map(move |key| one(slope, key))).collect()
}

/// Press et al. 2021: a geometric series for a power of two of heads; for other numbers that of the next lower power,
/// then every second one of twice as many.
#[expect(clippy::cast_possible_truncation, reason = "slopes are f32 in every reference implementation")]
fn slopes(n_heads: usize) -> Vec<f32> {
    let lower = if n_heads.is_power_of_two() { n_heads } else { n_heads.next_power_of_two() / 2 };
    let series = |n: usize| (1..).map(move |i| 2f64.powf(-8.0 * f64::from(i) / n as f64) as f32);
    let first = series(lower).take(lower);
    let rest = series(2 * lower).step_by(2).take(n_heads - lower);
    first.chain(rest).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slopes_of_hand_worked_cases() {
        assert_eq!(slopes(4), [0.25, 0.0625, 0.015_625, 0.003_906_25]);
        assert_eq!(slopes(3), [0.0625, 0.003_906_25, 0.25]);
    }

    #[test]
    fn a_window_counts_the_query_itself() {
        let span = Span { start: 2, n_pos: 3, window: Some(2) };
        let seen: Vec<Vec<usize>> = (0..3).map(|row| (0..5).filter(|&key| span.sees(row, key)).collect()).collect();
        assert_eq!(seen, [vec![1, 2], vec![2, 3], vec![3, 4]]);
    }
}
