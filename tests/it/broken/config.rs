//! Damaged configurations.

use std::path::Path;

use serde_json::{Value, json};

use super::model::{Case, Model};

const FILE: &str = "config.json";

pub(super) fn cases(root: &Path) -> Vec<Case> {
    let model = Model::good("models/tiny-llama");
    let case = |name: &str, model: Model, names| model.case(root, &format!("config-{name}"), names);
    let text = |name: &str, text: &[u8], names| case(name, model.clone().with(FILE, text), names);
    let deep = format!("{{\"model_type\":{}", "[".repeat(10_000));
    let bomb = format!("{{\"model_type\":[0{}]}}", ",0".repeat(1_000_000));
    let mut cases = vec![
        text("empty", b"", FILE).traced(),
        text("not-json", b"{", FILE),
        text("an-array", b"[]", "an array"),
        text("null", b"null", "null"),
        text("not-utf8", b"{\"model_type\": \"\xff\"}", FILE),
        text("nested-10000-deep", deep.as_bytes(), FILE),
        text("of-a-million-commas", bomb.as_bytes(), FILE),
        text("with-a-number-beyond-all", b"{\"model_type\": 1e400}", FILE),
    ];
    for field in
        ["model_type", "hidden_size", "num_attention_heads", "num_hidden_layers", "intermediate_size", "vocab_size"]
    {
        let without = model.clone().changed(FILE, &json!({field: null}));
        cases.push(case(&format!("without-{field}"), without, field));
    }
    for (name, fields, names) in wrong_values() {
        cases.push(case(name, model.clone().changed(FILE, &fields), names));
    }
    for (name, of, fields, names) in of_architectures() {
        let model = Model::good(&format!("architectures/{of}"));
        cases.push(case(name, model.changed(FILE, &fields), names));
    }
    cases
}

fn wrong_values() -> Vec<(&'static str, Value, &'static str)> {
    const MANY: u64 = 1 << 28;
    vec![
        ("hidden-size-a-text", json!({"hidden_size": "32"}), "hidden_size"),
        ("layers-an-object", json!({"num_hidden_layers": {}}), "num_hidden_layers"),
        ("tied-a-text", json!({"tie_word_embeddings": "yes"}), "tie_word_embeddings"),
        ("layers-zero", json!({"num_hidden_layers": 0}), "num_hidden_layers"),
        ("heads-zero", json!({"num_attention_heads": 0}), "num_attention_heads"),
        ("vocabulary-negative", json!({"vocab_size": -1}), "vocab_size"),
        ("hidden-size-fractional", json!({"hidden_size": 32.5}), "hidden_size"),
        ("layers-a-thousand-million", json!({"num_hidden_layers": 1_000_000_000}), "num_hidden_layers"),
        ("layers-2-to-the-28", json!({"num_hidden_layers": MANY}), "num_hidden_layers"),
        ("layers-as-a-float", json!({"num_hidden_layers": 1e30}), "num_hidden_layers"),
        ("layers-that-are-not-there", json!({"num_hidden_layers": 4096}), "is missing"),
        ("vocabulary-of-10-to-the-12", json!({"vocab_size": 1_000_000_000_000u64}), "vocab_size"),
        ("vocabulary-of-2-to-the-28", json!({"vocab_size": MANY}), "268435456"),
        ("hidden-size-2-to-the-40", json!({"hidden_size": 1u64 << 40}), "hidden_size"),
        ("hidden-size-2-to-the-28", json!({"hidden_size": MANY}), "268435456"),
        ("heads-2-to-the-28", json!({"num_attention_heads": MANY, "num_key_value_heads": MANY}), FILE),
        ("all-sizes-2-to-the-28", all_sizes(MANY), FILE),
        ("context-of-all-ones", json!({"max_position_embeddings": u64::MAX}), "max_position_embeddings"),
        ("heads-that-do-not-divide", json!({"num_attention_heads": 5, "head_dim": null}), FILE),
        ("groups-that-do-not-divide", json!({"num_key_value_heads": 3}), FILE),
        ("heads-wider-than-the-weights", json!({"head_dim": 16}), "q_proj"),
        ("heads-of-an-odd-width", json!({"head_dim": 7}), FILE),
        ("architecture-unknown", json!({"model_type": "mamba"}), "mamba"),
        ("architecture-a-number", json!({"model_type": 7}), "model_type"),
        ("activation-unknown", json!({"hidden_act": "mish"}), "hidden_act"),
        ("activation-a-number", json!({"hidden_act": 1}), "hidden_act"),
        ("rope-unknown", json!({"rope_parameters": {"rope_type": "spiral"}}), "rope_type"),
        ("rope-theta-negative", json!({"rope_parameters": {"rope_theta": -1.0}}), "rope_theta"),
        ("rope-factor-missing", json!({"rope_parameters": {"rope_type": "linear"}}), "factor"),
        ("eps-negative", json!({"rms_norm_eps": -1.0}), "-1"),
        ("eps-a-text", json!({"rms_norm_eps": "small"}), "rms_norm_eps"),
        ("quantised-elsewhere", json!({"quantization_config": {"bits": 4}}), "quantization_config"),
    ]
}

fn all_sizes(n: u64) -> Value {
    json!({"hidden_size": n, "intermediate_size": n, "vocab_size": n, "num_hidden_layers": 4096, "head_dim": n})
}

/// Fields that only some architectures have.
fn of_architectures() -> Vec<(&'static str, &'static str, Value, &'static str)> {
    let locals: Vec<&str> = vec!["local"; 10_000];
    vec![
        ("layer-types-too-few", "gemma3_text-mixed", json!({"layer_types": ["full_attention"]}), "layer_types"),
        ("layer-types-unknown", "qwen2-sliding", json!({"layer_types": ["half_attention"]}), "layer_types"),
        ("experts-too-many", "mixtral-experts", json!({"num_local_experts": 65535}), FILE),
        (
            "experts-in-every-layer",
            "mixtral-fused",
            json!({"num_local_experts": 65535, "num_hidden_layers": 4096}),
            FILE,
        ),
        ("experts-more-active-than-there", "mixtral-fused", json!({"num_experts_per_tok": 1000}), FILE),
        (
            "norms-for-many-heads",
            "stablelm-serial",
            json!({"num_attention_heads": 1 << 28, "qk_layernorm": true}),
            FILE,
        ),
        (
            "layers-repeated",
            "gpt_neo-types",
            json!({"attention_types": [[locals, 4096]], "num_layers": 4096}),
            "attention_types",
        ),
        ("layers-repeated-without-end", "gpt_neo-types", json!({"num_layers": 1 << 28}), "num_layers"),
        ("positions-too-many", "gpt2-unscaled", json!({"n_positions": 1 << 28}), "wpe"),
        (
            "rope-dynamic-beyond-all",
            "llama-dynamic",
            json!({"vocab_size": 1, "rope_scaling": {"rope_type": "dynamic", "factor": 1e300}}),
            "embed",
        ),
    ]
}
