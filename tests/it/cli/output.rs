//! What commands print, on the tiny models.

use super::runner::lmscope;
use crate::support::{project, tensors};

fn tiny(name: &str) -> String {
    project("fixtures/models").join(name).to_str().unwrap().to_owned()
}

#[test]
fn predict_prints_the_promised_json() {
    let model = tiny("tiny-gpt2");
    let text = lmscope(&["predict", "The cat", "-m", &model, "-k", "3", "--steps", "2", "--format", "json"]).ok();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["model"], "tiny-gpt2");
    let steps = json["steps"].as_array().unwrap();
    assert_eq!(steps.len(), 2);
    let n_tokens = json["tokens"].as_array().unwrap().len();
    for (index, step) in steps.iter().enumerate() {
        assert_eq!(step["position"], n_tokens - 1 + index);
        let top = step["top"].as_array().unwrap();
        assert_eq!(top.len(), 3);
        assert_eq!(step["chosen"]["id"], top[0]["id"], "temperature 0 takes the top token");
        for candidate in top {
            let (prob, logprob) = (candidate["prob"].as_f64().unwrap(), candidate["logprob"].as_f64().unwrap());
            assert!((prob.ln() - logprob).abs() < 1e-9);
        }
    }
}

#[test]
fn sampling_is_repeatable_and_obeys_top_k() {
    let model = tiny("tiny-llama");
    let sample = |seed| {
        let args = [
            "predict",
            "The cat",
            "-m",
            &model,
            "--steps",
            "8",
            "--temperature",
            "1.5",
            "--format",
            "json",
            "--seed",
            seed,
        ];
        lmscope(&args).ok()
    };
    assert_eq!(sample("1"), sample("1"));
    assert_ne!(sample("1"), sample("2"));
    let args = ["predict", "The cat", "-m", &model, "--temperature", "9", "--top-k", "1", "--format", "json"];
    let json: serde_json::Value = serde_json::from_str(&lmscope(&args).ok()).unwrap();
    assert_eq!(json["steps"][0]["chosen"]["id"], json["steps"][0]["top"][0]["id"]);
}

#[test]
fn trace_writes_what_the_golden_holds() {
    let model = tiny("tiny-gpt-neox");
    let golden = tensors(&project("fixtures/models/tiny-gpt-neox/golden.safetensors"));
    let ids: Vec<String> = golden["tokens"].to_vec1::<i64>().unwrap().iter().map(ToString::to_string).collect();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("trace.safetensors");
    let run =
        lmscope(&["trace", "--tokens", &ids.join(","), "-m", &model, "--hooks", "*", "-o", file.to_str().unwrap()]);
    assert_eq!(run.status, 0, "{}", run.stderr);
    assert!(run.stderr.contains("MiB"), "the estimate comes first: {}", run.stderr);
    let ours = tensors(&file);
    let names =
        |of: &std::collections::HashMap<String, _>| of.keys().cloned().collect::<std::collections::BTreeSet<_>>();
    assert_eq!(names(&ours), names(&golden));
    assert!(crate::support::max_abs_diff(&ours["logits"], &golden["logits"]) < 1e-4);
}

#[test]
fn hooks_info_and_lenses_print_something_of_this_model() {
    let model = tiny("tiny-gpt2");
    let hooks = lmscope(&["hooks", "-m", &model]).ok();
    assert!(hooks.contains("blocks.1.attn.hook_q                 [pos, head=4, d_head=8]"), "{hooks}");
    assert!(lmscope(&["info", "-m", &model]).ok().contains("  architecture       gpt2"));
    for lens in ["logit-lens", "attention", "distribution"] {
        for format in ["table", "json", "csv"] {
            let text = lmscope(&["lens", lens, "The cat", "-m", &model, "--format", format]).ok();
            assert!(text.lines().count() > 2, "{lens} {format}");
        }
    }
    assert!(lmscope(&["completions", "bash"]).ok().contains("complete -F _lmscope"));
}

#[test]
fn numbers_of_another_type_are_named_in_every_output() {
    let model = tiny("tiny-llama-gguf/model.gguf");
    for dtype in ["f64", "bf16", "f16"] {
        let with = |command: &[&str]| lmscope(&[command, &["-m", &model, "--dtype", dtype]].concat()).ok();
        let outputs = [
            with(&["predict", "The cat"]),
            with(&["lens", "logit-lens", "The cat"]),
            with(&["verify", "The cat", "--format", "json"]),
            with(&["info"]),
        ];
        for output in outputs {
            assert!(output.contains(&format!("{dtype} arithmetic")), "{dtype}: {output}");
        }
    }
    let refused = lmscope(&["predict", "The cat", "-m", &model, "--dtype", "bf16", "--fast"]).refused();
    assert!(refused.contains("not in bf16") && refused.contains("hint: leave out --fast, or --dtype"), "{refused}");
}
