//! A model whose logits come from a script: for tests of everything above the forward pass.

use candle_core::Tensor;

use super::{Activation, CausalLm, DecoderConfig, KvCache, Mlp, Result, Sizes, Tap, Unembed};
use crate::hook::{HookPoint, Site};
use crate::model::tap::tapped;

type Script = dyn Fn(&[u32]) -> Vec<f32> + Send + Sync;

/// Next-token logits as a function of the tokens so far.
///
/// It has one layer of width `d_vocab`, whose residual stream already holds the logits.
pub struct FakeLm {
    cfg: DecoderConfig,
    script: Box<Script>,
}

impl FakeLm {
    /// `script` returns `d_vocab` logits for the tokens so far.
    pub fn new(d_vocab: usize, n_ctx: usize, script: impl Fn(&[u32]) -> Vec<f32> + Send + Sync + 'static) -> Self {
        let sizes =
            Sizes { n_layers: 1, d_model: d_vocab, n_heads: 1, n_kv_heads: 1, d_head: 2, d_mlp: 1, d_vocab, n_ctx };
        let cfg = DecoderConfig {
            mlp: Mlp::Plain(Activation::Relu),
            unembed: Unembed::Tied,
            ..DecoderConfig::plain("fake", sizes)
        };
        Self { cfg, script: Box::new(script) }
    }
}

impl CausalLm for FakeLm {
    fn config(&self) -> &DecoderConfig {
        &self.cfg
    }

    /// The cache keeps the ids themselves, as keys of width one.
    fn forward(&self, ids: &Tensor, cache: &mut KvCache, tap: &mut dyn Tap) -> Result<Tensor> {
        let (batch, n_pos) = ids.dims2()?;
        let new = ids.to_dtype(candle_core::DType::F32)?.reshape((batch, 1, n_pos, 1))?;
        cache.append(0, &new, &new)?;
        let all = cache.at(0)?.map_or(new, |(all, _)| all);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "token ids went in as u32")]
        let all: Vec<u32> = all.flatten_all()?.to_vec1::<f32>()?.into_iter().map(|id| id as u32).collect();
        let length = all.len() / batch.max(1);
        let row = |seen: &[u32]| (length - n_pos..length).flat_map(|last| (self.script)(&seen[..=last])).collect();
        let rows: Vec<Vec<f32>> = all.chunks(length.max(1)).map(row).collect();
        let x = Tensor::from_vec(rows.concat(), (batch, n_pos, self.cfg.d_vocab), ids.device())?;
        tapped(tap, HookPoint::block(0, Site::ResidPost), x)
    }

    fn logits(&self, hidden: &Tensor) -> Result<Tensor> {
        Ok(hidden.clone())
    }

    fn unembed(&self, resid: &Tensor) -> Result<Tensor> {
        Ok(resid.clone())
    }
}
