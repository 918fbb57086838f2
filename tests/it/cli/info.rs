//! `lmscope info`: the parameter file and the code that runs it, from headers alone.

use std::fs;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::bad_input::copy;
use super::runner::lmscope;
use crate::support::{golden_models, load, project};

fn info(model: &str, more: &[&str]) -> Value {
    serde_json::from_str(&lmscope(&[&["info", "-m", model, "--format", "json"], more].concat()).ok()).unwrap()
}

#[test]
fn every_tiny_model_is_described_as_it_loads() {
    for dir in golden_models() {
        let gguf = dir.join("model.gguf");
        let model = if gguf.exists() { gguf } else { dir.clone() };
        let found = info(model.to_str().unwrap(), &["--tokens", "16"]);
        let loaded = load(&dir);
        assert_eq!(found["fingerprint"], loaded.fingerprint);
        assert_eq!(found["model"]["architecture"], loaded.config.architecture);
        assert_eq!(found["model"]["d_vocab"], loaded.config.d_vocab);
        assert_eq!(found["parameters"]["count"], loaded.config.n_params());
        assert_eq!(found["parameters"]["precision"], loaded.precision.describe());
        let (weights, in_f32) = (found["memory"]["weights"].as_u64().unwrap(), 4 * loaded.config.n_params() as u64);
        match loaded.precision.stored.as_str() {
            "F32" | "F16" => assert_eq!(weights, in_f32),
            // kernels read bf16 and blocks as they are
            _ => assert!(weights < in_f32, "{weights} of {in_f32}"),
        }
        assert_eq!(found["memory"]["n_tokens"], 16);
        let classes = found["tensor_classes"].as_array().unwrap();
        let sum = |key: &str| classes.iter().map(|class| class[key].as_u64().unwrap()).sum::<u64>();
        assert_eq!(sum("bytes"), found["parameters"]["bytes"].as_u64().unwrap());
        for class in classes {
            let of_types: u64 = class["types"].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum();
            assert_eq!(of_types, class["parameters"].as_u64().unwrap(), "{class}");
        }
        assert!(found["tokenizer"]["n_tokens"].as_u64().unwrap() > 100, "{}", found["tokenizer"]);
    }
}

#[test]
fn the_table_says_it_in_words() {
    let model = project("fixtures/models/tiny-llama-gguf/model.gguf");
    let text = lmscope(&["info", "-m", model.to_str().unwrap()]).ok();
    let expected =
        ["model\n", "parameters\n", "tensors\n", "memory\n", "tokenizer\n", "chat template\n", "files\n", "128 tokens"];
    for part in expected {
        assert!(text.contains(part), "`{part}` is not in:\n{text}");
    }
    let line = |name: &str| text.lines().find(|line| line.trim_start().starts_with(name)).unwrap();
    assert!(line("positions").contains("rotary on "), "{text}");
    assert!(line("attention  ").contains("query heads share a key/value head"), "{text}");
    assert!(text.lines().any(|line| line.contains("model.gguf") && line.contains("kB")), "{text}");
}

#[test]
fn hashes_are_those_of_the_weights_files_and_only_on_demand() {
    let dir = project("fixtures/models/tiny-llama-rope3");
    let files = |more: &[&str]| info(dir.to_str().unwrap(), more)["files"].as_array().unwrap().clone();
    assert!(files(&[]).iter().all(|file| file["sha256"].is_null()));
    let hashed: Vec<Value> = files(&["--hash"]).into_iter().filter(|file| file["is_weights"] == true).collect();
    assert_eq!(hashed.len(), 2);
    for file in hashed {
        let bytes = fs::read(dir.join(file["name"].as_str().unwrap())).unwrap();
        assert_eq!(file["bytes"], bytes.len());
        let hex = |text: String, byte: &u8| text + &format!("{byte:02x}");
        let hash = Sha256::digest(&bytes).iter().fold(String::new(), hex);
        assert_eq!(file["sha256"], hash);
    }
}

#[test]
fn quantised_weights_are_held_in_few_bits_whether_products_are_fast_or_exact() {
    let model = project("fixtures/models/tiny-llama-gguf/model.gguf");
    let [fast, exact] = [&["--fast"][..], &[]].map(|more| info(model.to_str().unwrap(), more));
    assert!(fast["parameters"]["precision"].as_str().unwrap().contains("fast"));
    assert!(exact["parameters"]["precision"].as_str().unwrap().contains("exact"));
    assert_eq!(fast["memory"]["weights"], exact["memory"]["weights"]);
    assert!(exact["memory"]["weights"].as_u64() < exact["parameters"]["count"].as_u64().map(|n| 4 * n));
}

#[test]
fn headers_that_do_not_fit_are_refused_as_loading_refuses_them() {
    let dir = copy("tiny-llama");
    let file = dir.path().join("config.json");
    let config = fs::read_to_string(&file).unwrap();
    fs::write(&file, config.replace("\"intermediate_size\": 56", "\"intermediate_size\": 60")).unwrap();
    let error = lmscope(&["info", "-m", dir.path().to_str().unwrap()]).refused();
    assert!(error.contains("gate_proj.weight` is [56, 32]") && error.contains("hint: "), "{error}");
}
