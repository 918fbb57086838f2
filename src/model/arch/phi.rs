//! Phi-1 and Phi-2: parallel blocks behind one layer norm, partial rotary positions, a bias on the logits.

use super::family::{Family, Share};
use super::gguf_names::Keys;
use super::{Architecture, ConfigError, ConfigReader, Source, names};
use crate::model::checkpoint::gguf::Metadata;
use crate::model::{Affine, Bias, DecoderConfig, Mlp, Norm, Param, ParamId, QkNorm, Residual};

pub(super) struct Phi;

const FAMILY: Family = Family {
    name: "phi",
    eps: ("layer_norm_eps", 1e-5),
    share: Share::Partial(0.5),
    activation: ("hidden_act", "gelu_new"),
    ..Family::LLAMA
};

impl Architecture for Phi {
    fn name(&self) -> &'static str {
        FAMILY.name
    }

    fn gguf_name(&self) -> Option<&'static str> {
        Some("phi2")
    }

    fn config(&self, reader: &ConfigReader<'_>) -> Result<DecoderConfig, ConfigError> {
        let base = FAMILY.read(reader)?;
        let mut cfg = DecoderConfig {
            norm: Norm::Layer { eps: base.norm.eps() },
            affine: Affine::GainBias,
            mlp: Mlp::Plain(base.mlp.activation()),
            residual: Residual::SharedNorm,
            attn_bias: Bias::All,
            mlp_bias: Bias::All,
            ..base
        };
        cfg.logits.bias = Bias::All;
        if reader.bool_or("qk_layernorm", false)? {
            cfg.attention.qk_norm = QkNorm::Shared(Affine::GainBias);
        }
        Ok(cfg)
    }

    fn source(&self, id: ParamId, _: &DecoderConfig) -> Option<Source> {
        let name = match id.param {
            Param::LnFinalGain => "final_layernorm.weight",
            Param::LnFinalBias => "final_layernorm.bias",
            Param::O => "self_attn.dense.weight",
            Param::OBias => "self_attn.dense.bias",
            Param::QNormGain => "self_attn.q_layernorm.weight",
            Param::QNormBias => "self_attn.q_layernorm.bias",
            Param::KNormGain => "self_attn.k_layernorm.weight",
            Param::KNormBias => "self_attn.k_layernorm.bias",
            Param::In => "mlp.fc1.weight",
            Param::InBias => "mlp.fc1.bias",
            Param::Out => "mlp.fc2.weight",
            Param::OutBias => "mlp.fc2.bias",
            _ => return names::llama(id),
        };
        Some(names::in_model(id, name))
    }

    fn gguf_config(&self, meta: &Metadata) -> Option<Result<DecoderConfig, ConfigError>> {
        Some(gguf_config(&Keys::new(self, meta)))
    }
}

fn gguf_config(keys: &Keys<'_>) -> Result<DecoderConfig, ConfigError> {
    Ok(DecoderConfig { residual: Residual::SharedNorm, ..keys.config(&[])? })
}
