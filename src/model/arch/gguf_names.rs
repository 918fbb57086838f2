//! What the GGUF files of many architectures have in common, as llama.cpp's converter writes them and llama.cpp reads
//! them. What the metadata are silent about is in the tensors: a bias is there or not.

use super::gguf_rope;
use super::{Architecture, ConfigError, Source, View};
use crate::model::checkpoint::gguf::Metadata;
use crate::model::{
    Activation, Affine, Bias, DecoderConfig, Experts, LayerMlp, Mlp, Norm, Param, ParamId, Positions, Sizes, Unembed,
};

/// The metadata of one architecture, whose keys begin with its name.
pub(super) struct Keys<'a> {
    pub(super) meta: &'a Metadata<'a>,
    /// The name of the architecture in GGUF files.
    prefix: &'static str,
    /// The name for people.
    name: &'static str,
}

/// Keys that change what some architecture computes, with the values that change nothing.
const NEUTRAL: &[(&str, &[f64])] = &[
    ("attention.clamp_kqv", &[0.0]),
    ("attention.max_alibi_bias", &[0.0]),
    ("attention.scale", &[0.0]),
    ("attention.value_scale", &[0.0, 1.0]),
    ("attn_logit_softcapping", &[0.0]),
    ("embedding_scale", &[0.0, 1.0]),
    ("expert_count", &[0.0]),
    ("expert_group_count", &[0.0, 1.0]),
    ("expert_shared_feed_forward_length", &[0.0]),
    ("expert_weights_scale", &[0.0, 1.0]),
    ("final_logit_softcapping", &[0.0]),
    ("logit_scale", &[0.0, 1.0]),
    ("nextn_predict_layers", &[0.0]),
    ("residual_scale", &[0.0, 1.0]),
    ("router_logit_softcapping", &[0.0]),
];

/// Keys that no architecture here has.
const REFUSED: &[&str] = &[
    "attention.key_length_swa",
    "attention.rope_pattern",
    "attention.temperature_scale",
    "deepstack_mapping",
    "rope.dimension_count_swa",
    "rope.dimension_sections",
];

const WINDOW: &str = "attention.sliding_window";
const PATTERN: &str = "attention.sliding_window_pattern";

impl<'a> Keys<'a> {
    /// The metadata of an architecture.
    pub(super) fn new(arch: &dyn Architecture, meta: &'a Metadata<'a>) -> Self {
        Self { meta, prefix: arch.gguf_name().unwrap_or(arch.name()), name: arch.name() }
    }

