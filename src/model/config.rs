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
    /// Kind of normalisation.
    pub norm: Norm,
    /// How positions enter.
    pub positions: Positions,
    /// Shape of the MLP.
    pub mlp: Mlp,
    /// How attention and MLP are connected to the residual stream.
    pub residual: Residual,
    /// Where the unembedding matrix comes from.
    pub unembed: Unembed,
    /// Biases of the attention projections.
    pub attn_bias: Bias,
    /// Biases of the MLP projections.
    pub mlp_bias: Bias,
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

/// How a model knows where a token stands.
#[derive(Debug, Clone, PartialEq)]
pub enum Positions {
    /// A learned vector per position, added to the embedding.
    Learned,
    /// Rotation of queries and keys (Su et al. 2021), dimension `i` paired with `i + n_rot / 2`.
    Rotary(Rope),
}

/// Parameters of the rotary embedding.
#[derive(Debug, Clone, PartialEq)]
pub struct Rope {
    /// Base of the frequencies.
    pub theta: f64,
    /// How many of the head's leading dimensions are rotated.
    pub n_rot: usize,
    /// Change of the frequencies for longer contexts.
    pub scaling: RopeScaling,
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
    /// A divisor per frequency, as GGUF files store it in `rope_freqs.weight`.
    Divisors(Vec<f32>),
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

/// The MLP's nonlinearity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// `x * sigmoid(x)`.
    Silu,
    /// GELU with the error function.
    Gelu,
    /// GELU with the tanh approximation (`gelu_new`, `gelu_pytorch_tanh`).
    GeluTanh,
    /// `max(x, 0)`.
    Relu,
}

/// How the two sublayers of a block are connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Residual {
    /// The MLP reads what attention has written.
    Serial,
    /// Attention and MLP both read the block's input.
    Parallel,
}

/// Where the unembedding matrix comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unembed {
    /// The embedding matrix, transposed.
    Tied,
    /// A matrix of its own.
    Own,
}

/// Which projections of a sublayer have biases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bias {
    /// None of them.
    None,
    /// All of them.
    All,
}

impl DecoderConfig {
    /// Whether this decoder has the site at all.
    pub fn has(&self, site: Site) -> bool {
        match site {
            Site::PosEmbed => self.positions == Positions::Learned,
            Site::RotQ | Site::RotK => matches!(self.positions, Positions::Rotary(_)),
            Site::ResidMid => self.residual == Residual::Serial,
            Site::MlpPreLinear => matches!(self.mlp, Mlp::Gated(_)),
            _ => true,
        }
    }

    /// Every hook of this decoder, in the order the forward pass visits them.
    pub fn hook_points(&self) -> Vec<HookPoint> {
        let model_sites = |sites: &[Site]| -> Vec<HookPoint> {
            sites.iter().filter(|&&site| self.has(site)).map(|&site| HookPoint::model(site)).collect()
        };
        let mut points = model_sites(&[Site::Embed, Site::PosEmbed]);
        for layer in 0..self.n_layers {
            let of_block = Site::ALL.iter().filter(|site| site.scope() == Scope::Block && self.has(**site));
            points.extend(of_block.map(|&site| HookPoint::block(layer, site)));
        }
        points.extend(model_sites(&[Site::LnFinalScale, Site::LnFinalNormalized]));
        points
    }

    /// The length of a hook axis for a sequence of `n_pos` tokens run without a cache.
    pub const fn axis_len(&self, axis: Axis, n_pos: usize) -> usize {
        match axis {
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
