//! Decoders that are wrong in one way each: the law that forbids it must fail.

use std::collections::BTreeSet;

use candle_core::{DType, Tensor};
use lmscope::hook::{HookPoint, Site};
use lmscope::model::checkpoint::Arithmetic;
use lmscope::model::{CausalLm, DecoderConfig, KvCache, Result, Tap};
use lmscope::verify::{INVARIANTS, Verdict, small_ids};

use super::verify_as;
use crate::support::{load, project};

/// One way of being wrong, and the law that forbids it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// A NaN is born in the first MLP.
    NotANumber,
    /// Attention weights do not sum to 1.
    HeavyRows,
    /// Attention weights sum to 1, on later positions.
    RowsLookAhead,
    /// Something is written into the stream that no hook shows.
    HiddenWrite,
    /// `hook_result` lacks a head that `attn_out` has.
    DroppedHead,
    /// What the MLP writes is no sum over its neurons.
    BentMlp,
    /// The lens unembeds otherwise than the model.
    WrongUnembed,
    /// A cached position is lost.
    ForgetfulCache,
    /// Sequences of a batch see each other.
    MixedBatch,
    /// The forward pass notices that someone looks at z.
    Shy,
    /// A later layer looks at the tokens again.
    SecondEmbedding,
    /// The stream of the last position reaches all others.
    Future,
    /// One token has all the probability and more.
    InfiniteLogit,
    /// There are fewer logits than tokens.
    ShortLogits,
}

const FAULTS: &[(Fault, &str)] = &[
    (Fault::NotANumber, "finite"),
    (Fault::HeavyRows, "pattern-rows"),
    (Fault::RowsLookAhead, "pattern-rows"),
    (Fault::HiddenWrite, "residual-sum"),
    (Fault::DroppedHead, "head-sum"),
    (Fault::BentMlp, "neuron-sum"),
    (Fault::HiddenWrite, "dla-sum"),
    (Fault::WrongUnembed, "lens-is-logits"),
    (Fault::ForgetfulCache, "cached-is-uncached"),
    (Fault::MixedBatch, "batch-is-single"),
    (Fault::Shy, "patch-own-is-noop"),
    (Fault::SecondEmbedding, "patch-first-residual"),
    (Fault::Future, "causal-cone"),
    (Fault::InfiniteLogit, "probabilities"),
    (Fault::ShortLogits, "probabilities"),
];

struct Broken<'a> {
    lm: &'a dyn CausalLm,
    fault: Fault,
}

impl CausalLm for Broken<'_> {
    fn config(&self) -> &DecoderConfig {
        self.lm.config()
    }

    fn forward(&self, ids: &Tensor, cache: &mut KvCache, tap: &mut dyn Tap) -> Result<Tensor> {
        if self.fault == Fault::ForgetfulCache {
            cache.truncate(cache.len().saturating_sub(1))?;
        }
        let hidden = self.lm.forward(ids, cache, &mut Spoil { tap, fault: self.fault, ids })?;
        if self.fault == Fault::MixedBatch && ids.dim(0)? > 1 {
            return Ok(hidden.broadcast_add(&(hidden.mean_keepdim(0)? * 0.01)?)?);
        }
        Ok(hidden)
    }

    fn logits(&self, hidden: &Tensor) -> Result<Tensor> {
        let logits = self.lm.logits(hidden)?;
        let last = logits.rank() - 1;
        let n = logits.dim(last)?;
        Ok(match self.fault {
            Fault::InfiniteLogit => {
                let rest = logits.narrow(last, 1, n - 1)?;
                Tensor::cat(&[(logits.narrow(last, 0, 1)?.ones_like()? * f64::INFINITY)?, rest], last)?
            }
            Fault::ShortLogits => logits.narrow(last, 0, n - 1)?.contiguous()?,
            _ => logits,
        })
    }

    fn unembed(&self, resid: &Tensor) -> Result<Tensor> {
        let logits = self.lm.unembed(resid)?;
        Ok(if self.fault == Fault::WrongUnembed { (logits * 1.000_001)? } else { logits })
    }
}

/// Spoils activations before or after the tap sees them.
struct Spoil<'a> {
    tap: &'a mut dyn Tap,
    fault: Fault,
    /// `[batch, pos]`.
    ids: &'a Tensor,
}

