//! Qwen3-MoE: Qwen3 with mixtures of experts.

use super::family::{Family, biases, window_if_used};
use super::gguf_names::Keys;
use super::{Architecture, ConfigError, ConfigReader, Source, names};
use crate::model::checkpoint::gguf::Metadata;
use crate::model::{Affine, DecoderConfig, ExpertWeights, Experts, ParamId, QkNorm};

pub(super) struct Qwen3Moe;

const FAMILY: Family = Family { name: "qwen3_moe", n_kv_heads: Some(4), n_ctx: 32_768, ..Family::LLAMA };

impl Architecture for Qwen3Moe {
    fn name(&self) -> &'static str {
        FAMILY.name
    }

    fn gguf_name(&self) -> Option<&'static str> {
        Some("qwen3moe")
    }

    fn config(&self, reader: &ConfigReader<'_>) -> Result<DecoderConfig, ConfigError> {
        let mut cfg = DecoderConfig { attn_bias: biases(reader, "attention_bias", false)?, ..FAMILY.read(reader)? };
        cfg.attention.qk_norm = QkNorm::Shared(Affine::Gain);
        let window = window_if_used(reader)?;
        for layer in &mut cfg.layers {
            layer.window = window;
        }
        let n_experts = reader.size_or("num_local_experts", Some(128))?;
        cfg.experts = Some(Experts {
            n: reader.size_or("num_experts", Some(n_experts))?,
            n_active: reader.size_or("num_experts_per_tok", Some(8))?,
            d_expert: reader.size_or("moe_intermediate_size", Some(768))?,
            weights: ExpertWeights::of(reader.bool_or("norm_topk_prob", false)?),
            d_shared: None,
        });
        reader.sparse_layers(&mut cfg)?;
        Ok(cfg)
    }

    fn source(&self, id: ParamId, _: &DecoderConfig) -> Option<Source> {
        names::experts(id)
    }

    fn alternative(&self, id: ParamId, _: &DecoderConfig) -> Option<Source> {
        names::fused_experts(id)
    }

    fn gguf_config(&self, meta: &Metadata) -> Option<Result<DecoderConfig, ConfigError>> {
        Some(gguf_config(&Keys::new(self, meta)))
    }
}

// llama.cpp always divides by the sum of the chosen experts' probabilities
fn gguf_config(keys: &Keys<'_>) -> Result<DecoderConfig, ConfigError> {
    let mut cfg = keys.config(&["expert_count"])?;
    cfg.attention.qk_norm = QkNorm::Shared(Affine::Gain);
    let (n, n_active) = keys.expert_counts()?;
    let d_expert = keys.size_or("expert_feed_forward_length", Some(cfg.d_mlp / n_active))?;
    let weights = ExpertWeights::Renormalised;
    keys.experts(&mut cfg, Experts { n, n_active, d_expert, weights, d_shared: None })?;
    Ok(cfg)
}
