//! `StarCoder2`: Llama's attention, layer norms, plain MLPs, a window on every block.

use super::family::{Family, biases};
use super::gguf_names::Keys;
use super::{Architecture, ConfigError, ConfigReader, Source, names};
use crate::model::checkpoint::gguf::Metadata;
use crate::model::{Affine, DecoderConfig, Mlp, Norm, Param, ParamId};

pub(super) struct Starcoder2;

const FAMILY: Family = Family {
    name: "starcoder2",
    n_kv_heads: Some(2),
    n_ctx: 4096,
    eps: ("norm_epsilon", 1e-5),
    tied: true,
    activation: ("hidden_act", "gelu_pytorch_tanh"),
    ..Family::LLAMA
};

impl Architecture for Starcoder2 {
    fn name(&self) -> &'static str {
        FAMILY.name
    }

    fn gguf_name(&self) -> Option<&'static str> {
        Some("starcoder2")
    }

    fn config(&self, reader: &ConfigReader<'_>) -> Result<DecoderConfig, ConfigError> {
        let base = FAMILY.read(reader)?;
        let bias = biases(reader, "use_bias", true)?;
        let mut cfg = DecoderConfig {
            norm: Norm::Layer { eps: base.norm.eps() },
            affine: Affine::GainBias,
            mlp: Mlp::Plain(base.mlp.activation()),
            attn_bias: bias,
            mlp_bias: bias,
            ..base
        };
        let window = reader.optional_size("sliding_window", None)?;
        for layer in &mut cfg.layers {
            layer.window = window;
        }
        Ok(cfg)
    }

    fn source(&self, id: ParamId, _: &DecoderConfig) -> Option<Source> {
        let name = match id.param {
            Param::In => "mlp.c_fc.weight",
            Param::InBias => "mlp.c_fc.bias",
            Param::Out => "mlp.c_proj.weight",
            Param::OutBias => "mlp.c_proj.bias",
            _ => return names::llama(id),
        };
        Some(names::in_model(id, name))
    }

    fn gguf_config(&self, meta: &Metadata) -> Option<Result<DecoderConfig, ConfigError>> {
        Some(Keys::new(self, meta).config(&[]))
    }
}
