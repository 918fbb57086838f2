//! What the decoder's parameters do to a direction while the scales of its norms are held fixed.
//!
//! With the scales frozen, everything between what a component writes and a logit is linear. Attribution walks that
//! chain backwards: from rows of the unembedding to directions of the residual stream, of heads and of neurons. Nothing
//! here runs a forward pass. Directions are `[n, d_model]`, f32, one row a token that is asked about.

use candle_core::{D, DType, Tensor};

use super::norm::Normalise;
use super::{Decoder, projected};
use crate::hook::{HookPoint, Site};
use crate::model::Result;

/// A norm whose scale is held fixed: a linear map, and a constant.
#[derive(Clone, Copy)]
pub struct FrozenNorm<'a>(&'a Normalise);

impl FrozenNorm<'_> {
    /// The directions `[n, d_model]`, before the norm, of directions after it; `scale` is what it divides by.
    pub fn before(self, directions: &Tensor, scale: f64) -> Result<Tensor> {
        let scaled = match self.0.gain() {
            Some(gain) => directions.broadcast_mul(&gain.to_dtype(DType::F32)?)?,
            None => directions.clone(),
        };
        let scaled = (scaled / scale)?;
        Ok(if self.0.centres() { scaled.broadcast_sub(&scaled.mean_keepdim(D::Minus1)?)? } else { scaled })
    }

    /// What its bias adds, `[d_model]`.
    pub fn bias(&self) -> Option<&Tensor> {
        self.0.bias()
    }
}

impl Decoder {
    /// The logits of `ids` as directions of what the final norm puts out, `[ids, d_model]`.
    ///
    /// The logit before the soft-cap is the product with that output, plus [`unembed_bias`](Self::unembed_bias). The
    /// model's logit scale and a projection out of the stream are part of the direction.
    pub fn unembed_directions(&self, ids: &[u32]) -> Result<Tensor> {
        let rows = self.unembed.rows(ids)?;
        let rows = match &self.project_out {
            Some(projection) => projection.pull_back(&rows)?,
            None => rows,
        };
        Ok((rows * self.cfg.logits.scale)?)
    }

    /// The bias of the unembedding for `ids`, `[ids]`; zeros where there is none.
    pub fn unembed_bias(&self, ids: &[u32]) -> Result<Vec<f64>> {
        let Some(bias) = self.unembed.bias() else { return Ok(vec![0.0; ids.len()]) };
        let values = bias.index_select(&Tensor::new(ids, bias.device())?, 0)?.to_dtype(DType::F32)?.to_vec1::<f32>()?;
        Ok(values.into_iter().map(|value| f64::from(value) * self.cfg.logits.scale).collect())
    }

    /// Logits `[.., d_vocab]`, before the soft-cap, of a raw residual stream `[.., d_model]`.
    pub fn unembed_uncapped(&self, resid: &Tensor) -> Result<Tensor> {
        let resid = resid.to_dtype(self.dtype)?;
        let hidden = match &self.ln_final {
            Some(norm) => norm.apply(&resid)?,
            None => resid,
        };
        let hidden = projected(self.project_out.as_ref(), hidden)?;
        Ok((self.unembed.forward(&hidden)? * self.cfg.logits.scale)?.to_dtype(DType::F32)?)
    }

    /// The norm whose scale is seen at this hook, if the model has it.
    pub fn norm_at(&self, scale: HookPoint) -> Option<FrozenNorm<'_>> {
        let norm = match (scale.layer(), scale.site()) {
            (None, Site::LnFinalScale) => self.ln_final.as_ref(),
            (Some(layer), site) => self.blocks.get(layer)?.norm_at(site),
            (None, _) => None,
        };
        norm.map(FrozenNorm)
    }

    /// The directions of each head's `hook_z`, `[n, head, d_head]`, for directions of what attention's output
    /// projection puts out.
    pub fn head_directions(&self, layer: usize, directions: &Tensor) -> Result<Tensor> {
        let directions = self.blocks[layer].attn.output().pull_back(directions)?;
        Ok(directions.reshape(((), self.cfg.n_heads, self.cfg.d_head))?)
    }

    /// How long the vectors are that a head would add if it looked at one position only: the norms of `v_j W_O`, for
    /// `v` `[pos, kv_head, d_head]`. Result: `[head][pos]`.
    pub fn value_norms(&self, layer: usize, v: &Tensor) -> Result<Vec<Vec<f32>>> {
        let (_, n_kv_heads, _) = v.dims3()?;
        let (n_heads, d_head) = (self.cfg.n_heads, self.cfg.d_head);
        // [d_model, head * d_head] -> [head, d_head, d_model]
        let by_head = self.blocks[layer].attn.output().dequantised()?.t()?.reshape((n_heads, d_head, ()))?;
        let norms = |head: usize| {
            let v = v.narrow(1, head * n_kv_heads / n_heads, 1)?.squeeze(1)?.contiguous()?;
            Ok(v.matmul(&by_head.get(head)?)?.sqr()?.sum(D::Minus1)?.sqrt()?.to_vec1()?)
        };
        (0..n_heads).map(norms).collect()
    }

    /// The bias of attention's output projection, `[d_model]`.
    pub fn attn_out_bias(&self, layer: usize) -> Option<&Tensor> {
        self.blocks[layer].attn.output().bias()
    }

    /// The directions of `mlp.hook_post`, `[n, d_mlp]`, for directions of what the MLP's output projection puts out;
    /// `None` in a block with a mixture of experts.
    pub fn neuron_directions(&self, layer: usize, directions: &Tensor) -> Result<Option<Tensor>> {
        self.blocks[layer].mlp_output().map(|output| output.pull_back(directions)).transpose()
    }

    /// The bias of the MLP's output projection, `[d_model]`.
    pub fn mlp_out_bias(&self, layer: usize) -> Option<&Tensor> {
        self.blocks[layer].mlp_output().and_then(super::Linear::bias)
    }
}
