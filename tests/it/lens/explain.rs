//! `explain` on the embedded model: what it prints is what the model does.

use serde_json::Value;

use crate::cli::runner::lmscope;

fn json(args: &[&str]) -> Value {
    serde_json::from_str(&lmscope(args).ok()).unwrap()
}

#[test]
fn without_the_strongest_components_the_name_loses_what_is_printed() {
    const PROMPT: &str = "Tom Cruise's mother is";
    let found = json(&["explain", PROMPT, "--format", "json"]);
    assert_eq!(found["token"]["text"], "␣Mar");
    let base = json(&["predict", PROMPT, "-k", "300", "--format", "json"]);
    let logprob = |prediction: &Value| {
        let top = prediction["steps"][0]["top"].as_array().unwrap();
        top.iter().find(|candidate| candidate["text"] == " Mar").unwrap()["logprob"].as_f64().unwrap()
    };
    let base = logprob(&base);
    let ablations = found["ablations"].as_array().unwrap();
    assert_eq!(ablations.len(), 4);
    for ablation in ablations {
        let mut args = vec!["lens", "distribution", PROMPT, "--format", "json"];
        for spec in ablation["specs"].as_array().unwrap() {
            args.extend(["--do", spec.as_str().unwrap()]);
        }
        // the prompt's own continuation is not scored by that lens: put the name there
        args[2] = "Tom Cruise's mother is Mary";
        let rows = json(&args)[1]["content"]["rows"].clone();
        let row = rows.as_array().unwrap().iter().find(|row| row[1] == "␣is").unwrap().clone();
        assert_eq!(row[5], "␣Mar");
        let without = -row[7].as_f64().unwrap() * std::f64::consts::LN_2;
        let printed = ablation["logprob_fall"].as_f64().unwrap();
        assert!(printed > 0.05, "{ablation}");
        assert!((base - without - printed).abs() < 1e-3, "{ablation}: {base} {without}");
    }
}

#[test]
fn it_names_components_and_source_tokens() {
    let found = json(&["explain", "Tom Cruise's mother is", "--format", "json"]);
    let sum: f64 =
        found["components"].as_array().unwrap().iter().map(|pushed| pushed["difference"].as_f64().unwrap()).sum();
    let difference = found["logit_difference"].as_f64().unwrap();
    assert!((sum - difference).abs() < 1e-4 * difference.abs(), "{sum} {difference}");
    assert_eq!(found["sources"].as_array().unwrap().len(), found["tokens"].as_array().unwrap().len());
    assert!(found["remainder"].as_f64().unwrap().abs() < 1e-4);
}
