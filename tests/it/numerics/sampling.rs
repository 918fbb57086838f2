//! The sampling chain against transformers' and llama.cpp's own (`fixtures/oracle/sampling.py`): which tokens are kept,
//! and with which probabilities.

use std::collections::BTreeMap;

use lmscope::model::sample::{Order, Penalties, Sampling, kept_tokens};
use serde_json::Value;

use crate::support::project;

fn sampling(case: &Value, order: Order) -> Sampling {
    let number = |key: &str, default: f64| case[key].as_f64().unwrap_or(default);
    let size = |key: &str| case[key].as_u64().map(|n| usize::try_from(n).unwrap());
    let penalties = Penalties {
        repetition: number("repetition", 1.0),
        presence: number("presence", 0.0),
        frequency: number("frequency", 0.0),
        window: size("window"),
    };
    let (top_p, min_p) = (case["top_p"].as_f64(), case["min_p"].as_f64());
    let temperature = number("temperature", 1.0);
    Sampling { temperature, top_k: size("top_k"), top_p, min_p, penalties, order, seed: 0 }
}

#[test]
fn the_chains_keep_what_transformers_and_llama_cpp_keep() {
    let text = std::fs::read_to_string(project("fixtures/oracle/sampling.json")).unwrap();
    let all: Value = serde_json::from_str(&text).unwrap();
    let logits: Vec<f32> = serde_json::from_value(all["logits"].clone()).unwrap();
    let said: Vec<u32> = serde_json::from_value(all["said"].clone()).unwrap();
    let mut n_compared = 0;
    for case in all["cases"].as_array().unwrap() {
        for (name, order) in [("transformers", Order::Transformers), ("llama.cpp", Order::LlamaCpp)] {
            let Some(expected) = case.get(name) else { continue };
            let expected: BTreeMap<u32, f64> = serde_json::from_value(expected.clone()).unwrap();
            let found: BTreeMap<u32, f64> =
                kept_tokens(&logits, &said, &sampling(&case["sampling"], order)).into_iter().collect();
            let what = format!("{name} {}", case["sampling"]);
            assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>(), "{what}");
            for (id, expected) in &expected {
                assert!((found[id] - expected).abs() < 1e-5, "{what}: token {id}: {} {expected}", found[id]);
            }
            n_compared += 1;
        }
    }
    assert_eq!(n_compared, 15);
}
