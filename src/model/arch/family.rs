//! What the configurations of many architectures have in common: Hugging Face's names, with each family's defaults.

use super::{ConfigError, ConfigReader};
use crate::model::{Bias, DecoderConfig, Mlp, Norm, Pairing, Positions, Rope, RopeScaling, Sizes, Unembed};

/// Defaults of a family, for fields that a configuration leaves out.
#[derive(Clone, Copy)]
pub(super) struct Family {
    /// Hugging Face's `model_type`.
    pub(super) name: &'static str,
    /// Key/value heads where the field is absent; as many as heads if none.
    pub(super) n_kv_heads: Option<usize>,
    /// Width of a head.
    pub(super) head: Head,
    /// Longest sequence where the field is absent.
    pub(super) n_ctx: usize,
    /// Field and default of what is added to a norm's variance.
    pub(super) eps: (&'static str, f64),
    /// Whether the unembedding is tied where the field is absent.
    pub(super) tied: bool,
    /// Rotary base where the field is absent.
    pub(super) theta: f64,
    /// How much of each head is rotated.
    pub(super) share: Share,
    /// Which dimensions are rotated together.
    pub(super) pairing: Pairing,
    /// Field and default of the MLP's nonlinearity.
    pub(super) activation: (&'static str, &'static str),
}

/// Width of a head.
#[derive(Clone, Copy)]
pub(super) enum Head {
    /// `head_dim`, or an equal share of the width.
    Field,
    /// `head_dim`, or this where the field is absent.
    Default(usize),
    /// An equal share of the width, always.
    Equal,
}

/// How much of each head is rotated.
#[derive(Clone, Copy)]
pub(super) enum Share {
    /// All of it; the family's reference ignores `partial_rotary_factor`.
    Whole,
    /// `partial_rotary_factor`, or this where the field is absent.
    Partial(f64),
}

impl Family {
    /// Llama's defaults, to be changed.
    pub(super) const LLAMA: Self = Self {
        name: "llama",
        n_kv_heads: None,
        head: Head::Field,
        n_ctx: 2048,
        eps: ("rms_norm_eps", 1e-6),
        tied: false,
        theta: 10_000.0,
        share: Share::Whole,
        pairing: Pairing::Halves,
        activation: ("hidden_act", "silu"),
    };

    /// Reads what the family has in common: sizes, RMS norms, rotary positions, gated MLPs, no biases.
    pub(super) fn read(&self, reader: &ConfigReader<'_>) -> Result<DecoderConfig, ConfigError> {
        let mut cfg = self.read_without_positions(reader)?;
        let rope = self.rope(reader, &self.sizes(reader)?)?;
        if let RopeScaling::Dynamic { factor, .. } = rope.scaling {
            cfg.n_ctx = stretched(cfg.n_ctx, factor);
        }
        cfg.positions = Positions::rotary(rope);
        Ok(cfg)
    }

    /// The same for architectures that read their positions in a way of their own.
    pub(super) fn read_without_positions(&self, reader: &ConfigReader<'_>) -> Result<DecoderConfig, ConfigError> {
        Ok(DecoderConfig {
            norm: Norm::Rms { eps: reader.number_or(self.eps.0, self.eps.1)? },
            mlp: Mlp::Gated(reader.activation(self.activation.0, self.activation.1)?),
            unembed: tied(reader, self.tied)?,
            ..DecoderConfig::plain(self.name, self.sizes(reader)?)
        })
    }

    /// The sizes.
    pub(super) fn sizes(&self, reader: &ConfigReader<'_>) -> Result<Sizes, ConfigError> {
        let (d_model, n_heads) = (reader.size("hidden_size")?, reader.size("num_attention_heads")?);
        let equal = d_model / n_heads;
        let d_head = match self.head {
            Head::Equal => equal,
            Head::Field => reader.size_or("head_dim", Some(equal))?,
            Head::Default(d_head) => reader.size_if_absent("head_dim", d_head, equal)?,
        };
        Ok(Sizes {
            n_layers: reader.size("num_hidden_layers")?,
            d_model,
            n_heads,
            n_kv_heads: reader.size_if_absent("num_key_value_heads", self.n_kv_heads.unwrap_or(n_heads), n_heads)?,
            d_head,
            d_mlp: reader.size("intermediate_size")?,
            d_vocab: reader.size("vocab_size")?,
            n_ctx: reader.size_or("max_position_embeddings", Some(self.n_ctx))?,
        })
    }

    /// The rotation.
    pub(super) fn rope(&self, reader: &ConfigReader<'_>, sizes: &Sizes) -> Result<Rope, ConfigError> {
        let section = reader.rope_section("rope_theta", "partial_rotary_factor");
        let n_rot = match self.share {
            Share::Whole => {
                section.require_whole()?;
                sizes.d_head
            }
            Share::Partial(default) => section.n_rot(sizes.d_head, default)?,
        };
        let theta = section.theta(self.theta)?;
        let scaling = section.scaling(theta, n_rot, sizes.n_ctx)?;
        Ok(Rope { theta, n_rot, pairing: self.pairing, scaling })
    }
}

/// Whether the unembedding is the embedding.
pub(super) fn tied(reader: &ConfigReader<'_>, default: bool) -> Result<Unembed, ConfigError> {
    Ok(if reader.bool_or("tie_word_embeddings", default)? { Unembed::Tied } else { Unembed::Own })
}

/// All projections have biases, or none.
pub(super) fn biases(reader: &ConfigReader<'_>, field: &str, default: bool) -> Result<Bias, ConfigError> {
    Ok(Bias::all_if(reader.bool_or(field, default)?))
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a context length and a factor above one")]
fn stretched(n_ctx: usize, factor: f64) -> usize {
    (n_ctx as f64 * factor.max(1.0)) as usize
}

/// The window of Qwen's models, which is there only if it is switched on.
pub(super) fn window_if_used(reader: &ConfigReader<'_>) -> Result<Option<usize>, ConfigError> {
    if reader.bool_or("use_sliding_window", false)? {
        reader.optional_size("sliding_window", Some(4096))
    } else {
        Ok(None)
    }
}

/// Gives a window to the blocks for which `is_local` holds, or to those that `layer_types` names.
pub(super) fn windows(
    reader: &ConfigReader<'_>,
    cfg: &mut DecoderConfig,
    window: Option<usize>,
    is_local: impl Fn(usize) -> bool,
) -> Result<(), ConfigError> {
    let types = reader.layer_types(cfg.n_layers)?;
    for (layer, axes) in cfg.layers.iter_mut().enumerate() {
        let local = types.as_ref().map_or_else(|| is_local(layer), |types| types[layer]);
        if local && window.is_none() && types.is_some() {
            return Err(ConfigError::Missing { field: "sliding_window".into() });
        }
        axes.window = window.filter(|_| local);
    }
    Ok(())
}
