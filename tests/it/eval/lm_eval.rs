//! Our answers are those of lm-evaluation-harness: `fixtures/oracle/lm_eval_numbers.json`, which it gave in float32.

use std::fs;

use lmscope::eval::choice::MultipleChoice;
use lmscope::eval::metric::{self, Ignore, TextScore};
use lmscope::eval::request::{GenerateUntil, Loglikelihood, LoglikelihoodRolling, Request, Response, Scored};
use lmscope::eval::scheduler::{self, Scheduler};
use lmscope::model::load::LoadedModel;
use lmscope::model::{CancelToken, CausalLm};
use lmscope::text::{HfFiles, Tokenizer};
use serde_json::Value;

use crate::support::{load, project};

const TOLERANCE: f64 = 1e-3;

fn numbers() -> Value {
    serde_json::from_slice(&fs::read(project("fixtures/oracle/lm_eval_numbers.json")).unwrap()).unwrap()
}

pub(super) fn open(name: &str) -> (LoadedModel, Tokenizer) {
    let dir = project("fixtures").join(name);
    let read = |file: &str| fs::read(dir.join(file)).unwrap();
    let config = serde_json::from_slice(&read("tokenizer_config.json")).unwrap();
    let files = HfFiles { tokenizer_config: Some(&config), config: None };
    (load(&dir), Tokenizer::from_hf(&read("tokenizer.json"), files).unwrap())
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().unwrap().iter().map(text).collect()
}

fn list(value: &Value) -> &Vec<Value> {
    value.as_array().unwrap()
}

fn count(value: &Value) -> usize {
    usize::try_from(value.as_u64().unwrap()).unwrap()
}

/// Calls `check` with each model of the file and a way to ask it.
fn for_each_model(check: impl Fn(&Value, &mut dyn FnMut(&[Request]) -> Result<Vec<Response>, scheduler::Error>)) {
    for entry in list(&numbers()["models"]) {
        let (model, tokenizer) = open(entry["model"].as_str().unwrap());
        let cancel = CancelToken::default();
        let lm: &dyn CausalLm = &model.decoder;
        let mut scheduler = Scheduler::new(lm, &tokenizer, &cancel);
        check(entry, &mut |requests| scheduler.answer(requests));
    }
}

fn near(found: f64, expected: &Value, what: &str) {
    let expected = expected.as_f64().unwrap();
    assert!((found - expected).abs() < TOLERANCE, "{what}: {found}, lm-eval says {expected}");
}

#[test]
fn loglikelihoods_and_greedy_flags_are_those_of_lm_eval() {
    for_each_model(|entry, answer| {
        for case in list(&entry["loglikelihood"]) {
            let (context, continuation) = (text(&case["context"]), text(&case["continuation"]));
            let what = format!("{} {context:?} {continuation:?}", entry["model"]);
            // it refuses a context of white space that leaves no token; here that is an empty one
            let is_blank = !context.is_empty() && context.trim().is_empty();
            let request = Request::Loglikelihood(Loglikelihood { context, continuation });
            if case["loglik"].is_null() {
                assert!(
                    is_blank || matches!(answer(&[request]), Err(scheduler::Error::EmptyContinuation { .. })),
                    "{what}"
                );
                continue;
            }
            let Some(Response::Scored(scored)) = answer(&[request]).unwrap().pop() else { panic!("{what}") };
            near(scored.loglik(), &case["loglik"], &what);
            assert_eq!(scored.is_greedy, case["is_greedy"].as_bool().unwrap(), "{what}");
        }
    });
}

#[test]
fn rolling_loglikelihoods_are_those_of_lm_eval() {
    for_each_model(|entry, answer| {
        for case in list(&entry["rolling"]) {
            let request = Request::LoglikelihoodRolling(LoglikelihoodRolling { text: text(&case["text"]) });
            let Some(Response::Rolled(rolled)) = answer(&[request]).unwrap().pop() else { panic!("{case}") };
            let what = format!("{} {}", entry["model"], case["text"]);
            near(rolled.loglik(), &case["loglik"], &what);
        }
    });
}

