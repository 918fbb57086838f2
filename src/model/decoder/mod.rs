//! The forward pass: one decoder for every architecture, with a tap at every hook.
//!
//! Shapes stand beside the lines. The decoder knows its [`DecoderConfig`] and nothing of checkpoints, architectures
//! or whoever taps it.

mod attend;
mod attention;
mod backward;
mod block;
mod frozen;
mod gate;
mod kept;
mod linear;
mod mask;
mod mlp;
mod moe;
mod norm;
mod packed;
mod product;
mod qk_norm;
mod rope;
mod stored;
mod strands;
mod stream;
mod tiles;
mod unembedding;

use std::ops::Range;

use candle_core::{DType, Tensor};

use self::block::{Block, Past, Step};
pub use self::frozen::FrozenNorm;
use self::kept::{Keeper, Kept};
pub(crate) use self::linear::{Linear, bytes_at_work};
use self::mask::Masks;
use self::norm::Normalise;
use self::rope::Rotations;
pub(crate) use self::stored::Stored;
pub use self::stored::Table;
use self::strands::Strands;
use self::stream::Stream;
pub use self::unembedding::LogitRows;
use super::dtype::wide;
use super::tap::tapped;
use super::{
    CancelToken, CausalLm, DecoderConfig, Dtype, EmbedNorm, Error, FinalNorm, KvCache, Param, ParamId, Positions,
    Result, SEAM, Stretch, Tap, Unembed, least_rows, one_by_one,
};
use crate::hook::{HookPoint, Site};

/// Which of two numerically equal sets of operations runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Kernels {
    /// candle's fused softmax, norms and rotations: fast, and they cut the gradient silently.
    #[default]
    Fused,
    /// Only operations that have a backward pass, for gradients and training.
    Differentiable,
}

/// Hands the decoder its parameters while it is built.
pub trait Parameters {
    /// What the decoder computes in.
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    /// A tensor of the shape [`Param::shape`] gives, in [`dtype`](Self::dtype).
    fn dense(&mut self, id: ParamId) -> Result<Tensor>;

    /// A matrix whose rows are looked up, which may stay quantised.
    fn table(&mut self, id: ParamId) -> Result<Table> {
        Ok(Table::Dense(self.dense(id)?))
    }

    /// A matrix to multiply with, which may stay quantised.
    fn linear(&mut self, id: ParamId, bias: Option<ParamId>) -> Result<Linear> {
        let bias = bias.map(|bias| self.dense(bias)).transpose()?;
        Ok(Linear::dense(self.dense(id)?, bias))
    }
}

/// `cap * tanh(x / cap)`.
fn softcap(x: &Tensor, cap: f64) -> candle_core::Result<Tensor> {
    (x / cap)?.tanh()? * cap
}

/// A decoder-only transformer.
pub struct Decoder {
    cfg: DecoderConfig,
    dtype: DType,
    kernels: Kernels,
    embed: Table,
    embed_norm: Option<Normalise>,
    project_in: Option<Linear>,
    pos_embed: Option<Tensor>,
    rotations: Rotations,
    blocks: Vec<Block>,
    ln_final: Option<Normalise>,
    project_out: Option<Linear>,
    unembed: Linear,
    kept: Kept,
}

/// A decoder through which gradients flow: it computes what the one it was made from does, with the same tensors.
pub struct Differentiable(Decoder);

impl Differentiable {
    /// The decoder.
    pub const fn decoder(&self) -> &Decoder {
        &self.0
    }
}

impl Decoder {
    /// Builds the decoder from its configuration and parameters.
    pub fn new(cfg: DecoderConfig, params: &mut dyn Parameters, kernels: Kernels) -> Result<Self> {
        let dtype = params.dtype().candle();
        let keeper = &mut Keeper::new(params);
        let params: &mut dyn Parameters = keeper;
        let embed = params.table(ParamId::model(Param::Embed))?;
        let matrix = match cfg.unembed {
            Unembed::Tied => Param::Embed,
            Unembed::Own => Param::Unembed,
        };
        let bias = cfg.logits.bias.writes().then_some(ParamId::model(Param::UnembedBias));
        let unembed = params.linear(ParamId::model(matrix), bias)?;
        let mut projection = |param| params.linear(ParamId::model(param), None);
        let (project_in, project_out) = match cfg.embedding.width {
            Some(_) => (Some(projection(Param::ProjectIn)?), Some(projection(Param::ProjectOut)?)),
            None => (None, None),
        };
        let embed_norm = match cfg.embedding.norm {
            EmbedNorm::Own => {
                Some(Normalise::new(&cfg, None, [Param::EmbedNormGain, Param::EmbedNormBias], params, kernels)?)
            }
            EmbedNorm::None => None,
        };
        let pos_embed = match cfg.positions {
            Positions::Learned => Some(params.dense(ParamId::model(Param::PosEmbed))?),
            Positions::None | Positions::Rotary { .. } | Positions::Alibi(_) => None,
        };
        let rotations = Rotations::new(&cfg.positions, wide(dtype), kernels);
        let blocks = (0..cfg.n_layers).map(|layer| Block::new(&cfg, layer, params, kernels)).collect::<Result<_>>()?;
        let ln_final = match cfg.final_norm {
            FinalNorm::Own => {
                Some(Normalise::new(&cfg, None, [Param::LnFinalGain, Param::LnFinalBias], params, kernels)?)
            }
            FinalNorm::None => None,
        };
        let kept = keeper.take();
        Ok(Self {
            cfg,
            dtype,
            kernels,
            embed,
            embed_norm,
            project_in,
            pos_embed,
            rotations,
            blocks,
            ln_final,
            project_out,
            unembed,
            kept,
        })
    }

