//! A configuration in words, for people who want to know which code runs the parameters.

use serde::{Serialize, Serializer};

use super::{
    Activation, Affine, Attention, Bias, DecoderConfig, EmbedNorm, Embedding, ExpertWeights, Experts, FinalNorm,
    LayerConfig, LayerMlp, LayerRope, Logits, Mlp, Norm, NormPlacement, Pairing, Positions, QkNorm, Residual, Rope,
    RopeScaling, Unembed,
};

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
            embedding,
            norm,
            affine,
            placement,
            final_norm,
            positions,
            attention,
            layers,
            mlp,
            experts,
            residual,
            residual_scale,
            unembed,
            logits,
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
            ("embedding", embedding_words(*embedding)),
            ("norm", norm_words(*norm, *affine, *placement)),
            ("final_norm", final_norm_words(*final_norm)),
            ("positions", positions_words(positions)),
            ("attention", attention_words(*n_heads, *n_kv_heads, *attention)),
            ("layers", layers_words(layers)),
            ("mlp", mlp_words(*mlp)),
            ("experts", experts.map_or_else(|| "none".into(), experts_words)),
            ("residual", residual_words(*residual, *residual_scale)),
            ("unembed", unembed_words(*unembed, *logits)),
            ("attn_bias", bias_words(*attn_bias)),
            ("mlp_bias", bias_words(*mlp_bias)),
        ];
        let name = std::iter::once(("architecture", Fact::Words(architecture.clone())));
        let sizes = sizes.into_iter().map(|(name, &size)| (name, Fact::Count(size)));
        name.chain(sizes).chain(axes.into_iter().map(|(name, words)| (name, Fact::Words(words)))).collect()
    }
}

fn embedding_words(embedding: Embedding) -> String {
    let Embedding { scale, norm, width } = embedding;
    let mut words = vec!["a vector per token".to_owned()];
    words.extend(width.map(|width| format!("of width {width}, projected to the residual stream's")));
    words.extend(is_factor(scale).then(|| format!("times {scale}")));
    words.extend((norm == EmbedNorm::Own).then(|| "normalised".to_owned()));
    words.join(", ")
}

#[expect(clippy::float_cmp, reason = "a factor of exactly one is no factor")]
fn is_factor(factor: f64) -> bool {
    factor != 1.0
}

fn norm_words(norm: Norm, affine: Affine, placement: NormPlacement) -> String {
    let kind = match norm {
        Norm::Rms { .. } => "RMS norm",
        Norm::Layer { .. } => "layer norm",
    };
    let learnt = match affine {
        Affine::None => "nothing learnt",
        Affine::Gain => "with a gain",
        Affine::GainBias => "with gain and bias",
    };
    let place = match placement {
        NormPlacement::Pre => "before each sublayer",
        NormPlacement::Post => "after each sublayer, before it is added",
        NormPlacement::Sandwich => "before and after each sublayer",
        NormPlacement::Residual => "on the residual stream, after each sublayer was added",
        NormPlacement::Carried => "before each sublayer, whose output is added to the normalised stream",
    };
    format!("{kind} {place}, {learnt}, eps {:e}", norm.eps())
}

fn final_norm_words(norm: FinalNorm) -> String {
    match norm {
        FinalNorm::None => "none",
        FinalNorm::Own => "of the same kind, before the unembedding",
    }
    .into()
}

fn positions_words(positions: &Positions) -> String {
    match positions {
        Positions::None => "none but the causal mask".into(),
        Positions::Learned => "a learned vector per position, added to the embedding".into(),
        Positions::Alibi(_) => "a bias on the scores that falls with distance (ALiBi)".into(),
        Positions::Rotary { main, local: None } => rope_words(main),
        Positions::Rotary { main, local: Some(local) } => {
            format!("{}; in blocks with a window {}", rope_words(main), rope_words(local))
        }
    }
}

fn rope_words(rope: &Rope) -> String {
    let scaling = match &rope.scaling {
        RopeScaling::Default => String::new(),
        RopeScaling::Linear { factor } => format!(", frequencies divided by {factor}"),
        RopeScaling::Dynamic { factor, original_n_ctx } => {
            format!(", base growing beyond {original_n_ctx} tokens, factor {factor} (dynamic NTK)")
        }
        RopeScaling::Llama3 { factor, original_n_ctx, .. } => {
            format!(", low frequencies divided by {factor} as in Llama 3 (context before: {original_n_ctx})")
        }
        RopeScaling::Yarn { factor, attention_factor, .. } => {
            format!(", low frequencies divided by {factor}, scores times {attention_factor}² (YaRN)")
        }
        RopeScaling::LongRope { original_n_ctx, attention_factor, .. } => {
            format!(", other divisors beyond {original_n_ctx} tokens, scores times {attention_factor}² (LongRoPE)")
        }
        RopeScaling::Divisors(divisors) => {
            format!(", {} frequencies divided each by a number in the file", divisors.len())
        }
    };
    let pairs = match rope.pairing {
        Pairing::Halves => "",
        Pairing::Neighbours => ", neighbours together",
    };
    format!("rotary on {} dimensions a head{pairs}, base {}{scaling}", rope.n_rot, rope.theta)
}

