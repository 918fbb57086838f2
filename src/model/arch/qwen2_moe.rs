//! Qwen2-MoE: Qwen2 with mixtures of experts, one of which every token is sent to.

use super::family::{Family, window_if_used, windows};
use super::gguf_names::Keys;
use super::{Architecture, ConfigError, ConfigReader, Source, names};
use crate::model::checkpoint::gguf::Metadata;
use crate::model::{Bias, DecoderConfig, ExpertWeights, Experts, ParamId};

pub(super) struct Qwen2Moe;

const FAMILY: Family = Family { name: "qwen2_moe", n_kv_heads: Some(16), n_ctx: 32_768, ..Family::LLAMA };

impl Architecture for Qwen2Moe {
    fn name(&self) -> &'static str {
        FAMILY.name
    }

    fn gguf_name(&self) -> Option<&'static str> {
        Some("qwen2moe")
    }

    fn config(&self, reader: &ConfigReader<'_>) -> Result<DecoderConfig, ConfigError> {
        let mut cfg = FAMILY.read(reader)?;
        cfg.attn_bias = if reader.bool_or("qkv_bias", true)? { Bias::In } else { Bias::None };
        let window = window_if_used(reader)?;
        let n_local = reader.count_or("max_window_layers", 28)?;
        windows(reader, &mut cfg, window, |layer| layer % 2 == 0 && layer < n_local)?;
        cfg.experts = Some(Experts {
            n: reader.size_or("num_experts", Some(60))?,
            n_active: reader.size_or("num_experts_per_tok", Some(4))?,
            d_expert: reader.size_or("moe_intermediate_size", Some(1408))?,
            weights: ExpertWeights::of(reader.bool_or("norm_topk_prob", false)?),
            d_shared: Some(reader.size_or("shared_expert_intermediate_size", Some(5632))?),
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

fn gguf_config(keys: &Keys<'_>) -> Result<DecoderConfig, ConfigError> {
    let mut cfg = keys.config(&["expert_count", "expert_shared_feed_forward_length"])?;
    let (n, n_active) = keys.expert_counts()?;
    let experts = Experts {
        n,
        n_active,
        d_expert: keys.size_or("expert_feed_forward_length", Some(cfg.d_mlp / n_active))?,
        weights: ExpertWeights::Probability,
        d_shared: Some(keys.size_or("expert_shared_feed_forward_length", Some(cfg.d_mlp))?),
    };
    keys.experts(&mut cfg, experts)?;
    Ok(cfg)
}
