//! Several sequences in one forward pass: their rows share every product with a matrix, and each attends to its own past.
//!
//! What one of them gets is what it gets alone, bit for bit: see [`attend`](super::attend) and
//! [`least_rows`](crate::model::least_rows).

use std::ops::Deref;

use candle_core::{DType, Device, Layout, Storage, Tensor};

use super::attend::{Piece, Seen, Shared, Tile};
use super::backward::floats;
use super::block::Attend;
use super::tiles::attend_all;
use crate::model::{DecoderConfig, Result, Stretch};

/// The sequences of one forward pass, whose rows come one after the other.
pub(super) struct Strands<'a, 's> {
    stretches: &'a mut [Stretch<'s>],
    /// Of all sequences with their past.
    longest: usize,
    /// `[head, key]` of the longest sequence.
    biases: Option<Vec<f32>>,
}

impl<'a, 's> Strands<'a, 's> {
    pub(super) fn new(stretches: &'a mut [Stretch<'s>], cfg: &DecoderConfig) -> Self {
        let longest = stretches.iter().map(|one| one.branch.len() + one.ids.len()).max().unwrap_or(0);
        Self { stretches, longest, biases: super::mask::biases(cfg, longest) }
    }

    /// The longest sequence, its past included.
    pub(super) const fn longest(&self) -> usize {
        self.longest
    }

    /// The tokens of all rows, and their positions.
    pub(super) fn tokens(&self) -> Vec<(u32, usize)> {
        let of = |one: &Stretch<'_>| one.ids.iter().copied().zip(one.branch.len()..).collect::<Vec<_>>();
        self.stretches.iter().flat_map(of).collect()
    }

    /// Appends `k` and `v` `[1, row, kv_head, d_head]` to the branches.
    fn append(&mut self, layer: usize, k: &Tensor, v: &Tensor) -> Result<()> {
        let (_, _, n_heads, d) = k.dims4()?;
        let (k, v) = (in_f32(k)?, in_f32(v)?);
        let (k, v) = (held(&k), held(&v));
        let (k, v) = (k.floats()?, v.floats()?);
        let mut at = 0;
        for stretch in &mut *self.stretches {
            let rows = at..at + stretch.ids.len();
            at = rows.end;
            let own = |all: &[f32]| {
                let mut own = Vec::with_capacity(rows.len() * n_heads * d);
                for head in 0..n_heads {
                    rows.clone().for_each(|row| own.extend_from_slice(&all[(row * n_heads + head) * d..][..d]));
                }
                Tensor::from_vec(own, (1, n_heads, rows.len(), d), &Device::Cpu)
            };
            stretch.branch.append(layer, &own(k)?, &own(v)?)?;
        }
        Ok(())
    }
}

impl Attend for Strands<'_, '_> {
    fn attend(&mut self, layer: usize, heads: Shared<'_>, [q, k, v]: [&Tensor; 3]) -> Result<Tensor> {
        self.append(layer, k, v)?;
        let heads = Shared { biases: self.biases.as_deref(), ..heads };
        let past = self.stretches.iter().map(|one| one.branch.pieces(layer));
        let past: Vec<Vec<_>> = past
            .map(|pieces| pieces.into_iter().map(|(start, kv)| (start, kv.len, held(kv.k), held(kv.v))).collect())
            .collect();
        let queries = in_f32(q)?;
        let queries = held(&queries);
        let mut queries = queries.floats()?;
        let mut out = vec![0f32; queries.len()];
        let mut rest = out.as_mut_slice();
        let width = heads.n_heads * heads.d_head;
        let mut sequences = Vec::with_capacity(past.len());
        for (stretch, past) in self.stretches.iter().zip(&past) {
            let n = stretch.ids.len();
            let (q, later) = queries.split_at(n * width);
            let (out, rest_of_out) = rest.split_at_mut(n * width);
            (queries, rest) = (later, rest_of_out);
            let pieces = past
                .iter()
                .map(|(start, n_pos, k, v)| Ok(Piece { start: *start, n_pos: *n_pos, k: k.floats()?, v: v.floats()? }));
            let pieces = pieces.collect::<Result<Vec<_>>>()?;
            sequences.push(Tile { heads, first: stretch.branch.len() - n, q, pieces, out, seen: Seen::default() });
        }
        attend_all(sequences);
        Ok(Tensor::from_vec(out, q.shape(), &Device::Cpu)?.to_dtype(q.dtype())?)
    }
}

/// A tensor that is being read.
pub(super) struct Held<'a, S> {
    storage: S,
    layout: &'a Layout,
}

pub(super) fn held(tensor: &Tensor) -> Held<'_, impl Deref<Target = Storage> + '_> {
    let (storage, layout) = tensor.storage_and_layout();
    Held { storage, layout }
}

impl<S: Deref<Target = Storage>> Held<'_, S> {
    pub(super) fn floats(&self) -> Result<&[f32]> {
        match &*self.storage {
            Storage::Cpu(storage) => Ok(floats(storage, self.layout, "attention")?),
            Storage::Cuda(_) | Storage::Metal(_) => {
                Err(candle_core::Error::Msg("attention needs the CPU".into()).bt().into())
            }
        }
    }
}

/// A copy only where a tensor is of another type or not in order.
fn in_f32(tensor: &Tensor) -> Result<Tensor> {
    Ok(tensor.to_dtype(DType::F32)?.contiguous()?)
}
