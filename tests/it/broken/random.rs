//! Random damage: reading it may fail, and never panics.

use std::fs;
use std::path::Path;

use lmscope::engine::{Inquiry, describe};
use lmscope::model::checkpoint::Arithmetic;
use lmscope::model::source::ModelSource;
use lmscope::model::{CausalLm as _, LoadOptions, Loading, NoTap, last_logits};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::gguf::Gguf;
use super::model::Model;

/// One thing that happens to a file.
#[derive(Debug, Clone)]
enum Damage {
    /// Bits of a byte change.
    Flip(prop::sample::Index, u8),
    /// The rest is gone.
    Cut(prop::sample::Index),
    /// Some bytes are put in again elsewhere.
    Splice(prop::sample::Index, prop::sample::Index, usize),
    /// Eight bytes in a row become ones: a length, a count or a size.
    Ones(prop::sample::Index),
}

fn damage() -> impl Strategy<Value = Vec<Damage>> {
    let index = any::<prop::sample::Index>;
    let one = prop_oneof![
        4 => (index(), 1..=u8::MAX).prop_map(|(at, bits)| Damage::Flip(at, bits)),
        1 => index().prop_map(Damage::Cut),
        2 => (index(), index(), 1..64usize).prop_map(|(from, to, n)| Damage::Splice(from, to, n)),
        1 => index().prop_map(Damage::Ones),
    ];
    prop::collection::vec(one, 1..4)
}

/// Damages the first `n` bytes.
fn damaged(good: &[u8], n: usize, all: &[Damage]) -> Vec<u8> {
    let mut bytes = good.to_vec();
    for one in all {
        let n = n.min(bytes.len());
        if n < 8 {
            break;
        }
        match one {
            Damage::Flip(at, bits) => bytes[at.index(n)] ^= bits,
            Damage::Cut(at) => bytes.truncate(at.index(n)),
            Damage::Splice(from, to, length) => {
                let from = from.index(n);
                let part = bytes[from..n.min(from + length)].to_vec();
                let to = to.index(n);
                bytes.splice(to..to, part);
            }
            Damage::Ones(at) => {
                let at = at.index(n - 7);
                bytes[at..at + 8].fill(u8::MAX);
            }
        }
    }
    bytes
}

/// Reads everything but the weights; then those as well, and runs the model, as far as it gets.
fn read(source: &ModelSource) {
    let inquiry = Inquiry { options: LoadOptions::default(), n_tokens: 4 };
    if describe(source, inquiry).is_ok() {
        let Ok(loaded) = lmscope::engine::open(source, &Loading::unwatched(Arithmetic::Exact)) else { return };
        let Ok(prompt) = loaded.verification_prompt() else { return };
        let mut cache = loaded.decoder.new_cache();
        drop(last_logits(&loaded.decoder, &prompt.ids, &mut cache, &mut NoTap));
    }
}

fn read_directory(root: &Path, model: &Model) {
    read(&ModelSource::Directory(model.write(root, "model")));
}

/// Models whose configurations say different things.
const OF: &[&str] = &[
    "models/tiny-llama",
    "models/tiny-gpt2",
    "models/tiny-gpt-neox",
    "architectures/gemma3_text-mixed",
    "architectures/phi3-longrope",
    "architectures/llama-yarn",
    "architectures/qwen2_moe-fused",
    "architectures/gpt_neo-types",
    "architectures/stablelm-serial",
    "architectures/bloom-heads-6",
];

/// A value that is valid somewhere, and surprising elsewhere.
fn value() -> impl Strategy<Value = Value> {
    let values = [
        json!(null),
        json!(true),
        json!(0),
        json!(-1),
        json!(1),
        json!(3),
        json!(1u64 << 28),
        json!(u32::MAX),
        json!(u64::MAX),
        json!(0.5),
        json!(1e300),
        json!(""),
        json!("a b"),
        json!([]),
        json!([[1, "a"]]),
        json!({}),
        json!({"type": "Sequence", "normalizers": [], "pretokenizers": []}),
    ];
    prop::sample::select(values.to_vec())
}

/// A JSON file with one of its values replaced.
fn replaced(model: &Model, file: &str, at: prop::sample::Index, value: &Value) -> String {
    let mut json = Value::Object(model.json(file));
    let n = count(&json);
    let mut left = at.index(n - 1) + 1;
    replace(&mut json, &mut left, value);
    json.to_string()
}

fn count(json: &Value) -> usize {
    1 + children(json).map(count).sum::<usize>()
}

fn children(json: &Value) -> impl Iterator<Item = &Value> {
    json.as_array().into_iter().flatten().chain(json.as_object().into_iter().flat_map(|map| map.values()))
}

/// Replaces the value that is reached when `left` is used up.
fn replace(json: &mut Value, left: &mut usize, value: &Value) {
    if *left == 0 {
        *json = value.clone();
        *left = usize::MAX;
        return;
    }
    *left -= 1;
    match json {
        Value::Array(values) => values.iter_mut().for_each(|child| replace(child, left, value)),
        Value::Object(map) => map.values_mut().for_each(|child| replace(child, left, value)),
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_tokenizer_with_another_value_somewhere_is_an_error_or_a_tokenizer(
        (at, value) in (any::<prop::sample::Index>(), value())
    ) {
        let (root, model) = (tempfile::tempdir().unwrap(), Model::good("models/tiny-llama"));
        let json = replaced(&model, "tokenizer.json", at, &value);
        read_directory(root.path(), &model.with("tokenizer.json", json));
    }

    #[test]
    fn a_configuration_with_another_value_somewhere_is_an_error_or_a_model(
        (of, at, value) in (0..OF.len(), any::<prop::sample::Index>(), value())
    ) {
        let (root, model) = (tempfile::tempdir().unwrap(), Model::good(OF[of]));
        let json = replaced(&model, "config.json", at, &value);
        read_directory(root.path(), &model.with("config.json", json));
    }

    #[test]
    fn a_damaged_safetensors_header_is_an_error_or_a_model(all in damage()) {
        let (root, model) = (tempfile::tempdir().unwrap(), Model::good("models/tiny-llama"));
        let good = model.file("model.safetensors").to_vec();
        let n = 8 + usize::try_from(u64::from_le_bytes(good[..8].try_into().unwrap())).unwrap();
        read_directory(root.path(), &model.with("model.safetensors", damaged(&good, n, &all)));
    }

    #[test]
    fn a_damaged_configuration_is_an_error_or_a_model(all in damage()) {
        let (root, model) = (tempfile::tempdir().unwrap(), Model::good("models/tiny-llama"));
        let good = model.file("config.json").to_vec();
        read_directory(root.path(), &model.with("config.json", damaged(&good, good.len(), &all)));
    }

    #[test]
    fn a_damaged_tokenizer_is_an_error_or_a_tokenizer(all in damage()) {
        let (root, model) = (tempfile::tempdir().unwrap(), Model::good("models/tiny-llama"));
        let good = model.file("tokenizer.json").to_vec();
        read_directory(root.path(), &model.with("tokenizer.json", damaged(&good, good.len(), &all)));
    }

    #[test]
    fn a_damaged_gguf_header_is_an_error_or_a_model(all in damage()) {
        let (root, model) = (tempfile::tempdir().unwrap(), Model::good("models/tiny-llama-gguf"));
        let good = model.file("model.gguf").to_vec();
        let n = Gguf::parse(&good).header().len();
        let path = root.path().join("model.gguf");
        fs::write(&path, damaged(&good, n, &all)).unwrap();
        read(&ModelSource::Gguf(path));
    }
}