fn attention_words(n_heads: usize, n_kv_heads: usize, attention: Attention) -> String {
    let heads = match n_kv_heads {
        _ if n_heads == n_kv_heads => "causal, every head with keys and values of its own".into(),
        1 => format!("causal, {n_heads} query heads share one key/value head"),
        _ => format!("causal, grouped: {} query heads share a key/value head", n_heads / n_kv_heads.max(1)),
    };
    let Attention { softcap, clip, qk_norm } = attention;
    let mut words = vec![heads];
    words.extend(clip.map(|clip| format!("projections cut off at {clip}")));
    words.extend(match qk_norm {
        QkNorm::None => None,
        QkNorm::Shared(_) => Some("queries and keys normalised, one gain for all heads".to_owned()),
        QkNorm::PerHead => Some("queries and keys normalised, a gain for each head".to_owned()),
        QkNorm::Joint => Some("queries and keys normalised, all heads together".to_owned()),
    });
    words.extend(softcap.map(|cap| format!("scores soft-capped at {cap}")));
    words.join(", ")
}

fn layers_words(layers: &[LayerConfig]) -> String {
    let list = |holds: &dyn Fn(&LayerConfig) -> bool| {
        let found: Vec<String> =
            layers.iter().enumerate().filter(|(_, layer)| holds(layer)).map(|(at, _)| at.to_string()).collect();
        if found.len() == layers.len() { "all".into() } else { found.join(" ") }
    };
    let mut words = Vec::new();
    if let Some(window) = layers.iter().find_map(|layer| layer.window) {
        words.push(format!("window of {window} positions in {}", list(&|layer| layer.window.is_some())));
    }
    if layers.iter().any(|layer| layer.rope == LayerRope::None) {
        words.push(format!("no rotation in {}", list(&|layer| layer.rope == LayerRope::None)));
    }
    if layers.iter().any(|layer| layer.mlp == LayerMlp::Sparse) {
        words.push(format!("experts in {}", list(&|layer| layer.mlp == LayerMlp::Sparse)));
    }
    let scales = layers.first().map_or(1.0, |layer| layer.scale);
    let alike = layers.iter().all(|layer| (layer.scale - scales).abs() < f64::EPSILON);
    let scale = if alike { format!("scores times {scales:.4}") } else { "scores scaled by layer".into() };
    words.push(scale);
    words.join("; ")
}

fn mlp_words(mlp: Mlp) -> String {
    let activation = match mlp.activation() {
        Activation::Silu => "SiLU",
        Activation::Gelu => "GELU",
        Activation::GeluTanh => "GELU (tanh)",
        Activation::QuickGelu => "GELU (sigmoid)",
        Activation::Relu => "ReLU",
        Activation::Relu2 => "squared ReLU",
    };
    match mlp {
        Mlp::Gated(_) => format!("gated, {activation}"),
        Mlp::Plain(_) => format!("plain, {activation}"),
    }
}

fn experts_words(experts: Experts) -> String {
    let Experts { n, n_active, d_expert, weights, d_shared } = experts;
    let weights = match weights {
        ExpertWeights::Probability => "weighted by probability",
        ExpertWeights::Renormalised => "weights summing to one",
    };
    let shared = d_shared.map_or_else(String::new, |width| format!(", and one of width {width} for every token"));
    format!("{n_active} of {n}, width {d_expert}, {weights}{shared}")
}

fn residual_words(residual: Residual, scale: f64) -> String {
    let words = match residual {
        Residual::Serial => "serial: the MLP reads what attention has written",
        Residual::Parallel => "parallel: attention and MLP both read the block's input",
        Residual::SharedNorm => "parallel: attention and MLP both read the block's input through one norm",
    };
    let factor = if is_factor(scale) { format!("; what is added is multiplied by {scale}") } else { String::new() };
    format!("{words}{factor}")
}

fn unembed_words(unembed: Unembed, logits: Logits) -> String {
    let matrix = match unembed {
        Unembed::Tied => "the embedding, transposed (tied)",
        Unembed::Own => "a matrix of its own",
    };
    let Logits { bias, scale, softcap } = logits;
    let mut words = vec![matrix.to_owned()];
    words.extend(bias.writes().then(|| "with a bias".to_owned()));
    words.extend(is_factor(scale).then(|| format!("logits times {scale}")));
    words.extend(softcap.map(|cap| format!("logits soft-capped at {cap}")));
    words.join(", ")
}

fn bias_words(bias: Bias) -> String {
    match bias {
        Bias::None => "none",
        Bias::In => "on the projections that read the residual stream",
        Bias::Out => "on the projection that writes to the residual stream",
        Bias::All => "on every projection",
    }
    .into()
}
