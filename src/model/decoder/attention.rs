//! Causal multi-head attention; grouped-query attention shares keys and values without repeating them.

use candle_core::{DType, Device, Tensor};
use candle_nn::ops;

use super::attend::{Piece, Seen, Shared, Tile};
use super::block::{Past, Step};
use super::mask::Masks;
use super::qk_norm::HeadNorm;
use super::strands::held;
use super::tiles::{self, attend_all};
use super::{Kernels, Linear, Parameters, backward, softcap};
use crate::hook::Site;
use crate::model::dtype::widened;
use crate::model::kernel::team;
use crate::model::{DecoderConfig, LayerConfig, Param, ParamId, Result, config as axes};

pub(super) struct Attention {
    n_heads: usize,
    n_kv_heads: usize,
    d_head: usize,
    axes: axes::Attention,
    layer: LayerConfig,
    kernels: Kernels,
    q_norm: Option<HeadNorm>,
    k_norm: Option<HeadNorm>,
    q: Linear,
    k: Linear,
    v: Linear,
    o: Linear,
}

impl Attention {
    pub(super) fn new(
        cfg: &DecoderConfig,
        layer: usize,
        params: &mut dyn Parameters,
        kernels: Kernels,
    ) -> Result<Self> {
        let q_norm = HeadNorm::new(cfg, layer, [Param::QNormGain, Param::QNormBias], params, kernels)?;
        let k_norm = HeadNorm::new(cfg, layer, [Param::KNormGain, Param::KNormBias], params, kernels)?;
        let mut linear = |weight, bias, has_bias: bool| {
            let bias = has_bias.then_some(ParamId::block(layer, bias));
            params.linear(ParamId::block(layer, weight), bias)
        };
        let (reads, writes) = (cfg.attn_bias.reads(), cfg.attn_bias.writes());
        let q = linear(Param::Q, Param::QBias, reads)?;
        let k = linear(Param::K, Param::KBias, reads)?;
        let v = linear(Param::V, Param::VBias, reads)?;
        let o = linear(Param::O, Param::OBias, writes)?;
        let (n_heads, n_kv_heads, d_head) = (cfg.n_heads, cfg.n_kv_heads, cfg.d_head);
        let (axes, layer) = (cfg.attention, cfg.layers[layer]);
        Ok(Self { n_heads, n_kv_heads, d_head, axes, layer, kernels, q_norm, k_norm, q, k, v, o })
    }

    /// The output projection.
    pub(super) const fn output(&self) -> &Linear {
        &self.o
    }

    /// `x` and the result: `[batch, pos, d_model]`.
    pub(super) fn forward(&self, x: &Tensor, step: &mut Step<'_>) -> Result<Tensor> {
        let [q, k, v] = Linear::forward_all([&self.q, &self.k, &self.v], x)?;
        let q = step.tap(Site::Q, self.heads(q, self.n_heads)?)?; // [batch, pos, head, d_head]
        let k = step.tap(Site::K, self.heads(k, self.n_kv_heads)?)?; // [batch, pos, kv_head, d_head]
        let v = step.tap(Site::V, self.heads(v, self.n_kv_heads)?)?;
        let (q, k) = (normed(self.q_norm.as_ref(), q)?, normed(self.k_norm.as_ref(), k)?);
        let (q, k) = match step.angles {
            Some(angles) => {
                let (q, k) = (angles.rotate(&q)?, angles.rotate(&k)?);
                (step.tap(Site::RotQ, q)?, step.tap(Site::RotK, k)?)
            }
            None => (q, k),
        };
        let z = match &mut step.past {
            Past::Several(sequences) => sequences.attend(step.layer, self.shared(), [&q, &k, &v])?,
            Past::One { cache, masks } => {
                let (k, v) = (k.transpose(1, 2)?.contiguous()?, v.transpose(1, 2)?.contiguous()?); // [batch, kv_head, pos, d_head]
                let masks = *masks;
                cache.append(step.layer, &k, &v)?;
                let fused = self.kernels == Kernels::Fused && q.dtype() == DType::F32 && q.device().is_cpu();
                let cached = cache.lying(step.layer).filter(|_| fused).map(|kv| (kv.len, kv.k.clone(), kv.v.clone()));
                match (cached, cache.at(step.layer)?) {
                    (Some(cached), _) => self.attend_fused(&q, cached, masks, step)?,
                    (None, Some((k, v))) => self.attend(&q, [&k, &v], masks, step)?,
                    (None, None) => q,
                }
            }
        };
        let z = step.tap(Site::Z, z)?; // [batch, pos, head, d_head]
        self.project(&z, step)
    }

