//! How a parameter is held in memory: as numbers, or as the file stores it.

use candle_core::quantized::GgmlDType;

use super::{Arithmetic, Checkpoint, rows};
use crate::model::arch::Source;
use crate::model::{DecoderConfig, ParamId};

/// How a parameter is held in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Held {
    /// Every number on its own.
    Dense,
    /// In the blocks of the file.
    Stored,
}

/// How this parameter is held.
pub(crate) fn held(
    cfg: &DecoderConfig,
    checkpoint: &dyn Checkpoint,
    id: ParamId,
    source: &Source,
    arithmetic: Arithmetic,
) -> Held {
    let shape = id.param.shape(cfg);
    let is_rows = id.param.is_matrix() && rows::order(cfg, source.view, shape[0]).is_some();
    let Some(blocks) = checkpoint.blocks(&source.tensor).filter(|_| is_rows) else { return Held::Dense };
    let stays = match arithmetic {
        Arithmetic::Exact => false,
        Arithmetic::OnDemand => true,
        Arithmetic::Fast => can_multiply(blocks, shape[1]),
    };
    if stays { Held::Stored } else { Held::Dense }
}

/// Whether candle has a quantised product; on rows of an odd number of blocks it panics.
fn can_multiply(blocks: GgmlDType, n_columns: usize) -> bool {
    let size = blocks.block_size();
    !matches!(blocks, GgmlDType::F16 | GgmlDType::BF16) && (size >= 256 || n_columns.is_multiple_of(2 * size))
}
