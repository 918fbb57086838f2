//! Both runs of path patching for many senders at once.

use std::collections::BTreeMap;

use candle_core::Tensor;

use super::{Receiver, Receivers, Request, Sender, Through};
use crate::hook::{HookPoint, Site};
use crate::intervene::change;
use crate::model::decoder::Decoder;
use crate::model::{CancelToken, CausalLm as _, Result, Tap};
use crate::probe::patching::PatchError;
use crate::probe::patching::pair::Pair;
use crate::trace::Trace;

/// What all sweeps share.
pub(super) struct Sweeper<'a> {
    pub lm: &'a Decoder,
    pub pair: &'a Pair,
    pub request: &'a Request,
    /// The first position at which the prompts differ.
    pub start: usize,
    pub cancel: &'a CancelToken,
}

impl Sweeper<'_> {
    /// Logits `[d_vocab]` at the last position for each sender; senders are ordered by layer.
    pub(super) fn run(&self, senders: &[Sender]) -> Result<Vec<Vec<f32>>, PatchError> {
        let (resid, received) = self.send(senders)?;
        match &self.request.receivers {
            Receivers::Logits => self.logits(&resid),
            Receivers::Parts(parts) => self.logits(&self.receive(parts, &received, senders.len())?),
        }
    }

    /// The first run: the residual stream after the last block that matters, and what reached each receiver.
    fn send(&self, senders: &[Sender]) -> Result<(Tensor, Received), PatchError> {
        let n_layers = self.lm.config().n_layers;
        let end = self.request.receivers.last_layer().map_or(n_layers, |last| last + 1);
        let mut received = Received::default();
        let mut cache = self.pair.cache(self.start)?;
        let first = senders.first().map_or(0, |sender| sender.layer);
        let mut x = self.rows(first, 0)?;
        let mut joined = 0;
        for layer in first..end {
            let new = senders[joined..].iter().take_while(|sender| sender.layer == layer).count();
            let rows = self.rows(layer, new)?;
            x = if joined == 0 { rows } else { Tensor::cat(&[&x, &rows.to_dtype(x.dtype())?], 0)? };
            let tap = Frozen {
                request: self.request,
                z: self.both(HookPoint::block(layer, Site::Z))?,
                mlp_out: self.both(HookPoint::block(layer, Site::MlpOut))?,
                joined,
                new: &senders[joined..joined + new],
                received: &mut received,
            };
            x = self.lm.blocks(layer..layer + 1, x, &mut cache, &mut (self.cancel.clone(), tap))?;
            joined += new;
        }
        Ok((x, received))
    }

    /// The second run: the receivers get what reached them; senders after a receiver's layer sent it nothing.
    fn receive(&self, parts: &[Receiver], received: &Received, n: usize) -> Result<Tensor, PatchError> {
        let layer = self.request.receivers.first_layer().unwrap_or(0);
        let mut cache = self.pair.cache(self.start)?;
        let tap = Put { parts, received };
        let rows = self.rows(layer, n)?;
        let layers = layer..self.lm.config().n_layers;
        Ok(self.lm.blocks(layers, rows, &mut cache, &mut (self.cancel.clone(), tap))?)
    }

    /// `n` rows of the base run's residual stream before `layer`.
    fn rows(&self, layer: usize, n: usize) -> Result<Tensor, PatchError> {
        let resid = self.of(self.pair.base(), HookPoint::block(layer, Site::ResidPre))?;
        let (_, n_pos, d_model) = resid.dims3()?;
        Ok(resid.broadcast_as((n, n_pos, d_model))?.contiguous()?)
    }

    /// A run's activation from the start on, `[1, pos, ..]`.
    fn of(&self, run: &Trace, at: HookPoint) -> Result<Tensor, PatchError> {
        let whole = run.get(at)?;
        Ok(whole.narrow(0, self.start, self.pair.n_pos() - self.start)?.unsqueeze(0)?)
    }

    /// An activation of the base run and of the other one.
    fn both(&self, at: HookPoint) -> Result<[Tensor; 2], PatchError> {
        Ok([self.of(self.pair.base(), at)?, self.of(self.pair.source(), at)?])
    }

    fn logits(&self, resid: &Tensor) -> Result<Vec<Vec<f32>>, PatchError> {
        let last = resid.narrow(1, resid.dim(1)? - 1, 1)?.contiguous()?;
        Ok(self.lm.unembed(&last)?.squeeze(1)?.to_vec2()?)
    }
}

