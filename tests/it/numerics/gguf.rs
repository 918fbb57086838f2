//! GGUF files of every architecture that llama.cpp shares with us, against llama.cpp itself and against transformers
//! (`fixtures/make_gguf.py`), and what is refused in them.

use std::collections::{BTreeSet, HashMap};
use std::io::Cursor;
use std::path::{Path, PathBuf};

use candle_core::quantized::gguf_file::{self, Content, Value};
use candle_core::{D, DType, Device, Tensor};
use lmscope::model::arch::ARCHITECTURES;
use lmscope::model::checkpoint::Arithmetic;
use lmscope::model::checkpoint::gguf::GgufCheckpoint;
use lmscope::model::load::{LoadError, load_gguf};
use lmscope::model::{CausalLm, Loading, NoTap, ids_tensor};

use crate::support::{gguf, max_abs_diff, project, tensors};

/// llama.cpp's GELU is a table of f16 values; without one the difference is a thousand times smaller.
const TO_LLAMA_CPP: f32 = 5e-3;
const TO_TRANSFORMERS: f32 = 1e-4;
/// Logits that are closer than this may change places when activations are rounded to eight bits.
const TIE: f32 = 5e-2;

fn file(name: &str) -> PathBuf {
    project("fixtures/gguf").join(name)
}

fn ours(path: &Path, ids: &[u32], arithmetic: Arithmetic) -> Tensor {
    let model = gguf(path, arithmetic).decoder;
    let hidden = model.forward(&ids_tensor(ids).unwrap(), &mut model.new_cache(), &mut NoTap).unwrap();
    model.logits(&hidden).unwrap().squeeze(0).unwrap()
}

fn check(name: &str) {
    let golden = tensors(&file(&format!("{name}.golden.safetensors")));
    let ids = golden["tokens"].to_dtype(DType::U32).unwrap().to_vec1::<u32>().unwrap();
    let exact = ours(&file(&format!("{name}-f32.gguf")), &ids, Arithmetic::Exact);
    for (reference, tolerance) in [("logits", TO_LLAMA_CPP), ("logits_transformers", TO_TRANSFORMERS)] {
        let found = max_abs_diff(&exact, &golden[reference]);
        assert!(found <= tolerance, "{name}: {reference} differ by {found}");
    }

    let path = file(&format!("{name}-q8_0.gguf"));
    let (rounded, dequantised) = (&golden["logits_q8_0"], &golden["logits_dequantised"]);
    let exact = ours(&path, &ids, Arithmetic::Exact);
    let found = max_abs_diff(&exact, dequantised);
    assert!(found <= TO_LLAMA_CPP, "{name}: logits of dequantised weights differ by {found}");
    for found in [exact, ours(&path, &ids, Arithmetic::Fast)] {
        assert_eq!(other_tokens(&found, rounded, dequantised), Vec::<usize>::new(), "{name}");
    }
}

/// Positions at which another token is the most probable one than in `rounded`, ties aside: logits that are closer
/// than [`TIE`], or than what rounding of the activations alone has moved some logit of that position, each way.
fn other_tokens(found: &Tensor, rounded: &Tensor, dequantised: &Tensor) -> Vec<usize> {
    let best = found.argmax(D::Minus1).unwrap().to_vec1::<u32>().unwrap();
    let (rounded, dequantised) = (rounded.to_vec2::<f32>().unwrap(), dequantised.to_vec2::<f32>().unwrap());
    let highest = |values: &mut dyn Iterator<Item = f32>| values.fold(f32::NEG_INFINITY, f32::max);
    let is_other = |&(pos, token): &(usize, u32)| {
        let row = &rounded[pos];
        let moved = highest(&mut row.iter().zip(&dequantised[pos]).map(|(a, b)| (a - b).abs()));
        let below = highest(&mut row.iter().copied()) - row[usize::try_from(token).unwrap()];
        below > TIE.max(2.0 * moved)
    };
    best.into_iter().enumerate().filter(is_other).map(|(pos, _)| pos).collect()
}