impl Spoil<'_> {
    /// The site that is spoilt, in block 1.
    fn site(&self) -> Option<Site> {
        match self.fault {
            Fault::NotANumber | Fault::SecondEmbedding | Fault::BentMlp => Some(Site::MlpOut),
            Fault::HeavyRows | Fault::RowsLookAhead => Some(Site::Pattern),
            Fault::HiddenWrite => Some(Site::AttnOut),
            Fault::DroppedHead => Some(Site::Result),
            Fault::Shy => Some(Site::Z),
            Fault::Future => Some(Site::ResidPre),
            _ => None,
        }
    }

    fn is_here(&self, at: HookPoint) -> bool {
        // these two behave as long as nobody looks
        let needs_a_look = matches!(self.fault, Fault::DroppedHead | Fault::Shy);
        at.layer() == Some(1) && self.site() == Some(at.site()) && (!needs_a_look || self.tap.wants(at))
    }

    fn spoil(&self, x: &Tensor) -> Result<Tensor> {
        Ok(match self.fault {
            Fault::NotANumber => (x * f64::NAN)?,
            Fault::HeavyRows => (x * 1.01)?,
            Fault::RowsLookAhead => x.flip(&[3])?,
            // not the same in every dimension: a layer norm would take it out again
            Fault::HiddenWrite => {
                let n = x.dim(2)?;
                let write: Vec<f32> = (0u8..).map(|dim| f32::from(dim % 5) * 0.01).take(n).collect();
                x.broadcast_add(&Tensor::from_vec(write, n, x.device())?)?
            }
            Fault::BentMlp => (x + (x.sqr()? * 0.1)?)?,
            Fault::DroppedHead => {
                let n = x.dim(2)?;
                Tensor::cat(&[x.narrow(2, 0, 1)?.zeros_like()?, x.narrow(2, 1, n - 1)?], 2)?
            }
            Fault::Shy => (x * 1.01)?,
            Fault::SecondEmbedding => {
                // not the same in every dimension: a layer norm would take it out again
                let ids = (self.ids.to_dtype(DType::F32)? * 0.01)?.unsqueeze(2)?;
                x.broadcast_mul(&(ids + 1.0)?)?
            }
            Fault::Future => x.broadcast_add(&(x.narrow(1, x.dim(1)? - 1, 1)? * 0.01)?)?,
            _ => x.clone(),
        })
    }
}

impl Tap for Spoil<'_> {
    fn wants(&self, at: HookPoint) -> bool {
        self.tap.wants(at) || self.is_here(at)
    }

    fn visit(&mut self, at: HookPoint, x: Tensor) -> Result<Tensor> {
        let here = self.is_here(at);
        let behind_the_tap = self.fault == Fault::HiddenWrite;
        let x = if here && !behind_the_tap { self.spoil(&x)? } else { x };
        let x = if self.tap.wants(at) { self.tap.visit(at, x)? } else { x };
        if here && behind_the_tap { self.spoil(&x) } else { Ok(x) }
    }
}

#[test]
fn every_fault_breaks_the_law_that_forbids_it() {
    for name in ["tiny-llama", "tiny-gpt2", "tiny-gpt-neox"] {
        let model = load(&project("fixtures/models").join(name));
        for &(fault, law) in FAULTS {
            let broken = Broken { lm: &model.decoder, fault };
            let report = verify_as(&broken, &model.decoder, &small_ids(model.config.d_vocab), Arithmetic::Exact);
            let check = report.checks.iter().find(|check| check.name == law).unwrap();
            assert_eq!(check.verdict, Verdict::Fails, "{name} {fault:?}: {check:?}");
            assert!(check.at.is_some(), "{name} {fault:?} says where: {check:?}");
        }
    }
}

#[test]
fn every_law_has_a_fault_that_breaks_it() {
    let broken: BTreeSet<&str> = FAULTS.iter().map(|(_, law)| *law).collect();
    let laws: BTreeSet<&str> = INVARIANTS.iter().map(|invariant| invariant.name()).collect();
    assert_eq!(broken, laws);
}

#[test]
fn the_place_of_a_fault_is_named() {
    let model = load(&project("fixtures/models/tiny-llama"));
    let at = |fault| {
        let broken = Broken { lm: &model.decoder, fault };
        let report = verify_as(&broken, &model.decoder, &small_ids(model.config.d_vocab), Arithmetic::Exact);
        report.failed().next().and_then(|check| check.at.clone()).unwrap()
    };
    assert_eq!(at(Fault::NotANumber), "blocks.1.hook_mlp_out");
    assert!(at(Fault::HiddenWrite).starts_with("blocks.1.hook_resid_post [pos "), "{}", at(Fault::HiddenWrite));
    assert!(at(Fault::RowsLookAhead).starts_with("blocks.1.attn.hook_pattern [head "));
    assert!(at(Fault::Shy).starts_with("patched attn.hook_z: logits [pos "), "{}", at(Fault::Shy));
}
