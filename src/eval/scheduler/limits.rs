//! How much is run together, so that it fits into memory.

use crate::model::DecoderConfig;

/// Rows of one pass: enough that the weights are seldom read and packed, few enough that progress is often told.
const MOST_ROWS: usize = 1024;
/// Rows whose logits are in memory at once.
const MOST_LOGITS: usize = 512;
/// Bytes that keys, values and what is computed beside them may take where nothing else is said.
pub(super) const MEMORY: u64 = 1 << 30;

/// What one pass holds at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limits {
    /// Positions that are run.
    pub(super) rows: usize,
    /// Positions whose logits are computed at once.
    pub(super) logits: usize,
    /// Sequences that they belong to.
    pub(super) sequences: usize,
}

impl Limits {
    /// Limits of a model, where answers are written after contexts of up to `longest` tokens; 0 if none is.
    pub(super) fn new(cfg: &DecoderConfig, batch: usize, memory: u64, longest: usize) -> Self {
        let floats = |n: usize| 4 * n as u64;
        let kept = floats(2 * cfg.n_layers * cfg.n_kv_heads * cfg.d_head);
        let at_work = floats(8 * cfg.d_model + 4 * cfg.d_mlp);
        let part = memory / 3;
        let rows = most(part, kept + at_work, MOST_ROWS);
        // they stand twice in memory while they are scaled
        let logits = most(part, floats(2 * cfg.d_vocab), MOST_LOGITS);
        // an answer holds its context until it is finished
        let sequences = if longest == 0 { batch } else { most(part, kept * longest as u64, batch) };
        Self { rows, logits, sequences: sequences.max(1) }
    }
}

/// How many of a size fit, at least one and at most `most`.
fn most(memory: u64, size: u64, most: usize) -> usize {
    usize::try_from(memory / size.max(1)).unwrap_or(most).clamp(1, most.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Activation, Mlp, Sizes};

    #[test]
    fn limits_follow_the_memory() {
        let sizes = Sizes {
            n_layers: 2,
            d_model: 16,
            n_heads: 2,
            n_kv_heads: 1,
            d_head: 8,
            d_mlp: 32,
            d_vocab: 100,
            n_ctx: 64,
        };
        let cfg = DecoderConfig { mlp: Mlp::Plain(Activation::Relu), ..DecoderConfig::plain("fake", sizes) };
        // a row: 2 * 2 * 8 of keys and values and 8 * 16 + 4 * 32 at work, four bytes each; its logits: 2 * 100
        let (row, logits) = (4 * (32 + 256), 4 * 200);
        assert_eq!(Limits::new(&cfg, 64, MEMORY, 0), Limits { rows: 1024, logits: 512, sequences: 64 });
        assert_eq!(Limits::new(&cfg, 64, 3 * 10 * row, 0).rows, 10);
        assert_eq!(Limits::new(&cfg, 64, 3 * 7 * logits, 0).logits, 7);
        assert_eq!(Limits::new(&cfg, 64, 0, 0), Limits { rows: 1, logits: 1, sequences: 64 });
        // answers after 50 tokens of 128 bytes: four in a third of 80,000 bytes
        assert_eq!(Limits::new(&cfg, 64, 80_000, 50).sequences, 4);
    }
}