    /// The same decoder on operations that have a backward pass. It shares every tensor with this one.
    ///
    /// # Errors
    /// [`Error::NoGradient`] if it multiplies with quantised weights, or does not compute in f32.
    pub fn differentiable(&self) -> Result<Differentiable> {
        if self.dtype != DType::F32 || !self.kept.is_differentiable() {
            return Err(Error::NoGradient);
        }
        Self::new(self.cfg.clone(), &mut self.kept.clone(), Kernels::Differentiable).map(Differentiable)
    }

    /// Runs the rest of a forward pass whose residual stream before block `layer` is `resid` `[batch, pos, d_model]`.
    ///
    /// The positions follow those that the cache holds for blocks from `layer` on; earlier blocks are not looked at.
    /// Keys and values that were cached for one sequence are shared by the whole batch. Returns what
    /// [`forward`](CausalLm::forward) returns.
    pub fn resume(&self, layer: usize, resid: Tensor, cache: &mut KvCache, tap: &mut dyn Tap) -> Result<Tensor> {
        let resid = self.through(layer..self.cfg.n_layers, resid, cache, tap)?;
        self.normed(resid, tap)
    }

    /// The residual stream after the final norm.
    fn normed(&self, resid: Stream, tap: &mut dyn Tap) -> Result<Tensor> {
        let at = [HookPoint::model(Site::LnFinalScale), HookPoint::model(Site::LnFinalNormalized)];
        match &self.ln_final {
            Some(norm) => {
                let [_, normed] = norm.read(resid, at, tap)?;
                Ok(normed)
            }
            None => resid.whole(),
        }
    }

    /// Runs only the blocks `layers`, in the same way; the result is the residual stream after the last of them.
    pub fn blocks(
        &self,
        layers: Range<usize>,
        resid: Tensor,
        cache: &mut KvCache,
        tap: &mut dyn Tap,
    ) -> Result<Tensor> {
        self.through(layers, resid, cache, tap)?.whole()
    }

    fn through(&self, layers: Range<usize>, resid: Tensor, cache: &mut KvCache, tap: &mut dyn Tap) -> Result<Stream> {
        let (start, n_pos) = (cache.len_at(layers.start), resid.dim(1)?);
        let angles = self.rotations.angles(start..start + n_pos, start + n_pos)?;
        let masks = Masks::new(&self.cfg, start, n_pos, self.dtype);
        let mut x = Stream::Whole(resid.to_dtype(self.dtype)?);
        for layer in layers {
            let axes = &self.cfg.layers[layer];
            let (angles, past) = (angles.of(axes.rope), Past::One { cache: &mut *cache, masks: &masks });
            let mut step = Step { layer, angles, past, tap: &mut *tap };
            x = self.blocks[layer].forward(x, &mut step)?;
        }
        Ok(x)
    }

    /// Whether what a position gets is the same bit for bit in any company. An expert's product has as many rows as
    /// tokens are sent to it, which matters where no kernel of ours computes it; and where angles depend on the length of a sequence, so does the place of a cut.
    fn runs_together(&self) -> bool {
        let is_exact = (self.cfg.experts.is_none() || self.kept.is_packed())
            && !self.cfg.rotation_depends_on_length(self.cfg.n_ctx);
        is_exact && self.kernels == Kernels::Fused && self.dtype != DType::F64
    }

