//! What an MLP writes is the sum of what its neurons write, and a bias.
//!
//! The even neurons alone and the odd ones alone write, together, what all of them do and the bias once more; with no
//! neuron the bias is left. Every block is given the untouched residual stream in every run. Where a norm follows the
//! MLP, the sum is that of what goes into the norm.

use std::collections::BTreeMap;

use candle_core::{D, Tensor};

use super::{Invariant, Measured, Rounding, Scale, Tolerance};
use crate::hook::{HookPoint, Site};
use crate::model::{Norm, Result, Tap};
use crate::verify::Subject;
use crate::verify::worst::{Place, Worst};

pub(super) struct NeuronSum;

impl Invariant for NeuronSum {
    fn name(&self) -> &'static str {
        "neuron-sum"
    }

    fn about(&self) -> &'static str {
        "mlp_out is the sum of what every neuron of mlp.hook_post writes, plus the output bias"
    }

    fn tolerance(&self) -> Tolerance {
        Tolerance::relative(1e-5)
    }

    fn rounding(&self) -> Rounding {
        Rounding::Breaks
    }

    fn measure(&self, subject: &Subject<'_>) -> Result<Measured> {
        let cfg = subject.lm.config();
        if !cfg.hook_points().iter().any(|at| at.site() == Site::MlpPost) {
            return Ok(Measured::NotApplicable("experts split every MLP of this model".into()));
        }
        if cfg.placement.is_after() && matches!(cfg.norm, Norm::Layer { .. }) {
            return Ok(Measured::NotApplicable("a layer norm after the MLP takes the mean away".into()));
        }
        let run = |kept, untouched: &BTreeMap<HookPoint, Tensor>| {
            let mut tap = Neurons { kept, after_norm: cfg.placement.is_after(), untouched, seen: Seen::default() };
            subject.watch(&mut tap).map(|()| tap.seen)
        };
        let all = run(Kept::All, &BTreeMap::new())?;
        let [even, odd, none] = [Kept::Even, Kept::Odd, Kept::None].map(|kept| run(kept, &all.out));
        let (even, odd, none) = (even?.raw, odd?.raw, none?.raw);
        let mut worst = Worst::default();
        for (at, all) in &all.raw {
            let sum = ((&even[at] + &odd[at])? - &none[at])?;
            worst.compare(&sum, all, Scale::PositionMax, Place::stream(&at.to_string()))?;
        }
        Ok(worst.measured())
    }
}

/// Which neurons write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Kept {
    #[default]
    All,
    Even,
    Odd,
    None,
}

impl Kept {
    fn keeps(self, neuron: usize) -> bool {
        match self {
            Self::All => true,
            Self::Even => neuron.is_multiple_of(2),
            Self::Odd => neuron % 2 == 1,
            Self::None => false,
        }
    }
}

/// What a run showed, `[pos, d_model]`, by the hook of the MLP's output.
#[derive(Default)]
struct Seen {
    /// What the output projection puts out.
    raw: BTreeMap<HookPoint, Tensor>,
    /// What is added to the residual stream.
    out: BTreeMap<HookPoint, Tensor>,
    /// What the norm after the MLP divides by.
    scale: Option<Tensor>,
}

/// Lets some neurons write, notes what is written, and puts the untouched output in its place.
struct Neurons<'a> {
    kept: Kept,
    after_norm: bool,
    untouched: &'a BTreeMap<HookPoint, Tensor>,
    seen: Seen,
}

impl Neurons<'_> {
    fn mask(&self, post: &Tensor) -> Result<Tensor> {
        let n = post.dim(D::Minus1)?;
        let mask: Vec<f32> = (0..n).map(|neuron| if self.kept.keeps(neuron) { 1.0 } else { 0.0 }).collect();
        let mask = Tensor::from_vec(mask, n, post.device())?.to_dtype(post.dtype())?;
        Ok(post.broadcast_mul(&mask)?)
    }
}

impl Tap for Neurons<'_> {
    fn wants(&self, at: HookPoint) -> bool {
        match at.site() {
            Site::MlpPost | Site::MlpOut => true,
            Site::Ln2PostScale | Site::Ln2PostNormalized => self.after_norm,
            _ => false,
        }
    }

    fn visit(&mut self, at: HookPoint, x: Tensor) -> Result<Tensor> {
        let out = HookPoint::block(at.layer().unwrap_or(0), Site::MlpOut);
        match at.site() {
            Site::MlpPost if self.kept != Kept::All => return self.mask(&x),
            Site::Ln2PostScale => self.seen.scale = Some(x.clone()),
            Site::Ln2PostNormalized => {
                if let Some(scale) = self.seen.scale.take() {
                    self.seen.raw.insert(out, x.broadcast_mul(&scale)?.squeeze(0)?);
                }
            }
            Site::MlpOut => {
                if !self.after_norm {
                    self.seen.raw.insert(out, x.squeeze(0)?);
                }
                self.seen.out.insert(out, x.squeeze(0)?);
                if let Some(untouched) = self.untouched.get(&out) {
                    return Ok(untouched.unsqueeze(0)?);
                }
            }
            _ => {}
        }
        Ok(x)
    }
}