    pub(super) fn key(&self, key: &str) -> String {
        format!("{}.{key}", self.prefix)
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

    /// A number that is not zero, which llama.cpp takes for an absent key.
    pub(super) fn nonzero(&self, key: &str) -> Result<Option<f64>, ConfigError> {
        Ok(self.number(key)?.filter(|number| *number != 0.0))
    }

    /// A truth value, if the key is there.
    pub(super) fn flag(&self, key: &str) -> Option<bool> {
        self.meta.bool(&self.key(key))
    }

    /// A key whose value the decoder does not compute.
    pub(super) fn refuse(&self, key: &str, found: impl ToString, expected: &str) -> ConfigError {
        ConfigError::unsupported(&self.key(key), found, expected)
    }

    /// Refuses a key whose value is none of these.
    pub(super) fn require(&self, key: &str, values: &[f64]) -> Result<(), ConfigError> {
        let expected = || values.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ");
        match self.number(key)?.filter(|found| !values.contains(found)) {
            Some(found) => Err(self.refuse(key, found, &expected())),
            None => Ok(()),
        }
    }

    /// Whether the first block has this tensor.
    pub(super) fn has(&self, tensor: &str) -> bool {
        self.meta.has_tensor(&format!("blk.0.{tensor}"))
    }

    /// Sizes, norms, rotary positions, MLPs and biases. Keys that change anything else are refused, but for `honoured`.
    pub(super) fn config(&self, honoured: &[&str]) -> Result<DecoderConfig, ConfigError> {
        let sizes = self.sizes()?;
        self.refuse_others(&sizes, honoured)?;
        let norm = match self.number("attention.layer_norm_rms_epsilon")? {
            Some(eps) => Norm::Rms { eps },
            None => Norm::Layer { eps: self.number("attention.layer_norm_epsilon")?.unwrap_or(1e-5) },
        };
        let is_gated = self.has("ffn_gate.weight") || self.has("ffn_gate_exps.weight");
        let mut cfg = DecoderConfig {
            norm,
            affine: self.affine(),
            positions: Positions::rotary(gguf_rope::rope(self, &sizes)?),
            mlp: if is_gated { Mlp::Gated(Activation::Silu) } else { Mlp::Plain(Activation::GeluTanh) },
            unembed: if self.meta.has_tensor("output.weight") { Unembed::Own } else { Unembed::Tied },
            attn_bias: self.bias(&["attn_q.bias", "attn_qkv.bias"], "attn_output.bias"),
            mlp_bias: self.bias(&["ffn_up.bias"], "ffn_down.bias"),
            ..DecoderConfig::plain(self.name, sizes)
        };
        cfg.logits.bias = Bias::all_if(self.meta.has_tensor("output.bias"));
        Ok(cfg)
    }

    fn affine(&self) -> Affine {
        match (self.meta.has_tensor("output_norm.weight"), self.meta.has_tensor("output_norm.bias")) {
            (_, true) => Affine::GainBias,
            (true, false) => Affine::Gain,
            (false, false) => Affine::None,
        }
    }

    /// Which projections of a sublayer have biases, by what the tensors of theirs may be called.
    fn bias(&self, reads: &[&str], writes: &str) -> Bias {
        match (reads.iter().any(|tensor| self.has(tensor)), self.has(writes)) {
            (true, true) => Bias::All,
            (true, false) => Bias::In,
            (false, true) => Bias::Out,
            (false, false) => Bias::None,
        }
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

    fn refuse_others(&self, sizes: &Sizes, honoured: &[&str]) -> Result<(), ConfigError> {
        for (key, neutral) in NEUTRAL.iter().filter(|(key, _)| !honoured.contains(key)) {
            self.require(key, neutral)?;
        }
        if let Some(key) = REFUSED.iter().find(|key| self.meta.has_key(&self.key(key))) {
            return Err(self.refuse(key, "set", "a model without it"));
        }
        if self.flag("attention.causal") == Some(false) {
            return Err(self.refuse("attention.causal", false, "true"));
        }
        let d_value = self.size_or("attention.value_length", Some(sizes.d_head))?;
        if d_value != sizes.d_head {
            return Err(self.refuse("attention.value_length", d_value, "as much as the key's"));
        }
        // a window as long as the context is none
        let window = self.nonzero(WINDOW)?.filter(|window| *window < sizes.n_ctx as f64);
        match window.filter(|_| !honoured.contains(&WINDOW)) {
            Some(window) => Err(self.refuse(WINDOW, window, "no window")),
            None => Ok(()),
        }
    }

    /// Width of the window of the blocks that have one.
    pub(super) fn window(&self, default: Option<usize>) -> Result<Option<usize>, ConfigError> {
        match self.number(WINDOW)? {
            Some(0.0) => Ok(None),
            Some(_) => self.size(WINDOW).map(Some),
            None => Ok(default),
        }
    }

    /// Which blocks have a window: those that the file lists, or all but every `every`-th.
    pub(super) fn local_layers(&self, n_layers: usize, every: usize) -> Result<Vec<bool>, ConfigError> {
        let key = self.key(PATTERN);
        let listed = self.meta.flags(&key);
        match listed.len() {
            0 => {
                let every = self.size_or(PATTERN, Some(every))?;
                Ok((0..n_layers).map(|layer| !(layer + 1).is_multiple_of(every)).collect())
            }
            n if n == n_layers => Ok(listed),
            n => Err(self.refuse(PATTERN, format!("{n} entries long"), "an entry for each block")),
        }
    }

    /// Puts a mixture of experts into every block, with softmax probabilities.
    pub(super) fn experts(&self, cfg: &mut DecoderConfig, experts: Experts) -> Result<(), ConfigError> {
        self.require("expert_gating_func", &[0.0, 1.0])?; // softmax
        let renormalised = experts.weights == crate::model::ExpertWeights::Renormalised;
        if let Some(other) = self.flag("expert_weights_norm").filter(|flag| *flag != renormalised) {
            return Err(self.refuse("expert_weights_norm", other, &renormalised.to_string()));
        }
        cfg.experts = Some(experts);
        for layer in &mut cfg.layers {
            layer.mlp = LayerMlp::Sparse;
        }
        Ok(())
    }

    /// How many experts there are and how many a token is sent to.
    pub(super) fn expert_counts(&self) -> Result<(usize, usize), ConfigError> {
        Ok((self.size("expert_count")?, self.size("expert_used_count")?))
    }
}

/// Where a GGUF file keeps a parameter, whatever its architecture.
pub(super) fn source(id: ParamId) -> Option<Source> {
    let (name, view) = match id.param {
        Param::Embed => ("token_embd.weight", View::Whole),
        Param::EmbedNormGain => ("token_embd_norm.weight", View::Whole),
        Param::EmbedNormBias => ("token_embd_norm.bias", View::Whole),
        Param::PosEmbed => ("position_embd.weight", View::Whole),
        Param::LnFinalGain => ("output_norm.weight", View::Whole),
        Param::LnFinalBias => ("output_norm.bias", View::Whole),
        Param::Unembed => ("output.weight", View::Whole),
        Param::UnembedBias => ("output.bias", View::Whole),
        Param::Ln1Gain => ("attn_norm.weight", View::Whole),
        Param::Ln1Bias => ("attn_norm.bias", View::Whole),
        Param::Ln1PostGain => ("post_attention_norm.weight", View::Whole),
        Param::Ln2Gain => ("ffn_norm.weight", View::Whole),
        Param::Ln2Bias => ("ffn_norm.bias", View::Whole),
        Param::Ln2PostGain => ("post_ffw_norm.weight", View::Whole),
        Param::Q => ("attn_q.weight", View::Whole),
        Param::QBias => ("attn_q.bias", View::Whole),
        Param::K => ("attn_k.weight", View::Whole),
        Param::KBias => ("attn_k.bias", View::Whole),
        Param::V => ("attn_v.weight", View::Whole),
        Param::VBias => ("attn_v.bias", View::Whole),
        Param::QNormGain => ("attn_q_norm.weight", View::Whole),
        Param::KNormGain => ("attn_k_norm.weight", View::Whole),
        Param::O => ("attn_output.weight", View::Whole),
        Param::OBias => ("attn_output.bias", View::Whole),
        Param::Gate => ("ffn_gate.weight", View::Whole),
        Param::GateBias => ("ffn_gate.bias", View::Whole),
        Param::In => ("ffn_up.weight", View::Whole),
        Param::InBias => ("ffn_up.bias", View::Whole),
        Param::Out => ("ffn_down.weight", View::Whole),
        Param::OutBias => ("ffn_down.bias", View::Whole),
        Param::Router => ("ffn_gate_inp.weight", View::Whole),
        Param::ExpertGate(expert) => ("ffn_gate_exps.weight", View::Expert { expert }),
        Param::ExpertIn(expert) => ("ffn_up_exps.weight", View::Expert { expert }),
        Param::ExpertOut(expert) => ("ffn_down_exps.weight", View::Expert { expert }),
        Param::SharedRouter => ("ffn_gate_inp_shexp.weight", View::Whole),
        Param::SharedGate => ("ffn_gate_shexp.weight", View::Whole),
        Param::SharedIn => ("ffn_up_shexp.weight", View::Whole),
        Param::SharedOut => ("ffn_down_shexp.weight", View::Whole),
        _ => return None,
    };
    Some(tensor(id, name).viewed(view))
}

/// The tensor `name` of `id`'s block, or of the model.
pub(super) fn tensor(id: ParamId, name: &str) -> Source {
    Source::whole(match id.layer {
        Some(layer) => format!("blk.{layer}.{name}"),
        None => name.to_owned(),
    })
}

/// The same where the converter has interleaved the rows of `W_Q` and `W_K` for its rotation.
pub(super) fn interleaved(id: ParamId) -> Option<Source> {
    let source = source(id)?;
    Some(match id.param {
        Param::Q | Param::K | Param::QBias | Param::KBias => source.viewed(View::Uninterleaved),
        _ => source,
    })
}

/// The same where gate and input projection of the MLP are one tensor, the gate first.
pub(super) fn fused_gate(id: ParamId, cfg: &DecoderConfig) -> Option<Source> {
    let rows = |first| tensor(id, "ffn_up.weight").viewed(View::Rows { first, of: 2 * cfg.d_mlp });
    match id.param {
        Param::Gate => Some(rows(0)),
        Param::In => Some(rows(cfg.d_mlp)),
        _ => source(id),
    }
}

/// Where a file keeps a parameter otherwise: queries, keys and values in one tensor, one after the other, or a matrix of
/// one row as a vector.
pub(super) fn alternative(id: ParamId, cfg: &DecoderConfig) -> Option<Source> {
    let (d_q, d_kv) = (cfg.n_heads * cfg.d_head, cfg.n_kv_heads * cfg.d_head);
    let (first, name) = match id.param {
        Param::Q => (0, "attn_qkv.weight"),
        Param::K => (d_q, "attn_qkv.weight"),
        Param::V => (d_q + d_kv, "attn_qkv.weight"),
        Param::QBias => (0, "attn_qkv.bias"),
        Param::KBias => (d_q, "attn_qkv.bias"),
        Param::VBias => (d_q + d_kv, "attn_qkv.bias"),
        Param::SharedRouter => return source(id).map(|source| source.viewed(View::Row)),
        _ => return None,
    };
    Some(tensor(id, name).viewed(View::Rows { first, of: d_q + 2 * d_kv }))
}
