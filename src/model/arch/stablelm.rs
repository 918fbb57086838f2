//! `StableLM`: Llama with layer norms, partial rotary positions, and optional norms of each query and key head.

use super::family::{Family, Head, Share};
use super::gguf_names::Keys;
use super::{Architecture, ConfigError, ConfigReader, Source, View, names};
use crate::model::checkpoint::gguf::Metadata;
use crate::model::{Affine, Bias, DecoderConfig, Norm, Param, ParamId, QkNorm, Residual};

pub(super) struct StableLm;

const FAMILY: Family = Family {
    name: "stablelm",
    n_kv_heads: Some(32),
    head: Head::Equal,
    n_ctx: 4096,
    eps: ("layer_norm_eps", 1e-5),
    share: Share::Partial(0.25),
    ..Family::LLAMA
};

impl Architecture for StableLm {
    fn name(&self) -> &'static str {
        FAMILY.name
    }

    fn gguf_name(&self) -> Option<&'static str> {
        Some("stablelm")
    }

    fn config(&self, reader: &ConfigReader<'_>) -> Result<DecoderConfig, ConfigError> {
        let base = FAMILY.read(reader)?;
        let is_parallel = reader.bool_or("use_parallel_residual", false)?;
        let mut cfg = DecoderConfig {
            norm: Norm::Layer { eps: base.norm.eps() },
            affine: Affine::GainBias,
            residual: if is_parallel { Residual::SharedNorm } else { Residual::Serial },
            attn_bias: if reader.bool_or("use_qkv_bias", false)? { Bias::In } else { Bias::None },
            ..base
        };
        if reader.bool_or("qk_layernorm", false)? {
            cfg.attention.qk_norm = QkNorm::PerHead;
        }
        Ok(cfg)
    }

    fn source(&self, id: ParamId, _: &DecoderConfig) -> Option<Source> {
        let name = match id.param {
            Param::QNormGain => "self_attn.q_layernorm.norms.{}.weight",
            Param::KNormGain => "self_attn.k_layernorm.norms.{}.weight",
            _ => return names::llama(id),
        };
        Some(names::in_model(id, name).viewed(View::Heads))
    }

    fn gguf_config(&self, meta: &Metadata) -> Option<Result<DecoderConfig, ConfigError>> {
        Some(gguf_config(&Keys::new(self, meta)))
    }
}

fn gguf_config(keys: &Keys<'_>) -> Result<DecoderConfig, ConfigError> {
    let mut cfg = keys.config(&[])?;
    // llama.cpp goes by the tensor, whatever use_parallel_residual says
    cfg.residual = if keys.has("ffn_norm.weight") { Residual::Serial } else { Residual::SharedNorm };
    if keys.has("attn_q_norm.weight") {
        cfg.attention.qk_norm = QkNorm::PerHead;
    }
    Ok(cfg)
}
