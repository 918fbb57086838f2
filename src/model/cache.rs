//! Keys and values of the tokens already seen. It belongs to the caller, never to the model.

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
        self.layers.first().and_then(Option::as_ref).map_or(0, |kv| kv.k.dim(2).unwrap_or(0))
    }

    /// Whether nothing is stored.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forgets every position from `len` on.
    pub fn truncate(&mut self, len: usize) -> Result<()> {
        if len >= self.len() {
            return Ok(());
        }
        for layer in &mut self.layers {
            *layer = match layer.take() {
                Some(kv) if len > 0 => {
                    Some(LayerKv { k: kv.k.narrow(2, 0, len)?.contiguous()?, v: kv.v.narrow(2, 0, len)?.contiguous()? })
                }
                _ => None,
            };
        }
        Ok(())
    }

    /// Appends keys and values `[batch, kv_head, pos, d_head]` of new positions and returns all of them.
    pub(crate) fn append(&mut self, layer: usize, k: Tensor, v: Tensor) -> Result<(Tensor, Tensor)> {
        let slot = &mut self.layers[layer];
        let (k, v) = match slot.take() {
            Some(old) => (Tensor::cat(&[&old.k, &k], 2)?, Tensor::cat(&[&old.v, &v], 2)?),
            None => (k, v),
        };
        *slot = Some(LayerKv { k: k.clone(), v: v.clone() });
        Ok((k, v))
    }
}
