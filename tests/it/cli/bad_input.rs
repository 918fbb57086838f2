//! Bad input gets a clear error and exit 2, never a panic.

use std::fs;
use std::path::Path;

use super::runner::lmscope;
use crate::support::project;

fn predict(model: &Path) -> String {
    lmscope(&["predict", "hello", "-m", model.to_str().unwrap()]).refused()
}

/// A copy of a tiny model, to be damaged.
pub(super) fn copy(name: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(project("fixtures/models").join(name)).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, dir.path().join(path.file_name().unwrap())).unwrap();
    }
    dir
}

fn check(error: &str, parts: &[&str]) {
    for part in parts {
        assert!(error.contains(part), "`{part}` is not in:\n{error}");
    }
}

#[test]
fn a_missing_file() {
    check(&predict(Path::new("no/such/model")), &["no/such/model", "does not exist", "hint: "]);
}

#[test]
fn a_directory_without_a_model() {
    let dir = tempfile::tempdir().unwrap();
    check(&predict(dir.path()), &["no config.json", "hint: "]);
}

#[test]
fn truncated_safetensors() {
    let dir = copy("tiny-llama");
    let file = dir.path().join("model.safetensors");
    let bytes = fs::read(&file).unwrap();
    for n in [0, 5, 600, bytes.len() / 2, bytes.len() - 1] {
        fs::write(&file, &bytes[..n]).unwrap();
        check(&predict(dir.path()), &["model.safetensors", "caused by: ", "hint: "]);
    }
}

#[test]
fn gguf_with_a_wrong_magic_or_cut_off() {
    let dir = copy("tiny-llama-gguf");
    let file = dir.path().join("model.gguf");
    let mut bytes = fs::read(&file).unwrap();
    fs::write(&file, &bytes[..bytes.len() - 100]).unwrap();
    check(&predict(&file), &["model.gguf", "promises", "hint: "]);
    fs::write(&file, &bytes[..3000]).unwrap();
    check(&predict(&file), &["model.gguf", "hint: "]);
    bytes[0] = b'X';
    fs::write(&file, &bytes).unwrap();
    check(&predict(&file), &["XGUF", "GGUF", "hint: "]);
}

#[test]
fn an_unknown_architecture_and_a_wrong_shape() {
    let dir = copy("tiny-llama");
    let file = dir.path().join("config.json");
    let config = fs::read_to_string(&file).unwrap();
    fs::write(&file, config.replace("\"model_type\": \"llama\"", "\"model_type\": \"mamba\"")).unwrap();
    check(&predict(dir.path()), &["`mamba`", "gpt_neox", "hint: "]);
    fs::write(&file, config.replace("\"intermediate_size\": 56", "\"intermediate_size\": 60")).unwrap();
    check(&predict(dir.path()), &["gate_proj.weight` is [56, 32]", "[60, 32]", "hint: "]);
    fs::write(&file, config.replace("\"hidden_act\": \"silu\"", "\"hidden_act\": \"mish\"")).unwrap();
    check(&predict(dir.path()), &["hidden_act", "mish", "silu"]);
    fs::write(&file, "{").unwrap();
    check(&predict(dir.path()), &["config.json", "not valid JSON"]);
}

#[test]
fn an_empty_prompt_and_one_that_is_too_long() {
    check(&lmscope(&["predict", ""]).refused(), &["empty", "hint: "]);
    let long = "mat ".repeat(2000);
    check(&lmscope(&["predict", &long]).refused(), &["the model's context holds 256", "hint: shorten"]);
}

#[test]
fn hooks_memory_and_lenses_that_do_not_exist() {
    let out = tempfile::tempdir().unwrap();
    let file = out.path().join("trace.safetensors");
    let trace = |more: &[&str]| lmscope(&[&["trace", "hello", "-o", file.to_str().unwrap()], more].concat());
    check(
        &trace(&["--hooks", "blocks.0.attn.hook_scores"]).refused(),
        &["did you mean `blocks.0.attn.hook_attn_scores`"],
    );
    check(&trace(&["--hooks", "blocks.99.attn.hook_q"]).refused(), &["matches no hook", "hint: "]);
    let refused = trace(&["--max-memory", "0"]);
    assert_eq!(refused.status, 2);
    check(&refused.stderr, &["--max-memory allows 0 MiB", "hint: "]);
    assert!(!file.exists());
    check(&lmscope(&["lens", "tuned-lens", "hello"]).refused(), &["logit-lens"]);
    check(&lmscope(&["trace", "--tokens", "5,99999999", "-o", file.to_str().unwrap()]).refused(), &["99999999"]);
}