/// What reached the receivers, a row a sender; fewer rows where later senders did not reach them.
type Received = BTreeMap<HookPoint, Tensor>;

/// Holds everything but the senders to the base run, and keeps what reaches the receivers.
struct Frozen<'a> {
    request: &'a Request,
    /// Heads and MLPs of this layer in the base and in the other run.
    z: [Tensor; 2],
    mlp_out: [Tensor; 2],
    /// Rows that joined in earlier layers.
    joined: usize,
    /// Senders of this layer.
    new: &'a [Sender],
    received: &'a mut Received,
}

impl Frozen<'_> {
    /// The base run's values for every row, with those of the senders of this layer in theirs.
    fn heads(&self, x: &Tensor) -> Result<Tensor> {
        let [base, source] = in_type_of(x, &self.z)?;
        let mut rows = vec![repeated(&base, self.joined, x)?];
        for sender in self.new {
            rows.push(match sender.head {
                None => base.clone(),
                Some(head) => {
                    change(&base, 1, &[0..base.dim(1)?, head..head + 1], &|_| Ok(source.narrow(2, head, 1)?))?
                }
            });
        }
        joined(&rows)
    }

    /// The same for MLPs; those that lie on a path are computed.
    fn mlps(&self, x: &Tensor) -> Result<Tensor> {
        let [base, source] = in_type_of(x, &self.mlp_out)?;
        let computed = |row, n| x.narrow(0, row, n);
        let mut rows = vec![match self.request.through {
            Through::Direct => repeated(&base, self.joined, x)?,
            Through::Mlps => computed(0, self.joined)?,
        }];
        for (index, sender) in self.new.iter().enumerate() {
            rows.push(match (sender.head, self.request.through) {
                (None, _) => source.clone(),
                (Some(_), Through::Direct) => base.clone(),
                (Some(_), Through::Mlps) => computed(self.joined + index, 1)?,
            });
        }
        joined(&rows)
    }
}

/// What was recorded, in the number type of `x`.
fn in_type_of(x: &Tensor, [base, source]: &[Tensor; 2]) -> Result<[Tensor; 2]> {
    Ok([base.to_dtype(x.dtype())?, source.to_dtype(x.dtype())?])
}

fn repeated(base: &Tensor, n: usize, like: &Tensor) -> Result<Tensor> {
    let mut shape = like.dims().to_vec();
    shape[0] = n;
    Ok(base.broadcast_as(shape)?.contiguous()?)
}

fn joined(rows: &[Tensor]) -> Result<Tensor> {
    let rows: Vec<&Tensor> = rows.iter().filter(|row| row.dims()[0] > 0).collect();
    Ok(Tensor::cat(&rows, 0)?)
}

impl Tap for Frozen<'_> {
    fn wants(&self, at: HookPoint) -> bool {
        matches!(at.site(), Site::Z | Site::MlpOut) || self.receives(at)
    }

    fn visit(&mut self, at: HookPoint, x: Tensor) -> Result<Tensor> {
        if self.receives(at) {
            self.received.insert(at, x.clone());
        }
        match at.site() {
            Site::Z => self.heads(&x),
            Site::MlpOut => self.mlps(&x),
            _ => Ok(x),
        }
    }
}

impl Frozen<'_> {
    /// Whether this is what a receiver reads.
    fn receives(&self, at: HookPoint) -> bool {
        self.request.receivers.parts().iter().any(|part| part.hook() == at)
    }
}

/// Gives receivers what reached them.
struct Put<'a> {
    parts: &'a [Receiver],
    received: &'a Received,
}

impl Tap for Put<'_> {
    fn wants(&self, at: HookPoint) -> bool {
        self.received.contains_key(&at)
    }

    fn visit(&mut self, at: HookPoint, x: Tensor) -> Result<Tensor> {
        let Some(received) = self.received.get(&at) else { return Ok(x) };
        let rows = 0..received.dim(0)?;
        let all = 0..x.dim(1)?;
        self.parts.iter().filter(|part| part.hook() == at).try_fold(x, |x, part| match part.head() {
            None => change(&x, 0, std::slice::from_ref(&rows), &|_| Ok(received.clone())),
            Some(head) => {
                let new = received.narrow(2, head, 1)?;
                change(&x, 0, &[rows.clone(), all.clone(), head..head + 1], &|_| Ok(new.clone()))
            }
        })
    }
}
