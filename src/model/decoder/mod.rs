//! The forward pass: one decoder for every architecture, with a tap at every hook.
//!
//! Shapes stand beside the lines. The decoder knows its [`DecoderConfig`] and nothing of checkpoints, architectures
//! or whoever taps it.

mod attention;
mod backward;
mod block;
mod linear;
mod mlp;
mod norm;
mod rope;

use candle_core::Tensor;

use self::block::Block;
pub(crate) use self::linear::Linear;
use self::norm::Normalise;
use self::rope::Rotation;
use super::tap::tapped;
use super::{CausalLm, DecoderConfig, Error, KvCache, Param, ParamId, Positions, Result, Tap, Unembed};
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
    /// A tensor of the shape [`Param::shape`] gives, in f32.
    fn dense(&mut self, id: ParamId) -> Result<Tensor>;

    /// A matrix to multiply with, which may stay quantised.
    fn linear(&mut self, id: ParamId, bias: Option<ParamId>) -> Result<Linear> {
        let bias = bias.map(|bias| self.dense(bias)).transpose()?;
        Ok(Linear::dense(self.dense(id)?, bias))
    }
}

/// A decoder-only transformer.
pub struct Decoder {
    cfg: DecoderConfig,
    embed: Tensor,
    pos_embed: Option<Tensor>,
    rotation: Option<Rotation>,
    blocks: Vec<Block>,
    ln_final: Normalise,
    unembed: Linear,
}

impl Decoder {
    /// Builds the decoder from its configuration and parameters.
    pub fn new(cfg: DecoderConfig, params: &mut dyn Parameters, kernels: Kernels) -> Result<Self> {
        let embed = params.dense(ParamId::model(Param::Embed))?;
        let unembed = match cfg.unembed {
            Unembed::Tied => params.linear(ParamId::model(Param::Embed), None)?,
            Unembed::Own => params.linear(ParamId::model(Param::Unembed), None)?,
        };
        let pos_embed = match cfg.positions {
            Positions::Learned => Some(params.dense(ParamId::model(Param::PosEmbed))?),
            Positions::Rotary(_) => None,
        };
        let rotation = match &cfg.positions {
            Positions::Rotary(rope) => Some(Rotation::new(rope, embed.device(), kernels)?),
            Positions::Learned => None,
        };
        let blocks = (0..cfg.n_layers).map(|layer| Block::new(&cfg, layer, params, kernels)).collect::<Result<_>>()?;
        let ln_final = Normalise::new(&cfg, None, [Param::LnFinalGain, Param::LnFinalBias], params, kernels)?;
        Ok(Self { cfg, embed, pos_embed, rotation, blocks, ln_final, unembed })
    }

    /// Embeddings of `ids` `[batch, pos]` as they enter the first block, `[batch, pos, d_model]`.
    fn embed(&self, ids: &Tensor, start: usize, tap: &mut dyn Tap) -> Result<Tensor> {
        let (batch, n_pos) = ids.dims2()?;
        let rows = self.embed.index_select(&ids.flatten_all()?, 0)?;
        let x = rows.reshape((batch, n_pos, self.cfg.d_model))?;
        let x = tapped(tap, HookPoint::model(Site::Embed), x)?;
        let Some(table) = &self.pos_embed else { return Ok(x) };
        let pos = table.narrow(0, start, n_pos)?.unsqueeze(0)?.broadcast_as(x.shape())?;
        let pos = tapped(tap, HookPoint::model(Site::PosEmbed), pos)?;
        Ok((x + pos)?)
    }
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
        let mut x = self.embed(ids, start, tap)?;
        let angles = self.rotation.as_ref().map(|rotation| rotation.angles(start, n_pos)).transpose()?;
        let mask = attention::causal_mask(start, n_pos, ids.device())?;
        for (layer, block) in self.blocks.iter().enumerate() {
            let mut step =
                block::Step { layer, angles: angles.as_ref(), mask: mask.as_ref(), cache: &mut *cache, tap: &mut *tap };
            x = block.forward(x, &mut step)?;
        }
        let at = [HookPoint::model(Site::LnFinalScale), HookPoint::model(Site::LnFinalNormalized)];
        self.ln_final.forward(&x, at, tap)
    }

    fn logits(&self, hidden: &Tensor) -> Result<Tensor> {
        self.unembed.forward(hidden)
    }

    fn unembed(&self, resid: &Tensor) -> Result<Tensor> {
        self.unembed.forward(&self.ln_final.apply(resid)?)
    }
}
