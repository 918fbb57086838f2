//! One block: attention and MLP, each reading the residual stream and adding to it.

use candle_core::Tensor;

use super::attention::Attention;
use super::mlp::MlpLayer;
use super::norm::Normalise;
use super::rope::Angles;
use super::{Kernels, Parameters};
use crate::hook::{HookPoint, Site};
use crate::model::tap::tapped;
use crate::model::{DecoderConfig, KvCache, Param, Residual, Result, Tap};

/// What one block needs from the run it is part of.
pub(super) struct Step<'a> {
    pub layer: usize,
    pub angles: Option<&'a Angles>,
    pub mask: Option<&'a Tensor>,
    pub cache: &'a mut KvCache,
    pub tap: &'a mut dyn Tap,
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

    /// Whether the tap wants `site` in this block.
    pub(super) fn wants(&self, site: Site) -> bool {
        self.tap.wants(self.at(site))
    }
}

pub(super) struct Block {
    residual: Residual,
    ln1: Normalise,
    attn: Attention,
    ln2: Normalise,
    mlp: MlpLayer,
}

impl Block {
    pub(super) fn new(
        cfg: &DecoderConfig,
        layer: usize,
        params: &mut dyn Parameters,
        kernels: Kernels,
    ) -> Result<Self> {
        Ok(Self {
            residual: cfg.residual,
            ln1: Normalise::new(cfg, Some(layer), [Param::Ln1Gain, Param::Ln1Bias], params, kernels)?,
            attn: Attention::new(cfg, layer, params, kernels)?,
            ln2: Normalise::new(cfg, Some(layer), [Param::Ln2Gain, Param::Ln2Bias], params, kernels)?,
            mlp: MlpLayer::new(cfg, layer, params, kernels)?,
        })
    }

    /// `x` and the result: `[batch, pos, d_model]`.
    pub(super) fn forward(&self, x: Tensor, step: &mut Step<'_>) -> Result<Tensor> {
        let resid_pre = step.tap(Site::ResidPre, x)?;
        let normed = self.ln1.forward(&resid_pre, [step.at(Site::Ln1Scale), step.at(Site::Ln1Normalized)], step.tap)?;
        let attn_out = self.attn.forward(&normed, step)?;
        let attn_out = step.tap(Site::AttnOut, attn_out)?;
        let resid_mid = match self.residual {
            Residual::Serial => step.tap(Site::ResidMid, (&resid_pre + &attn_out)?)?,
            Residual::Parallel => resid_pre.clone(),
        };
        let normed = self.ln2.forward(&resid_mid, [step.at(Site::Ln2Scale), step.at(Site::Ln2Normalized)], step.tap)?;
        let mlp_out = self.mlp.forward(&normed, step)?;
        let mlp_out = step.tap(Site::MlpOut, mlp_out)?;
        let resid_post = match self.residual {
            Residual::Serial => (resid_mid + mlp_out)?,
            Residual::Parallel => ((resid_mid + attn_out)? + mlp_out)?,
        };
        step.tap(Site::ResidPost, resid_post)
    }
}
