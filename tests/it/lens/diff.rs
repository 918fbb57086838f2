//! `diff`: a run differs from itself in nothing, and what it says of two runs is what each says of itself.

use serde_json::Value;

use crate::cli::runner::lmscope;
use crate::support::project;

fn json(args: &[&str]) -> Value {
    serde_json::from_str(&lmscope(&[args, &["--format", "json"]].concat()).ok()).unwrap()
}

fn rows(figure: &Value) -> Vec<Vec<Value>> {
    let rows = figure["content"]["rows"].as_array().unwrap();
    rows.iter().map(|row| row.as_array().unwrap().clone()).collect()
}

#[test]
fn a_run_differs_from_itself_in_nothing() {
    let figures = json(&["diff", "The cat sat on a", "The cat sat on a"]);
    assert_eq!(figures.as_array().unwrap().len(), 5);
    for row in rows(&figures[0]) {
        assert!(row[7..].iter().all(|divergence| divergence.as_f64().unwrap() < 1e-12), "{row:?}");
    }
    assert!(rows(&figures[1]).iter().all(|row| row[3].as_f64().unwrap() == 0.0));
    for grid in [&figures[2], &figures[4]] {
        assert!(grid["content"]["values"].as_array().unwrap().iter().all(|value| value.as_f64().unwrap() < 1e-12));
    }
    for row in rows(&figures[3]) {
        assert_eq!(row[1].as_f64(), Some(0.0));
        assert!((row[2].as_f64().unwrap() - 1.0).abs() < 1e-6, "{row:?}");
    }
}

#[test]
fn base_and_chat_are_each_what_they_are_alone() {
    const PROMPT: &str = "Tom Cruise's mother is";
    let figures = json(&["diff", PROMPT, "--other", "slide-chat"]);
    let last = rows(&figures[0]).pop().unwrap();
    for (model, top, prob) in [("slide", 3, 4), ("slide-chat", 5, 6)] {
        let alone = json(&["predict", PROMPT, "-m", model]);
        let best = &alone["steps"][0]["top"][0];
        assert_eq!(last[top].as_str().unwrap().replace('␣', " "), best["text"].as_str().unwrap());
        assert!((last[prob].as_f64().unwrap() - best["prob"].as_f64().unwrap()).abs() < 1e-6);
    }
    let logit = rows(&figures[1]).pop().unwrap();
    let alone = json(&["lens", "dla", PROMPT]);
    let expected = rows(&alone[0]).pop().unwrap();
    assert!((logit[1].as_f64().unwrap() - expected[1].as_f64().unwrap()).abs() < 1e-6, "{logit:?} {expected:?}");
}

#[test]
fn prompts_of_different_lengths_are_aligned_and_what_cannot_be_compared_is_refused() {
    let figures = json(&["diff", "The cat sat on a", "The dog and the cat sat on a"]);
    // heads of prompts of different lengths are not compared
    assert_eq!(figures.as_array().unwrap().len(), 4);
    assert_eq!(rows(&figures[0]).len(), 6);
    let error = lmscope(&["diff", "The cat sat on a"]).refused();
    assert!(error.contains("nothing to compare with"), "{error}");
    let tiny = project("fixtures/models/tiny-llama");
    let error = lmscope(&["diff", "The cat", "--other", tiny.to_str().unwrap()]).refused();
    assert!(error.contains("expected as many"), "{error}");
}
