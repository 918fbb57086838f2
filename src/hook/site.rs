//! The closed list of places in a decoder that can be observed or replaced.
//!
//! Names and shapes are `TransformerLens`'s, without the batch axis. Two definitions are stated here because
//! peers disagree about them:
//!
//! - `hook_normalized` is the normalised value **before** gain and bias, for RMS norm and layer norm alike.
//! - `hook_k`, `hook_v` and `hook_rot_k` have `n_kv_heads` heads, not `n_heads`, under grouped-query attention.

use std::fmt;

/// One axis of a hook's tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Axis {
    /// Position in the sequence.
    Pos,
    /// Position that attends.
    Query,
    /// Position attended to.
    Key,
    /// Query head.
    Head,
    /// Key/value head (fewer than query heads under grouped-query attention).
    KvHead,
    /// Width of one head.
    DHead,
    /// Width of the residual stream.
    DModel,
    /// Width of the MLP's hidden layer.
    DMlp,
    /// Expert of a mixture.
    Expert,
    /// An axis of length one.
    One,
}

impl Axis {
    /// The axis name as shown to users and written in documentation.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pos => "pos",
            Self::Query => "query",
            Self::Key => "key",
            Self::Head => "head",
            Self::KvHead => "kv_head",
            Self::DHead => "d_head",
            Self::DModel => "d_model",
            Self::DMlp => "d_mlp",
            Self::Expert => "expert",
            Self::One => "1",
        }
    }
}

impl fmt::Display for Axis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Whether a site exists once per layer or once per model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Once in the model.
    Model,
    /// Once in every block; the name is prefixed with `blocks.{layer}.`.
    Block,
}

macro_rules! sites {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $scope:ident, [$($axis:ident),+];)+) => {
        /// A kind of place in the decoder; with a layer it becomes a [`HookPoint`](super::HookPoint).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Site { $($(#[$doc])* $variant,)+ }

        impl Site {
            /// Every site, in the order the forward pass visits them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The name without the `blocks.{layer}.` prefix.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// Whether the site is per model or per block.
            pub const fn scope(self) -> Scope {
                match self { $(Self::$variant => Scope::$scope,)+ }
            }

            /// The axes of the tensor, without the batch axis.
            pub const fn axes(self) -> &'static [Axis] {
                match self { $(Self::$variant => &[$(Axis::$axis,)+],)+ }
            }
        }
    };
}

sites! {
    /// Token embedding as it enters the residual stream.
    Embed = "hook_embed", Model, [Pos, DModel];
    /// Learned position embedding (absent in rotary models).
    PosEmbed = "hook_pos_embed", Model, [Pos, DModel];
    /// Residual stream before the block.
    ResidPre = "hook_resid_pre", Block, [Pos, DModel];
    /// Denominator of the first norm.
    Ln1Scale = "ln1.hook_scale", Block, [Pos, One];
    /// First norm before gain and bias.
    Ln1Normalized = "ln1.hook_normalized", Block, [Pos, DModel];
    /// Queries before the rotation.
    Q = "attn.hook_q", Block, [Pos, Head, DHead];
    /// Keys before the rotation.
    K = "attn.hook_k", Block, [Pos, KvHead, DHead];
    /// Values.
    V = "attn.hook_v", Block, [Pos, KvHead, DHead];
    /// Queries after the rotation (rotary models).
    RotQ = "attn.hook_rot_q", Block, [Pos, Head, DHead];
    /// Keys after the rotation (rotary models).
    RotK = "attn.hook_rot_k", Block, [Pos, KvHead, DHead];
    /// Scaled and masked scores before the softmax; masked entries are -inf.
    AttnScores = "attn.hook_attn_scores", Block, [Head, Query, Key];
    /// Attention weights; every row sums to one.
    Pattern = "attn.hook_pattern", Block, [Head, Query, Key];
    /// Weighted values of each head, before the output projection.
    Z = "attn.hook_z", Block, [Pos, Head, DHead];
    /// What each head adds to the residual stream, without the output bias.
    Result = "attn.hook_result", Block, [Pos, Head, DModel];
    /// Denominator of the norm after attention (models with norms after their sublayers).
    Ln1PostScale = "ln1_post.hook_scale", Block, [Pos, One];
    /// Norm after attention before gain and bias.
    Ln1PostNormalized = "ln1_post.hook_normalized", Block, [Pos, DModel];
    /// What the attention layer adds to the residual stream.
    AttnOut = "hook_attn_out", Block, [Pos, DModel];
    /// Residual stream between attention and MLP (absent in parallel blocks).
    ResidMid = "hook_resid_mid", Block, [Pos, DModel];
    /// Denominator of the second norm.
    Ln2Scale = "ln2.hook_scale", Block, [Pos, One];
    /// Second norm before gain and bias.
    Ln2Normalized = "ln2.hook_normalized", Block, [Pos, DModel];
    /// Scores of the experts before the softmax (blocks with a mixture of experts).
    RouterLogits = "mlp.hook_router_logits", Block, [Pos, Expert];
    /// MLP pre-activation (the gate branch in gated MLPs).
    MlpPre = "mlp.hook_pre", Block, [Pos, DMlp];
    /// The linear branch of a gated MLP.
    MlpPreLinear = "mlp.hook_pre_linear", Block, [Pos, DMlp];
    /// MLP hidden layer as it enters the output projection.
    MlpPost = "mlp.hook_post", Block, [Pos, DMlp];
    /// Denominator of the norm after the MLP (models with norms after their sublayers).
    Ln2PostScale = "ln2_post.hook_scale", Block, [Pos, One];
    /// Norm after the MLP before gain and bias.
    Ln2PostNormalized = "ln2_post.hook_normalized", Block, [Pos, DModel];
    /// What the MLP adds to the residual stream.
    MlpOut = "hook_mlp_out", Block, [Pos, DModel];
    /// Residual stream after the block.
    ResidPost = "hook_resid_post", Block, [Pos, DModel];
    /// Denominator of the final norm.
    LnFinalScale = "ln_final.hook_scale", Model, [Pos, One];
    /// Final norm before gain and bias.
    LnFinalNormalized = "ln_final.hook_normalized", Model, [Pos, DModel];
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
