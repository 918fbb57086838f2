//! THE FORWARD PASS: one decoder for every architecture.
//!
//! It offers [`CausalLm`], what a decoder computes as data ([`DecoderConfig`]), and [`Tap`], the one way to look into
//! a forward pass or to change it. It never knows who is tapping, and names no architecture outside [`arch`].

pub mod arch;
mod branch;
mod cache;
mod cancel;
pub mod checkpoint;
mod config;
pub mod decoder;
mod dtype;
mod error;
mod fake;
pub mod header;
pub mod json;
mod limits;
pub mod load;
mod loading;
pub mod logits;
pub mod memory;
mod param;
pub mod sample;
pub mod source;
mod tap;
mod words;

use candle_core::Tensor;

pub use self::branch::{Branch, SEAM, Stretch, least_rows, logits_of, one_by_one};
pub use self::cache::KvCache;
pub use self::cancel::CancelToken;
pub use self::config::{
    Activation, Affine, Alibi, Attention, Bias, DecoderConfig, EmbedNorm, Embedding, ExpertWeights, Experts, FinalNorm,
    LayerConfig, LayerMlp, LayerRope, Logits, Mlp, Norm, NormPlacement, Pairing, Positions, QkNorm, Residual, Rope,
    RopeScaling, Sizes, Unembed,
};
pub use self::dtype::Dtype;
pub use self::error::{Error, Result};
pub use self::fake::FakeLm;
pub use self::loading::{LoadOptions, Loading};
pub use self::param::{Param, ParamId};
pub use self::tap::{NoTap, Tap};
pub use self::words::Fact;
pub use lmscope_kernel as kernel;

/// A causal language model: token ids in, a distribution over the next token out, at every position.
pub trait CausalLm: Send + Sync {
    /// Sizes and axes.
    fn config(&self) -> &DecoderConfig;

    /// Runs `ids` `[batch, pos]` (u32) after the positions in `cache`, which grows by `pos`.
    ///
    /// Returns the residual stream after the final norm, `[batch, pos, d_model]`, for [`logits`](Self::logits).
    ///
    /// # Errors
    /// [`Error::TooLong`] if the sequence exceeds the context; whatever the tap returns.
    fn forward(&self, ids: &Tensor, cache: &mut KvCache, tap: &mut dyn Tap) -> Result<Tensor>;

    /// Next-token logits `[.., d_vocab]` in f32, of what [`forward`](Self::forward) returned, or of some of its positions.
    fn logits(&self, hidden: &Tensor) -> Result<Tensor>;

    /// Logits `[.., d_vocab]` of a raw residual stream `[.., d_model]`: final norm, with statistics of `resid`
    /// itself, then the unembedding. At the last layer's `hook_resid_post` it equals the model's logits.
    fn unembed(&self, resid: &Tensor) -> Result<Tensor>;

    /// Runs several stretches together, each after its own branch, which grows by it.
    ///
    /// Returns what [`forward`](Self::forward) does, `[pos, d_model]`, of all stretches one after the other. What a
    /// position gets depends on the tokens before it alone, and not on what is run beside it, if every stretch begins
    /// and ends at a multiple of [`seam`](Self::seam) or at a place that the sequence itself decides on.
    ///
    /// # Errors
    /// [`Error::TooLong`] if a sequence exceeds the context; [`Error::Cancelled`].
    fn forward_all(&self, stretches: &mut [Stretch<'_>], cancel: &CancelToken) -> Result<Tensor> {
        one_by_one(self, stretches, cancel)
    }

    /// Sequences may be cut at multiples of this without a change of any bit.
    fn seam(&self) -> usize {
        SEAM
    }

    /// A cache for a new sequence.
    fn new_cache(&self) -> KvCache {
        KvCache::new(self.config().n_layers)
    }
}

/// `ids` as the tensor `[1, pos]` that [`CausalLm::forward`] takes.
pub fn ids_tensor(ids: &[u32]) -> Result<Tensor> {
    Ok(Tensor::new(ids, &candle_core::Device::Cpu)?.unsqueeze(0)?)
}

/// Next-token logits `[d_vocab]` after the last of `ids`, which are run after the positions in `cache`.
pub fn last_logits(lm: &dyn CausalLm, ids: &[u32], cache: &mut KvCache, tap: &mut dyn Tap) -> Result<Vec<f32>> {
    let hidden = lm.forward(&ids_tensor(ids)?, cache, tap)?;
    let last = hidden.narrow(1, ids.len().saturating_sub(1), 1)?;
    Ok(lm.logits(&last)?.flatten_all()?.to_vec1()?)
}
