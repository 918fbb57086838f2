//! A model of `SmolLM2`'s shape with random weights and a narrow stream.

use std::collections::BTreeMap;
use std::path::Path;

use lmscope::engine::open;
use lmscope::model::Loading;
use lmscope::model::checkpoint::Arithmetic;
use lmscope::model::source::ModelSource;
use lmscope::text::{BosPolicy, Prompt};
use safetensors::tensor::{Dtype, TensorView};

const N_LAYERS: usize = 30;
const N_HEADS: usize = 9;
const D_MODEL: usize = 288;
const D_KEY: usize = 96;
const D_MLP: usize = 768;
const D_VOCAB: usize = 288;

/// Whose tokenizer it has.
const DONOR: &str = "fixtures/models/tiny-llama";

/// Writes it as a Hugging Face directory.
pub(super) fn write(folder: &Path) {
    for name in ["tokenizer.json", "tokenizer_config.json"] {
        std::fs::copy(Path::new(DONOR).join(name), folder.join(name)).unwrap();
    }
    let config = serde_json::json!({
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "bos_token_id": 0, "eos_token_id": 1,
        "hidden_size": D_MODEL, "intermediate_size": D_MLP, "num_hidden_layers": N_LAYERS,
        "num_attention_heads": N_HEADS, "num_key_value_heads": 3, "head_dim": D_MODEL / N_HEADS,
        "hidden_act": "silu", "rms_norm_eps": 1e-5, "vocab_size": D_VOCAB, "max_position_embeddings": 2048,
        "rope_theta": 10000.0, "tie_word_embeddings": false,
    });
    std::fs::write(folder.join("config.json"), config.to_string()).unwrap();
    let mut tensors: BTreeMap<String, (Vec<usize>, Vec<u8>)> = BTreeMap::new();
    let mut seed = 1;
    let mut add = |name: String, shape: &[usize]| {
        let bytes = (0..shape.iter().product()).flat_map(|_| weight(&mut seed, shape.len()).to_le_bytes()).collect();
        tensors.insert(name, (shape.to_vec(), bytes));
    };
    for name in ["model.embed_tokens", "lm_head"] {
        add(format!("{name}.weight"), &[D_VOCAB, D_MODEL]);
    }
    add("model.norm.weight".into(), &[D_MODEL]);
    for layer in 0..N_LAYERS {
        let mut block = |name: &str, shape: &[usize]| add(format!("model.layers.{layer}.{name}.weight"), shape);
        block("input_layernorm", &[D_MODEL]);
        block("post_attention_layernorm", &[D_MODEL]);
        block("self_attn.q_proj", &[D_MODEL, D_MODEL]);
        block("self_attn.k_proj", &[D_KEY, D_MODEL]);
        block("self_attn.v_proj", &[D_KEY, D_MODEL]);
        block("self_attn.o_proj", &[D_MODEL, D_MODEL]);
        block("mlp.gate_proj", &[D_MLP, D_MODEL]);
        block("mlp.up_proj", &[D_MLP, D_MODEL]);
        block("mlp.down_proj", &[D_MODEL, D_MLP]);
    }
    let views = tensors
        .iter()
        .map(|(name, (shape, bytes))| (name.clone(), TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap()));
    safetensors::serialize_to_file(views, None, &folder.join("model.safetensors")).unwrap();
}

/// The next weight: 1 in a norm, else between -0.06 and 0.06.
fn weight(seed: &mut u64, rank: usize) -> f32 {
    if rank == 1 {
        return 1.0;
    }
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    ((*seed >> 40) as f32 / (1u64 << 24) as f32 - 0.5) * 0.12
}

/// How many tokens texts have.
fn counting(folder: &Path) -> impl Fn(&str) -> usize {
    let source = ModelSource::Directory(folder.to_path_buf());
    let loaded = open(&source, &Loading::unwatched(Arithmetic::Exact)).unwrap();
    move |text| Prompt::new(&loaded.tokenizer, text, BosPolicy::Model).unwrap().ids.len()
}

/// A text of so many tokens.
pub(super) fn prompt(folder: &Path, n_tokens: usize) -> String {
    let count = counting(folder);
    let mut text = "the".to_owned();
    for c in "the cat sat on a mat and looked at the moon; ".chars().cycle() {
        if count(&text) >= n_tokens {
            return text;
        }
        text.push(c);
    }
    text
}

/// The text with another animal at its beginning, in as many tokens.
pub(super) fn corrupted(folder: &Path, text: &str) -> String {
    let count = counting(folder);
    let animals = ["rat", "dog", "hat", "cow", "fox"].map(|animal| text.replacen("cat", animal, 1));
    animals.into_iter().find(|other| count(other) == count(text)).unwrap()
}
