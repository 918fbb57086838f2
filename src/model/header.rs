//! What the headers of a checkpoint say: every tensor with its class, type and size. No weight is read.

use std::collections::HashMap;

use serde::Serialize;

use super::arch::Source;
use super::checkpoint::{Arithmetic, Checkpoint, Computing, Held, held, n_bytes, plan, tensors};
use super::decoder::bytes_at_work;
use super::kernel::Matrix;
use super::load::{Described, LoadError, fingerprint, stored_types};
use super::{DecoderConfig, Dtype, ParamId};

/// A model as its headers describe it.
#[derive(Debug, Clone)]
pub struct Header {
    /// Sizes and axes.
    pub config: DecoderConfig,
    /// Types of the matrices, such as `Q4_1+Q8_0`.
    pub stored: String,
    /// The same as that of the loaded model.
    pub fingerprint: String,
    /// Every tensor in the files, in the order of its name.
    pub tensors: Vec<StoredTensor>,
    /// Bytes of the weights in memory, where kernels multiply in f32 and otherwise.
    loaded: [ByArithmetic; 2],
}

/// What the weights take in memory, exact, on demand and fast.
type ByArithmetic = [Loaded; 3];

/// What the weights take in memory, by what is done with quantised ones.
#[derive(Debug, Clone, Copy, Default)]
struct Loaded {
    /// Numbers on their own.
    dense: u64,
    /// Bytes of those that are held as they are stored.
    stored: u64,
    /// Bytes of those that are packed for kernels.
    packed: u64,
    /// Bytes of what is dequantised at a time.
    at_work: u64,
    /// Whether products round what they multiply these with.
    rounds: bool,
}

/// A tensor in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredTensor {
    /// The checkpoint's name for it.
    pub name: String,
    /// What it is for.
    pub class: TensorClass,
    /// The number type, such as `F16` or `Q4_1`.
    pub dtype: String,
    /// Its shape in the file.
    pub shape: Vec<usize>,
    /// How many numbers it holds.
    pub n_params: u64,
    /// The bytes it takes.
    pub n_bytes: u64,
}

/// What a tensor is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TensorClass {
    /// Tokens and positions in.
    Embedding,
    /// Queries, keys, values and the output projection.
    Attention,
    /// The other sublayer.
    Mlp,
    /// Gains and biases of the norms.
    Norm,
    /// Logits out; absent where the embedding serves twice.
    Unembedding,
    /// In the file, and read by no one.
    Unused,
}

impl TensorClass {
    /// Every class.
    pub const ALL: [Self; 6] =
        [Self::Embedding, Self::Attention, Self::Mlp, Self::Norm, Self::Unembedding, Self::Unused];

    /// The name for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Embedding => "embedding",
            Self::Attention => "attention",
            Self::Mlp => "mlp",
            Self::Norm => "norm",
            Self::Unembedding => "unembedding",
            Self::Unused => "unused",
        }
    }

    /// The class of a parameter, from the module that its name begins with.
    fn of(parameter: &str) -> Self {
        match parameter.split('.').next().unwrap_or_default() {
            "embed" | "pos_embed" => Self::Embedding,
            "attn" => Self::Attention,
            "mlp" => Self::Mlp,
            "unembed" => Self::Unembedding,
            _ => Self::Norm,
        }
    }
}

