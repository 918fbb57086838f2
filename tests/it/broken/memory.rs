//! Weights that do not fit into memory are refused before any of them is read.

use std::fs;
use std::time::Duration;

use serde_json::json;

use super::model::{Model, with_header};
use super::run::{Limits, finished};
use crate::cli::runner::lmscope;
use crate::support::project;

/// A model of four tensors of half a terabyte each; its file takes some kilobytes of the disk.
fn enormous(root: &std::path::Path) -> std::path::PathBuf {
    const WIDTH: u64 = 1 << 19;
    let sizes = json!({"hidden_size": WIDTH, "vocab_size": WIDTH, "intermediate_size": 2, "num_hidden_layers": 1,
        "num_attention_heads": 1, "num_key_value_heads": 1, "head_dim": 2, "tie_word_embeddings": true});
    let model = Model::good("models/tiny-llama").changed("config.json", &sizes);
    let layer = |name: &str| format!("model.layers.0.{name}.weight");
    let tensors = [
        ("model.embed_tokens.weight".to_owned(), vec![WIDTH, WIDTH]),
        ("model.norm.weight".to_owned(), vec![WIDTH]),
        (layer("input_layernorm"), vec![WIDTH]),
        (layer("post_attention_layernorm"), vec![WIDTH]),
        (layer("self_attn.q_proj"), vec![2, WIDTH]),
        (layer("self_attn.k_proj"), vec![2, WIDTH]),
        (layer("self_attn.v_proj"), vec![2, WIDTH]),
        (layer("self_attn.o_proj"), vec![WIDTH, 2]),
        (layer("mlp.gate_proj"), vec![2, WIDTH]),
        (layer("mlp.up_proj"), vec![2, WIDTH]),
        (layer("mlp.down_proj"), vec![WIDTH, 2]),
    ];
    let mut header = serde_json::Map::new();
    let mut end = 0;
    for (name, shape) in tensors {
        let begin = end;
        end += 2 * shape.iter().product::<u64>();
        header.insert(name, json!({"dtype": "F16", "shape": shape, "data_offsets": [begin, end]}));
    }
    let header = with_header(serde_json::Value::Object(header).to_string().as_bytes(), &[]);
    let dir = model.with("model.safetensors", header.clone()).write(root, "enormous");
    let file = fs::OpenOptions::new().write(true).open(dir.join("model.safetensors")).unwrap();
    file.set_len(header.len() as u64 + end).unwrap();
    dir
}

#[test]
fn weights_of_a_terabyte_are_refused_by_what_the_machine_has() {
    let root = tempfile::tempdir().unwrap();
    let dir = enormous(root.path());
    let limits = Limits { memory: None, time: Duration::from_secs(10) };
    // the headers are well-formed
    assert_eq!(finished(&["info", "-m", dir.to_str().unwrap()], limits).status, Some(0));
    if !std::path::Path::new("/proc/meminfo").exists() {
        return;
    }
    let run = finished(&["predict", "x", "-m", dir.to_str().unwrap()], limits);
    assert_eq!((run.status, run.stdout.as_str()), (Some(2), ""), "{}", run.stderr);
    for part in ["the weights take 1048610 MiB", "MiB are available", "hint: ", "quantisation"] {
        assert!(run.stderr.contains(part), "`{part}` is not in:\n{}", run.stderr);
    }
}

#[test]
fn weights_beyond_max_memory_are_refused_by_every_command() {
    let gguf = project("fixtures/models/tiny-llama-gguf/model.gguf");
    for model in ["slide", gguf.to_str().unwrap()] {
        for command in ["predict", "tui", "verify"] {
            let error = lmscope(&[command, "x", "-m", model, "--max-memory", "0"]).refused();
            assert!(error.contains("--max-memory allows 0 MiB") && error.contains("hint: raise"), "{error}");
        }
    }
    let error = lmscope(&["info", "-m", "slide", "--max-memory", "0"]).refused();
    assert!(error.contains("--max-memory allows 0 MiB"), "{error}");
    lmscope(&["predict", "x", "-m", "slide", "--max-memory", "64"]).ok();
}
