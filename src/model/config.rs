//! What a decoder computes, as data: sizes, and the axes along which architectures differ.
//!
//! An architecture file fills this in from a checkpoint's configuration; the decoder reads nothing else. No name of
//! an architecture may appear in a decision of the decoder.

use crate::hook::{Axis, HookPoint, Scope, Site};

/// Everything the forward pass needs to know besides the weights.
#[derive(Debug, Clone, PartialEq)]
pub struct DecoderConfig {
    /// The name of the architecture, for people (Hugging Face `model_type`).
    pub architecture: String,
    /// Number of blocks.
    pub n_layers: usize,
    /// Width of the residual stream.
    pub d_model: usize,
    /// Query heads.
    pub n_heads: usize,
    /// Key/value heads; equal to `n_heads` without grouped-query attention.
    pub n_kv_heads: usize,
    /// Width of one head.
    pub d_head: usize,
    /// Width of the MLP's hidden layer.
    pub d_mlp: usize,
    /// Vocabulary size (rows of the unembedding).
    pub d_vocab: usize,
    /// Longest sequence, in tokens.
    pub n_ctx: usize,
    /// What happens to the embeddings before the first block.
    pub embedding: Embedding,
    /// Kind of normalisation.
    pub norm: Norm,
    /// What a norm learns.
    pub affine: Affine,
    /// Where the norms of a block stand.
    pub placement: NormPlacement,
    /// Whether there is a norm before the unembedding.
    pub final_norm: FinalNorm,
    /// How positions enter.
    pub positions: Positions,
    /// Changes of the attention scores.
    pub attention: Attention,
    /// How single blocks differ, one entry a block.
    pub layers: Vec<LayerConfig>,
    /// Shape of the MLP.
    pub mlp: Mlp,
    /// The mixture of experts of sparse blocks.
    pub experts: Option<Experts>,
    /// How attention and MLP are connected to the residual stream.
    pub residual: Residual,
    /// What both sublayers' outputs are multiplied by before they are added.
    pub residual_scale: f64,
    /// Where the unembedding matrix comes from.
    pub unembed: Unembed,
    /// What happens to the logits after the unembedding.
    pub logits: Logits,
    /// Biases of the attention projections.
    pub attn_bias: Bias,
    /// Biases of the MLP projections.
    pub mlp_bias: Bias,
}

/// Sizes of a decoder; see the fields of the same names of [`DecoderConfig`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are documented at DecoderConfig")]
pub struct Sizes {
    pub n_layers: usize,
    pub d_model: usize,
    pub n_heads: usize,
    pub n_kv_heads: usize,
    pub d_head: usize,
    pub d_mlp: usize,
    pub d_vocab: usize,
    pub n_ctx: usize,
}

/// What happens to the embeddings before the first block.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Embedding {
    /// A factor.
    pub scale: f64,
    /// Whether a norm follows.
    pub norm: EmbedNorm,
    /// Width of the embedding and of the unembedding, where it is not that of the residual stream: then a projection
    /// leads from one to the other, and back before the unembedding.
    pub width: Option<usize>,
}

/// A norm right after the embedding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EmbedNorm {
    /// None.
    None,
    /// One of the kind of the blocks' norms.
    Own,
}

/// Normalisation before each sublayer and before the unembedding.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Norm {
    /// `x / sqrt(mean(x²) + eps) * gain` (Zhang & Sennrich 2019).
    Rms {
        /// Added to the mean square.
        eps: f64,
    },
    /// `(x - mean(x)) / sqrt(var(x) + eps) * gain + bias` (Ba et al. 2016).
    Layer {
        /// Added to the variance.
        eps: f64,
    },
}

impl Norm {
    /// What keeps the division from zero.
    pub const fn eps(self) -> f64 {
        match self {
            Self::Rms { eps } | Self::Layer { eps } => eps,
        }
    }
}

/// What a norm learns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Affine {
    /// Nothing.
    None,
    /// A gain.
    Gain,
    /// A gain and a bias.
    GainBias,
}

/// Where the norms of a block stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NormPlacement {
    /// Before each sublayer.
    Pre,
    /// After each sublayer, before it is added to the residual stream.
    Post,
    /// Before and after each sublayer.
    Sandwich,
    /// On the residual stream itself, after each sublayer was added.
    Residual,
    /// Before each sublayer, whose output is added to what it has read instead of the residual stream before the norm.
    Carried,
}

impl NormPlacement {
    /// Whether a sublayer reads a normalised residual stream.
    pub const fn is_before(self) -> bool {
        matches!(self, Self::Pre | Self::Sandwich | Self::Carried)
    }

