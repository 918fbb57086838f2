use std::f64::consts::LN_2;
use std::fs;

use crate::compress::others::OTHERS;
use crate::eval::fixture::{noise, parrot, tokenizer};
use crate::eval::prepare::{PrepareOptions, outline, prepare};
use crate::eval::record::TaskInfo;
use crate::eval::request::{Compressed, Request, Response};
use crate::eval::results::{self, MetricResult};
use crate::eval::run::ask_one;
use crate::eval::scheduler::Scheduler;
use crate::eval::task::{Task, TaskItemRecord};
use crate::model::{CancelToken, CausalLm, FakeLm};

const SUITE: &str =
    "name = 'small'\nversion = 1\nscorer = 'compression'\nstrata = ['kind']\nwindow = 8\nstrides = [8, 4]\n";

fn with<T>(suite: &str, texts: &[&str], of: impl Fn(&str) -> T) -> T {
    let folder = tempfile::tempdir().unwrap();
    let line = |text: &&str| {
        serde_json::json!({"text": text, "kind": if text.len() < 12 { "short" } else { "long" }}).to_string()
    };
    fs::write(folder.path().join("items.jsonl"), texts.iter().map(line).collect::<Vec<_>>().join("\n")).unwrap();
    fs::write(folder.path().join("suite.toml"), suite).unwrap();
    of(folder.path().to_str().unwrap())
}

fn task(texts: &[&str]) -> Task {
    with(SUITE, texts, |source| prepare(source, &tokenizer(), &PrepareOptions::default()).unwrap().remove(0))
}

fn asked(task: &Task, lm: &dyn CausalLm) -> Vec<TaskItemRecord> {
    let (tokenizer, cancel) = (tokenizer(), CancelToken::default());
    let mut scheduler = Scheduler::new(lm, &tokenizer, &cancel);
    task.items.iter().map(|item| ask_one(task, item, &mut scheduler).unwrap()).collect()
}

/// A metric over all items.
fn value(results: &[MetricResult], metric: &str) -> Option<f64> {
    results.iter().find(|result| result.metric == metric && result.stratum.is_none()).and_then(|result| result.value)
}

fn near(found: Option<f64>, expected: f64) {
    assert!((found.unwrap() - expected).abs() < 1e-9, "{found:?} {expected}");
}

const TEXTS: [&str; 3] = ["The cat", "A dog sat on the mat and the mat sat on it.", "Мама мыла раму."];

fn n_tokens(text: &str) -> usize {
    tokenizer().encode(text).unwrap().len()
}

#[test]
fn a_model_without_preference_needs_the_log_of_its_vocabulary_for_each_token() {
    let task = task(&TEXTS);
    let items = asked(&task, &FakeLm::new(288, 512, |_| vec![0.0; 288]));
    let found = results::of_task(&TaskInfo::of(&task), &items);
    let bytes: usize = TEXTS.iter().map(|text| text.len()).sum();
    let tokens: usize = TEXTS.iter().map(|text| n_tokens(text)).sum();
    near(value(&found, "bits_per_byte"), tokens as f64 * 288f64.log2() / bytes as f64);
    // each text is a whole number of bytes, and one for the number of its tokens
    let coded = value(&found, "coded_bits_per_byte").unwrap();
    let ideal = value(&found, "bits_per_byte").unwrap();
    assert!(coded >= ideal && coded <= ideal + 8.0 * 2.0 * 3.0 / bytes as f64, "{coded} {ideal}");
    near(value(&found, "lossless"), 1.0);
    near(value(&found, "as_tokens"), 1.0);
    let written: Vec<usize> = items
        .iter()
        .map(|item| match &item.responses[0] {
            Response::Compressed(Compressed { bytes, .. }) => *bytes,
            other => panic!("{other:?}"),
        })
        .collect();
    let of_bytes = written.iter().sum::<usize>() as f64;
    near(Some(coded), 8.0 * of_bytes / bytes as f64);
    for other in OTHERS {
        let packed: usize = TEXTS.iter().map(|text| other.pack(text.as_bytes()).unwrap().len()).sum();
        near(value(&found, &format!("{}_bits_per_byte", other.name)), 8.0 * packed as f64 / bytes as f64);
        near(value(&found, &format!("{}_ratio", other.name)), of_bytes / packed as f64);
    }
    // only texts of more than eight tokens are looked at through windows, and there each token costs the same
    let long: Vec<&str> = TEXTS.into_iter().filter(|text| n_tokens(text) > 8).collect();
    assert!(!long.is_empty() && long.len() < 3);
    let tokens: usize = long.iter().map(|text| n_tokens(text)).sum();
    let bytes: usize = long.iter().map(|text| text.len()).sum();
    for stride in ["stride_8_bits_per_byte", "stride_4_bits_per_byte"] {
        near(value(&found, stride), tokens as f64 * 288f64.log2() / bytes as f64);
    }
    let strata: Vec<&str> = found.iter().filter_map(|result| result.stratum.as_deref()).collect();
    assert!(strata.contains(&"kind=short") && strata.contains(&"kind=long"));
}

