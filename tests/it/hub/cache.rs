//! A cache that another tool has filled.

use std::fs;
use std::path::Path;

use super::server::COMMIT;
use super::{Home, predict, steps, text, tiny};
use crate::cli::runner::lmscope;

/// Lays out files as Python's `huggingface_hub` does: blobs, and a snapshot of relative links to them.
#[cfg(unix)]
fn fill(home: &Home, model: &Path, files: &[&str]) {
    let (blobs, snapshot) = (home.repo().join("blobs"), home.snapshot());
    for folder in [&blobs, &snapshot, &home.repo().join("refs"), &home.repo().join(".no_exist")] {
        fs::create_dir_all(folder).unwrap();
    }
    for (index, file) in files.iter().enumerate() {
        let blob = format!("{index:040x}");
        fs::copy(model.join(file), blobs.join(&blob)).unwrap();
        std::os::unix::fs::symlink(format!("../../blobs/{blob}"), snapshot.join(file)).unwrap();
    }
    fs::write(home.repo().join("refs/main"), COMMIT).unwrap();
    fs::write(home.dir.path().join("hub/version.txt"), "1").unwrap();
}

#[cfg(unix)]
#[test]
fn models_of_other_tools_are_used_and_listed() {
    let home = Home::without_server();
    let empty = home.run(&["models"]).ok();
    assert!(empty.contains("none; `lmscope pull org/name` fetches one"), "{empty}");
    fill(&home, &tiny("tiny-gpt2"), &["config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors"]);
    let expected = steps(lmscope(&predict(text(&tiny("tiny-gpt2")))));
    assert_eq!(steps(home.run(&predict("tests/tiny"))), expected);
    assert_eq!(steps(home.run_with(&predict("tests/tiny"), &[("HF_HUB_OFFLINE", "1")])), expected);

    let hub = home.dir.path().join("hub");
    let elsewhere = [("HF_HOME", "/nowhere"), ("HF_HUB_CACHE", text(&hub))];
    let listed = home.run_with(&["models", "--format", "json"], &elsewhere).ok();
    let json: serde_json::Value = serde_json::from_str(&listed).unwrap();
    let size = |file: &str| tiny("tiny-gpt2").join(file).metadata().unwrap().len();
    let bytes: u64 =
        ["config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors"].into_iter().map(size).sum();
    let expected = serde_json::json!([{
        "model": "tests/tiny", "revision": COMMIT, "architecture": "gpt2", "format": "safetensors", "bytes": bytes,
        "complete": true, "lacks": [],
    }]);
    assert_eq!(json, expected);
    let table = home.run(&["models"]).ok();
    let line = table.lines().find(|line| line.contains("tests/tiny")).unwrap();
    let words: Vec<&str> = line.split_whitespace().collect();
    assert_eq!(words, ["tests/tiny", "01234567", "gpt2", "safetensors", &format!("{:.1}", bytes as f64 / 1e6), "yes"]);
    assert!(!table.contains("\nmodel  "), "a list has no provenance:\n{table}");
}

#[cfg(unix)]
#[test]
fn what_a_part_of_a_model_lacks_is_said() {
    let home = Home::without_server();
    fill(&home, &tiny("tiny-gpt2"), &["config.json", "tokenizer.json", "model.safetensors"]);
    let blob = fs::canonicalize(home.snapshot().join("model.safetensors")).unwrap();
    fs::remove_file(blob).unwrap();
    let error = home.run(&predict("tests/tiny")).refused();
    assert!(error.contains("is incomplete: it lacks model.safetensors"), "{error}");
    assert!(error.contains("hint: `lmscope pull tests/tiny` fetches it"), "{error}");
    let listed = home.run(&["models"]).ok();
    assert!(listed.contains("no: lacks model.safetensors"), "{listed}");
    fs::write(home.snapshot().join("pytorch_model.bin"), "").unwrap();
    let error = home.run(&predict("tests/tiny")).refused();
    assert!(error.contains("only as pickles"), "{error}");
}

#[test]
fn a_path_that_exists_wins() {
    let home = Home::without_server();
    let error = home.run(&predict("fixtures/models")).refused();
    assert!(error.contains("no config.json"), "{error}");
    assert_eq!(
        steps(home.run(&predict("fixtures/models/tiny-gpt2"))),
        steps(lmscope(&predict(text(&tiny("tiny-gpt2")))))
    );
}