    /// Whether a sublayer's output is normalised before it is added.
    pub const fn is_after(self) -> bool {
        matches!(self, Self::Post | Self::Sandwich)
    }
}

/// The norm before the unembedding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FinalNorm {
    /// None.
    None,
    /// One of the kind of the blocks' norms.
    Own,
}

/// How a model knows where a token stands.
#[derive(Debug, Clone, PartialEq)]
pub enum Positions {
    /// Only by the causal mask.
    None,
    /// A learned vector per position, added to the embedding.
    Learned,
    /// Rotation of queries and keys (Su et al. 2021).
    Rotary {
        /// The rotation of most blocks.
        main: Rope,
        /// That of blocks with [`LayerRope::Local`].
        local: Option<Rope>,
    },
    /// A bias on the scores that grows with the key's position (Press et al. 2021).
    Alibi(Alibi),
}

impl Positions {
    /// Rotary positions that are the same in every block.
    pub const fn rotary(rope: Rope) -> Self {
        Self::Rotary { main: rope, local: None }
    }
}

/// How the slopes of a linear position bias enter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alibi {
    /// Added to the scaled scores.
    AfterScaling,
    /// Rounded to bf16, added before the scores are scaled.
    BeforeScaling,
}

/// Parameters of the rotary embedding.
#[derive(Debug, Clone, PartialEq)]
pub struct Rope {
    /// Base of the frequencies.
    pub theta: f64,
    /// How many of the head's leading dimensions are rotated.
    pub n_rot: usize,
    /// Which dimensions are rotated together.
    pub pairing: Pairing,
    /// Change of the frequencies for longer contexts.
    pub scaling: RopeScaling,
}

/// Which two dimensions are rotated together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pairing {
    /// `i` and `i + n_rot / 2`.
    Halves,
    /// `2i` and `2i + 1`.
    Neighbours,
}

/// Change of the rotary frequencies for longer contexts.
#[derive(Debug, Clone, PartialEq)]
pub enum RopeScaling {
    /// None.
    Default,
    /// Every frequency divided by the factor.
    Linear {
        /// The divisor.
        factor: f64,
    },
    /// A larger base once the sequence is longer than the context it was trained on.
    Dynamic {
        /// The factor.
        factor: f64,
        /// The context it was trained on.
        original_n_ctx: f64,
    },
    /// Llama 3: low frequencies divided, high ones kept, a ramp between.
    Llama3 {
        /// The divisor of low frequencies.
        factor: f64,
        /// Where "low" ends, in wavelengths per original context.
        low_freq_factor: f64,
        /// Where "high" begins.
        high_freq_factor: f64,
        /// Context length before scaling.
        original_n_ctx: f64,
    },
    /// `YaRN` (Peng et al. 2023): the same with a ramp over dimensions, and cosines and sines multiplied.
    Yarn {
        /// The divisor of low frequencies.
        factor: f64,
        /// First and last dimension of the ramp, in pairs.
        ramp: (f64, f64),
        /// What cosines and sines are multiplied by.
        attention_factor: f64,
    },
    /// `LongRoPE` (Ding et al. 2024): a divisor per frequency, one set for short and one for long sequences.
    LongRope {
        /// Divisors of sequences up to `original_n_ctx`.
        short: Vec<f64>,
        /// Divisors of longer ones.
        long: Vec<f64>,
        /// Context length before scaling.
        original_n_ctx: usize,
        /// What cosines and sines are multiplied by.
        attention_factor: f64,
    },
    /// A divisor per frequency, as GGUF files store it in `rope_freqs.weight`.
    Divisors(Vec<f32>),
}

/// Changes of queries, keys and scores.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Attention {
    /// `cap * tanh(score / cap)` before the mask.
    pub softcap: Option<f64>,
    /// Queries, keys and values are cut off at this size.
    pub clip: Option<f64>,
    /// Normalisation of queries and keys.
    pub qk_norm: QkNorm,
}

/// Normalisation of queries and keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QkNorm {
    /// None.
    None,
    /// Each head on its own, one gain for all heads.
    Shared(Affine),
    /// Each head on its own, with its own gain.
    PerHead,
    /// All heads together, before they are split.
    Joint,
}

/// How one block differs from another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LayerConfig {
    /// What queries are multiplied by.
    pub scale: f64,
    /// How many of the latest positions can be seen, the own one included; all of them if none.
    pub window: Option<usize>,
    /// How queries and keys are rotated.
    pub rope: LayerRope,
    /// Which MLP it has.
    pub mlp: LayerMlp,
}

