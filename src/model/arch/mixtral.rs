//! Mixtral: Mistral with a mixture of experts in every block.

use super::family::Family;
use super::{Architecture, ConfigError, ConfigReader, Source, names};
use crate::model::{DecoderConfig, ExpertWeights, Experts, LayerMlp, Param, ParamId};

pub(super) struct Mixtral;

const FAMILY: Family = Family {
    name: "mixtral",
    n_kv_heads: Some(8),
    n_ctx: 131_072,
    eps: ("rms_norm_eps", 1e-5),
    theta: 1e6,
    ..Family::LLAMA
};

impl Architecture for Mixtral {
    fn name(&self) -> &'static str {
        FAMILY.name
    }

    fn config(&self, reader: &ConfigReader<'_>) -> Result<DecoderConfig, ConfigError> {
        let mut cfg = FAMILY.read(reader)?;
        let window = reader.optional_size("sliding_window", None)?;
        for layer in &mut cfg.layers {
            (layer.window, layer.mlp) = (window, LayerMlp::Sparse);
        }
        cfg.experts = Some(Experts {
            n: reader.size_or("num_local_experts", Some(8))?,
            n_active: reader.size_or("num_experts_per_tok", Some(2))?,
            d_expert: cfg.d_mlp,
            weights: ExpertWeights::Renormalised,
            d_shared: None,
        });
        Ok(cfg)
    }

    fn source(&self, id: ParamId, _: &DecoderConfig) -> Option<Source> {
        let name = match id.param {
            Param::Router => "block_sparse_moe.gate.weight".to_owned(),
            Param::ExpertGate(expert) => format!("block_sparse_moe.experts.{expert}.w1.weight"),
            Param::ExpertIn(expert) => format!("block_sparse_moe.experts.{expert}.w3.weight"),
            Param::ExpertOut(expert) => format!("block_sparse_moe.experts.{expert}.w2.weight"),
            _ => return names::llama(id),
        };
        Some(names::in_model(id, &name))
    }

    fn alternative(&self, id: ParamId, _: &DecoderConfig) -> Option<Source> {
        names::fused_experts(id)
    }
}
