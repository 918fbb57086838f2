//! Keys and values of the tokens already seen. It belongs to the caller, never to the model.

use std::ops::Range;
use std::sync::Arc;

use candle_core::Tensor;

use super::Result;

/// Rotated keys and values per block; cloning it is cheap and makes a branch.
#[derive(Debug, Clone)]
pub struct KvCache {
    layers: Vec<Option<LayerKv>>,
}

#[derive(Debug, Clone)]
struct LayerKv {
    memory: Arc<Memory>,
    /// How many positions are stored.
    len: usize,
}

/// Room for keys and values, of which a clone of a cache may see fewer positions than are there. What one has seen is
/// never written again.
#[derive(Debug)]
struct Memory {
    /// `[batch, kv_head, room, d_head]`, contiguous.
    k: Tensor,
    v: Tensor,
}

/// Keys and values of one block as they lie in memory.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lying<'a> {
    /// How many positions are stored.
    pub len: usize,
    /// `[batch, kv_head, room, d_head]`, contiguous.
    pub k: &'a Tensor,
    /// The same.
    pub v: &'a Tensor,
}

impl LayerKv {
    fn exactly(k: Tensor, v: Tensor) -> Result<Self> {
        let len = k.dim(2)?;
        Ok(Self { memory: Arc::new(Memory { k: k.contiguous()?, v: v.contiguous()? }), len })
    }

    /// Positions `range`.
    fn narrow(&self, range: Range<usize>) -> Result<(Tensor, Tensor)> {
        let narrow = |tensor: &Tensor| tensor.narrow(2, range.start, range.len());
        Ok((narrow(&self.memory.k)?, narrow(&self.memory.v)?))
    }

    fn all(&self) -> Result<(Tensor, Tensor)> {
        self.narrow(0..self.len)
    }

    /// This and new positions; memory that no other cache reads is written where there is room.
    fn grown(mut self, k: &Tensor, v: &Tensor) -> Result<Self> {
        let (batch, _, n, _) = k.dims4()?;
        let (old_batch, _, room, _) = self.memory.k.dims4()?;
        let (old_k, old_v) = self.all()?;
        if k.track_op() || v.track_op() || old_k.track_op() || old_v.track_op() || old_batch != batch {
            return Self::exactly(joined(&old_k, k)?, joined(&old_v, v)?);
        }
        if Arc::get_mut(&mut self.memory).is_none() || self.len + n > room {
            let memory = Memory { k: with_room(&old_k, self.len + n)?, v: with_room(&old_v, self.len + n)? };
            self.memory = Arc::new(memory);
        }
        self.memory.k.slice_set(&k.contiguous()?, 2, self.len)?;
        self.memory.v.slice_set(&v.contiguous()?, 2, self.len)?;
        self.len += n;
        Ok(self)
    }
}

