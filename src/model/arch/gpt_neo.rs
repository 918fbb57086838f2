//! GPT-Neo: GPT-2's blocks with unscaled scores, every second of them with a window.

use serde_json::Value;

use super::family::tied;
use super::{Architecture, ConfigError, ConfigReader, Source, names};
use crate::model::{Affine, Bias, DecoderConfig, Mlp, Norm, Param, ParamId, Positions, Sizes};

pub(super) struct GptNeo;

impl Architecture for GptNeo {
    fn name(&self) -> &'static str {
        "gpt_neo"
    }

    fn config(&self, reader: &ConfigReader<'_>) -> Result<DecoderConfig, ConfigError> {
        let (d_model, n_heads) = (reader.size("hidden_size")?, reader.size("num_heads")?);
        let n_layers = reader.size("num_layers")?;
        let sizes = Sizes {
            n_layers,
            d_model,
            n_heads,
            n_kv_heads: n_heads,
            d_head: d_model / n_heads,
            d_mlp: reader.size_or("intermediate_size", Some(4 * d_model))?,
            d_vocab: reader.size("vocab_size")?,
            n_ctx: reader.size_or("max_position_embeddings", Some(2048))?,
        };
        let mut cfg = DecoderConfig {
            norm: Norm::Layer { eps: reader.number_or("layer_norm_epsilon", 1e-5)? },
            affine: Affine::GainBias,
            positions: Positions::Learned,
            mlp: Mlp::Plain(reader.activation("activation_function", "gelu_new")?),
            unembed: tied(reader, true)?,
            attn_bias: Bias::Out,
            mlp_bias: Bias::All,
            ..DecoderConfig::plain(self.name(), sizes)
        };
        let window = reader.size_or("window_size", Some(256))?;
        let local = local_layers(reader, n_layers)?;
        for (layer, local) in cfg.layers.iter_mut().zip(local) {
            layer.scale = 1.0;
            layer.window = local.then_some(window);
        }
        Ok(cfg)
    }

    fn prefix(&self) -> &'static str {
        "transformer."
    }

    fn source(&self, id: ParamId, _: &DecoderConfig) -> Option<Source> {
        let name = match id.param {
            Param::Embed => "wte.weight",
            Param::PosEmbed => "wpe.weight",
            Param::LnFinalGain => "ln_f.weight",
            Param::LnFinalBias => "ln_f.bias",
            Param::Unembed => return Some(Source::whole("lm_head.weight".into())),
            Param::Ln1Gain => "ln_1.weight",
            Param::Ln1Bias => "ln_1.bias",
            Param::Ln2Gain => "ln_2.weight",
            Param::Ln2Bias => "ln_2.bias",
            Param::Q => "attn.attention.q_proj.weight",
            Param::K => "attn.attention.k_proj.weight",
            Param::V => "attn.attention.v_proj.weight",
            Param::O => "attn.attention.out_proj.weight",
            Param::OBias => "attn.attention.out_proj.bias",
            Param::In => "mlp.c_fc.weight",
            Param::InBias => "mlp.c_fc.bias",
            Param::Out => "mlp.c_proj.weight",
            Param::OutBias => "mlp.c_proj.bias",
            _ => return None,
        };
        Some(names::tensor(id, "transformer.", "h.", name))
    }

    fn ignores(&self, tensor: &str) -> bool {
        let masks = [".attn.attention.bias", ".attn.attention.masked_bias"];
        masks.iter().any(|mask| tensor.ends_with(mask)) || tensor == "lm_head.weight"
    }
}

/// `attention_types`: lists of kinds, each with how often it is repeated.
fn local_layers(reader: &ConfigReader<'_>, n_layers: usize) -> Result<Vec<bool>, ConfigError> {
    const FIELD: &str = "attention_types";
    let Some(value) = reader.get(FIELD) else { return Ok((0..n_layers).map(|layer| layer % 2 == 1).collect()) };
    let is_local = |kind: &Value| match kind.as_str() {
        Some("global") => Some(false),
        Some("local") => Some(true),
        _ => None,
    };
    let group = |group: &Value| {
        let kinds: Vec<bool> = group.get(0)?.as_array()?.iter().map(is_local).collect::<Option<_>>()?;
        let times = usize::try_from(group.get(1)?.as_u64()?).ok().filter(|&times| times <= n_layers)?;
        Some(kinds.repeat(times))
    };
    let groups = value.as_array().and_then(|groups| groups.iter().map(group).collect::<Option<Vec<_>>>());
    let layers = groups.map(|groups| groups.concat()).filter(|layers| layers.len() == n_layers);
    layers.ok_or_else(|| ConfigError::unsupported(FIELD, value, format!("global or local for {n_layers} layers")))
}