    /// What all queries have in common.
    #[expect(clippy::cast_possible_truncation, reason = "scores are f32")]
    fn shared(&self) -> Shared<'static> {
        Shared {
            n_heads: self.n_heads,
            n_kv_heads: self.n_kv_heads,
            d_head: self.d_head,
            scale: self.layer.scale as f32,
            softcap: self.axes.softcap.map(|cap| cap as f32),
            window: self.layer.window,
            biases: None,
        }
    }

    /// Attention of `q` `[batch, pos, head, d_head]` to all of `k` and `v` `[batch, kv_head, key, d_head]`: the weighted
    /// values, in the shape of `q`.
    fn attend(&self, q: &Tensor, [k, v]: [&Tensor; 2], masks: &Masks<'_>, step: &mut Step<'_>) -> Result<Tensor> {
        let mask = masks.get(self.layer.window)?;
        let scores = step.tap(Site::AttnScores, self.scores(q, &k.contiguous()?, mask.as_ref())?)?;
        self.attend_by(&scores, &v.contiguous()?, step)
    }

    /// The same from the scores `[batch, head, query, key]` on.
    fn attend_by(&self, scores: &Tensor, v: &Tensor, step: &mut Step<'_>) -> Result<Tensor> {
        let pattern = match self.kernels {
            Kernels::Fused if scores.dtype() == DType::F32 => tiles::softmax(scores)?,
            Kernels::Fused => ops::softmax_last_dim(&widened(&scores.contiguous()?)?)?.to_dtype(scores.dtype())?,
            Kernels::Differentiable => backward::softmax(scores)?,
        };
        let pattern = step.tap(Site::Pattern, pattern)?; // [batch, head, query, key]
        self.weighted_values(&pattern, v)
    }

    /// Attention of `q` `[batch, pos, head, d_head]` to the first of `k` and `v` `[batch, kv_head, room, d_head]`, in one
    /// pass. Scores and pattern are written where a tap looks at them; what it puts in their place is computed with.
    fn attend_fused(
        &self,
        q: &Tensor,
        (n_keys, k, v): (usize, Tensor, Tensor),
        masks: &Masks<'_>,
        step: &mut Step<'_>,
    ) -> Result<Tensor> {
        let heads = Shared { biases: masks.biases(), ..self.shared() };
        let q = q.contiguous()?;
        let (batch, n_pos, ..) = q.dims4()?;
        let n_seen = batch * self.n_heads * n_pos * n_keys;
        let room = |site| if step.wants(site) { n_seen } else { 0 };
        let rooms @ [n_scores, n_weights] = [Site::AttnScores, Site::Pattern].map(room);
        let [mut scores, mut pattern] = rooms.map(Vec::<f32>::with_capacity);
        let mut z = team::new_rows(q.elem_count(), self.d_head, |_, _| ());
        {
            let (q, k, v) = (held(&q), held(&k), held(&v));
            let (q, k, v) = (q.floats()?, k.floats()?, v.floats()?);
            let rows = n_pos * n_keys;
            let mut scores = scores.spare_capacity_mut()[..n_scores].chunks_mut(rows);
            let mut pattern = pattern.spare_capacity_mut()[..n_weights].chunks_mut(rows);
            let out = z.chunks_mut(q.len() / batch).zip(q.chunks(q.len() / batch));
            let past = k.chunks(k.len() / batch).zip(v.chunks(v.len() / batch));
            let sequence = |((out, q), (k, v))| {
                let pieces = vec![Piece { start: 0, n_pos: n_keys, k, v }];
                let scores = scores.by_ref().take(self.n_heads).collect();
                let seen = Seen { scores, pattern: pattern.by_ref().take(self.n_heads).collect() };
                Tile { heads, first: n_keys - n_pos, q, pieces, out, seen }
            };
            attend_all(out.zip(past).map(sequence).collect());
        }
        #[expect(
            unsafe_code,
            reason = "where rows are given, the tiles write those of every query of every head, wholly"
        )]
        unsafe {
            scores.set_len(n_scores);
            pattern.set_len(n_weights);
        }
        let shape = (batch, self.n_heads, n_pos, n_keys);
        if !scores.is_empty() {
            let scores = Tensor::from_vec(scores, shape, &Device::Cpu)?;
            let tapped = step.tap(Site::AttnScores, scores.clone())?;
            if tapped.id() != scores.id() {
                return self.attend_by(&tapped, &v.narrow(2, 0, n_keys)?.contiguous()?, step);
            }
        }
        if !pattern.is_empty() {
            let pattern = Tensor::from_vec(pattern, shape, &Device::Cpu)?;
            let tapped = step.tap(Site::Pattern, pattern.clone())?;
            if tapped.id() != pattern.id() {
                return self.weighted_values(&tapped, &v.narrow(2, 0, n_keys)?.contiguous()?);
            }
        }
        Ok(Tensor::from_vec(z, q.shape(), &Device::Cpu)?)
    }

    /// A projection `[batch, pos, heads * d_head]`, as `[batch, pos, heads, d_head]`.
    fn heads(&self, projected: Tensor, n_heads: usize) -> Result<Tensor> {
        let (batch, n_pos, _) = projected.dims3()?;
        let clipped = match self.axes.clip {
            Some(clip) => projected.clamp(-clip, clip)?,
            None => projected,
        };
        Ok(clipped.reshape((batch, n_pos, n_heads, self.d_head))?)
    }

    /// `q` `[batch, pos, head, d_head]` against `k` `[batch, kv_head, key, d_head]`: `[batch, head, query, key]`.
    fn scores(&self, q: &Tensor, k: &Tensor, mask: Option<&Tensor>) -> Result<Tensor> {
        let (batch, n_pos, ..) = q.dims4()?;
        let n_keys = k.dim(2)?;
        let q = (q * self.layer.scale)?;
        // the query heads of one key head are consecutive: fold them into its rows instead of repeating the keys
        let grouped = q.transpose(1, 2)?.contiguous()?.reshape((batch, self.n_kv_heads, (), self.d_head))?;
        let scores = grouped.matmul(&k.t()?)?.reshape((batch, self.n_heads, n_pos, n_keys))?;
        let scores = match self.axes.softcap {
            Some(cap) => softcap(&scores, cap)?,
            None => scores,
        };
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

fn normed(norm: Option<&HeadNorm>, x: Tensor) -> Result<Tensor> {
    match norm {
        Some(norm) => norm.forward(&x),
        None => Ok(x),
    }
}