/// A copy of `old` with room for `n` positions and half as many to come.
fn with_room(old: &Tensor, n: usize) -> Result<Tensor> {
    /// Positions that a cache grows by at least.
    const STEP: usize = 32;
    let (batch, n_heads, _, d_head) = old.dims4()?;
    let room = (n + n / 2).next_multiple_of(STEP);
    let memory = Tensor::zeros((batch, n_heads, room, d_head), old.dtype(), old.device())?;
    memory.slice_set(&old.contiguous()?, 2, 0)?;
    Ok(memory)
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
        self.layers.get(layer).and_then(Option::as_ref).map_or(0, |kv| kv.len)
    }

    /// Bytes of what is stored and of the room for more.
    pub fn bytes(&self) -> usize {
        let size = |tensor: &Tensor| tensor.elem_count() * tensor.dtype().size_in_bytes();
        self.layers.iter().flatten().map(|kv| size(&kv.memory.k) + size(&kv.memory.v)).sum()
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
                    let (k, v) = kv.narrow(0..len)?;
                    Some(LayerKv::exactly(k, v)?)
                }
                _ => None,
            };
        }
        Ok(())
    }

    /// Keys and values of one block as they lie in memory.
    pub(super) fn lying(&self, layer: usize) -> Option<Lying<'_>> {
        let kv = self.layers.get(layer)?.as_ref()?;
        Some(Lying { len: kv.len, k: &kv.memory.k, v: &kv.memory.v })
    }

    /// Keys and values of one block, `[batch, kv_head, pos, d_head]`.
    pub(super) fn at(&self, layer: usize) -> Result<Option<(Tensor, Tensor)>> {
        self.layers.get(layer).and_then(Option::as_ref).map(LayerKv::all).transpose()
    }

    /// Positions `range` alone.
    pub(super) fn part(&self, range: Range<usize>) -> Result<Self> {
        let part = |kv: &LayerKv| {
            let (k, v) = kv.narrow(range.clone())?;
            LayerKv::exactly(k, v)
        };
        let layers = self.layers.iter().map(|kv| kv.as_ref().filter(|_| !range.is_empty()).map(part).transpose());
        Ok(Self { layers: layers.collect::<Result<_>>()? })
    }

    /// How many blocks it is for.
    pub(super) const fn n_layers(&self) -> usize {
        self.layers.len()
    }

    /// Appends keys and values `[batch, kv_head, pos, d_head]` of new positions. What is stored for one sequence belongs to
    /// every one of the batch.
    pub(crate) fn append(&mut self, layer: usize, k: &Tensor, v: &Tensor) -> Result<()> {
        let slot = &mut self.layers[layer];
        *slot = Some(match slot.take() {
            Some(old) => old.grown(k, v)?,
            None => LayerKv::exactly(k.clone(), v.clone())?,
        });
        Ok(())
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

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};

    use super::*;

    fn keys(values: &[f32]) -> Tensor {
        Tensor::new(values, &Device::Cpu).unwrap().reshape((1, 1, values.len(), 1)).unwrap()
    }

    fn append(cache: &mut KvCache, values: &[f32]) {
        cache.append(0, &keys(values), &(keys(values) * 10.0).unwrap()).unwrap();
    }

    fn stored(cache: &KvCache) -> Vec<f32> {
        let (k, v) = cache.at(0).unwrap().unwrap();
        assert_eq!(
            (&k * 10.0).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap(),
            v.flatten_all().unwrap().to_vec1::<f32>().unwrap()
        );
        k.flatten_all().unwrap().to_vec1().unwrap()
    }

    #[test]
    fn branches_do_not_see_each_other() {
        let mut one = KvCache::new(1);
        append(&mut one, &[1.0, 2.0]);
        append(&mut one, &[3.0]);
        let (kept, _) = one.at(0).unwrap().unwrap();
        let mut other = one.clone();
        append(&mut one, &[4.0]);
        append(&mut other, &[5.0, 6.0]);
        append(&mut one, &[7.0]);
        assert_eq!((stored(&one), stored(&other)), (vec![1., 2., 3., 4., 7.], vec![1., 2., 3., 5., 6.]));
        let mut short = one.clone();
        short.truncate(2).unwrap();
        append(&mut short, &[8.0]);
        assert_eq!((stored(&short), stored(&one)), (vec![1., 2., 8.], vec![1., 2., 3., 4., 7.]));
        drop(one);
        append(&mut other, &[9.0]);
        assert_eq!(kept.flatten_all().unwrap().to_vec1::<f32>().unwrap(), [1., 2., 3.]);
    }

    #[test]
    fn room_grows_with_what_is_stored() {
        let mut cache = KvCache::new(1);
        let mut grown = 0;
        for n in 0..300u16 {
            let before = cache.bytes();
            append(&mut cache, &[f32::from(n)]);
            grown += usize::from(cache.bytes() != before);
        }
        assert_eq!(stored(&cache), (0..300u16).map(f32::from).collect::<Vec<_>>());
        assert!(grown < 10 && cache.bytes() < 2 * 2 * 300 * DType::F32.size_in_bytes(), "{grown} {}", cache.bytes());
    }

    #[test]
    fn a_batch_goes_on_from_one_sequence() {
        let mut cache = KvCache::new(1);
        append(&mut cache, &[1.0, 2.0]);
        let two = Tensor::new(&[3f32, 4.0], &Device::Cpu).unwrap().reshape((2, 1, 1, 1)).unwrap();
        cache.append(0, &two, &(&two * 10.0).unwrap()).unwrap();
        assert_eq!(stored(&cache), [1., 2., 3., 1., 2., 4.]);
    }
}
