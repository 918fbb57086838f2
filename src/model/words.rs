//! A configuration in words, for people who want to know which code runs the parameters.

use serde::{Serialize, Serializer};

use super::{Activation, Bias, DecoderConfig, Mlp, Norm, Positions, Residual, RopeScaling, Unembed};

/// A size, or an axis in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// How many.
    Count(usize),
    /// Which.
    Words(String),
}

impl std::fmt::Display for Fact {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Count(n) => write!(f, "{n}"),
            Self::Words(words) => f.write_str(words),
        }
    }
}

impl Serialize for Fact {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Count(n) => serializer.serialize_u64(*n as u64),
            Self::Words(words) => serializer.serialize_str(words),
        }
    }
}

impl DecoderConfig {
    /// Every size and every axis, under the field's name.
    pub fn facts(&self) -> Vec<(&'static str, Fact)> {
        // without `..`: a new axis does not go unsaid
        let Self {
            architecture,
            n_layers,
            d_model,
            n_heads,
            n_kv_heads,
            d_head,
            d_mlp,
            d_vocab,
            n_ctx,
            norm,
            positions,
            mlp,
            residual,
            unembed,
            attn_bias,
            mlp_bias,
        } = self;
        let sizes = [
            ("n_layers", n_layers),
            ("d_model", d_model),
            ("n_heads", n_heads),
            ("n_kv_heads", n_kv_heads),
            ("d_head", d_head),
            ("d_mlp", d_mlp),
            ("d_vocab", d_vocab),
            ("n_ctx", n_ctx),
        ];
        let axes = [
            ("norm", norm_words(*norm)),
            ("positions", positions_words(positions)),
            ("attention", attention_words(*n_heads, *n_kv_heads)),
            ("mlp", mlp_words(*mlp)),
            ("residual", residual_words(*residual)),
            ("unembed", unembed_words(*unembed)),
            ("attn_bias", bias_words(*attn_bias)),
            ("mlp_bias", bias_words(*mlp_bias)),
        ];
        let name = std::iter::once(("architecture", Fact::Words(architecture.clone())));
        let sizes = sizes.into_iter().map(|(name, &size)| (name, Fact::Count(size)));
        name.chain(sizes).chain(axes.into_iter().map(|(name, words)| (name, Fact::Words(words)))).collect()
    }
}

fn norm_words(norm: Norm) -> String {
    match norm {
        Norm::Rms { eps } => format!("RMS norm before each sublayer and before the unembedding, eps {eps:e}"),
        Norm::Layer { eps } => format!("layer norm before each sublayer and before the unembedding, eps {eps:e}"),
    }
}

fn positions_words(positions: &Positions) -> String {
    match positions {
        Positions::Learned => "a learned vector per position, added to the embedding".into(),
        Positions::Rotary(rope) => {
            let scaling = match &rope.scaling {
                RopeScaling::Default => String::new(),
                RopeScaling::Linear { factor } => format!(", frequencies divided by {factor}"),
                RopeScaling::Llama3 { factor, original_n_ctx, .. } => {
                    format!(", low frequencies divided by {factor} as in Llama 3 (context before: {original_n_ctx})")
                }
                RopeScaling::Divisors(divisors) => {
                    format!(", {} frequencies divided each by a number in the file", divisors.len())
                }
            };
            format!("rotary on {} dimensions a head, base {}{scaling}", rope.n_rot, rope.theta)
        }
    }
}

fn attention_words(n_heads: usize, n_kv_heads: usize) -> String {
    match n_kv_heads {
        _ if n_heads == n_kv_heads => "causal, every head with keys and values of its own".into(),
        1 => format!("causal, {n_heads} query heads share one key/value head"),
        _ => format!("causal, grouped: {} query heads share a key/value head", n_heads / n_kv_heads.max(1)),
    }
}

fn mlp_words(mlp: Mlp) -> String {
    let activation = match mlp.activation() {
        Activation::Silu => "SiLU",
        Activation::Gelu => "GELU",
        Activation::GeluTanh => "GELU (tanh)",
        Activation::Relu => "ReLU",
    };
    match mlp {
        Mlp::Gated(_) => format!("gated, {activation}"),
        Mlp::Plain(_) => format!("plain, {activation}"),
    }
}

fn residual_words(residual: Residual) -> String {
    match residual {
        Residual::Serial => "serial: the MLP reads what attention has written",
        Residual::Parallel => "parallel: attention and MLP both read the block's input",
    }
    .into()
}

fn unembed_words(unembed: Unembed) -> String {
    match unembed {
        Unembed::Tied => "the embedding, transposed (tied)",
        Unembed::Own => "a matrix of its own",
    }
    .into()
}

fn bias_words(bias: Bias) -> String {
    match bias {
        Bias::None => "none",
        Bias::All => "on every projection",
    }
    .into()
}
