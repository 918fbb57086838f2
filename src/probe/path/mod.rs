//! Path patching (Wang et al. 2022): what flows from one head or MLP to the receivers, and nothing else.
//!
//! In the first run a sender says what it said in the other run, while every other head, and every MLP where only the
//! direct path is meant, says what it said in the base run; what then reaches the receivers is kept. In the second run
//! the receivers get it, and everything else is computed as always. Senders share sweeps as in a patching grid.

mod figures;
mod receiver;
mod sweep;

pub use self::receiver::{Input, Receiver, Receivers};
use self::sweep::Sweeper;
use super::patching::pair::{Pair, same_length};
use super::patching::{Measure, PatchError};
use crate::hook::Site;
use crate::model::decoder::Decoder;
use crate::model::{CancelToken, CausalLm as _};
use crate::text::{Prompt, Tokenizer};
use crate::trace::TracePlan;

/// What may carry the difference from the sender to the receivers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Through {
    /// The residual stream alone: all other heads and MLPs are frozen.
    #[default]
    Direct,
    /// The residual stream and MLPs: all other heads are frozen.
    Mlps,
}

/// Who sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sender {
    /// The block.
    pub layer: usize,
    /// The head; the MLP where there is none.
    pub head: Option<usize>,
}

/// What one sender does through the paths.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PathEffect {
    /// The sender.
    pub sender: Sender,
    /// The metric after both runs.
    pub value: f64,
}

/// Which paths are patched, and what is measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Where paths end.
    pub receivers: Receivers,
    /// What may lie on them.
    pub through: Through,
    /// Which run is patched, and what is measured.
    pub measure: Measure,
}

/// All paths that end at some receivers.
pub struct Paths<'a> {
    lm: &'a Decoder,
    request: Request,
    pair: Pair,
}

impl<'a> Paths<'a> {
    /// Runs both prompts.
    ///
    /// # Errors
    /// Prompts that cannot be compared, and receivers that the model does not have.
    pub fn new(
        lm: &'a Decoder,
        tokenizer: &Tokenizer,
        prompts: [&Prompt; 2],
        request: Request,
        cancel: &CancelToken,
    ) -> Result<Self, PatchError> {
        same_length(tokenizer, prompts)?;
        Self::of_ids(lm, prompts.map(|prompt| prompt.ids.as_slice()), request, cancel)
    }

    /// The same of token ids, equally many.
    pub fn of_ids(
        lm: &'a Decoder,
        prompts: [&[u32]; 2],
        request: Request,
        cancel: &CancelToken,
    ) -> Result<Self, PatchError> {
        request.receivers.check(lm.config())?;
        let mut sites = vec![Site::ResidPre, Site::Z, Site::MlpOut];
        sites.extend(request.receivers.sites());
        let plan = TracePlan::sites(lm.config(), &sites);
        let pair = Pair::new(lm, prompts, request.measure, &plan, cancel)?;
        Ok(Self { lm, request, pair })
    }

    /// What was asked for.
    pub const fn request(&self) -> &Request {
        &self.request
    }

    /// Every head and MLP in a layer before the last receiver's, and those of its own layer where that is an MLP which
    /// reads what attention has written.
    pub fn senders(&self) -> Vec<Sender> {
        let (cfg, receivers) = (self.lm.config(), &self.request.receivers);
        let end = match receivers.last_layer() {
            Some(last) if receivers.has_mlp_of(last) && !cfg.residual.is_parallel() => last + 1,
            Some(last) => last,
            None => cfg.n_layers,
        };
        let heads = (0..cfg.n_heads).map(Some).chain([None]);
        (0..end).flat_map(|layer| heads.clone().map(move |head| Sender { layer, head })).collect()
    }

    /// The effect of every sender; `tell` hears of each as soon as it is known, with how many there are.
    ///
    /// # Errors
    /// [`is_cancelled`](PatchError::is_cancelled) soon after `cancel` is set; what was told remains true.
    pub fn run(
        &self,
        cancel: &CancelToken,
        tell: &mut dyn FnMut(PathEffect, usize),
    ) -> Result<Vec<PathEffect>, PatchError> {
        let senders = self.senders();
        let start = self.pair.first_difference();
        let sweeper = Sweeper { lm: self.lm, pair: &self.pair, request: &self.request, start, cancel };
        let mut effects = Vec::with_capacity(senders.len());
        for batch in senders.chunks(self.pair.batch(start)) {
            cancel.check()?;
            for (&sender, logits) in batch.iter().zip(sweeper.run(batch)?) {
                let effect = PathEffect { sender, value: self.pair.metric.of(&logits) };
                tell(effect, senders.len());
                effects.push(effect);
            }
        }
        Ok(effects)
    }
}