#[test]
fn greedy_texts_are_those_of_lm_eval() {
    for_each_model(|entry, answer| {
        for case in list(&entry["generate"]) {
            let request = GenerateUntil {
                context: text(&case["context"]),
                until: texts(&case["until"]),
                max_new: count(&case["max_new"]),
            };
            let Some(Response::Generated(said)) = answer(&[Request::GenerateUntil(request)]).unwrap().pop() else {
                panic!("{case}")
            };
            assert_eq!(said.text, text(&case["text"]), "{} {case}", entry["model"]);
        }
    });
}

#[test]
fn choices_are_read_as_lm_eval_reads_them() {
    for_each_model(|entry, answer| {
        for case in list(&entry["choice"]) {
            let question = MultipleChoice {
                context: text(&case["context"]),
                delimiter: " ".into(),
                choices: texts(&case["choices"]),
                gold: vec![count(&case["gold"])],
            };
            let mut scored = |requests: Vec<Request>| -> Vec<Scored> {
                let responses = answer(&requests).unwrap().into_iter();
                responses.map(|one| if let Response::Scored(scored) = one { scored } else { panic!() }).collect()
            };
            let (given, alone) = (scored(question.requests()), scored(question.unconditional()));
            let found = question.score(&given, &alone).unwrap();
            let decisions = [
                ("acc", found.acc()),
                ("acc_norm", found.acc_norm()),
                ("acc_bytes", found.acc_bytes()),
                ("acc_mutual_info", found.acc_mutual_info().unwrap()),
                ("exact_match", found.exact_match),
            ];
            for (name, yes) in decisions {
                assert_eq!(Some(f64::from(u8::from(yes))), case["scores"][name].as_f64(), "{name} {case}");
            }
            near(found.brier(), &case["scores"]["brier_score"], "brier_score");
        }
    });
}

#[test]
fn metrics_are_aggregated_as_lm_eval_does() {
    let numbers = &numbers()["metrics"];
    let logliks: Vec<f64> = list(&numbers["logliks"]).iter().map(|loglik| loglik.as_f64().unwrap()).collect();
    let scores: Vec<TextScore> =
        texts(&numbers["texts"]).iter().zip(&logliks).map(|(text, loglik)| TextScore::new(*loglik, text)).collect();
    assert_eq!(scores.iter().map(|score| score.words).collect::<Vec<_>>(), [1, 6, 4, 4]);
    let classes = list(&numbers["classes"]).iter().map(|pair| (count(&pair[0]), count(&pair[1])));
    let found = [
        ("perplexity", metric::perplexity(&logliks)),
        ("word_perplexity", metric::word_perplexity(&scores)),
        ("byte_perplexity", metric::byte_perplexity(&scores)),
        ("bits_per_byte", metric::bits_per_byte(&scores)),
        ("f1", metric::f1(&classes.collect::<Vec<_>>())),
    ];
    for (name, found) in found {
        let expected = numbers[name].as_f64().unwrap();
        assert!((found - expected).abs() < 1e-12 * expected, "{name}: {found} {expected}");
    }
    for (score, (words, bytes)) in scores.iter().zip(list(&numbers["words"]).iter().zip(list(&numbers["bytes"]))) {
        assert_eq!((score.words, score.bytes), (count(words), count(bytes)));
    }
    let ways: [(&str, &[Ignore]); 4] = [
        ("plain", &[]),
        ("ignore_case", &[Ignore::Case]),
        ("ignore_punctuation", &[Ignore::Punctuation]),
        ("ignore_numbers", &[Ignore::Numbers]),
    ];
    for case in list(&numbers["exact"]) {
        for (name, ignore) in ways {
            let found = metric::exact_match(&text(&case["answer"]), &text(&case["truth"]), ignore);
            assert_eq!(Some(found), case[name].as_bool(), "{name} {case}");
        }
    }
}
