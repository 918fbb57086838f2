//! GPT-J: parallel blocks behind one layer norm, rotation of neighbouring dimensions, a bias on the logits.

use super::family::tied;
use super::{Architecture, ConfigError, ConfigReader, Source, names};
use crate::model::{
    Affine, Bias, DecoderConfig, Mlp, Norm, Pairing, Param, ParamId, Positions, Residual, Rope, RopeScaling, Sizes,
};

pub(super) struct GptJ;

impl Architecture for GptJ {
    fn name(&self) -> &'static str {
        "gptj"
    }

    fn config(&self, reader: &ConfigReader<'_>) -> Result<DecoderConfig, ConfigError> {
        let (d_model, n_heads) = (reader.size("n_embd")?, reader.size("n_head")?);
        let sizes = Sizes {
            n_layers: reader.size("n_layer")?,
            d_model,
            n_heads,
            n_kv_heads: n_heads,
            d_head: d_model / n_heads,
            d_mlp: reader.size_or("n_inner", Some(4 * d_model))?,
            d_vocab: reader.size("vocab_size")?,
            n_ctx: reader.size_or("n_positions", Some(2048))?,
        };
        // null would take the frequencies of another width
        let n_rot = reader.optional_size("rotary_dim", Some(64))?;
        let n_rot = n_rot.ok_or_else(|| ConfigError::unsupported("rotary_dim", "null", "a number"))?;
        let rope = Rope { theta: 10_000.0, n_rot, pairing: Pairing::Neighbours, scaling: RopeScaling::Default };
        let mut cfg = DecoderConfig {
            norm: Norm::Layer { eps: reader.number_or("layer_norm_epsilon", 1e-5)? },
            affine: Affine::GainBias,
            positions: Positions::rotary(rope),
            mlp: Mlp::Plain(reader.activation("activation_function", "gelu_new")?),
            residual: Residual::SharedNorm,
            unembed: tied(reader, false)?,
            mlp_bias: Bias::All,
            ..DecoderConfig::plain(self.name(), sizes)
        };
        cfg.logits.bias = Bias::All;
        Ok(cfg)
    }

    fn prefix(&self) -> &'static str {
        "transformer."
    }

    fn source(&self, id: ParamId, _: &DecoderConfig) -> Option<Source> {
        let name = match id.param {
            Param::Embed => "wte.weight",
            Param::LnFinalGain => "ln_f.weight",
            Param::LnFinalBias => "ln_f.bias",
            Param::Unembed => return Some(Source::whole("lm_head.weight".into())),
            Param::UnembedBias => return Some(Source::whole("lm_head.bias".into())),
            Param::Ln1Gain => "ln_1.weight",
            Param::Ln1Bias => "ln_1.bias",
            Param::Q => "attn.q_proj.weight",
            Param::K => "attn.k_proj.weight",
            Param::V => "attn.v_proj.weight",
            Param::O => "attn.out_proj.weight",
            Param::In => "mlp.fc_in.weight",
            Param::InBias => "mlp.fc_in.bias",
            Param::Out => "mlp.fc_out.weight",
            Param::OutBias => "mlp.fc_out.bias",
            _ => return None,
        };
        Some(names::tensor(id, "transformer.", "h.", name))
    }

    fn ignores(&self, tensor: &str) -> bool {
        tensor.ends_with(".attn.bias") || tensor.ends_with(".attn.masked_bias") || tensor == "lm_head.weight"
    }
}
