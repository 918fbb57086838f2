//! The parameters of a decoder: one table of names and shapes, whatever the checkpoint calls them.
//!
//! Matrices are stored `[out, in]`, as checkpoints of linear layers are.

use std::fmt;

use super::{Bias, DecoderConfig, Mlp, Norm, Positions, Unembed};

/// A kind of parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names are the field's own; `name` and `shape` say the rest")]
pub enum Param {
    Embed,
    PosEmbed,
    Ln1Gain,
    Ln1Bias,
    Q,
    QBias,
    K,
    KBias,
    V,
    VBias,
    O,
    OBias,
    Ln2Gain,
    Ln2Bias,
    Gate,
    GateBias,
    In,
    InBias,
    Out,
    OutBias,
    LnFinalGain,
    LnFinalBias,
    Unembed,
}

impl Param {
    /// `TransformerLens`'s name for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Embed => "embed.W_E",
            Self::PosEmbed => "pos_embed.W_pos",
            Self::Ln1Gain => "ln1.w",
            Self::Ln1Bias => "ln1.b",
            Self::Q => "attn.W_Q",
            Self::QBias => "attn.b_Q",
            Self::K => "attn.W_K",
            Self::KBias => "attn.b_K",
            Self::V => "attn.W_V",
            Self::VBias => "attn.b_V",
            Self::O => "attn.W_O",
            Self::OBias => "attn.b_O",
            Self::Ln2Gain => "ln2.w",
            Self::Ln2Bias => "ln2.b",
            Self::Gate => "mlp.W_gate",
            Self::GateBias => "mlp.b_gate",
            Self::In => "mlp.W_in",
            Self::InBias => "mlp.b_in",
            Self::Out => "mlp.W_out",
            Self::OutBias => "mlp.b_out",
            Self::LnFinalGain => "ln_final.w",
            Self::LnFinalBias => "ln_final.b",
            Self::Unembed => "unembed.W_U",
        }
    }

    /// The shape this decoder needs.
    pub fn shape(self, cfg: &DecoderConfig) -> Vec<usize> {
        let d_q = cfg.n_heads * cfg.d_head;
        let d_kv = cfg.n_kv_heads * cfg.d_head;
        match self {
            Self::Embed | Self::Unembed => vec![cfg.d_vocab, cfg.d_model],
            Self::PosEmbed => vec![cfg.n_ctx, cfg.d_model],
            Self::Ln1Gain | Self::Ln1Bias | Self::Ln2Gain | Self::Ln2Bias => vec![cfg.d_model],
            Self::LnFinalGain | Self::LnFinalBias | Self::OBias | Self::OutBias => vec![cfg.d_model],
            Self::Q => vec![d_q, cfg.d_model],
            Self::K | Self::V => vec![d_kv, cfg.d_model],
            Self::QBias => vec![d_q],
            Self::KBias | Self::VBias => vec![d_kv],
            Self::O => vec![cfg.d_model, d_q],
            Self::Gate | Self::In => vec![cfg.d_mlp, cfg.d_model],
            Self::GateBias | Self::InBias => vec![cfg.d_mlp],
            Self::Out => vec![cfg.d_model, cfg.d_mlp],
        }
    }
}

/// A parameter of one block, or of the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ParamId {
    /// The block, or `None` for what exists once.
    pub layer: Option<usize>,
    /// Which parameter.
    pub param: Param,
}

impl ParamId {
    /// A parameter that exists once.
    pub const fn model(param: Param) -> Self {
        Self { layer: None, param }
    }

    /// A parameter of a block.
    pub const fn block(layer: usize, param: Param) -> Self {
        Self { layer: Some(layer), param }
    }
}

impl fmt::Display for ParamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.layer {
            Some(layer) => write!(f, "blocks.{layer}.{}", self.param.name()),
            None => f.write_str(self.param.name()),
        }
    }
}

impl DecoderConfig {
    /// Every parameter this decoder has.
    pub fn params(&self) -> Vec<ParamId> {
        let mut ids = vec![ParamId::model(Param::Embed)];
        if self.positions == Positions::Learned {
            ids.push(ParamId::model(Param::PosEmbed));
        }
        let of_block = self.block_params();
        for layer in 0..self.n_layers {
            ids.extend(of_block.iter().map(|&param| ParamId::block(layer, param)));
        }
        ids.push(ParamId::model(Param::LnFinalGain));
        if self.has_norm_bias() {
            ids.push(ParamId::model(Param::LnFinalBias));
        }
        if self.unembed == Unembed::Own {
            ids.push(ParamId::model(Param::Unembed));
        }
        ids
    }

    fn has_norm_bias(&self) -> bool {
        matches!(self.norm, Norm::Layer { .. })
    }

    fn block_params(&self) -> Vec<Param> {
        let mut params =
            vec![Param::Ln1Gain, Param::Q, Param::K, Param::V, Param::O, Param::Ln2Gain, Param::In, Param::Out];
        if self.has_norm_bias() {
            params.extend([Param::Ln1Bias, Param::Ln2Bias]);
        }
        if self.attn_bias == Bias::All {
            params.extend([Param::QBias, Param::KBias, Param::VBias, Param::OBias]);
        }
        if self.mlp_bias == Bias::All {
            params.extend([Param::InBias, Param::OutBias]);
        }
        if matches!(self.mlp, Mlp::Gated(_)) {
            params.push(Param::Gate);
            if self.mlp_bias == Bias::All {
                params.push(Param::GateBias);
            }
        }
        params
    }

    /// Numbers in the parameter file.
    pub fn n_params(&self) -> usize {
        self.params().iter().map(|id| id.param.shape(self).iter().product::<usize>()).sum()
    }
}
