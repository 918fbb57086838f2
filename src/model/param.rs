//! The parameters of a decoder: one table of names and shapes, whatever the checkpoint calls them.
//!
//! Matrices are stored `[out, in]`, as checkpoints of linear layers are.

use std::borrow::Cow;
use std::fmt;

use super::{
    Affine, DecoderConfig, EmbedNorm, Experts, FinalNorm, LayerMlp, Mlp, NormPlacement, Positions, QkNorm, Residual,
    Unembed,
};

/// A kind of parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names are the field's own; `name` and `shape` say the rest")]
pub enum Param {
    Embed,
    EmbedNormGain,
    EmbedNormBias,
    ProjectIn,
    ProjectOut,
    PosEmbed,
    Ln1Gain,
    Ln1Bias,
    Ln1PostGain,
    Ln1PostBias,
    Q,
    QBias,
    K,
    KBias,
    V,
    VBias,
    QNormGain,
    QNormBias,
    KNormGain,
    KNormBias,
    O,
    OBias,
    Ln2Gain,
    Ln2Bias,
    Ln2PostGain,
    Ln2PostBias,
    Router,
    ExpertGate(u16),
    ExpertIn(u16),
    ExpertOut(u16),
    SharedRouter,
    SharedGate,
    SharedIn,
    SharedOut,
    Gate,
    GateBias,
    In,
    InBias,
    Out,
    OutBias,
    LnFinalGain,
    LnFinalBias,
    Unembed,
    UnembedBias,
}

