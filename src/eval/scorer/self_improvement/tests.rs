use std::collections::BTreeSet;

use super::*;
use crate::eval::fixture::{folder, parrot_of, recorded, result, task_in, tokenizer};
use crate::eval::prepare;
use crate::eval::record::TaskInfo;
use crate::eval::results::{self, MetricResult};
use crate::model::FakeLm;

fn suite(seed: u64) -> Task {
    let options = PrepareOptions { num_fewshot: Some(0), seed, ..PrepareOptions::default() };
    prepare("self-improvement", &tokenizer(), &options).unwrap().remove(0)
}

/// A greedy answer.
fn greedy(text: &str) -> Response {
    drawn(text, &[])
}

/// A drawn answer with the log-probabilities of its tokens.
fn drawn(text: &str, logprobs: &[f64]) -> Response {
    Response::Generated(Generated {
        text: text.into(),
        stopped: true,
        logprobs: logprobs.to_vec(),
        ..Generated::default()
    })
}

/// The results over the first item, whose answer is 11: these responses in one mode, and wrong ones in the other.
fn measured(mode: Mode, responses: Vec<Response>) -> Vec<MetricResult> {
    let task = suite(0);
    let item = &task.items[0];
    assert_eq!(item.target, "11");
    let wrong = vec![greedy("no"); 9];
    let responses = if mode == Mode::Direct { [responses, wrong] } else { [wrong, responses] }.concat();
    let graded = task.grader.grade(item, &responses).unwrap();
    let record = item.answered(&task.name, (item.requests.clone(), responses), graded);
    results::of(&[TaskInfo::of(&task)], &[record])
}

fn value(results: &[MetricResult], metric: &str) -> f64 {
    let is_it = |one: &&MetricResult| one.metric == metric && one.stratum.is_none();
    results.iter().find(is_it).unwrap_or_else(|| panic!("{metric}")).value.unwrap()
}

fn near(results: &[MetricResult], metric: &str, expected: f64) {
    let found = value(results, metric);
    assert!((found - expected).abs() < 1e-12, "{metric}: {found}, not {expected}");
}

#[test]
fn eight_draws_in_each_mode_each_with_a_seed_of_its_own() {
    let (task, again, other) = (suite(5), suite(5), suite(6));
    let seeds = |task: &Task| -> Vec<u64> {
        let drawn = task.items.iter().flat_map(|item| &item.requests).filter_map(|request| match request {
            Request::SampleUntil(sample) => Some(sample.seed),
            _ => None,
        });
        drawn.collect()
    };
    assert_eq!(task.items[0].requests.len(), 18);
    assert_eq!(seeds(&task).len(), task.items.len() * 16);
    assert_eq!(seeds(&task).iter().collect::<BTreeSet<_>>().len(), task.items.len() * 16);
    assert_eq!(seeds(&task), seeds(&again));
    assert!(seeds(&task).iter().zip(seeds(&other)).all(|(one, other)| *one != other));
    assert!(task.items.iter().all(|item| item.cluster.is_none()));
}

#[test]
fn three_of_eight() {
    let draws = [
        ("11.", -0.5),
        ("12.", -0.1),
        ("12.", -2.0),
        ("13.", -2.5),
        ("11.", -3.0),
        ("11.", -3.5),
        ("none", -9.0),
        ("12.", -0.3),
    ];
    let mut responses = vec![greedy("12.")];
    responses.extend(draws.map(|(text, logprob)| drawn(text, &[logprob / 2.0, logprob / 2.0])));
    for mode in MODES {
        let results = measured(mode, responses.clone());
        let name = |metric: &str| format!("{}.{metric}", mode.name());
        near(&results, &name("exact_match"), 0.0);
        // 3/8; 1 - C(5,2)/C(8,2); 1 - C(5,4)/C(8,4); fewer than eight are wrong
        for (count, expected) in [(1, 0.375), (2, 1.0 - 10.0 / 28.0), (4, 1.0 - 5.0 / 70.0), (8, 1.0)] {
            near(&results, &name(&format!("pass_at_{count}")), expected);
        }
        // 11 and 12 have three votes each, and 11 was drawn first; the most probable draw is 12
        near(&results, &name("majority"), 1.0);
        near(&results, &name("majority_gain"), 1.0);
        near(&results, &name("best"), 0.0);
        near(&results, &name("yield"), 1.0);
        let other = if mode == Mode::Direct { "steps" } else { "direct" };
        for metric in ["exact_match", "pass_at_1", "pass_at_8", "majority", "best", "yield"] {
            near(&results, &format!("{other}.{metric}"), 0.0);
        }
    }
}

#[test]
fn a_perfect_model_has_nothing_to_learn_and_one_that_abstains_cannot() {
    for (text, share) in [("11.", 1.0), ("12.", 0.0), ("I don't know.", 0.0), ("", 0.0)] {
        let mut responses = vec![greedy(text)];
        responses.extend((0..8).map(|_| drawn(text, &[-0.1])));
        let results = measured(Mode::Direct, responses);
        for metric in ["exact_match", "pass_at_1", "pass_at_2", "pass_at_4", "pass_at_8", "majority", "best"] {
            near(&results, &format!("direct.{metric}"), share);
        }
        near(&results, "direct.yield", 0.0);
        near(&results, "direct.majority_gain", 0.0);
        for result in &results {
            let bounds = result.interval.map_or([0.0; 2], |(low, high)| [low, high]);
            assert!(bounds.into_iter().chain(result.value).all(f64::is_finite), "{result:?}");
        }
    }
}

