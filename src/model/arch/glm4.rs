//! GLM-4: norms before and after each sublayer, rotation of neighbours in half of each head, a fused gate.

use super::family::{Family, Head, Share};
use super::gguf_names::Keys;
use super::{Architecture, ConfigError, ConfigReader, Source, View, gguf_names, gguf_rope, names};
use crate::model::checkpoint::gguf::Metadata;
use crate::model::{Activation, Bias, DecoderConfig, Mlp, NormPlacement, Pairing, Param, ParamId};

pub(super) struct Glm4;

const FAMILY: Family = Family {
    name: "glm4",
    n_kv_heads: Some(2),
    head: Head::Default(128),
    n_ctx: 131_072,
    eps: ("rms_norm_eps", 1.5625e-7),
    share: Share::Partial(0.5),
    pairing: Pairing::Neighbours,
    ..Family::LLAMA
};

impl Architecture for Glm4 {
    fn name(&self) -> &'static str {
        FAMILY.name
    }

    fn gguf_name(&self) -> Option<&'static str> {
        Some("glm4")
    }

    fn config(&self, reader: &ConfigReader<'_>) -> Result<DecoderConfig, ConfigError> {
        Ok(DecoderConfig {
            placement: NormPlacement::Sandwich,
            attn_bias: if reader.bool_or("attention_bias", true)? { Bias::In } else { Bias::None },
            ..FAMILY.read(reader)?
        })
    }

    fn source(&self, id: ParamId, cfg: &DecoderConfig) -> Option<Source> {
        let gate_up = |first| ("mlp.gate_up_proj.weight", View::Rows { first, of: 2 * cfg.d_mlp });
        let (name, view) = match id.param {
            Param::Ln1PostGain => ("post_self_attn_layernorm.weight", View::Whole),
            Param::Ln2PostGain => ("post_mlp_layernorm.weight", View::Whole),
            Param::Gate => gate_up(0),
            Param::In => gate_up(cfg.d_mlp),
            _ => return names::llama(id),
        };
        Some(names::in_model(id, name).viewed(view))
    }

    fn gguf_config(&self, meta: &Metadata) -> Option<Result<DecoderConfig, ConfigError>> {
        Some(gguf_config(&Keys::new(self, meta)))
    }

    fn gguf_source(&self, id: ParamId, cfg: &DecoderConfig) -> Option<Source> {
        gguf_names::fused_gate(id, cfg)
    }
}

fn gguf_config(keys: &Keys<'_>) -> Result<DecoderConfig, ConfigError> {
    let mut cfg = keys.config(&[])?;
    cfg.placement = NormPlacement::Sandwich;
    cfg.mlp = Mlp::Gated(Activation::Silu);
    gguf_rope::pair_neighbours(&mut cfg);
    Ok(cfg)
}