#[test]
fn a_text_known_by_heart_takes_next_to_nothing() {
    // logit 10 for the right one of 288: 287 e^-10 of the probability is lost at each token
    let text = TEXTS[1];
    let task = task(&[text]);
    let before = tokenizer().text(tokenizer().bos().unwrap());
    let found = results::of_task(&TaskInfo::of(&task), &asked(&task, &parrot(&[&format!("{before}{text}")])));
    let nats = (1.0 + 287.0 * (-10f64).exp()).ln();
    near(value(&found, "bits_per_byte"), n_tokens(text) as f64 * nats / LN_2 / text.len() as f64);
    assert!(value(&found, "zstd_ratio").unwrap() < 0.2);
    near(value(&found, "lossless"), 1.0);
    assert!(found.iter().all(|result| result.value.is_none_or(f64::is_finite)));
    assert!(found.iter().all(|result| result.n == 1 && result.clusters.is_none()));
}

#[test]
fn what_is_asked_together_is_what_is_asked_alone() {
    let (task, lm) = (task(&TEXTS), noise());
    let requests: Vec<Request> = task.items.iter().flat_map(|item| item.requests.clone()).collect();
    let (tokenizer, cancel) = (tokenizer(), CancelToken::default());
    let together = Scheduler::new(&lm, &tokenizer, &cancel).answer(&requests).unwrap();
    let alone: Vec<Response> = asked(&task, &lm).into_iter().flat_map(|item| item.responses).collect();
    assert_eq!(together, alone);
    // each token is scored once, by a window of eight tokens that are run
    for pair in requests.iter().zip(&together) {
        if let (Request::LoglikelihoodStrided(request), Response::Rolled(rolled)) = pair {
            let scored: usize = rolled.windows.iter().map(|window| window.logprobs.len()).sum();
            assert_eq!(scored, n_tokens(&request.text));
            let longest = rolled.windows.iter().map(|window| window.ids.len()).max().unwrap();
            assert_eq!(longest, 9);
        }
    }
}

#[test]
fn a_model_that_rules_a_token_out_has_no_finite_score() {
    let task = task(&["The cat"]);
    let lm = FakeLm::new(288, 64, |_| (0..288).map(|id| if id < 3 { 0.0 } else { f32::NEG_INFINITY }).collect());
    let (tokenizer, cancel) = (tokenizer(), CancelToken::default());
    let error = ask_one(&task, &task.items[0], &mut Scheduler::new(&lm, &tokenizer, &cancel)).unwrap_err();
    let told = format!("{:#}", anyhow::Error::from(error));
    assert!(told.contains("the model gives it log-probability -inf"), "{told}");
}

#[test]
fn mistakes_are_told() {
    let wrong = |suite: &str, text: &str| {
        with(suite, &[text], |source| outline(source, &PrepareOptions::default()).unwrap_err().to_string())
    };
    for (suite, text, what) in [
        (SUITE, "", "items.jsonl:1: `text` is empty"),
        (&SUITE.replace("[8, 4]", "[9]"), "a", "suite.toml:6: the stride 9 is not from 1 to the `window` of 8 tokens"),
        (&SUITE.replace("[8, 4]", "[4, 4]"), "a", "suite.toml:6: a stride is there twice"),
        (&SUITE.replace("[8, 4]", "['x']"), "a", "suite.toml:6: `strides` holds \"x\", whole numbers are expected"),
        (&SUITE.replace("window = 8\n", ""), "a", "suite.toml:5: the stride 8 is not from 1 to the `window` of 0"),
        (&SUITE.replace("window", "windwo"), "a", "`windwo` is not known here: the nearest is `window`"),
    ] {
        let told = wrong(suite, text);
        assert!(told.contains(what), "{what}: {told}");
    }
    with(SUITE, &["a b", "c"], |source| {
        let found = outline(source, &PrepareOptions::default()).unwrap();
        assert_eq!((found[0].items, found[0].output_type.as_str()), (2, "compression"));
    });
}
