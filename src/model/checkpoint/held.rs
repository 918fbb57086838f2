//! How a parameter is held in memory: as numbers, or as the file stores it.

use candle_core::quantized::GgmlDType;

use super::{Arithmetic, Checkpoint, rows};
use crate::model::arch::Source;
use crate::model::kernel::{Isa, Matrix};
use crate::model::{DecoderConfig, Dtype, Param, ParamId, Unembed};

/// How a parameter is held in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Held {
    /// Every number on its own.
    Dense,
    /// In the blocks of the file.
    Stored,
    /// In the order in which kernels multiply with it, with the numbers of blocks of this type.
    Packed(GgmlDType),
}

/// What is done with weights.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Computing {
    pub arithmetic: Arithmetic,
    pub dtype: Dtype,
}

impl Computing {
    /// The instructions that kernels use, if products are not left to candle.
    pub(crate) fn isa(self) -> Option<Isa> {
        Isa::best().filter(|_| self.dtype == Dtype::F32)
    }
}

/// How this parameter is held.
pub(crate) fn held(
    cfg: &DecoderConfig,
    checkpoint: &dyn Checkpoint,
    id: ParamId,
    source: &Source,
    how: Computing,
) -> Held {
    let shape = id.param.shape(cfg);
    let is_rows = id.param.is_matrix() && rows::order(cfg, source.view, shape[0]).is_some();
    let Some(blocks) = checkpoint.blocks(&source.tensor).filter(|_| is_rows) else { return Held::Dense };
    let has_kernel = how.isa().is_some() && Matrix::reads(blocks);
    if has_kernel && is_multiplied(cfg, id) {
        return Held::Packed(blocks);
    }
    let stays = match how.arithmetic {
        // a table of blocks that kernels would read takes no more than they would
        Arithmetic::Exact => has_kernel,
        Arithmetic::OnDemand => true,
        Arithmetic::Fast => has_kernel || can_multiply(blocks, shape[1]),
    };
    if stays { Held::Stored } else { Held::Dense }
}

/// Whether a matrix is multiplied with; rows of an embedding may only be looked up.
pub(super) fn is_multiplied(cfg: &DecoderConfig, id: ParamId) -> bool {
    id.param.is_matrix() && (id.param != Param::Embed || cfg.unembed == Unembed::Tied)
}

/// Whether candle has a quantised product; on rows of an odd number of blocks it panics.
fn can_multiply(blocks: GgmlDType, n_columns: usize) -> bool {
    let size = blocks.block_size();
    !matches!(blocks, GgmlDType::F16 | GgmlDType::BF16) && (size >= 256 || n_columns.is_multiple_of(2 * size))
}