/// A test for each file of `fixtures/gguf`.
macro_rules! files {
    ($($test:ident = $name:literal,)+) => {
        const FILES: &[&str] = &[$($name,)+];

        $(#[test]
        fn $test() {
            check($name);
        })+
    };
}

files! {
    llama_linear = "llama-linear",
    llama_biases = "llama-biases",
    llama_yarn = "llama-yarn",
    llama_longrope = "llama-longrope",
    llama_llama3 = "llama-llama3",
    llama_mistral = "llama-mistral",
    llama_mixtral = "llama-mixtral",
    qwen2_full = "qwen2-full",
    qwen2_yarn = "qwen2-yarn",
    qwen3_full = "qwen3-full",
    qwen2_moe_every_layer = "qwen2_moe-every-layer",
    qwen3_moe_every_layer = "qwen3_moe-every-layer",
    phi_plain = "phi-plain",
    phi3_plain = "phi3-plain",
    phi3_longrope = "phi3-longrope",
    phi3_longrope_short = "phi3-longrope-short",
    gemma_tied = "gemma-tied",
    gemma2_softcap = "gemma2-softcap",
    gemma3_text_mixed = "gemma3_text-mixed",
    gemma3_text_pattern = "gemma3_text-pattern",
    gpt2_tied = "gpt2-tied",
    gpt_neox_parallel = "gpt_neox-parallel",
    gpt_neox_serial = "gpt_neox-serial",
    bloom_plain = "bloom-plain",
    bloom_heads_6 = "bloom-heads-6",
    falcon_multi_query = "falcon-multi-query",
    falcon_new = "falcon-new",
    stablelm_serial = "stablelm-serial",
    stablelm_parallel = "stablelm-parallel",
    starcoder2_bias = "starcoder2-bias",
    olmo_plain = "olmo-plain",
    olmo_clip = "olmo-clip",
    olmo2_plain = "olmo2-plain",
    olmo2_windows = "olmo2-windows",
    granite_multipliers = "granite-multipliers",
    granite_bias = "granite-bias",
    cohere_plain = "cohere-plain",
    smollm3_no_rope = "smollm3-no-rope",
    glm4_plain = "glm4-plain",
    glm4_no_bias = "glm4-no-bias",
}

#[test]
fn every_file_has_a_test_and_every_architecture_of_gguf_a_file() {
    let entries = std::fs::read_dir(project("fixtures/gguf")).unwrap().map(|entry| entry.unwrap().file_name());
    let names: Vec<String> = entries.map(|name| name.to_string_lossy().into_owned()).collect();
    let goldens: BTreeSet<&str> = names.iter().filter_map(|name| name.strip_suffix(".golden.safetensors")).collect();
    assert_eq!(goldens, FILES.iter().copied().collect());
    let found: BTreeSet<String> =
        FILES.iter().map(|name| architecture(&file(&format!("{name}-f32.gguf"))).unwrap()).collect();
    let known: BTreeSet<String> =
        ARCHITECTURES.iter().filter_map(|arch| arch.gguf_name()).map(ToOwned::to_owned).collect();
    assert_eq!(found, known);
}

fn architecture(path: &Path) -> Option<String> {
    let content = Content::read(&mut Cursor::new(std::fs::read(path).unwrap())).unwrap();
    content.metadata["general.architecture"].to_string().ok().cloned()
}