#[test]
fn a_right_greedy_answer_yields_nothing_new() {
    let mut responses = vec![greedy("11.")];
    responses.extend((0..8).map(|draw| drawn(if draw == 3 { "11." } else { "7." }, &[-1.0])));
    let results = measured(Mode::Direct, responses);
    near(&results, "direct.yield", 0.0);
    near(&results, "direct.pass_at_1", 0.125);
    near(&results, "direct.majority_gain", -1.0);
}

#[test]
fn responses_that_do_not_match_are_no_answer() {
    let task = suite(0);
    for count in [0, 1, 17, 19] {
        assert_eq!(task.grader.grade(&task.items[0], &vec![greedy("11."); count]), None);
    }
}

#[test]
fn powers_of_two_up_to_all() {
    for (draws, expected) in [(1, vec![1]), (2, vec![1, 2]), (5, vec![1, 2, 4, 5]), (8, vec![1, 2, 4, 8])] {
        assert_eq!(counts(draws), expected);
    }
}

const SUITE: &str = include_str!("../../../../evals/self-improvement/suite.toml");

/// What a model makes of `4 + 5`, whose answer it has learnt in these words: directly, each with its logit, and in steps.
fn run(lm: &FakeLm) -> (impl Fn(&str) -> Option<f64> + use<>, Vec<String>) {
    let row = r#"{"id": "0", "kind": "sum", "operation": "sum", "digits": 1, "a": 4, "b": 5}"#;
    let options = PrepareOptions { num_fewshot: Some(0), ..PrepareOptions::default() };
    let task = task_in(&folder(SUITE, row), &options).unwrap();
    let record = recorded(&task, lm, &tokenizer());
    let drawn = record.items[0].graded.filtered["direct"][1..].to_vec();
    (move |metric: &str| result(&record, metric).value, drawn)
}

fn model(direct: &[(&str, f32)], steps: &str) -> FakeLm {
    let sentence = |ask: &str, answer: &str| format!("Question: What is 4 + 5?{ask}\nAnswer: {answer}\n");
    let direct = direct.iter().map(|(answer, logit)| (sentence("", answer), *logit));
    let learnt: Vec<(String, f32)> = direct.chain([(sentence(" Think step by step.", steps), 60.0)]).collect();
    parrot_of(&learnt.iter().map(|(sentence, logit)| (sentence.as_str(), *logit)).collect::<Vec<_>>())
}

#[test]
fn a_perfect_model_and_those_that_have_nothing() {
    let cases = [
        ("perfect", model(&[("9.", 60.0)], "4+5=09; Answer: 9."), 1.0),
        ("wrong", model(&[("8.", 60.0)], "4+5=08; Answer: 8."), 0.0),
        ("abstains", model(&[("I don't know.", 60.0)], "I don't know."), 0.0),
    ];
    for (name, lm, expected) in cases {
        let (found, _) = run(&lm);
        for mode in ["direct", "steps"] {
            for metric in ["exact_match", "pass_at_1", "pass_at_2", "pass_at_4", "pass_at_8", "majority", "best"] {
                assert_eq!(found(&format!("{mode}.{metric}")), Some(expected), "{name} {mode}.{metric}");
            }
            for metric in ["majority_gain", "yield"] {
                assert_eq!(found(&format!("{mode}.{metric}")), Some(0.0), "{name} {mode}.{metric}");
            }
        }
    }
}

#[test]
fn a_model_that_is_torn_can_learn_from_what_it_draws() {
    // 9 has a probability of 1 / (1 + e^0.2), 0.45: it is never the greedy answer
    let (found, drawn) = run(&model(&[("9.", 60.0), ("8.", 60.2)], "4+5=09; Answer: 9."));
    let right = drawn.iter().filter(|answer| *answer == "9").count();
    assert!(drawn.len() == 8 && drawn.iter().all(|answer| ["8", "9"].contains(&answer.as_str())), "{drawn:?}");
    assert!((1..8).contains(&right), "the seed draws both: {drawn:?}");
    assert_eq!((found("direct.exact_match"), found("direct.yield")), (Some(0.0), Some(1.0)));
    assert!((found("direct.pass_at_1").unwrap() - right as f64 / 8.0).abs() < 1e-12);
    assert_eq!((found("direct.pass_at_8"), found("direct.best")), (Some(1.0), Some(0.0)));
    assert_eq!((found("steps.exact_match"), found("steps.yield")), (Some(1.0), Some(0.0)));
}

#[test]
fn a_uniform_model_is_right_by_chance_alone() {
    let (found, drawn) = run(&FakeLm::new(288, 512, |_| vec![0.0; 288]));
    let right = drawn.iter().filter(|answer| *answer == "9").count();
    assert_eq!(found("direct.exact_match"), Some(0.0));
    assert!(right < 3 && (found("direct.pass_at_1").unwrap() - right as f64 / 8.0).abs() < 1e-12, "{drawn:?}");
    assert_eq!(found("direct.yield"), Some(f64::from(u8::from(right > 0))));
}
