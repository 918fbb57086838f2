//! What the GGUF files of many architectures have in common, as llama.cpp's converter writes them.

use super::{ConfigError, Source, View};
use crate::model::checkpoint::gguf::Metadata;
use crate::model::{DecoderConfig, Mlp, Norm, Pairing, Param, ParamId, Positions, Rope, RopeScaling, Sizes, Unembed};

/// The metadata of one architecture, whose keys begin with its name.
pub(super) struct Keys<'a> {
    meta: &'a Metadata<'a>,
    name: &'static str,
}

impl<'a> Keys<'a> {
    /// The metadata of the architecture `name`.
    pub(super) const fn new(meta: &'a Metadata<'a>, name: &'static str) -> Self {
        Self { meta, name }
    }

    fn key(&self, key: &str) -> String {
        format!("{}.{key}", self.name)
    }

    /// A positive whole number, or `default` where the key is absent.
    pub(super) fn size_or(&self, key: &str, default: Option<usize>) -> Result<usize, ConfigError> {
        self.meta.size_or(&self.key(key), default)
    }

    /// A positive whole number.
    pub(super) fn size(&self, key: &str) -> Result<usize, ConfigError> {
        self.meta.size(&self.key(key))
    }

    /// A number, if the key is there.
    pub(super) fn number(&self, key: &str) -> Result<Option<f64>, ConfigError> {
        let key = self.key(key);
        self.meta.has_key(&key).then(|| self.meta.number_or(&key, 0.0)).transpose()
    }

    /// Sizes, norms, rotary positions and gated MLPs, as Llama's file has them.
    pub(super) fn config(&self) -> Result<DecoderConfig, ConfigError> {
        if self.size_or("expert_count", Some(1))? > 1 {
            return Err(ConfigError::unsupported(&self.key("expert_count"), self.size("expert_count")?, "no experts"));
        }
        let sizes = self.sizes()?;
        let norm = match self.number("attention.layer_norm_rms_epsilon")? {
            Some(eps) => Norm::Rms { eps },
            None => Norm::Layer { eps: self.number("attention.layer_norm_epsilon")?.unwrap_or(1e-5) },
        };
        Ok(DecoderConfig {
            norm,
            positions: Positions::rotary(self.rope(&sizes)?),
            mlp: Mlp::Gated(crate::model::Activation::Silu),
            unembed: if self.meta.has_tensor("output.weight") { Unembed::Own } else { Unembed::Tied },
            ..DecoderConfig::plain(self.name, sizes)
        })
    }

    fn sizes(&self) -> Result<Sizes, ConfigError> {
        let (d_model, n_heads) = (self.size("embedding_length")?, self.size("attention.head_count")?);
        Ok(Sizes {
            n_layers: self.size("block_count")?,
            d_model,
            n_heads,
            n_kv_heads: self.size_or("attention.head_count_kv", Some(n_heads))?,
            d_head: self.size_or("attention.key_length", Some(d_model / n_heads))?,
            d_mlp: self.size("feed_forward_length")?,
            d_vocab: self.meta.rows("token_embd.weight")?,
            n_ctx: self.size("context_length")?,
        })
    }

    fn rope(&self, sizes: &Sizes) -> Result<Rope, ConfigError> {
        let n_rot = self.size_or("rope.dimension_count", Some(sizes.d_head))?;
        let theta = self.number("rope.freq_base")?.unwrap_or(10_000.0);
        let kind = self.key("rope.scaling.type");
        let scaling = match (self.meta.text(&kind), self.meta.rope_divisors()?) {
            (_, Some(divisors)) => RopeScaling::Divisors(divisors),
            (None | Some("none"), None) => RopeScaling::Default,
            (Some("linear"), None) => {
                RopeScaling::Linear { factor: self.number("rope.scaling.factor")?.unwrap_or(1.0) }
            }
            (Some(other), None) => return Err(ConfigError::unsupported(&kind, other, "none or linear")),
        };
        Ok(Rope { theta, n_rot, pairing: Pairing::Halves, scaling })
    }
}

/// Where a GGUF file keeps a parameter, whatever its architecture.
pub(super) fn source(id: ParamId) -> Option<Source> {
    let name = match id.param {
        Param::Embed => "token_embd.weight",
        Param::EmbedNormGain => "token_embd_norm.weight",
        Param::EmbedNormBias => "token_embd_norm.bias",
        Param::PosEmbed => "position_embd.weight",
        Param::LnFinalGain => "output_norm.weight",
        Param::LnFinalBias => "output_norm.bias",
        Param::Unembed => "output.weight",
        Param::UnembedBias => "output.bias",
        Param::Ln1Gain => "attn_norm.weight",
        Param::Ln1Bias => "attn_norm.bias",
        Param::Ln1PostGain => "post_attention_norm.weight",
        Param::Ln2Gain => "ffn_norm.weight",
        Param::Ln2Bias => "ffn_norm.bias",
        Param::Ln2PostGain => "post_ffw_norm.weight",
        Param::Q => "attn_q.weight",
        Param::QBias => "attn_q.bias",
        Param::K => "attn_k.weight",
        Param::KBias => "attn_k.bias",
        Param::V => "attn_v.weight",
        Param::VBias => "attn_v.bias",
        Param::QNormGain => "attn_q_norm.weight",
        Param::KNormGain => "attn_k_norm.weight",
        Param::O => "attn_output.weight",
        Param::OBias => "attn_output.bias",
        Param::Gate => "ffn_gate.weight",
        Param::In => "ffn_up.weight",
        Param::InBias => "ffn_up.bias",
        Param::Out => "ffn_down.weight",
        Param::OutBias => "ffn_down.bias",
        _ => return None,
    };
    Some(Source::whole(match id.layer {
        Some(layer) => format!("blk.{layer}.{name}"),
        None => name.to_owned(),
    }))
}

/// The same where the converter has interleaved the rows of `W_Q` and `W_K` for its rotation.
pub(super) fn interleaved(id: ParamId) -> Option<Source> {
    let source = source(id)?;
    Some(match id.param {
        Param::Q | Param::K | Param::QBias | Param::KBias => source.viewed(View::Uninterleaved),
        _ => source,
    })
}
