//! `lmscope verify`: exit codes, JSON, and reference files.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use serde_json::Value;

use super::bad_input::copy;
use super::runner::lmscope;
use crate::support::{project, tensors};
use crate::verify::reference::of_golden;

const TINY: &str = "fixtures/models/tiny-llama";

/// The golden of a tiny model as a reference file.
fn reference(folder: &Path) -> PathBuf {
    let file = folder.join("reference.safetensors");
    candle_core::safetensors::save(&of_golden(&project(TINY)), &file).unwrap();
    file
}

fn verify(more: &[&str]) -> super::runner::Run {
    let model = project(TINY);
    lmscope(&[&["verify", "-m", model.to_str().unwrap()], more].concat())
}

#[test]
fn a_sound_model_verifies_in_every_format() {
    assert!(verify(&[]).ok().starts_with("Invariants: 13 hold\n"));
    assert_eq!(verify(&["The cat", "--format", "csv"]).ok().lines().count(), 14);
    let json: Value = serde_json::from_str(&verify(&["--format", "json"]).ok()).unwrap();
    assert_eq!((&json["model"], &json["holds"]), (&"tiny-llama".into(), &true.into()));
    assert_eq!(json["tokens"].as_array().unwrap().len(), 9);
    let checks = json["checks"].as_array().unwrap();
    assert_eq!(checks.len(), 13);
    for check in checks {
        assert_eq!(check["verdict"], "holds", "{check}");
        assert!(check["deviation"].as_f64().unwrap() <= check["tolerance"]["limit"].as_f64().unwrap(), "{check}");
        assert!(check["about"].is_string() && check["tolerance"]["scale"].is_string(), "{check}");
    }
    assert_eq!(checks[2]["name"], "residual-sum");
    assert_eq!(checks[2]["tolerance"]["scale"], "position_max");
}

#[test]
fn parity_holds_for_the_model_and_fails_for_one_whose_weights_were_changed() {
    let folder = tempfile::tempdir().unwrap();
    let reference = reference(folder.path());
    let reference = reference.to_str().unwrap();
    let sound = verify(&["--reference", reference]).ok();
    assert!(sound.starts_with("Invariants: 16 hold\n"), "{sound}");

    let broken = copy("tiny-llama");
    zero_a_row(&broken.path().join("model.safetensors"), "model.layers.0.mlp.down_proj.weight");
    let run = lmscope(&["verify", "-m", broken.path().to_str().unwrap(), "--reference", reference]);
    assert_eq!((run.status, run.stderr.as_str()), (1, ""));
    let summary = run.stdout.lines().next().unwrap();
    assert_eq!(summary, "Invariants: 13 hold, 3 FAIL: reference-hidden, reference-attn, reference-logits");
    // it agrees with itself, and differs from the block after the changed row on
    for place in ["hidden.1 [pos ", "attn.1 [head ", "logits [pos "] {
        assert!(run.stdout.contains(place), "{}", run.stdout);
    }
    assert_eq!(verify(&["--reference", reference, "--tolerance", "0"]).status, 1, "no two sums round alike");
}

/// Sets the first row of a matrix to zero.
fn zero_a_row(file: &Path, name: &str) {
    let mut all: HashMap<String, Tensor> = tensors(file);
    let matrix = all[name].clone();
    let (n_rows, _) = matrix.dims2().unwrap();
    let zeros = matrix.narrow(0, 0, 1).unwrap().zeros_like().unwrap();
    let changed = Tensor::cat(&[zeros, matrix.narrow(0, 1, n_rows - 1).unwrap()], 0).unwrap();
    all.insert(name.into(), changed);
    candle_core::safetensors::save(&all, file).unwrap();
}

/// A tiny model with one of its tensors multiplied.
fn spoilt(name: &str, factor: f64) -> tempfile::TempDir {
    let broken = copy("tiny-llama");
    let file = broken.path().join("model.safetensors");
    let mut all = tensors(&file);
    let spoilt = (&all[name] * factor).unwrap();
    all.insert(name.into(), spoilt);
    candle_core::safetensors::save(&all, &file).unwrap();
    broken
}

#[test]
fn a_model_whose_weights_are_too_large_to_compute_with_fails_and_says_where() {
    let broken = spoilt("model.layers.0.mlp.down_proj.weight", 1e38);
    let run = lmscope(&["verify", "-m", broken.path().to_str().unwrap()]);
    assert_eq!(run.status, 1, "{}", run.stderr);
    assert!(run.stdout.contains("FAIL: finite"), "{}", run.stdout);
    assert!(run.stdout.contains("blocks.0.hook_mlp_out"), "{}", run.stdout);
}

#[test]
fn a_weight_that_is_no_number_is_named_before_anything_is_verified() {
    let name = "model.layers.0.mlp.down_proj.weight";
    let broken = spoilt(name, f64::NAN);
    let error = lmscope(&["verify", "-m", broken.path().to_str().unwrap()]).refused();
    assert!(error.contains(&format!("tensor `{name}` holds NaN, expected finite numbers")), "{error}");
}

#[test]
fn what_cannot_be_verified_ends_with_two() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("reference.safetensors");
    let path = file.to_str().unwrap();
    let refused = |parts: &[&str]| {
        let error = verify(&["--reference", path]).refused();
        for part in parts {
            assert!(error.contains(part), "`{part}` is not in:\n{error}");
        }
        assert!(error.contains("hint: docs/verify.md"), "{error}");
    };
    refused(&["cannot read", "reference.safetensors"]);
    fs::write(&file, b"not safetensors").unwrap();
    refused(&["(15 bytes) is not a complete safetensors file", "caused by: "]);
    let ids = Tensor::new(&[1i64, 2, 3], &Device::Cpu).unwrap();
    let logits = Tensor::zeros((3, 7), candle_core::DType::F32, &Device::Cpu).unwrap();
    let save = |tensors: &[(&str, &Tensor)]| {
        let map: HashMap<&str, Tensor> = tensors.iter().map(|&(name, tensor)| (name, tensor.clone())).collect();
        candle_core::safetensors::save(&map, &file).unwrap();
    };
    save(&[("input_ids", &ids)]);
    refused(&["tensor `logits` is missing"]);
    save(&[("logits", &logits)]);
    refused(&["tensor `input_ids` is missing"]);
    save(&[("input_ids", &ids), ("logits", &logits), ("attentions.0", &logits)]);
    refused(&["`logits` is [3, 7], expected [3, ", "`attentions.0` names nothing of this model"]);
    assert!(verify(&["mat ".repeat(200).as_str()]).refused().contains("the model's context holds 64"));
    assert_eq!(verify(&["a", "--reference", path]).status, 2, "a prompt and a reference exclude each other");
    assert_eq!(verify(&["--tolerance", "-1", "--reference", path]).status, 2);
}