impl Param {
    /// `TransformerLens`'s name for it.
    pub fn name(self) -> Cow<'static, str> {
        let name = match self {
            Self::Embed => "embed.W_E",
            Self::EmbedNormGain => "embed.ln.w",
            Self::EmbedNormBias => "embed.ln.b",
            Self::ProjectIn => "embed.W_in",
            Self::ProjectOut => "unembed.W_in",
            Self::PosEmbed => "pos_embed.W_pos",
            Self::Ln1Gain => "ln1.w",
            Self::Ln1Bias => "ln1.b",
            Self::Ln1PostGain => "ln1_post.w",
            Self::Ln1PostBias => "ln1_post.b",
            Self::Q => "attn.W_Q",
            Self::QBias => "attn.b_Q",
            Self::K => "attn.W_K",
            Self::KBias => "attn.b_K",
            Self::V => "attn.W_V",
            Self::VBias => "attn.b_V",
            Self::QNormGain => "attn.q_norm.w",
            Self::QNormBias => "attn.q_norm.b",
            Self::KNormGain => "attn.k_norm.w",
            Self::KNormBias => "attn.k_norm.b",
            Self::O => "attn.W_O",
            Self::OBias => "attn.b_O",
            Self::Ln2Gain => "ln2.w",
            Self::Ln2Bias => "ln2.b",
            Self::Ln2PostGain => "ln2_post.w",
            Self::Ln2PostBias => "ln2_post.b",
            Self::Router => "mlp.W_gate",
            Self::ExpertGate(expert) => return format!("mlp.experts.{expert}.W_gate").into(),
            Self::ExpertIn(expert) => return format!("mlp.experts.{expert}.W_in").into(),
            Self::ExpertOut(expert) => return format!("mlp.experts.{expert}.W_out").into(),
            Self::SharedRouter => "mlp.shared.router",
            Self::SharedGate => "mlp.shared.W_gate",
            Self::SharedIn => "mlp.shared.W_in",
            Self::SharedOut => "mlp.shared.W_out",
            Self::Gate => "mlp.W_gate",
            Self::GateBias => "mlp.b_gate",
            Self::In => "mlp.W_in",
            Self::InBias => "mlp.b_in",
            Self::Out => "mlp.W_out",
            Self::OutBias => "mlp.b_out",
            Self::LnFinalGain => "ln_final.w",
            Self::LnFinalBias => "ln_final.b",
            Self::Unembed => "unembed.W_U",
            Self::UnembedBias => "unembed.b_U",
        };
        Cow::Borrowed(name)
    }

    /// Whether it is multiplied with, or its rows are looked up by token.
    pub const fn is_matrix(self) -> bool {
        matches!(
            self,
            Self::Embed
                | Self::Unembed
                | Self::ProjectIn
                | Self::ProjectOut
                | Self::Q
                | Self::K
                | Self::V
                | Self::O
                | Self::Router
                | Self::ExpertGate(_)
                | Self::ExpertIn(_)
                | Self::ExpertOut(_)
                | Self::SharedRouter
                | Self::SharedGate
                | Self::SharedIn
                | Self::SharedOut
                | Self::Gate
                | Self::In
                | Self::Out
        )
    }

    /// The shape this decoder needs.
    pub fn shape(self, cfg: &DecoderConfig) -> Vec<usize> {
        let d_q = cfg.n_heads * cfg.d_head;
        let d_kv = cfg.n_kv_heads * cfg.d_head;
        let (n_experts, d_expert) = cfg.experts.map_or((0, 0), |experts| (experts.n, experts.d_expert));
        let d_shared = cfg.experts.and_then(|experts| experts.d_shared).unwrap_or(0);
        match self {
            Self::Embed | Self::Unembed => vec![cfg.d_vocab, cfg.embedding.width.unwrap_or(cfg.d_model)],
            Self::ProjectIn => vec![cfg.d_model, cfg.embedding.width.unwrap_or(cfg.d_model)],
            Self::ProjectOut => vec![cfg.embedding.width.unwrap_or(cfg.d_model), cfg.d_model],
            Self::UnembedBias => vec![cfg.d_vocab],
            Self::PosEmbed => vec![cfg.n_ctx, cfg.d_model],
            Self::EmbedNormGain | Self::EmbedNormBias | Self::LnFinalGain | Self::LnFinalBias => vec![cfg.d_model],
            Self::Ln1Gain | Self::Ln1Bias | Self::Ln1PostGain | Self::Ln1PostBias => vec![cfg.d_model],
            Self::Ln2Gain | Self::Ln2Bias | Self::Ln2PostGain | Self::Ln2PostBias => vec![cfg.d_model],
            Self::OBias | Self::OutBias => vec![cfg.d_model],
            Self::QNormGain | Self::QNormBias => qk_norm_shape(cfg, cfg.n_heads),
            Self::KNormGain | Self::KNormBias => qk_norm_shape(cfg, cfg.n_kv_heads),
            Self::Router => vec![n_experts, cfg.d_model],
            Self::ExpertGate(_) | Self::ExpertIn(_) => vec![d_expert, cfg.d_model],
            Self::ExpertOut(_) => vec![cfg.d_model, d_expert],
            Self::SharedRouter => vec![1, cfg.d_model],
            Self::SharedGate | Self::SharedIn => vec![d_shared, cfg.d_model],
            Self::SharedOut => vec![cfg.d_model, d_shared],
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

fn qk_norm_shape(cfg: &DecoderConfig, n_heads: usize) -> Vec<usize> {
    match cfg.attention.qk_norm {
        QkNorm::None | QkNorm::Shared(_) => vec![cfg.d_head],
        QkNorm::PerHead => vec![n_heads, cfg.d_head],
        QkNorm::Joint => vec![n_heads * cfg.d_head],
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
            None => f.write_str(&self.param.name()),
        }
    }
}

impl DecoderConfig {
    /// Every parameter this decoder has.
    pub fn params(&self) -> Vec<ParamId> {
        let mut ids = vec![ParamId::model(Param::Embed)];
        let mut model = |params: Vec<Param>| ids.extend(params.into_iter().map(ParamId::model));
        if self.embedding.norm == EmbedNorm::Own {
            model(affine(self.affine, [Param::EmbedNormGain, Param::EmbedNormBias]));
        }
        if self.embedding.width.is_some() {
            model(vec![Param::ProjectIn, Param::ProjectOut]);
        }
        if self.positions == Positions::Learned {
            model(vec![Param::PosEmbed]);
        }
        for layer in 0..self.n_layers {
            ids.extend(self.block_params(layer).into_iter().map(|param| ParamId::block(layer, param)));
        }
        let mut model = |params: Vec<Param>| ids.extend(params.into_iter().map(ParamId::model));
        if self.final_norm == FinalNorm::Own {
            model(affine(self.affine, [Param::LnFinalGain, Param::LnFinalBias]));
        }
        if self.unembed == Unembed::Own {
            model(vec![Param::Unembed]);
        }
        if self.logits.bias.writes() {
            model(vec![Param::UnembedBias]);
        }
        ids
    }

    fn block_params(&self, layer: usize) -> Vec<Param> {
        let mut params = self.norm_params();
        params.extend([Param::Q, Param::K, Param::V, Param::O]);
        if self.attn_bias.reads() {
            params.extend([Param::QBias, Param::KBias, Param::VBias]);
        }
        if self.attn_bias.writes() {
            params.push(Param::OBias);
        }
        let of_qk = match self.attention.qk_norm {
            QkNorm::None => Affine::None,
            QkNorm::Shared(affine) => affine,
            QkNorm::PerHead | QkNorm::Joint => Affine::Gain,
        };
        params.extend(affine(of_qk, [Param::QNormGain, Param::QNormBias]));
        params.extend(affine(of_qk, [Param::KNormGain, Param::KNormBias]));
        match (self.layers[layer].mlp, self.experts) {
            (LayerMlp::Sparse, Some(experts)) => params.extend(expert_params(experts)),
            (LayerMlp::Dense, _) | (LayerMlp::Sparse, None) => params.extend(self.mlp_params()),
        }
        params
    }

    fn norm_params(&self) -> Vec<Param> {
        let mut params = Vec::new();
        if self.placement != NormPlacement::Post {
            params.extend(affine(self.affine, [Param::Ln1Gain, Param::Ln1Bias]));
            if self.residual != Residual::SharedNorm {
                params.extend(affine(self.affine, [Param::Ln2Gain, Param::Ln2Bias]));
            }
        }
        if self.placement.is_after() {
            params.extend(affine(self.affine, [Param::Ln1PostGain, Param::Ln1PostBias]));
            params.extend(affine(self.affine, [Param::Ln2PostGain, Param::Ln2PostBias]));
        }
        params
    }

    fn mlp_params(&self) -> Vec<Param> {
        let mut params = vec![Param::In, Param::Out];
        if self.mlp_bias.reads() {
            params.push(Param::InBias);
        }
        if self.mlp_bias.writes() {
            params.push(Param::OutBias);
        }
        if matches!(self.mlp, Mlp::Gated(_)) {
            params.push(Param::Gate);
            if self.mlp_bias.reads() {
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

fn affine(affine: Affine, [gain, bias]: [Param; 2]) -> Vec<Param> {
    match affine {
        Affine::None => Vec::new(),
        Affine::Gain => vec![gain],
        Affine::GainBias => vec![gain, bias],
    }
}

fn expert_params(experts: Experts) -> Vec<Param> {
    let mut params = vec![Param::Router];
    for expert in (0..experts.n).filter_map(|expert| u16::try_from(expert).ok()) {
        params.extend([Param::ExpertGate(expert), Param::ExpertIn(expert), Param::ExpertOut(expert)]);
    }
    if experts.d_shared.is_some() {
        params.extend([Param::SharedRouter, Param::SharedGate, Param::SharedIn, Param::SharedOut]);
    }
    params
}
