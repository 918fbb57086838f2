//! OPT: learned positions two rows into their table, norms before or on the residual stream.

use super::family::{biases, tied};
use super::{Architecture, ConfigError, ConfigReader, Source, View, names};
use crate::model::{
    Affine, DecoderConfig, EmbedNorm, Embedding, FinalNorm, Mlp, Norm, NormPlacement, Param, ParamId, Positions, Sizes,
};

pub(super) struct Opt;

/// Rows of the position table before the first position.
const OFFSET: usize = 2;

impl Architecture for Opt {
    fn name(&self) -> &'static str {
        "opt"
    }

    fn config(&self, reader: &ConfigReader<'_>) -> Result<DecoderConfig, ConfigError> {
        let (d_model, n_heads) = (reader.size("hidden_size")?, reader.size("num_attention_heads")?);
        let is_before = reader.bool_or("do_layer_norm_before", true)?;
        let is_last = is_before && !reader.bool_or("_remove_final_layer_norm", false)?;
        let width = reader.optional_size("word_embed_proj_dim", None)?.filter(|&width| width != d_model);
        let sizes = Sizes {
            n_layers: reader.size("num_hidden_layers")?,
            d_model,
            n_heads,
            n_kv_heads: n_heads,
            d_head: d_model / n_heads,
            d_mlp: reader.size_or("ffn_dim", Some(3072))?,
            d_vocab: reader.size("vocab_size")?,
            n_ctx: reader.size_or("max_position_embeddings", Some(2048))?,
        };
        let bias = biases(reader, "enable_bias", true)?;
        let affine = reader.bool_or("layer_norm_elementwise_affine", true)?;
        Ok(DecoderConfig {
            norm: Norm::Layer { eps: 1e-5 },
            affine: if affine { Affine::GainBias } else { Affine::None },
            placement: if is_before { NormPlacement::Pre } else { NormPlacement::Residual },
            final_norm: if is_last { FinalNorm::Own } else { FinalNorm::None },
            embedding: Embedding { scale: 1.0, norm: EmbedNorm::None, width },
            positions: Positions::Learned,
            mlp: Mlp::Plain(reader.activation("activation_function", "relu")?),
            unembed: tied(reader, true)?,
            attn_bias: bias,
            mlp_bias: bias,
            ..DecoderConfig::plain(self.name(), sizes)
        })
    }

    fn source(&self, id: ParamId, cfg: &DecoderConfig) -> Option<Source> {
        let name = match id.param {
            Param::Embed => "embed_tokens.weight",
            Param::ProjectIn => "project_in.weight",
            Param::ProjectOut => "project_out.weight",
            Param::PosEmbed => "embed_positions.weight",
            Param::LnFinalGain => "final_layer_norm.weight",
            Param::LnFinalBias => "final_layer_norm.bias",
            Param::Unembed => return Some(Source::whole("lm_head.weight".into())),
            Param::Ln1Gain => "self_attn_layer_norm.weight",
            Param::Ln1Bias => "self_attn_layer_norm.bias",
            Param::Ln2Gain => "final_layer_norm.weight",
            Param::Ln2Bias => "final_layer_norm.bias",
            Param::Q => "self_attn.q_proj.weight",
            Param::QBias => "self_attn.q_proj.bias",
            Param::K => "self_attn.k_proj.weight",
            Param::KBias => "self_attn.k_proj.bias",
            Param::V => "self_attn.v_proj.weight",
            Param::VBias => "self_attn.v_proj.bias",
            Param::O => "self_attn.out_proj.weight",
            Param::OBias => "self_attn.out_proj.bias",
            Param::In => "fc1.weight",
            Param::InBias => "fc1.bias",
            Param::Out => "fc2.weight",
            Param::OutBias => "fc2.bias",
            _ => return None,
        };
        let source = names::tensor(id, "model.decoder.", "layers.", name);
        Some(match id.param {
            Param::PosEmbed => source.viewed(View::Rows { first: OFFSET, of: cfg.n_ctx + OFFSET }),
            _ => source,
        })
    }
}