impl Header {
    /// Reads the headers of a checkpoint.
    ///
    /// # Errors
    /// [`LoadError::Tensors`] with all missing, unused and misshapen tensors together, as loading would.
    pub(super) fn read(config: &DecoderConfig, file: Described<'_>) -> Result<Self, LoadError> {
        let plan = plan(config, file.checkpoint, file.names)?;
        let loaded = [Dtype::F32, Dtype::Bf16].map(|dtype| {
            let all = [Arithmetic::Exact, Arithmetic::OnDemand, Arithmetic::Fast];
            all.map(|arithmetic| loaded_weights(config, file.checkpoint, &plan, Computing { arithmetic, dtype }))
        });
        let mut classes = HashMap::new();
        for (id, source) in &plan {
            // a tensor that several parameters share counts where it is first needed
            for tensor in tensors(source, &id.param.shape(config)) {
                classes.entry(tensor).or_insert_with(|| TensorClass::of(&id.param.name()));
            }
        }
        let mut names = file.checkpoint.names();
        names.sort();
        let stored = |name: String| StoredTensor {
            class: classes.get(&name).copied().unwrap_or(TensorClass::Unused),
            dtype: file.checkpoint.dtype(&name).unwrap_or_default(),
            n_params: file.checkpoint.shape(&name).unwrap_or_default().into_iter().map(|n| n as u64).product(),
            shape: file.checkpoint.shape(&name).unwrap_or_default(),
            n_bytes: file.checkpoint.n_bytes(&name).unwrap_or(0),
            name,
        };
        Ok(Self {
            stored: stored_types(file.checkpoint),
            fingerprint: fingerprint(file.checkpoint, file.identity),
            tensors: names.into_iter().map(stored).collect(),
            config: config.clone(),
            loaded,
        })
    }

    /// Bytes of the weights in memory once they are loaded.
    ///
    /// Matrices of blocks that there are kernels for are packed in f32 arithmetic. Exact arithmetic holds every other
    /// parameter in `dtype`; on demand, those of blocks are held as they are stored, and what is dequantised at a time comes
    /// on top. Fast arithmetic holds those as they are stored that can be multiplied like that.
    pub const fn n_bytes_loaded(&self, arithmetic: Arithmetic, dtype: Dtype) -> u64 {
        let Loaded { dense, stored, packed, at_work, .. } = self.loaded(arithmetic, dtype);
        let numbers = dense.saturating_mul(dtype.size() as u64);
        numbers.saturating_add(stored).saturating_add(packed).saturating_add(at_work)
    }

    /// Whether fast arithmetic rounds anything that exact arithmetic does not.
    pub const fn has_fast_products(&self) -> bool {
        self.loaded(Arithmetic::Fast, Dtype::F32).rounds
    }

    const fn loaded(&self, arithmetic: Arithmetic, dtype: Dtype) -> Loaded {
        let [with_kernels, others] = self.loaded;
        let [exact, on_demand, fast] = if matches!(dtype, Dtype::F32) { with_kernels } else { others };
        match arithmetic {
            Arithmetic::Exact => exact,
            Arithmetic::OnDemand => on_demand,
            Arithmetic::Fast => fast,
        }
    }
}

fn loaded_weights(
    config: &DecoderConfig,
    checkpoint: &dyn Checkpoint,
    plan: &[(ParamId, Source)],
    how: Computing,
) -> Loaded {
    let mut loaded = Loaded::default();
    for (id, source) in plan {
        let shape = id.param.shape(config);
        match held(config, checkpoint, *id, source, how) {
            Held::Dense => loaded.dense += shape.into_iter().map(|n| n as u64).product::<u64>(),
            Held::Stored => {
                loaded.stored += n_bytes(config, checkpoint, *id, source);
                loaded.at_work = loaded.at_work.max(bytes_at_work(shape[0], shape[1]));
                loaded.rounds |= how.arithmetic == Arithmetic::Fast;
            }
            Held::Packed(blocks) => {
                loaded.packed += Matrix::n_bytes_stored(blocks, [shape[0], shape[1]]).unwrap_or(0);
                loaded.rounds |= how.arithmetic == Arithmetic::Fast;
            }
        }
    }
    if how.arithmetic == Arithmetic::OnDemand { loaded } else { Loaded { at_work: 0, ..loaded } }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Param;

    #[test]
    fn a_parameter_belongs_to_the_module_that_its_name_begins_with() {
        let cases = [
            (Param::Embed, TensorClass::Embedding),
            (Param::PosEmbed, TensorClass::Embedding),
            (Param::Q, TensorClass::Attention),
            (Param::OBias, TensorClass::Attention),
            (Param::Gate, TensorClass::Mlp),
            (Param::Ln1Gain, TensorClass::Norm),
            (Param::LnFinalBias, TensorClass::Norm),
            (Param::Unembed, TensorClass::Unembedding),
        ];
        for (param, class) in cases {
            assert_eq!(TensorClass::of(&param.name()), class, "{}", param.name());
        }
    }
}
