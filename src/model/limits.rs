//! How large a configuration may make a decoder, decided before its parts are listed in memory.

use serde_json::Value;

use super::DecoderConfig;
use super::arch::ConfigError;
use super::checkpoint::gguf::Metadata;

/// Blocks of a decoder. The deepest published ones have some hundred and thirty.
const MAX_LAYERS: u64 = 4096;

/// Tensors that a decoder may consist of, where every head and every expert could have its own. The largest mixtures of
/// experts stay below a hundred thousand; names and problems of so many take some 60 MB.
pub(super) const MAX_TENSORS: usize = 1 << 18;

/// Tensors of a block besides those of its heads and experts, at most.
const TENSORS_PER_BLOCK: usize = 40;

/// What a configuration calls its architecture.
pub(super) fn model_type(json: &Value) -> Result<&str, ConfigError> {
    const FIELD: &str = "model_type";
    let value = json.get(FIELD).ok_or_else(|| ConfigError::Missing { field: FIELD.into() })?;
    value.as_str().ok_or_else(|| ConfigError::unsupported(FIELD, value, "the name of an architecture"))
}

/// Refuses a number of blocks that no model has. Architectures call it by different names, but all say `layer`.
pub(super) fn check_layers(json: &Value) -> Result<(), ConfigError> {
    let fields = json.as_object().into_iter().flatten();
    let mut counts = fields.filter(|(field, _)| field.ends_with("layer") || field.ends_with("layers"));
    match counts.find(|(_, value)| value.as_f64().is_some_and(|n| n > MAX_LAYERS as f64)) {
        Some((field, value)) => Err(ConfigError::unsupported(field, value, expected())),
        None => Ok(()),
    }
}

/// The same for the metadata of a GGUF file.
pub(super) fn check_gguf_layers(meta: &Metadata<'_>, architecture: &str) -> Result<(), ConfigError> {
    let key = format!("{architecture}.block_count");
    match meta.integer(&key) {
        Some(n) if n.unsigned_abs() > MAX_LAYERS => Err(ConfigError::unsupported(&key, n, expected())),
        Some(_) | None => Ok(()),
    }
}

fn expected() -> String {
    format!("1 to {MAX_LAYERS}")
}

/// How many tensors a decoder could consist of, if that is more than any has.
pub(super) fn too_many_tensors(cfg: &DecoderConfig) -> Option<usize> {
    let n_experts = cfg.experts.map_or(0, |experts| experts.n);
    let per_block = [cfg.n_heads, cfg.n_kv_heads, n_experts.saturating_mul(3)];
    let per_block = per_block.into_iter().fold(TENSORS_PER_BLOCK, usize::saturating_add);
    Some(per_block.saturating_mul(cfg.n_layers)).filter(|&n| n > MAX_TENSORS)
}