/// How the queries and keys of a block are rotated, where positions are rotary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LayerRope {
    /// As in most blocks.
    Main,
    /// As in the blocks with a window.
    Local,
    /// Not at all.
    None,
}

/// Which MLP a block has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LayerMlp {
    /// The plain one.
    Dense,
    /// A mixture of experts.
    Sparse,
}

/// Shape of the MLP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mlp {
    /// `W_out(act(W_gate x) * W_in x)`.
    Gated(Activation),
    /// `W_out act(W_in x)`.
    Plain(Activation),
}

impl Mlp {
    /// The nonlinearity.
    pub const fn activation(self) -> Activation {
        match self {
            Self::Gated(activation) | Self::Plain(activation) => activation,
        }
    }
}

/// A mixture of experts: each token is sent to a few of many gated MLPs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Experts {
    /// How many there are.
    pub n: usize,
    /// How many a token is sent to.
    pub n_active: usize,
    /// Width of an expert's hidden layer.
    pub d_expert: usize,
    /// Whether the weights of the chosen ones sum to one.
    pub weights: ExpertWeights,
    /// Width of the hidden layer of an expert that every token is sent to, weighted by a sigmoid.
    pub d_shared: Option<usize>,
}

/// How the outputs of the chosen experts are weighted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExpertWeights {
    /// By their probabilities among all experts.
    Probability,
    /// By their probabilities among the chosen ones.
    Renormalised,
}

impl ExpertWeights {
    /// Renormalised, or not.
    pub const fn of(renormalised: bool) -> Self {
        if renormalised { Self::Renormalised } else { Self::Probability }
    }
}

/// The MLP's nonlinearity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// `x * sigmoid(x)`.
    Silu,
    /// GELU with the error function.
    Gelu,
    /// GELU with the tanh approximation (`gelu_new`, `gelu_pytorch_tanh`).
    GeluTanh,
    /// `x * sigmoid(1.702 x)`.
    QuickGelu,
    /// `max(x, 0)`.
    Relu,
    /// `max(x, 0)²`.
    Relu2,
}

/// How the two sublayers of a block are connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Residual {
    /// The MLP reads what attention has written.
    Serial,
    /// Attention and MLP both read the block's input, each through its own norm.
    Parallel,
    /// Attention and MLP both read the block's input through one norm.
    SharedNorm,
}

impl Residual {
    /// Whether attention and MLP read the same residual stream.
    pub const fn is_parallel(self) -> bool {
        matches!(self, Self::Parallel | Self::SharedNorm)
    }
}

/// Where the unembedding matrix comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unembed {
    /// The embedding matrix, transposed.
    Tied,
    /// A matrix of its own.
    Own,
}

/// What happens to the logits after the unembedding.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Logits {
    /// A bias per token.
    pub bias: Bias,
    /// A factor.
    pub scale: f64,
    /// `cap * tanh(logit / cap)`, last.
    pub softcap: Option<f64>,
}

/// Which projections of a sublayer have biases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bias {
    /// None of them.
    None,
    /// Those that read the residual stream.
    In,
    /// The one that writes to it.
    Out,
    /// All of them.
    All,
}

impl Bias {
    /// All of them, or none.
    pub const fn all_if(on: bool) -> Self {
        if on { Self::All } else { Self::None }
    }

    /// Whether projections that read the residual stream have one.
    pub const fn reads(self) -> bool {
        matches!(self, Self::In | Self::All)
    }

    /// Whether the projection that writes to it has one.
    pub const fn writes(self) -> bool {
        matches!(self, Self::Out | Self::All)
    }
}

impl DecoderConfig {
    /// A decoder of these sizes with nothing special: RMS norms before gated MLPs and attention, no positions, no
    /// biases, an unembedding of its own. Architectures change what they do otherwise.
    pub fn plain(architecture: &str, sizes: Sizes) -> Self {
        let Sizes { n_layers, d_model, n_heads, n_kv_heads, d_head, d_mlp, d_vocab, n_ctx } = sizes;
        let scale = 1.0 / (d_head as f64).sqrt();
        let layer = LayerConfig { scale, window: None, rope: LayerRope::Main, mlp: LayerMlp::Dense };
        Self {
            architecture: architecture.into(),
            n_layers,
            d_model,
            n_heads,
            n_kv_heads,
            d_head,
            d_mlp,
            d_vocab,
            n_ctx,
            embedding: Embedding { scale: 1.0, norm: EmbedNorm::None, width: None },
            norm: Norm::Rms { eps: 1e-5 },
            affine: Affine::Gain,
            placement: NormPlacement::Pre,
            final_norm: FinalNorm::Own,
            positions: Positions::None,
            attention: Attention { softcap: None, clip: None, qk_norm: QkNorm::None },
            layers: vec![layer; n_layers],
            mlp: Mlp::Gated(Activation::Silu),
            experts: None,
            residual: Residual::Serial,
            residual_scale: 1.0,
            unembed: Unembed::Own,
            logits: Logits { bias: Bias::None, scale: 1.0, softcap: None },
            attn_bias: Bias::None,
            mlp_bias: Bias::None,
        }
    }

