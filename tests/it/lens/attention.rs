//! What the attention lens says beyond the pattern, against hooks that know nothing of it; and what is remembered of
//! heads.

use std::fs;

use lmscope::hook::{HookPoint, Site};
use lmscope::model::NoTap;
use lmscope::trace::{Trace, TracePlan};
use serde_json::Value;

use crate::cli::runner::lmscope_with;
use crate::support::{load, project, tiny_models, values};

const IDS: [u32; 7] = [3, 14, 15, 9, 2, 6, 5];

#[test]
fn what_a_head_writes_of_the_first_token_is_its_result_there_on_every_architecture() {
    for dir in tiny_models() {
        let model = load(&dir);
        let plan = TracePlan::sites(&model.config, &[Site::V, Site::Result]);
        let trace = Trace::record(&model.decoder, &IDS, &plan, &mut NoTap).unwrap();
        for layer in 0..model.config.n_layers {
            let norms = model.decoder.value_norms(layer, trace.get(HookPoint::block(layer, Site::V)).unwrap()).unwrap();
            // the first position sees itself only: with a weight of 1 it writes v W_O
            let result = trace.get(HookPoint::block(layer, Site::Result)).unwrap().get(0).unwrap();
            for (head, norms) in norms.iter().enumerate() {
                assert_eq!(norms.len(), IDS.len());
                let expected = values(&result.get(head).unwrap()).iter().map(|x| x * x).sum::<f32>().sqrt();
                let what = format!("{} L{layer}H{head}", dir.display());
                assert!((norms[0] - expected).abs() <= 1e-5 * expected.max(1.0), "{what}: {} {expected}", norms[0]);
            }
        }
    }
}

/// The roles that `lens dla` tells, with this cache.
fn roles(cache: &str, model: &str) -> Vec<Value> {
    let run = lmscope_with(
        &["lens", "dla", "The cat sat on a", "-m", model, "--format", "json"],
        &[("XDG_CACHE_HOME", cache)],
    );
    let figures: Value = serde_json::from_str(&run.ok()).unwrap();
    figures[1]["content"]["rows"].as_array().unwrap().iter().map(|row| row[1].clone()).collect()
}

#[test]
fn what_heads_do_is_measured_once_and_a_damaged_memory_is_none() {
    let cache = tempfile::tempdir().unwrap();
    let path = cache.path().to_str().unwrap();
    // the embedded model as a directory, which is remembered by its files
    let model = project("fixtures/slide/base");
    let model = model.to_str().unwrap();
    assert!(roles(path, model).iter().all(Value::is_null), "nothing is known of the heads");

    let measure = || lmscope_with(&["lens", "head-atlas", "x", "-m", model], &[("XDG_CACHE_HOME", path)]).ok();
    let measured = measure();
    let file = fs::read_dir(cache.path().join("lmscope/heads")).unwrap().next().unwrap().unwrap().path();
    assert!(roles(path, model).iter().any(|role| role == "induction"), "heads go by what was measured");

    // what is remembered is what is told: other scores, other roles
    let mut scores: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    for head in scores["scores"].as_array_mut().unwrap() {
        head["duplicate_token"] = 0.99.into();
    }
    fs::write(&file, scores.to_string()).unwrap();
    assert!(roles(path, model).iter().all(|role| role == "duplicate token"));

    fs::write(&file, "{").unwrap();
    assert!(roles(path, model).iter().all(Value::is_null));
    assert_eq!(measure(), measured);
    assert!(roles(path, model).iter().any(|role| role == "induction"));
}
