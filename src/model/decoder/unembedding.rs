//! Logits of many rows, of which as little exists at a time as can be: by our kernels, a piece for each thread.

use candle_core::{DType, Tensor};

use super::strands::held;
use super::{Decoder, projected};
use crate::model::kernel::{Input, Matrix, PIECE, Piece, multiply, multiply_in_pieces, team};
use crate::model::{CausalLm as _, Result};

/// Rows that are multiplied together where their logits never exist as a whole; the unembedding is read once for them.
const IN_PIECES: usize = 1024;
/// Bytes of logits that exist at a time where they do.
const WHOLE_BYTES: usize = 16 << 20;

/// Rows of the residual stream on their way to logits.
pub struct LogitRows<'a> {
    lm: &'a Decoder,
    form: Form<'a>,
}

enum Form<'a> {
    /// The stream after the final norm, `[row, d_model]`, and what it is multiplied with.
    InPieces { hidden: Tensor, matrix: &'a Matrix, bias: Option<Vec<f32>>, input: Input },
    /// `[row, d_vocab]`
    Whole(Tensor),
}

impl Decoder {
    /// How many rows [`logit_rows`](Self::logit_rows) should be asked for at a time.
    pub fn logit_rows_at_once(&self) -> usize {
        match self.streamed() {
            Some(_) => IN_PIECES,
            None => (WHOLE_BYTES / 4 / self.cfg.d_vocab.max(1)).max(1),
        }
    }

    /// The logits of raw residual streams `[row, d_model]`: the numbers that `unembed` gives.
    pub fn logit_rows(&self, resid: &Tensor) -> Result<LogitRows<'_>> {
        let Some((matrix, bias, input)) = self.streamed() else {
            return Ok(LogitRows { lm: self, form: Form::Whole(self.unembed(resid)?.contiguous()?) });
        };
        let hidden = match &self.ln_final {
            Some(norm) => norm.apply(resid)?,
            None => resid.clone(),
        };
        let hidden = projected(self.project_out.as_ref(), hidden)?.contiguous()?;
        let bias = bias.map(Tensor::to_vec1).transpose()?;
        Ok(LogitRows { lm: self, form: Form::InPieces { hidden, matrix, bias, input } })
    }

    /// The unembedding, if a kernel of ours multiplies with it and nothing is rounded afterwards.
    fn streamed(&self) -> Option<(&Matrix, Option<&Tensor>, Input)> {
        self.unembed.as_packed().filter(|_| self.dtype == DType::F32)
    }

    /// Scales and caps logits as `logits` does.
    #[expect(clippy::cast_possible_truncation, reason = "as candle rounds factors")]
    fn finish(&self, logits: &mut [f32]) {
        let times = |logits: &mut [f32], by: f64| logits.iter_mut().for_each(|logit| *logit = *logit * by as f32 + 0.0);
        #[expect(clippy::float_cmp, reason = "a factor of exactly one is no factor")]
        if self.cfg.logits.scale != 1.0 {
            times(logits, self.cfg.logits.scale);
        }
        if let Some(cap) = self.cfg.logits.softcap {
            times(logits, 1.0 / cap);
            for logit in &mut *logits {
                *logit = logit.tanh();
            }
            times(logits, cap);
        }
    }
}

impl LogitRows<'_> {
    /// The logits of some tokens in every row: `[row][id]`.
    pub fn of(&self, ids: &[u32]) -> Result<Vec<Vec<f32>>> {
        let ids: Vec<usize> = ids.iter().map(|&id| id as usize).collect();
        let pick = |rows: &[f32], width: usize, places: &[usize]| -> Vec<Vec<f32>> {
            rows.chunks_exact(width).map(|row| places.iter().map(|&place| row[place]).collect()).collect()
        };
        match &self.form {
            Form::Whole(logits) => Ok(pick(held(logits).floats()?, self.lm.cfg.d_vocab, &ids)),
            Form::InPieces { hidden, matrix, bias, input } => {
                let (some, places) = matrix.around(&ids);
                let logits = multiply(held(hidden).floats()?, &[(&some, None)], *input).remove(0);
                let mut picked = pick(&logits, some.dims()[0], &places);
                for row in &mut picked {
                    if let Some(bias) = bias {
                        row.iter_mut().zip(&ids).for_each(|(logit, &id)| *logit += bias[id]);
                    }
                    self.lm.finish(row);
                }
                Ok(picked)
            }
        }
    }

    /// Reads all of them, each once, in pieces of up to 512 columns: from any thread and in any order.
    pub fn read(&self, read: impl Fn(Piece<'_>) + Sync) -> Result<()> {
        match &self.form {
            Form::Whole(logits) => {
                let held = held(logits);
                let (logits, d_vocab) = (held.floats()?, self.lm.cfg.d_vocab);
                team::ranges(logits.len() / d_vocab, |rows| {
                    let mut memory = [0.0; PIECE];
                    for row in rows {
                        for first in (0..d_vocab).step_by(PIECE) {
                            let columns = first..d_vocab.min(first + PIECE);
                            let values = &mut memory[..columns.len()];
                            values.copy_from_slice(&logits[row * d_vocab..][columns.clone()]);
                            read(Piece { rows: row..row + 1, columns, values });
                        }
                    }
                });
            }
            Form::InPieces { hidden, matrix, bias, input } => {
                multiply_in_pieces(held(hidden).floats()?, (matrix, bias.as_deref()), *input, |piece| {
                    self.lm.finish(piece.values);
                    read(piece);
                });
            }
        }
        Ok(())
    }
}