    /// Whether some block has the site; see [`has_at`](Self::has_at).
    pub fn has(&self, site: Site) -> bool {
        match site.scope() {
            Scope::Block => (0..self.n_layers).any(|layer| self.has_at(HookPoint::block(layer, site))),
            Scope::Model => self.has_at(HookPoint::model(site)),
        }
    }

    /// Whether this decoder has the hook.
    pub fn has_at(&self, at: HookPoint) -> bool {
        let layer = at.layer().and_then(|layer| self.layers.get(layer));
        match at.site() {
            Site::PosEmbed => self.positions == Positions::Learned,
            Site::RotQ | Site::RotK => {
                let rotates = layer.is_some_and(|layer| layer.rope != LayerRope::None);
                rotates && matches!(self.positions, Positions::Rotary { .. })
            }
            Site::LnFinalScale | Site::LnFinalNormalized => self.final_norm == FinalNorm::Own,
            Site::ResidMid => self.residual == Residual::Serial,
            Site::Ln1Scale | Site::Ln1Normalized => !matches!(self.placement, NormPlacement::Post),
            Site::Ln2Scale | Site::Ln2Normalized => {
                !matches!(self.placement, NormPlacement::Post) && self.residual != Residual::SharedNorm
            }
            Site::Ln1PostScale | Site::Ln1PostNormalized | Site::Ln2PostScale | Site::Ln2PostNormalized => {
                self.placement.is_after()
            }
            Site::RouterLogits => layer.is_some_and(|layer| layer.mlp == LayerMlp::Sparse),
            Site::MlpPreLinear => {
                matches!(self.mlp, Mlp::Gated(_)) && layer.is_some_and(|layer| layer.mlp == LayerMlp::Dense)
            }
            Site::MlpPre | Site::MlpPost => layer.is_some_and(|layer| layer.mlp == LayerMlp::Dense),
            _ => true,
        }
    }

    /// Whether the rotation of `n_pos` tokens depends on how many of them are run at once: beyond the original context
    /// of two kinds of scaling it does, in the reference as well as here, and a cached run then differs from a whole one.
    pub fn rotation_depends_on_length(&self, n_pos: usize) -> bool {
        let Positions::Rotary { main, .. } = &self.positions else { return false };
        match &main.scaling {
            RopeScaling::Dynamic { original_n_ctx, .. } => n_pos as f64 > *original_n_ctx,
            RopeScaling::LongRope { original_n_ctx, .. } => n_pos > *original_n_ctx,
            _ => false,
        }
    }

    /// Every hook of this decoder, in the order the forward pass visits them.
    pub fn hook_points(&self) -> Vec<HookPoint> {
        let model_sites = |sites: &[Site]| -> Vec<HookPoint> {
            sites.iter().map(|&site| HookPoint::model(site)).filter(|&at| self.has_at(at)).collect()
        };
        let mut points = model_sites(&[Site::Embed, Site::PosEmbed]);
        for layer in 0..self.n_layers {
            let of_block = Site::ALL.iter().filter(|site| site.scope() == Scope::Block);
            points.extend(of_block.map(|&site| HookPoint::block(layer, site)).filter(|&at| self.has_at(at)));
        }
        points.extend(model_sites(&[Site::LnFinalScale, Site::LnFinalNormalized]));
        points
    }

    /// The length of a hook axis for a sequence of `n_pos` tokens run without a cache.
    pub fn axis_len(&self, axis: Axis, n_pos: usize) -> usize {
        match axis {
            Axis::Expert => self.experts.map_or(0, |experts| experts.n),
            Axis::Pos | Axis::Query | Axis::Key => n_pos,
            Axis::Head => self.n_heads,
            Axis::KvHead => self.n_kv_heads,
            Axis::DHead => self.d_head,
            Axis::DModel => self.d_model,
            Axis::DMlp => self.d_mlp,
            Axis::One => 1,
        }
    }

    /// The shape of a hook's tensor, without the batch axis.
    pub fn hook_shape(&self, site: Site, n_pos: usize) -> Vec<usize> {
        site.axes().iter().map(|&axis| self.axis_len(axis, n_pos)).collect()
    }
}
