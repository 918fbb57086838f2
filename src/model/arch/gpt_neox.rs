//! GPT-NeoX: Pythia; parallel blocks, partial rotary positions, q, k, v fused head by head.

use super::family::{Family, Head, biases};
use super::gguf_names::Keys;
use super::view::Qkv;
use super::{Architecture, ConfigError, ConfigReader, Source, View, names};
use crate::model::checkpoint::gguf::Metadata;
use crate::model::{
    Activation, Affine, Bias, DecoderConfig, Mlp, Norm, Pairing, Param, ParamId, Positions, Residual, Rope,
};

pub(super) struct GptNeoX;

const FAMILY: Family = Family {
    name: "gpt_neox",
    head: Head::Equal,
    eps: ("layer_norm_eps", 1e-5),
    activation: ("hidden_act", "gelu"),
    ..Family::LLAMA
};

impl Architecture for GptNeoX {
    fn name(&self) -> &'static str {
        "gpt_neox"
    }

    fn gguf_name(&self) -> Option<&'static str> {
        Some("gptneox")
    }

    fn config(&self, reader: &ConfigReader<'_>) -> Result<DecoderConfig, ConfigError> {
        let mut cfg = DecoderConfig {
            affine: Affine::GainBias,
            residual: if reader.bool_or("use_parallel_residual", true)? {
                Residual::Parallel
            } else {
                Residual::Serial
            },
            attn_bias: biases(reader, "attention_bias", true)?,
            mlp_bias: Bias::All,
            ..FAMILY.read_without_positions(reader)?
        };
        (cfg.norm, cfg.mlp) = (Norm::Layer { eps: cfg.norm.eps() }, Mlp::Plain(cfg.mlp.activation()));
        let section = reader.rope_section("rotary_emb_base", "rotary_pct");
        let n_rot = section.n_rot(cfg.d_head, 0.25)?;
        let theta = section.theta(10_000.0)?;
        let scaling = section.scaling(theta, n_rot, cfg.n_ctx)?;
        cfg.positions = Positions::rotary(Rope { theta, n_rot, pairing: Pairing::Halves, scaling });
        Ok(cfg)
    }

    fn prefix(&self) -> &'static str {
        "gpt_neox."
    }

    fn source(&self, id: ParamId, _: &DecoderConfig) -> Option<Source> {
        const WEIGHT: &str = "attention.query_key_value.weight";
        const BIAS: &str = "attention.query_key_value.bias";
        let (name, view) = match id.param {
            Param::Embed => ("embed_in.weight", View::Whole),
            Param::LnFinalGain => ("final_layer_norm.weight", View::Whole),
            Param::LnFinalBias => ("final_layer_norm.bias", View::Whole),
            Param::Unembed => return Some(Source::whole("embed_out.weight".into())),
            Param::Ln1Gain => ("input_layernorm.weight", View::Whole),
            Param::Ln1Bias => ("input_layernorm.bias", View::Whole),
            Param::Ln2Gain => ("post_attention_layernorm.weight", View::Whole),
            Param::Ln2Bias => ("post_attention_layernorm.bias", View::Whole),
            Param::Q => (WEIGHT, View::Grouped(Qkv::Q)),
            Param::K => (WEIGHT, View::Grouped(Qkv::K)),
            Param::V => (WEIGHT, View::Grouped(Qkv::V)),
            Param::QBias => (BIAS, View::Grouped(Qkv::Q)),
            Param::KBias => (BIAS, View::Grouped(Qkv::K)),
            Param::VBias => (BIAS, View::Grouped(Qkv::V)),
            Param::O => ("attention.dense.weight", View::Whole),
            Param::OBias => ("attention.dense.bias", View::Whole),
            Param::In => ("mlp.dense_h_to_4h.weight", View::Whole),
            Param::InBias => ("mlp.dense_h_to_4h.bias", View::Whole),
            Param::Out => ("mlp.dense_4h_to_h.weight", View::Whole),
            Param::OutBias => ("mlp.dense_4h_to_h.bias", View::Whole),
            _ => return None,
        };
        Some(names::tensor(id, "gpt_neox.", "layers.", name).viewed(view))
    }

    fn alternative(&self, id: ParamId, _: &DecoderConfig) -> Option<Source> {
        // transformers 5 writes the head under its common name
        (id.param == Param::Unembed).then(|| Source::whole("lm_head.weight".into()))
    }

    fn ignores(&self, tensor: &str) -> bool {
        let masks = [".attention.bias", ".attention.masked_bias", "rotary_emb.inv_freq"];
        masks.iter().any(|mask| tensor.ends_with(mask)) || tensor == "embed_out.weight" || tensor == "lm_head.weight"
    }

    fn gguf_config(&self, meta: &Metadata) -> Option<Result<DecoderConfig, ConfigError>> {
        Some(gguf_config(&Keys::new(self, meta)))
    }
}

fn gguf_config(keys: &Keys<'_>) -> Result<DecoderConfig, ConfigError> {
    let mut cfg = keys.config(&[])?;
    let is_parallel = keys.flag("use_parallel_residual").unwrap_or(true);
    cfg.residual = if is_parallel { Residual::Parallel } else { Residual::Serial };
    // the file does not say which GELU: the 20B model, of 44 blocks, has the approximation, Pythia the exact one
    if cfg.n_layers != 44 {
        cfg.mlp = Mlp::Plain(Activation::Gelu);
    }
    Ok(cfg)
}
