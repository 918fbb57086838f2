//! Names that many checkpoints share.

use super::{Source, View};
use crate::model::{Param, ParamId};

/// The tensor `name` of `id`'s block, or of the model.
pub(super) fn tensor(id: ParamId, model: &str, blocks: &str, name: &str) -> Source {
    Source::whole(match id.layer {
        Some(layer) => format!("{model}{blocks}{layer}.{name}"),
        None => format!("{model}{name}"),
    })
}

/// The tensor `name` where checkpoints are named as Llama's are.
pub(super) fn in_model(id: ParamId, name: &str) -> Source {
    tensor(id, "model.", "layers.", name)
}

/// Where a checkpoint that is named as Llama's is keeps a parameter.
pub(super) fn llama(id: ParamId) -> Option<Source> {
    let name = match id.param {
        Param::Embed => "embed_tokens.weight",
        Param::LnFinalGain => "norm.weight",
        Param::LnFinalBias => "norm.bias",
        Param::Unembed => return Some(Source::whole("lm_head.weight".into())),
        Param::UnembedBias => return Some(Source::whole("lm_head.bias".into())),
        Param::Ln1Gain => "input_layernorm.weight",
        Param::Ln1Bias => "input_layernorm.bias",
        Param::Ln2Gain => "post_attention_layernorm.weight",
        Param::Ln2Bias => "post_attention_layernorm.bias",
        Param::Q => "self_attn.q_proj.weight",
        Param::QBias => "self_attn.q_proj.bias",
        Param::K => "self_attn.k_proj.weight",
        Param::KBias => "self_attn.k_proj.bias",
        Param::V => "self_attn.v_proj.weight",
        Param::VBias => "self_attn.v_proj.bias",
        Param::QNormGain => "self_attn.q_norm.weight",
        Param::KNormGain => "self_attn.k_norm.weight",
        Param::O => "self_attn.o_proj.weight",
        Param::OBias => "self_attn.o_proj.bias",
        Param::Gate => "mlp.gate_proj.weight",
        Param::GateBias => "mlp.gate_proj.bias",
        Param::In => "mlp.up_proj.weight",
        Param::InBias => "mlp.up_proj.bias",
        Param::Out => "mlp.down_proj.weight",
        Param::OutBias => "mlp.down_proj.bias",
        _ => return None,
    };
    Some(in_model(id, name))
}

/// Experts one by one, as the checkpoints of Qwen have them.
pub(super) fn experts(id: ParamId) -> Option<Source> {
    let name = match id.param {
        Param::Router => "mlp.gate.weight".to_owned(),
        Param::ExpertGate(expert) => format!("mlp.experts.{expert}.gate_proj.weight"),
        Param::ExpertIn(expert) => format!("mlp.experts.{expert}.up_proj.weight"),
        Param::ExpertOut(expert) => format!("mlp.experts.{expert}.down_proj.weight"),
        Param::SharedRouter => "mlp.shared_expert_gate.weight".to_owned(),
        Param::SharedGate => "mlp.shared_expert.gate_proj.weight".to_owned(),
        Param::SharedIn => "mlp.shared_expert.up_proj.weight".to_owned(),
        Param::SharedOut => "mlp.shared_expert.down_proj.weight".to_owned(),
        _ => return llama(id),
    };
    Some(in_model(id, &name))
}

/// Experts in one tensor, as transformers 5 keeps them.
pub(super) fn fused_experts(id: ParamId) -> Option<Source> {
    let (name, view) = match id.param {
        Param::ExpertGate(expert) => ("mlp.experts.gate_up_proj", View::ExpertHalf { expert, half: 0 }),
        Param::ExpertIn(expert) => ("mlp.experts.gate_up_proj", View::ExpertHalf { expert, half: 1 }),
        Param::ExpertOut(expert) => ("mlp.experts.down_proj", View::Expert { expert }),
        Param::Router => ("mlp.gate.weight", View::Whole),
        _ => return None,
    };
    Some(in_model(id, name).viewed(view))
}

/// The same gain, where the checkpoint stores what is added to one.
pub(super) fn plus_one(id: ParamId, source: Option<Source>) -> Option<Source> {
    let view = if is_gain(id.param) { View::PlusOne } else { View::Whole };
    source.map(|source| source.viewed(view))
}

const fn is_gain(param: Param) -> bool {
    matches!(
        param,
        Param::Ln1Gain
            | Param::Ln1PostGain
            | Param::Ln2Gain
            | Param::Ln2PostGain
            | Param::LnFinalGain
            | Param::QNormGain
            | Param::KNormGain
    )
}
