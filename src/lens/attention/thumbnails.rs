//! Thumbnails of all heads' patterns, made while the model runs: no pattern is kept.
//!
//! The patterns of all heads are `4 · n_layers · n_heads · pos²` bytes: 4.3 GB for 2,000 tokens and 30 layers of 9 heads.
//! Here a block's pattern is read as it comes by and dropped with the block.

use candle_core::{DType, Tensor};

use crate::hook::{HookPoint, Site};
use crate::model::{DecoderConfig, Result, Tap};

/// The largest weight within each of `side x side` cells of every head's pattern.
#[derive(Debug, Clone, PartialEq)]
pub struct Thumbnails {
    /// Cells a side: fewer than asked for where there are fewer tokens.
    pub side: usize,
    /// `[layer][head][query][key]`, 0 above the diagonal.
    pub cells: Vec<f32>,
    n_heads: usize,
}

impl Thumbnails {
    /// Thumbnails of a prompt of `n_pos` tokens, with nothing in them yet.
    pub fn new(cfg: &DecoderConfig, n_pos: usize, side: usize) -> Self {
        let side = side.clamp(1, n_pos.max(1));
        Self { side, cells: vec![0.0; cfg.n_layers * cfg.n_heads * side * side], n_heads: cfg.n_heads }
    }

    /// Takes the pattern of one head, `[query][key]`.
    fn take(&mut self, layer: usize, head: usize, pattern: &[Vec<f32>]) {
        let (side, n_pos) = (self.side, pattern.len());
        let first = (layer * self.n_heads + head) * side * side;
        for (query, row) in pattern.iter().enumerate() {
            for (key, &weight) in row.iter().enumerate().take(query + 1) {
                let at = first + query * side / n_pos * side + key * side / n_pos;
                if let Some(cell) = self.cells.get_mut(at) {
                    *cell = cell.max(weight);
                }
            }
        }
    }
}

impl Tap for Thumbnails {
    fn wants(&self, at: HookPoint) -> bool {
        at.site() == Site::Pattern
    }

    fn visit(&mut self, at: HookPoint, x: Tensor) -> Result<Tensor> {
        let heads = x.squeeze(0)?; // [head, query, key]
        for head in 0..heads.dim(0)? {
            let pattern = heads.get(head)?.to_dtype(DType::F32)?.to_vec2::<f32>()?;
            self.take(at.layer().unwrap_or(0), head, &pattern);
        }
        Ok(x)
    }
}
