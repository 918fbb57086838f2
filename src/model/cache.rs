//! Keys and values of the tokens already seen. It belongs to the caller, never to the model.

use std::ops::Range;

use candle_core::Tensor;

use super::Result;

/// Rotated keys and values per block; cloning it is cheap and makes a branch.
#[derive(Debug, Clone)]
pub struct KvCache {
    layers: Vec<Option<LayerKv>>,
}

#[derive(Debug, Clone)]
struct LayerKv {
    /// `[batch, kv_head, pos, d_head]`, contiguous.
    k: Tensor,
    v: Tensor,
}

impl KvCache {
    /// An empty cache for a model of `n_layers` blocks.
    pub fn new(n_layers: usize) -> Self {
        Self { layers: vec![None; n_layers] }
    }

    /// How many positions are stored.
    pub fn len(&self) -> usize {
        self.len_at(0)
    }

    /// How many positions are stored for one block.
    pub fn len_at(&self, layer: usize) -> usize {
        self.layers.get(layer).and_then(Option::as_ref).map_or(0, |kv| kv.k.dim(2).unwrap_or(0))
    }

    /// Bytes of what is stored.
    pub fn bytes(&self) -> usize {
        let size = |tensor: &Tensor| tensor.elem_count() * tensor.dtype().size_in_bytes();
        self.layers.iter().flatten().map(|kv| size(&kv.k) + size(&kv.v)).sum()
    }

    /// Whether nothing is stored.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forgets every position from `len` on.
    pub fn truncate(&mut self, len: usize) -> Result<()> {
        for layer in 0..self.layers.len() {
            if len >= self.len_at(layer) {
                continue;
            }
            self.layers[layer] = match self.layers[layer].take() {
                Some(kv) if len > 0 => {
                    Some(LayerKv { k: kv.k.narrow(2, 0, len)?.contiguous()?, v: kv.v.narrow(2, 0, len)?.contiguous()? })
                }
                _ => None,
            };
        }
        Ok(())
    }

    /// Keys and values of one block, `[batch, kv_head, pos, d_head]`.
    pub(crate) fn at(&self, layer: usize) -> Option<(&Tensor, &Tensor)> {
        self.layers.get(layer).and_then(Option::as_ref).map(|kv| (&kv.k, &kv.v))
    }

    /// Positions `range` alone.
    pub(super) fn part(&self, range: Range<usize>) -> Result<Self> {
        let narrow = |tensor: &Tensor| tensor.narrow(2, range.start, range.len())?.contiguous();
        let part = |kv: &LayerKv| Ok(LayerKv { k: narrow(&kv.k)?, v: narrow(&kv.v)? });
        let layers = self.layers.iter().map(|kv| kv.as_ref().filter(|_| !range.is_empty()).map(part).transpose());
        Ok(Self { layers: layers.collect::<Result<_>>()? })
    }

    /// How many blocks it is for.
    pub(super) const fn n_layers(&self) -> usize {
        self.layers.len()
    }

    /// Appends keys and values `[batch, kv_head, pos, d_head]` of new positions and returns all of them. What is stored
    /// for one sequence belongs to every one of the batch.
    pub(crate) fn append(&mut self, layer: usize, k: Tensor, v: Tensor) -> Result<(Tensor, Tensor)> {
        let slot = &mut self.layers[layer];
        let (k, v) = match slot.take() {
            Some(old) => (joined(&old.k, &k)?, joined(&old.v, &v)?),
            None => (k, v),
        };
        *slot = Some(LayerKv { k: k.clone(), v: v.clone() });
        Ok((k, v))
    }
}

/// `old` and `new` along the positions, with `old` repeated to the batch of `new`.
fn joined(old: &Tensor, new: &Tensor) -> Result<Tensor> {
    let (batch, n_heads, _, d_head) = new.dims4()?;
    if old.dim(0)? == batch {
        return Ok(Tensor::cat(&[old, new], 2)?);
    }
    let repeated = old.broadcast_as((batch, n_heads, old.dim(2)?, d_head))?.contiguous()?;
    Ok(Tensor::cat(&[&repeated, new], 2)?)
}
