//! Two models in one run, on the embedded ones: the base model and the one that was fine-tuned on chats.

use std::fs;
use std::path::Path;

use lmscope::eval::record::{Record, read};
use serde_json::Value;

use crate::cli::runner::lmscope;

/// Runs a suite on two models; the record of each, and what came of both.
fn against(folder: &Path, args: &[&str]) -> (Record, Record, Value) {
    let run = lmscope(&[&["eval", "run", "-o", folder.to_str().unwrap()], args].concat());
    assert_eq!(run.status, 0, "{}", run.stderr);
    let json = fs::read(folder.join("against.json")).unwrap();
    (read(folder).unwrap(), read(&folder.join("against")).unwrap(), serde_json::from_slice(&json).unwrap())
}

/// A figure that only both models together have, over all items: its value, and its interval.
fn both(found: &Value, metric: &str) -> (f64, (f64, f64)) {
    let results = found["results"].as_array().unwrap();
    let one = results.iter().find(|one| one["metric"] == metric && one["stratum"].is_null()).unwrap();
    let number = |value: &Value| value.as_f64().unwrap();
    (number(&one["value"]), (number(&one["interval"][0]), number(&one["interval"][1])))
}

fn difference<'a>(found: &'a Value, metric: &str, stratum: Option<&str>) -> &'a Value {
    let all = found["differences"].as_array().unwrap();
    all.iter().find(|one| one["metric"] == metric && one["stratum"].as_str() == stratum).unwrap()
}

#[test]
fn what_was_learnt_from_chats_is_preferred_and_each_side_says_how_it_was_asked() {
    let folder = tempfile::tempdir().unwrap();
    let record = folder.path().join("run");
    let (a, b, found) = against(&record, &["comparisons", "-m", "slide-chat", "--chat", "--against", "slide"]);
    assert_eq!((a.run.model.name.as_str(), b.run.model.name.as_str()), ("slide-chat", "slide"));
    assert!(a.run.settings.chat.is_some() && b.run.settings.chat.is_none());
    assert_eq!((&found["a"]["chat"], &found["b"]["chat"]), (&"each".into(), &Value::Null));
    let (value, (low, high)) = both(&found, "implicit_reward.acc");
    assert!(low > 0.5 && low < value && value < high, "above chance: {value} {low} {high}");
    // the wording that the chat model was trained in is where it is ahead of the base model
    let taught = difference(&found, "acc", Some("wording=slide"));
    assert!(taught["interval"][0].as_f64().unwrap() > 0.0, "{taught}");
    // the margins of the pair are those of the two records
    let margin = |record: &Record| {
        let results = &record.run.outcome.as_ref().unwrap().results;
        results.iter().find(|one| one.metric == "margin" && one.stratum.is_none()).unwrap().value.unwrap()
    };
    assert!((both(&found, "implicit_reward.margin").0 - (margin(&a) - margin(&b))).abs() < 1e-6);
}

#[test]
fn a_resumed_pair_is_the_same_pair() {
    let folder = tempfile::tempdir().unwrap();
    let [whole, cut] = ["whole", "cut"].map(|name| folder.path().join(name));
    let args = ["base-vs-assistant", "-m", "slide-chat", "--chat", "--against", "slide", "--limit", "6"];
    let (_, _, expected) = against(&whole, &args);
    // the first model was done when the run was stopped, and the second one not begun
    fs::create_dir_all(&cut).unwrap();
    for file in ["run.json", "items.jsonl"] {
        fs::copy(whole.join(file), cut.join(file)).unwrap();
    }
    let (_, _, found) = against(&cut, &[&args[..], &["--resume"]].concat());
    assert_eq!(found, expected);
}

#[test]
fn distributions_are_compared_along_one_answer_and_a_model_is_no_distance_from_itself() {
    let folder = tempfile::tempdir().unwrap();
    let of = |name: &str, more: &[&str]| {
        let args = [&["base-vs-assistant", "-m", "slide-chat"], more].concat();
        against(&folder.path().join(name), &args).2
    };
    let apart = of("apart", &["--chat", "--against", "slide"]);
    assert_eq!(apart["items"].as_array().unwrap().len(), 48);
    for item in apart["items"].as_array().unwrap() {
        let (ids, kl) = (&item["divergence"]["ids"], &item["divergence"]["b_a"]);
        assert!(!ids.as_array().unwrap().is_empty(), "{item}");
        assert_eq!(ids.as_array().unwrap().len(), kl.as_array().unwrap().len());
    }
    let (kl, (low, _)) = both(&apart, "kl.b_a");
    assert!(kl > 0.1 && low > 0.0, "{kl}");
    let same = of("same", &["--against", "slide-chat"]);
    assert_eq!((both(&same, "kl.a_b").0, both(&same, "kl.b_a").0), (0.0, 0.0));
    for one in same["differences"].as_array().unwrap() {
        assert_eq!(one["difference"], 0.0, "{one}");
    }
    // the same model asked in two ways: what the template alone does
    let asked = of("asked", &["--chat", "--against", "slide-chat"]);
    assert!(both(&asked, "kl.b_a").0 > 0.0);
}

#[test]
fn what_cannot_be_asked_is_told_before_the_work() {
    let folder = tempfile::tempdir().unwrap();
    let record = folder.path().join("run");
    let args = ["eval", "run", "comparisons", "-o", record.to_str().unwrap(), "--against"];
    let refused = |more: &[&str]| {
        let run = lmscope(&[&args, more].concat());
        assert_eq!(run.status, 2, "{}", run.stderr);
        assert!(!record.exists());
        run.stderr
    };
    let no_template = refused(&["slide", "-m", "slide-chat", "--chat", "--against-chat"]);
    assert!(no_template.contains("ask `slide` through its chat template: it has none"), "{no_template}");
    let missing = refused(&["no/such-model", "-m", "slide"]);
    assert!(missing.contains("no/such-model"), "{missing}");
    let baseline = refused(&["slide", "--baseline", "x"]);
    assert!(baseline.contains("cannot be used with"), "{baseline}");
    assert!(refused(&["slide", "--shard", "1/2"]).contains("cannot be used with"));
}

#[test]
fn a_chat_template_of_plain_pasting_does_not_keep_a_users_text_apart() {
    let folder = tempfile::tempdir().unwrap();
    let results = |name: &str, more: &[&str]| {
        let record = folder.path().join(name);
        let args = ["eval", "run", "instruction-boundary", "-o", record.to_str().unwrap()];
        let run = lmscope(&[&args, more].concat());
        assert_eq!(run.status, 0, "{}", run.stderr);
        let record = read(&record).unwrap();
        let results = record.run.outcome.unwrap().results;
        move |metric: &str, stratum: &str| {
            let of = Some(stratum).filter(|stratum| !stratum.is_empty());
            let one = results.iter().find(|one| one.metric == metric && one.stratum.as_deref() == of).unwrap();
            (one.n, one.value)
        }
    };
    let chat = results("chat", &["-m", "slide-chat", "--chat"]);
    assert_eq!(chat("applicable", ""), (64, Some(1.0)));
    for form in ["form=own", "form=chatml"] {
        assert_eq!((chat("special", form).1, chat("forged", form).1), (Some(1.0), Some(1.0)), "{form}");
    }
    assert_eq!((chat("special", "form=plain").1, chat("forged", "form=plain").1), (Some(0.0), Some(0.0)));
    let base = results("base", &["-m", "slide"]);
    assert_eq!((base("applicable", ""), base("special", "").0), ((64, Some(0.0)), 0));
}