/// A copy of a file with some metadata changed or added, and why it cannot be loaded.
fn refusal(name: &str, changes: &[(&str, Value)]) -> Option<LoadError> {
    let mut bytes = Cursor::new(std::fs::read(file(&format!("{name}-f32.gguf"))).unwrap());
    let content = Content::read(&mut bytes).unwrap();
    let mut metadata: HashMap<&str, &Value> =
        content.metadata.iter().map(|(key, value)| (key.as_str(), value)).collect();
    metadata.extend(changes.iter().map(|(key, value)| (*key, value)));
    let read = |name: &String| content.tensor(&mut bytes.clone(), name, &Device::Cpu).unwrap();
    let tensors: Vec<_> = content.tensor_infos.keys().map(|name| (name.as_str(), read(name))).collect();
    let tensors: Vec<_> = tensors.iter().map(|(name, tensor)| (*name, tensor)).collect();
    let metadata: Vec<_> = metadata.into_iter().collect();
    let mut changed = Cursor::new(Vec::new());
    gguf_file::write(&mut changed, &metadata, &tensors).unwrap();
    let changed = changed.into_inner();
    let path = Path::new("changed.gguf");
    load_gguf(&GgufCheckpoint::new(path, &changed).unwrap(), path.into(), &Loading::unwatched(Arithmetic::Exact)).err()
}

#[test]
fn what_would_be_computed_otherwise_is_refused_by_its_key() {
    let text = |text: &str| Value::String(text.to_owned());
    let cases = [
        ("llama-linear", "llama.rope.scaling.type", text("dynamic")),
        ("llama-linear", "llama.rope.scaling.attn_factor", Value::F32(1.5)),
        ("llama-linear", "llama.attention.sliding_window", Value::U32(4)),
        ("llama-linear", "llama.attention.causal", Value::Bool(false)),
        ("llama-linear", "llama.attention.value_length", Value::U32(4)),
        ("llama-linear", "llama.attention.scale", Value::F32(0.5)),
        ("llama-linear", "llama.final_logit_softcapping", Value::F32(30.0)),
        ("llama-linear", "llama.rope.dimension_sections", Value::Array(vec![Value::U32(2)])),
        ("llama-llama3", "llama.rope.scaling.type", text("yarn")),
        ("llama-longrope", "llama.rope.scaling.type", text("yarn")),
        ("llama-yarn", "llama.rope.scaling.yarn_attn_factor", Value::F32(1.5)),
        ("llama-yarn", "llama.rope.scaling.yarn_ext_factor", Value::F32(0.5)),
        ("llama-mixtral", "llama.expert_gating_func", Value::U32(2)),
        ("llama-mixtral", "llama.expert_weights_norm", Value::Bool(false)),
        ("llama-mixtral", "llama.expert_weights_scale", Value::F32(2.5)),
        ("qwen2-full", "qwen2.expert_count", Value::U32(4)),
        ("bloom-plain", "bloom.attention.max_alibi_bias", Value::F32(4.0)),
        ("gemma3_text-mixed", "gemma3.attention.sliding_window_pattern", Value::Array(vec![Value::Bool(true)])),
        ("olmo-plain", "olmo.logit_scale", Value::F32(0.5)),
    ];
    for (name, key, value) in cases {
        let error = refusal(name, &[(key, value)]);
        let Some(LoadError::Config { source, .. }) = error else { panic!("{name} {key}: {error:?}") };
        assert!(source.to_string().starts_with(&format!("field `{key}` is ")), "{source}");
    }
}

#[test]
fn values_that_change_nothing_are_accepted() {
    let cases = [
        ("llama-linear", "llama.attention.sliding_window", Value::U32(64)),
        ("llama-linear", "llama.logit_scale", Value::F32(1.0)),
        ("llama-yarn", "llama.rope.scaling.yarn_ext_factor", Value::F32(1.0)),
        ("llama-mixtral", "llama.expert_gating_func", Value::U32(1)),
        ("bloom-plain", "bloom.attention.max_alibi_bias", Value::F32(8.0)),
    ];
    for (name, key, value) in cases {
        let error = refusal(name, &[(key, value)]);
        assert!(error.is_none(), "{name} {key}: {error:?}");
    }
}

#[test]
fn an_unknown_architecture_is_answered_with_the_names_of_gguf() {
    let message =
        refusal("llama-linear", &[("general.architecture", Value::String("mamba".into()))]).unwrap().to_string();
    assert!(message.starts_with("architecture `mamba` is not supported, expected one of llama, qwen2, "), "{message}");
    assert!(message.contains("command-r") && !message.contains("cohere"), "{message}");
}