    /// Runs sequences as rows of one pass: `[row, d_model]`.
    fn together(&self, strands: &mut Strands<'_, '_>, tap: &mut dyn Tap) -> Result<Tensor> {
        let mut tokens = strands.tokens();
        let n_rows = tokens.len();
        // rows of no sequence, which see nothing and are dropped
        tokens.resize(n_rows.max(self.least_rows()), (0, 0));
        let (ids, positions): (Vec<u32>, Vec<usize>) = tokens.into_iter().unzip();
        let place = |table: &Tensor| {
            let rows: Vec<u32> = positions.iter().filter_map(|&pos| u32::try_from(pos).ok()).collect();
            table.index_select(&Tensor::new(rows, table.device())?, 0)
        };
        let mut x = Stream::Whole(self.embed(&super::ids_tensor(&ids)?, place, tap)?);
        let angles = self.rotations.angles(positions.iter().copied(), strands.longest())?;
        for (layer, axes) in self.cfg.layers.iter().enumerate() {
            let (angles, past) = (angles.of(axes.rope), Past::Several(&mut *strands));
            x = self.blocks[layer].forward(x, &mut Step { layer, angles, past, tap: &mut *tap })?;
        }
        Ok(self.normed(x, tap)?.squeeze(0)?.narrow(0, 0, n_rows)?)
    }

    /// How many rows every product has at least.
    fn least_rows(&self) -> usize {
        if self.kept.is_packed() {
            return 1;
        }
        let cfg = &self.cfg;
        let widths = [cfg.d_model, cfg.n_heads * cfg.d_head, cfg.n_kv_heads * cfg.d_head, cfg.d_mlp];
        widths.into_iter().map(least_rows).max().unwrap_or(1)
    }

    /// Embeddings of `ids` `[batch, pos]` as they enter the first block, `[batch, pos, d_model]`; `place` takes their
    /// positions, `[pos, d_model]`, from a table of all.
    fn embed(
        &self,
        ids: &Tensor,
        place: impl FnOnce(&Tensor) -> candle_core::Result<Tensor>,
        tap: &mut dyn Tap,
    ) -> Result<Tensor> {
        let (batch, n_pos) = ids.dims2()?;
        let rows = self.embed.gather(&ids.flatten_all()?)?.to_dtype(self.dtype)?;
        let x = projected(self.project_in.as_ref(), rows.reshape((batch, n_pos, ()))?)?;
        let x = scaled(x, self.cfg.embedding.scale)?;
        let x = match &self.embed_norm {
            Some(norm) => norm.apply(&x)?,
            None => x,
        };
        let x = tapped(tap, HookPoint::model(Site::Embed), x)?;
        let Some(table) = &self.pos_embed else { return Ok(x) };
        let pos = place(table)?.unsqueeze(0)?.broadcast_as(x.shape())?;
        let pos = tapped(tap, HookPoint::model(Site::PosEmbed), pos)?;
        Ok((x + pos)?)
    }
}

/// `x` through a projection that most models do not have.
fn projected(projection: Option<&Linear>, x: Tensor) -> Result<Tensor> {
    match projection {
        Some(projection) => projection.forward(&x),
        None => Ok(x),
    }
}

/// `x` times a factor, which most models do not have.
#[expect(clippy::float_cmp, reason = "a factor of exactly one is no factor")]
fn scaled(x: Tensor, factor: f64) -> Result<Tensor> {
    if factor == 1.0 { Ok(x) } else { Ok((x * factor)?) }
}

impl CausalLm for Decoder {
    fn config(&self) -> &DecoderConfig {
        &self.cfg
    }

    fn forward(&self, ids: &Tensor, cache: &mut KvCache, tap: &mut dyn Tap) -> Result<Tensor> {
        let (_, n_pos) = ids.dims2()?;
        let start = cache.len();
        if start + n_pos > self.cfg.n_ctx {
            return Err(Error::TooLong { found: start + n_pos, n_ctx: self.cfg.n_ctx });
        }
        let resid = self.embed(ids, |table| table.narrow(0, start, n_pos), tap)?;
        self.resume(0, resid, cache, tap)
    }

    fn forward_all(&self, stretches: &mut [Stretch<'_>], cancel: &CancelToken) -> Result<Tensor> {
        if !self.runs_together() {
            return one_by_one(self, stretches, cancel);
        }
        stretches.iter().try_for_each(|stretch| stretch.check(self.cfg.n_ctx))?;
        self.together(&mut Strands::new(stretches, &self.cfg), &mut cancel.clone())
    }

    fn seam(&self) -> usize {
        if self.runs_together() { 1 } else { SEAM }
    }

    fn logits(&self, hidden: &Tensor) -> Result<Tensor> {
        let hidden = projected(self.project_out.as_ref(), hidden.to_dtype(self.dtype)?)?;
        let logits = scaled(self.unembed.forward(&hidden)?, self.cfg.logits.scale)?;
        match self.cfg.logits.softcap {
            Some(cap) => Ok(softcap(&logits, cap)?.to_dtype(DType::F32)?),
            None => Ok(logits.to_dtype(DType::F32)?),
        }
    }

    fn unembed(&self, resid: &Tensor) -> Result<Tensor> {
        match &self.ln_final {
            Some(norm) => self.logits(&norm.apply(&resid.to_dtype(self.dtype)?)?),
            None => self.logits(resid),
        }
    }
}
