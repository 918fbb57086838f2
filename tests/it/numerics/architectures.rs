//! Every architecture, in each state of every axis of its configuration, against transformers
//! (`fixtures/make_architectures.py`): logits, attention patterns, hidden states, router logits.

use std::collections::BTreeSet;

use candle_core::DType;
use lmscope::model::decoder::Kernels;
use lmscope::model::load::load_directory;
use lmscope::model::source::ModelSource;
use lmscope::model::{Loading, NoTap, arch};
use lmscope::trace::{Trace, TracePlan};

use crate::support::{max_abs_diff, project, tensors};

const TOLERANCE: f32 = 1e-4;

fn check(name: &str) {
    let dir = project("fixtures/architectures").join(name);
    let golden = tensors(&dir.join("golden.safetensors"));
    let model = load_directory(&ModelSource::Directory(dir), &Loading::unwatched(Kernels::Fused)).unwrap();
    let ids = golden["tokens"].to_dtype(DType::U32).unwrap().to_vec1::<u32>().unwrap();
    let points = model.config.hook_points();
    let trace = Trace::record(&model.decoder, &ids, &TracePlan::new(points.clone()), &mut NoTap).unwrap();
    trace.check_finite().unwrap();
    assert!(name.starts_with(&model.config.architecture));

    let n_layers = model.config.n_layers;
    assert!(golden.len() >= 3 + 2 * n_layers, "{name}: a golden without patterns or hidden states");
    let mut failures = Vec::new();
    for (hook, expected) in golden.iter().filter(|(hook, _)| *hook != "tokens") {
        let found = match hook.as_str() {
            "logits" => max_abs_diff(&trace.logits, expected),
            hook => max_abs_diff(trace.get(hook.parse().unwrap()).unwrap(), expected),
        };
        if found.is_nan() || found > TOLERANCE {
            failures.push(format!("{hook}: {found}"));
        }
    }
    failures.sort();
    assert!(failures.is_empty(), "{name} differs by more than {TOLERANCE}:\n{}", failures.join("\n"));
}

/// A test for each directory of `fixtures/architectures`.
macro_rules! variants {
    ($($test:ident = $name:literal,)+) => {
        const VARIANTS: &[&str] = &[$($name,)+];

        $(#[test]
        fn $test() {
            check($name);
        })+
    };
}

variants! {
    bloom_heads_6 = "bloom-heads-6",
    bloom_plain = "bloom-plain",
    bloom_post_layernorm = "bloom-post-layernorm",
    cohere_plain = "cohere-plain",
    cohere_qk_norm = "cohere-qk-norm",
    falcon_alibi = "falcon-alibi",
    falcon_multi_query = "falcon-multi-query",
    falcon_new = "falcon-new",
    falcon_new_one_norm = "falcon-new-one-norm",
    falcon_serial = "falcon-serial",
    gemma_tied = "gemma-tied",
    gemma_untied = "gemma-untied",
    gemma2_no_softcap = "gemma2-no-softcap",
    gemma2_softcap = "gemma2-softcap",
    gemma3_text_mixed = "gemma3_text-mixed",
    gemma3_text_pattern = "gemma3_text-pattern",
    glm4_no_bias = "glm4-no-bias",
    glm4_plain = "glm4-plain",
    gpt2_inverse_layer = "gpt2-inverse-layer",
    gpt2_unscaled = "gpt2-unscaled",
    gpt_neo_global_local = "gpt_neo-global-local",
    gpt_neo_types = "gpt_neo-types",
    gpt_neox_full_rotary = "gpt_neox-full-rotary",
    gpt_neox_gelu_fast = "gpt_neox-gelu-fast",
    gptj_rotary_4 = "gptj-rotary-4",
    gptj_rotary_8 = "gptj-rotary-8",
    granite_bias = "granite-bias",
    granite_multipliers = "granite-multipliers",
    llama_dynamic = "llama-dynamic",
    llama_linear = "llama-linear",
    llama_longrope = "llama-longrope",
    llama_longrope_short = "llama-longrope-short",
    llama_yarn = "llama-yarn",
    llama_yarn_attention_factor = "llama-yarn-attention-factor",
    llama_yarn_mscale = "llama-yarn-mscale",
    mistral_head_dim = "mistral-head-dim",
    mistral_sliding = "mistral-sliding",
    mixtral_experts = "mixtral-experts",
    mixtral_fused = "mixtral-fused",
    olmo_clip = "olmo-clip",
    olmo_plain = "olmo-plain",
    olmo2_bias = "olmo2-bias",
    olmo2_plain = "olmo2-plain",
    opt_no_bias = "opt-no-bias",
    opt_no_final_norm = "opt-no-final-norm",
    opt_post_norm = "opt-post-norm",
    opt_pre_norm = "opt-pre-norm",
    phi_plain = "phi-plain",
    phi_qk_layernorm = "phi-qk-layernorm",
    phi3_longrope = "phi3-longrope",
    phi3_longrope_short = "phi3-longrope-short",
    phi3_plain = "phi3-plain",
    phi3_sliding = "phi3-sliding",
    qwen2_full = "qwen2-full",
    qwen2_sliding = "qwen2-sliding",
    qwen2_yarn = "qwen2-yarn",
    qwen2_moe_every_layer = "qwen2_moe-every-layer",
    qwen2_moe_fused = "qwen2_moe-fused",
    qwen2_moe_sparse_step = "qwen2_moe-sparse-step",
    qwen3_full = "qwen3-full",
    qwen3_sliding = "qwen3-sliding",
    qwen3_moe_every_layer = "qwen3_moe-every-layer",
    qwen3_moe_fused = "qwen3_moe-fused",
    qwen3_moe_mlp_only = "qwen3_moe-mlp-only",
    smollm3_no_rope = "smollm3-no-rope",
    smollm3_sliding = "smollm3-sliding",
    stablelm_parallel = "stablelm-parallel",
    stablelm_serial = "stablelm-serial",
    starcoder2_bias = "starcoder2-bias",
    starcoder2_sliding = "starcoder2-sliding",
}

#[test]
fn every_variant_has_a_test_and_every_architecture_a_variant() {
    let entries = std::fs::read_dir(project("fixtures/architectures")).unwrap().map(|entry| entry.unwrap().path());
    let dirs: BTreeSet<String> = entries
        .filter(|path| path.is_dir())
        .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    assert_eq!(dirs, VARIANTS.iter().map(|&name| name.to_owned()).collect());
    for arch in arch::ARCHITECTURES {
        let of_it = dirs.iter().filter(|dir| dir.strip_prefix(arch.name()).is_some_and(|rest| rest.starts_with('-')));
        assert!(of_it.count() >= 2, "{} needs two variants", arch.name());
    }
}
