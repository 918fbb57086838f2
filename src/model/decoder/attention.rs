//! Causal multi-head attention; grouped-query attention shares keys and values without repeating them.

use candle_core::{Device, Tensor};
use candle_nn::ops;

use super::block::Step;
use super::{Kernels, Linear, Parameters, backward};
use crate::hook::Site;
use crate::model::{Bias, DecoderConfig, Param, ParamId, Result};

pub(super) struct Attention {
    n_heads: usize,
    n_kv_heads: usize,
    d_head: usize,
    kernels: Kernels,
    q: Linear,
    k: Linear,
    v: Linear,
    o: Linear,
}

/// What is added to the scores so that no position sees a later one: `[query, key]`, or nothing for a single query.
pub(super) fn causal_mask(start: usize, n_pos: usize, device: &Device) -> Result<Option<Tensor>> {
    if n_pos == 1 {
        return Ok(None);
    }
    let n_keys = start + n_pos;
    let visible = |query: usize, key: usize| key <= start + query;
    let mask: Vec<f32> = (0..n_pos)
        .flat_map(|query| (0..n_keys).map(move |key| if visible(query, key) { 0.0 } else { f32::NEG_INFINITY }))
        .collect();
    Ok(Some(Tensor::from_vec(mask, (n_pos, n_keys), device)?))
}

impl Attention {
    pub(super) fn new(
        cfg: &DecoderConfig,
        layer: usize,
        params: &mut dyn Parameters,
        kernels: Kernels,
    ) -> Result<Self> {
        let mut linear = |weight, bias| {
            let bias = (cfg.attn_bias == Bias::All).then_some(ParamId::block(layer, bias));
            params.linear(ParamId::block(layer, weight), bias)
        };
        let q = linear(Param::Q, Param::QBias)?;
        let k = linear(Param::K, Param::KBias)?;
        let v = linear(Param::V, Param::VBias)?;
        let o = linear(Param::O, Param::OBias)?;
        Ok(Self { n_heads: cfg.n_heads, n_kv_heads: cfg.n_kv_heads, d_head: cfg.d_head, kernels, q, k, v, o })
    }

    /// `x` and the result: `[batch, pos, d_model]`.
    pub(super) fn forward(&self, x: &Tensor, step: &mut Step<'_>) -> Result<Tensor> {
        let q = step.tap(Site::Q, self.split_heads(&self.q.forward(x)?, self.n_heads)?)?; // [batch, pos, head, d_head]
        let k = step.tap(Site::K, self.split_heads(&self.k.forward(x)?, self.n_kv_heads)?)?;
        let v = step.tap(Site::V, self.split_heads(&self.v.forward(x)?, self.n_kv_heads)?)?;
        let (q, k) = match step.angles {
            Some(angles) => {
                let (q, k) = (angles.rotate(&q)?, angles.rotate(&k)?);
                (step.tap(Site::RotQ, q)?, step.tap(Site::RotK, k)?)
            }
            None => (q, k),
        };
        let (k, v) = (k.transpose(1, 2)?.contiguous()?, v.transpose(1, 2)?.contiguous()?); // [batch, kv_head, pos, d_head]
        let (k, v) = step.cache.append(step.layer, k, v)?;
        let scores = step.tap(Site::AttnScores, self.scores(&q, &k, step.mask)?)?;
        let pattern = match self.kernels {
            Kernels::Fused => ops::softmax_last_dim(&scores)?,
            Kernels::Differentiable => backward::softmax(&scores)?,
        };
        let pattern = step.tap(Site::Pattern, pattern)?; // [batch, head, query, key]
        let z = step.tap(Site::Z, self.weighted_values(&pattern, &v)?)?; // [batch, pos, head, d_head]
        self.project(&z, step)
    }

    /// `[batch, pos, heads * d_head]` to `[batch, pos, heads, d_head]`.
    fn split_heads(&self, x: &Tensor, n_heads: usize) -> Result<Tensor> {
        let (batch, n_pos, _) = x.dims3()?;
        Ok(x.reshape((batch, n_pos, n_heads, self.d_head))?)
    }

    /// `q` `[batch, pos, head, d_head]` against `k` `[batch, kv_head, key, d_head]`: `[batch, head, query, key]`.
    fn scores(&self, q: &Tensor, k: &Tensor, mask: Option<&Tensor>) -> Result<Tensor> {
        let (batch, n_pos, ..) = q.dims4()?;
        let n_keys = k.dim(2)?;
        let q = (q * (1.0 / (self.d_head as f64).sqrt()))?;
        // the query heads of one key head are consecutive: fold them into its rows instead of repeating the keys
        let grouped = q.transpose(1, 2)?.contiguous()?.reshape((batch, self.n_kv_heads, (), self.d_head))?;
        let scores = grouped.matmul(&k.t()?)?.reshape((batch, self.n_heads, n_pos, n_keys))?;
        Ok(match mask {
            Some(mask) => scores.broadcast_add(mask)?,
            None => scores,
        })
    }

    /// `pattern` `[batch, head, query, key]` times `v` `[batch, kv_head, key, d_head]`: `[batch, pos, head, d_head]`.
    fn weighted_values(&self, pattern: &Tensor, v: &Tensor) -> Result<Tensor> {
        let (batch, _, n_pos, n_keys) = pattern.dims4()?;
        let grouped = pattern.contiguous()?.reshape((batch, self.n_kv_heads, (), n_keys))?;
        let z = grouped.matmul(v)?.reshape((batch, self.n_heads, n_pos, self.d_head))?;
        Ok(z.transpose(1, 2)?.contiguous()?)
    }

    /// `z` `[batch, pos, head, d_head]` to what attention adds to the residual stream, `[batch, pos, d_model]`.
    fn project(&self, z: &Tensor, step: &mut Step<'_>) -> Result<Tensor> {
        if step.wants(Site::Result) {
            let result = self.o.per_head(z)?;
            let tapped = step.tap(Site::Result, result.clone())?;
            if tapped.id() != result.id() {
                return self.o.sum_heads(&tapped);
            }
        }
        self.o.forward(&z.flatten_from(2)?)
    }
}
