//! One block: attention and MLP, each reading the residual stream and adding to it.

use candle_core::Tensor;

use super::attend::Shared;
use super::attention::Attention;
use super::mask::Masks;
use super::mlp::MlpLayer;
use super::moe::Mixture;
use super::norm::Normalise;
use super::rope::Angles;
use super::stream::Stream;
use super::{Kernels, Linear, Parameters, scaled};
use crate::hook::{HookPoint, Site};
use crate::model::tap::tapped;
use crate::model::{DecoderConfig, KvCache, LayerMlp, NormPlacement, Param, Residual, Result, Tap};

/// What one block needs from the run it is part of.
pub(super) struct Step<'a> {
    pub layer: usize,
    pub angles: Option<&'a Angles>,
    pub past: Past<'a>,
    pub tap: &'a mut dyn Tap,
}

/// The keys and values that queries attend to.
pub(super) enum Past<'a> {
    /// Those of one sequence, or of a batch of equal lengths.
    One { cache: &'a mut KvCache, masks: &'a Masks<'a> },
    /// Those of each of several sequences.
    Several(&'a mut dyn Attend),
}

/// Attends for several sequences at once.
pub(super) trait Attend {
    /// Attention of `q` `[1, row, head, d_head]` to all keys before each row in its sequence and to its own, of `k` and
    /// `v` `[1, row, kv_head, d_head]`: the weighted values, in the shape of `q`. Rows of no sequence get zeros.
    fn attend(&mut self, layer: usize, heads: Shared<'_>, qkv: [&Tensor; 3]) -> Result<Tensor>;
}

impl Step<'_> {
    /// The hook of `site` in this block.
    pub(super) const fn at(&self, site: Site) -> HookPoint {
        HookPoint::block(self.layer, site)
    }

    /// Passes `x` through the tap, if it is wanted here.
    pub(super) fn tap(&mut self, site: Site, x: Tensor) -> Result<Tensor> {
        let at = self.at(site);
        tapped(self.tap, at, x)
    }

    /// Passes the stream through the tap, whole, if it is wanted here.
    fn tap_stream(&mut self, site: Site, x: Stream) -> Result<Stream> {
        if self.wants(site) { Ok(Stream::Whole(self.tap(site, x.whole()?)?)) } else { Ok(x) }
    }

    /// Normalises `x`; `at` names the hooks of the scale and of the normalised value.
    fn normalise(&mut self, norm: &Normalise, x: &Tensor, at: [Site; 2]) -> Result<Tensor> {
        norm.forward(x, at.map(|site| self.at(site)), self.tap)
    }

    /// Whether the tap wants `site` in this block.
    pub(super) fn wants(&self, site: Site) -> bool {
        self.tap.wants(self.at(site))
    }
}

pub(super) struct Block {
    axes: Axes,
    ln1: Option<Normalise>,
    pub(super) attn: Attention,
    ln1_post: Option<Normalise>,
    ln2: Option<Normalise>,
    mlp: Feed,
    ln2_post: Option<Normalise>,
}

/// How the sublayers are connected.
#[derive(Clone, Copy)]
struct Axes {
    residual: Residual,
    residual_scale: f64,
    placement: NormPlacement,
}

enum Feed {
    Dense(MlpLayer),
    Sparse(Mixture),
}

impl Block {
    pub(super) fn new(
        cfg: &DecoderConfig,
        layer: usize,
        params: &mut dyn Parameters,
        kernels: Kernels,
    ) -> Result<Self> {
        let (residual, residual_scale, placement) = (cfg.residual, cfg.residual_scale, cfg.placement);
        let mut norm =
            |exists: bool, ids| exists.then(|| Normalise::new(cfg, Some(layer), ids, params, kernels)).transpose();
        let has_own = placement != NormPlacement::Post;
        let ln1 = norm(has_own, [Param::Ln1Gain, Param::Ln1Bias])?;
        let ln1_post = norm(placement.is_after(), [Param::Ln1PostGain, Param::Ln1PostBias])?;
        let ln2 = norm(has_own && residual != Residual::SharedNorm, [Param::Ln2Gain, Param::Ln2Bias])?;
        let ln2_post = norm(placement.is_after(), [Param::Ln2PostGain, Param::Ln2PostBias])?;
        let attn = Attention::new(cfg, layer, params, kernels)?;
        let mlp = match (cfg.layers[layer].mlp, cfg.experts) {
            (LayerMlp::Sparse, Some(experts)) => Feed::Sparse(Mixture::new(cfg, experts, layer, params, kernels)?),
            (LayerMlp::Dense, _) | (LayerMlp::Sparse, None) => Feed::Dense(MlpLayer::new(cfg, layer, params, kernels)?),
        };
        let axes = Axes { residual, residual_scale, placement };
        Ok(Self { axes, ln1, attn, ln1_post, ln2, mlp, ln2_post })
    }

    /// The norm whose scale is seen at this site.
    pub(super) const fn norm_at(&self, scale: Site) -> Option<&Normalise> {
        match scale {
            Site::Ln1Scale => self.ln1.as_ref(),
            Site::Ln1PostScale => self.ln1_post.as_ref(),
            Site::Ln2Scale => self.ln2.as_ref(),
            Site::Ln2PostScale => self.ln2_post.as_ref(),
            _ => None,
        }
    }

    /// The MLP's output projection; none where experts have one each.
    pub(super) const fn mlp_output(&self) -> Option<&Linear> {
        match &self.mlp {
            Feed::Dense(mlp) => Some(mlp.output()),
            Feed::Sparse(_) => None,
        }
    }

    /// The stream before and after the block.
    pub(super) fn forward(&self, x: Stream, step: &mut Step<'_>) -> Result<Stream> {
        let x = step.tap_stream(Site::ResidPre, x)?;
        let [resid_pre, normed] = self.before(self.ln1.as_ref(), x, LN1, step)?;
        let attn_out = self.attn.forward(&normed, step)?;
        let resid_pre = self.carried(resid_pre, &normed);
        let attn_out = self.after(self.ln1_post.as_ref(), attn_out, LN1_POST, step)?;
        let attn_out = step.tap(Site::AttnOut, attn_out)?;
        if self.axes.residual != Residual::Serial {
            return self.beside(resid_pre, normed, attn_out, step);
        }
        let sum = self.added(self.ln1.as_ref(), Stream::Sum(resid_pre, attn_out), LN1, step)?;
        let resid_mid = step.tap_stream(Site::ResidMid, sum)?;
        let [resid_mid, normed] = self.before(self.ln2.as_ref(), resid_mid, LN2, step)?;
        let resid_mid = self.carried(resid_mid, &normed);
        let mlp_out = self.feed(&normed, step)?;
        let sum = self.added(self.ln2.as_ref(), Stream::Sum(resid_mid, mlp_out), LN2, step)?;
        step.tap_stream(Site::ResidPost, sum)
    }

    /// The rest of a block whose MLP reads what attention read.
    fn beside(&self, resid: Tensor, normed: Tensor, attn_out: Tensor, step: &mut Step<'_>) -> Result<Stream> {
        let (resid, normed) = match self.axes.residual {
            Residual::SharedNorm => (resid, normed),
            Residual::Serial | Residual::Parallel => {
                let [resid, normed] = self.before(self.ln2.as_ref(), Stream::Whole(resid), LN2, step)?;
                (resid, normed)
            }
        };
        let resid = self.carried(resid, &normed);
        let mlp_out = self.feed(&normed, step)?;
        step.tap_stream(Site::ResidPost, Stream::Sum((resid + attn_out)?, mlp_out))
    }

    /// What the MLP adds to the stream.
    fn feed(&self, normed: &Tensor, step: &mut Step<'_>) -> Result<Tensor> {
        let mlp_out = match &self.mlp {
            Feed::Dense(mlp) => mlp.forward(normed, step)?,
            Feed::Sparse(mixture) => mixture.forward(normed, step)?,
        };
        let mlp_out = self.after(self.ln2_post.as_ref(), mlp_out, LN2_POST, step)?;
        step.tap(Site::MlpOut, mlp_out)
    }

    /// The stream, whole, and what a sublayer reads of it.
    fn before(&self, norm: Option<&Normalise>, x: Stream, at: [Site; 2], step: &mut Step<'_>) -> Result<[Tensor; 2]> {
        match norm {
            Some(norm) if self.axes.placement.is_before() => norm.read(x, at.map(|site| step.at(site)), step.tap),
            Some(_) | None => {
                let x = x.whole()?;
                Ok([x.clone(), x])
            }
        }
    }

    /// What a sublayer's output is added to.
    fn carried(&self, resid: Tensor, normed: &Tensor) -> Tensor {
        if self.axes.placement == NormPlacement::Carried { normed.clone() } else { resid }
    }

    /// What a sublayer adds to the residual stream.
    fn after(&self, norm: Option<&Normalise>, out: Tensor, at: [Site; 2], step: &mut Step<'_>) -> Result<Tensor> {
        let out = match norm {
            Some(norm) => step.normalise(norm, &out, at)?,
            None => out,
        };
        scaled(out, self.axes.residual_scale)
    }

    /// The residual stream after a sublayer was added to it.
    fn added(&self, norm: Option<&Normalise>, sum: Stream, at: [Site; 2], step: &mut Step<'_>) -> Result<Stream> {
        match norm {
            Some(norm) if self.axes.placement == NormPlacement::Residual => {
                Ok(Stream::Whole(step.normalise(norm, &sum.whole()?, at)?))
            }
            Some(_) | None => Ok(sum),
        }
    }
}

const LN1: [Site; 2] = [Site::Ln1Scale, Site::Ln1Normalized];
const LN1_POST: [Site; 2] = [Site::Ln1PostScale, Site::Ln1PostNormalized];
const LN2: [Site; 2] = [Site::Ln2Scale, Site::Ln2Normalized];
const LN2_POST: [Site; 2] = [Site::Ln2PostScale, Site::Ln2PostNormalized];
