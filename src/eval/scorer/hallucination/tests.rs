//! The whole suite on models that follow a script, with values worked out by hand.

use std::fs;
use std::ops::ControlFlow;
use std::time::Duration;

use super::*;
use crate::eval::backend::{Backend, Failed};
use crate::eval::fixture::tokenizer;
use crate::eval::prepare::{self, prepare};
use crate::eval::record::{Existing, Record, Run, TaskInfo, sample};
use crate::eval::request::Generated;
use crate::eval::results::MetricResult;
use crate::eval::run::{Output, run};
use crate::eval::scheduler::Each;

const SUITE: &str = r#"
name = "small"
version = 1
scorer = "hallucination"
strata = ["kind"]
prompt = "Q: {question}\nA:"
confidence = "Above {percent}: -{penalty}."
refusal = "I don't know."
until = ["\n"]
samples = 4
abstaining = ["don't know"]
"#;

/// Two that have an answer, two that have none.
const ITEMS: &[(&str, &str, &str)] = &[
    ("known", "Who wrote Emma?", r#"["Jane Austen", "Austen"]"#),
    ("known", "Who wrote Dracula?", r#"["Bram Stoker"]"#),
    ("invented", "Who wrote Velmaria?", "[]"),
    ("invented", "Who wrote Zanoria?", "[]"),
];

/// What a model says, by the context.
struct Script {
    answer: fn(&str) -> &'static str,
    sample: fn(&str, u64) -> &'static str,
    /// The log-likelihoods of the refusal, and of the letters A and B.
    loglik: fn(&str, &str) -> f64,
    entropy: f64,
}

impl Script {
    fn response(&self, request: &Request) -> Response {
        match request {
            Request::GenerateUntil(asked) => said((self.answer)(&asked.context), None),
            Request::SampleUntil(asked) => said((self.sample)(&asked.asked.context, asked.seed), Some(self.entropy)),
            Request::Loglikelihood(asked) => Response::Scored(Scored {
                text: asked.continuation.clone(),
                ids: vec![0, 1],
                boundary: 1,
                logprobs: vec![(self.loglik)(&asked.context, &asked.continuation)],
                ranks: vec![1],
                is_greedy: false,
                top: Vec::new(),
                lints: Vec::new(),
            }),
            other => panic!("{other:?} is not asked here"),
        }
    }
}

fn said(text: &str, entropy: Option<f64>) -> Response {
    Response::Generated(Generated {
        text: format!(" {text}"),
        ids: vec![1],
        stopped: true,
        entropy,
        ..Generated::default()
    })
}

impl Backend for Script {
    fn answer_each(&mut self, requests: &[Request], each: &mut Each<'_>) -> Result<(), Failed> {
        for (index, request) in requests.iter().enumerate() {
            if each(index, &self.response(request)) == ControlFlow::Break(()) {
                break;
            }
        }
        Ok(())
    }
}

fn suite(spec: &str, items: &[(&str, &str, &str)]) -> Result<Task, prepare::Error> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("suite.toml"), spec).unwrap();
    let line = |(kind, question, answers): &(&str, &str, &str)| {
        format!("{{\"id\":\"{question}\",\"kind\":\"{kind}\",\"question\":\"{question}\",\"answers\":{answers}}}\n")
    };
    fs::write(folder.path().join("items.jsonl"), items.iter().map(line).collect::<String>()).unwrap();
    let found = prepare(folder.path().to_str().unwrap(), &tokenizer(), &PrepareOptions::default());
    found.map(|mut tasks| tasks.remove(0))
}

fn record(script: Script, items: &[(&str, &str, &str)]) -> Record {
    let task = suite(SUITE, items).unwrap();
    let plan = Run { tasks: vec![TaskInfo::of(&task)], ..sample::run() };
    let output = Output { folder: None, existing: Existing::Refuse, elapsed: &|| Duration::ZERO };
    let mut script = script;
    run(&[task], plan, &mut script, &output, &mut |_| {}).unwrap()
}

fn results(record: &Record) -> &[MetricResult] {
    &record.run.outcome.as_ref().unwrap().results
}

/// The value of a metric over all items, and over how many.
fn value(record: &Record, metric: &str) -> (Option<f64>, usize) {
    let found = results(record).iter().find(|result| result.metric == metric && result.stratum.is_none()).unwrap();
    (found.value, found.n)
}

fn expect(record: &Record, expected: &[(&str, f64, usize)]) {
    for (metric, expected, n) in expected {
        let (found, counted) = value(record, metric);
        assert!((found.unwrap() - expected).abs() < 1e-9, "{metric}: {found:?}, {expected} is expected");
        assert_eq!(counted, *n, "{metric}");
    }
    for result in results(record) {
        let numbers = [
            result.value,
            result.stderr,
            result.interval.map(|bounds| bounds.0),
            result.interval.map(|bounds| bounds.1),
        ];
        assert!(numbers.into_iter().flatten().all(f64::is_finite), "{result:?}");
    }
}

fn nothing(record: &Record, metrics: &[&str]) {
    for metric in metrics {
        assert_eq!(value(record, metric).0, None, "{metric}");
    }
}

fn right(context: &str) -> &'static str {
    match context {
        _ if context.contains("Emma") => "Jane Austen.",
        _ if context.contains("Dracula") => "It was Bram Stoker",
        _ => "I don't know.",
    }
}

const AUROC: [&str; 5] = ["auroc.p_true", "auroc.p_idk", "auroc.entropy", "auroc.self_check", "auroc.semantic_entropy"];

#[test]
fn a_model_that_always_abstains() {
    let script =
        Script { answer: |_| "I don't know.", sample: |_, _| "I don't know", loglik: |_, _| -0.5, entropy: 0.1 };
    let record = record(script, ITEMS);
    // right about the two that have no answer
    expect(&record, &[("correct", 0.5, 4), ("wrong", 0.0, 4), ("abstained", 1.0, 4), ("ungraded", 0.0, 4)]);
    expect(&record, &[("score@0", 0.0, 4), ("score@0.5", 0.0, 4), ("score@0.9", 0.0, 4), ("abstained@0.75", 1.0, 4)]);
    nothing(&record, &["hallucination_rate", "hallucination_rate@0.5", "ece.p_true", "brier.p_true", "aurc.p_true"]);
    nothing(&record, &AUROC);
    // four answers, the refusal, four samples: nothing is asked about an answer that is none
    assert!(record.items.iter().all(|item| item.requests.len() == 9));
}

#[test]
fn a_model_that_is_always_wrong() {
    let script = Script {
        answer: |_| "Homer",
        sample: |_, seed| if seed % 2 == 0 { "Homer" } else { "Homer." },
        loglik: |_, continuation| if continuation == " A" { 0.8f64.ln() } else { 0.2f64.ln() },
        entropy: 2.0,
    };
    let record = record(script, ITEMS);
    expect(&record, &[("correct", 0.0, 4), ("wrong", 1.0, 4), ("abstained", 0.0, 4), ("hallucination_rate", 1.0, 4)]);
    // -t / (1 - t)
    expect(&record, &[("score@0", 0.0, 4), ("score@0.5", -1.0, 4), ("score@0.75", -3.0, 4), ("score@0.9", -9.0, 4)]);
    // it believes with 0.8 what is never right
    expect(&record, &[("ece.p_true", 0.8, 4), ("brier.p_true", 0.64, 4), ("aurc.p_true", 1.0, 4)]);
    nothing(&record, &AUROC);
    assert!(record.items.iter().all(|item| item.requests.len() == 11));
}

#[test]
fn a_perfect_model() {
    let script = Script {
        answer: right,
        sample: |context, _| right(context),
        loglik: |_, continuation| if continuation == " A" { 0.0 } else { -800.0 },
        entropy: 0.0,
    };
    let record = record(script, ITEMS);
    expect(&record, &[("correct", 1.0, 4), ("wrong", 0.0, 4), ("abstained", 0.5, 4), ("hallucination_rate", 0.0, 2)]);
    expect(&record, &[("score@0", 0.5, 4), ("score@0.9", 0.5, 4), ("hallucination_rate@0.9", 0.0, 2)]);
    expect(&record, &[("ece.p_true", 0.0, 2), ("brier.p_true", 0.0, 2), ("aurc.p_true", 0.0, 2)]);
    nothing(&record, &AUROC);
    let of = |metric: &str, kind: &str| {
        let stratum = Some(format!("kind={kind}"));
        results(&record).iter().find(|result| result.metric == metric && result.stratum == stratum).map(|it| it.value)
    };
    assert_eq!((of("abstained", "invented"), of("abstained", "known")), (Some(Some(1.0)), Some(Some(0.0))));
    // what needs many answers is counted over all items alone
    assert_eq!((of("score@0.5", "known"), of("auroc.entropy", "known")), (Some(Some(1.0)), None));
}

#[test]
fn a_model_whose_signals_say_nothing() {
    let script = Script {
        answer: |context| {
            if context.contains("Emma") || context.contains("Dracula") { right(context) } else { "Homer" }
        },
        sample: |_, seed| ["p", "q", "r", "s"][usize::try_from(seed % 4).unwrap()],
        loglik: |_, _| -3.0,
        entropy: 1.0,
    };
    let record = record(script, ITEMS);
    expect(&record, &[("correct", 0.5, 4), ("wrong", 0.5, 4), ("hallucination_rate", 0.5, 4)]);
    // two right, two wrong
    expect(&record, &[("score@0", 0.5, 4), ("score@0.5", 0.0, 4), ("score@0.75", -1.0, 4), ("score@0.9", -4.0, 4)]);
    expect(&record, &[("auroc.p_true", 0.5, 4), ("auroc.p_idk", 0.5, 4), ("auroc.entropy", 0.5, 4)]);
    expect(&record, &[("ece.p_true", 0.0, 4), ("brier.p_true", 0.25, 4), ("aurc.p_true", 0.5, 4)]);
}

#[test]
fn signals_that_tell_right_from_wrong() {
    // right and sure about Emma, right and unsure about Dracula, wrong and sure about Velmaria, wrong and unsure about Zanoria
    fn is_sure(context: &str) -> bool {
        context.contains("Emma") || context.contains("Velmaria")
    }
    let script = Script {
        answer: |context| if context.contains("aria") || context.contains("oria") { "Homer" } else { right(context) },
        sample: |context, seed| match is_sure(context) {
            true if context.contains("Emma") => "Austen",
            true => "Homer",
            false => ["p", "q", "r", "s"][usize::try_from(seed % 4).unwrap()],
        },
        loglik: |context, continuation| match (continuation, context.contains("Who wrote Emma")) {
            (" I don't know.", true) => 0.01f64.ln(),
            (" I don't know.", false) => 0.2f64.ln(),
            (" A", true) => 0.9f64.ln(),
            (_, true) => 0.1f64.ln(),
            (" A", false) => 0.3f64.ln(),
            (_, false) => 0.7f64.ln(),
        },
        entropy: 1.0,
    };
    let record = record(script, ITEMS);
    // of the four pairs of right and wrong, Emma wins two and Dracula is even with both
    expect(&record, &[("auroc.p_true", 0.75, 4), ("auroc.p_idk", 0.75, 4), ("auroc.entropy", 0.5, 4)]);
    // one bin: 0.5 right, 0.45 believed; squares .01 .49 .09 .09
    expect(&record, &[("ece.p_true", 0.05, 4), ("brier.p_true", 0.17, 4)]);
    // kept: Emma right; then three of one belief of which a third is right: risks 0, 1/3, 4/9, 1/2
    expect(&record, &[("aurc.p_true", (1.0 / 3.0 + 4.0 / 9.0 + 0.5) / 4.0, 4)]);
}

#[test]
fn an_answer_without_words_is_not_graded() {
    let script = Script { answer: |_| " ...", sample: |_, _| "", loglik: |_, _| -1.0, entropy: 0.0 };
    let record = record(script, &ITEMS[..1]);
    expect(&record, &[("ungraded", 1.0, 1), ("correct", 0.0, 1), ("wrong", 0.0, 1), ("score@0.9", 0.0, 1)]);
    nothing(&record, &["hallucination_rate"]);
}

#[test]
fn one_item_has_values_and_nothing_that_needs_two() {
    let script = Script { answer: right, sample: |c, _| right(c), loglik: |_, _| -1.0, entropy: 0.3 };
    let record = record(script, &ITEMS[..1]);
    expect(&record, &[("correct", 1.0, 1), ("hallucination_rate", 0.0, 1), ("ece.p_true", 0.5, 1)]);
    nothing(&record, &AUROC);
}

#[test]
fn each_sample_has_a_seed_of_its_own() {
    let task = suite(SUITE, ITEMS).unwrap();
    let seeds = |item: &TaskItem| -> Vec<u64> {
        let seed = |request: &Request| match request {
            Request::SampleUntil(asked) => Some(asked.seed),
            _ => None,
        };
        item.requests.iter().filter_map(seed).collect()
    };
    let mut all: Vec<u64> = task.items.iter().flat_map(seeds).collect();
    assert_eq!(all.len(), 16);
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 16);
    // SHA-256 of "0\0Who wrote Emma?\00\0", its first eight bytes
    assert_eq!(seeds(&task.items[0])[0], seed(0, "Who wrote Emma?", 0));
    assert_ne!(seed(0, "x", 0), seed(1, "x", 0));
}

#[test]
fn the_prompt_of_belief_holds_the_answer_and_the_samples() {
    let script = Script { answer: right, sample: |_, _| "Ann", loglik: |_, _| -1.0, entropy: 0.3 };
    let record = record(script, &ITEMS[..1]);
    let Some(Request::Loglikelihood(asked)) = record.items[0].requests.last() else { panic!() };
    let expected = "Question: Who wrote Emma?\nBrainstormed Answers: Ann\nAnn\nAnn\nAnn\nPossible answer: Jane \
                    Austen.\nIs the possible answer:\nA) True\nB) False\nThe possible answer is:";
    assert_eq!((asked.context.as_str(), asked.continuation.as_str()), (expected, " B"));
    let Request::GenerateUntil(careful) = &record.items[0].requests[3] else { panic!() };
    assert_eq!(careful.context, "Above 90: -9.\n\nQ: Who wrote Emma?\nA:");
}

#[test]
fn an_item_may_begin_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("suite.toml"), SUITE).unwrap();
    let line =
        r#"{"kind": "known", "question": "Who wrote Emma?", "statement": "Emma was written by", "answers": "Austen"}"#;
    fs::write(folder.path().join("items.jsonl"), line).unwrap();
    let source = folder.path().to_string_lossy().into_owned();
    let task = prepare(&source, &tokenizer(), &PrepareOptions::default()).unwrap().remove(0);
    assert_eq!(task.items[0].requests[0].given(), "Emma was written by");
    fs::write(folder.path().join("items.jsonl"), line.replace("\"Emma was written by\"", "3")).unwrap();
    let told = prepare(&source, &tokenizer(), &PrepareOptions::default()).err().unwrap().to_string();
    assert!(told.contains("items.jsonl:1: `statement` is 3, a text is expected"), "{told}");
}

#[test]
fn what_is_wrong_with_a_suite_is_told() {
    let told = |spec: &str, items: &[(&str, &str, &str)]| suite(spec, items).err().unwrap().to_string();
    let lacks = SUITE.replace("{question}", "the question").replace("samples = 4", "samples = 0");
    let found = told(&lacks, ITEMS);
    assert!(found.contains("suite.toml:6: `prompt` lacks {question}"), "{found}");
    assert!(found.contains("`samples` is 0, at least 1 is expected"), "{found}");
    let found = told(&SUITE.replace("I don't know.", "Pardon?"), ITEMS);
    assert!(found.contains("suite.toml:8: `refusal` is \"Pardon?\""), "{found}");
    let found = told(&SUITE.replace("-{penalty}.", "-{penalty}, if you don't know 0."), ITEMS);
    assert!(found.contains("suite.toml:7: `confidence` holds a phrase of `abstaining`"), "{found}");
    let found = told(SUITE, &[("known", "x", "[\"...\"]"), ("known", "y", "[\"don't know\"]"), ("known", "z", "[3]")]);
    assert!(found.contains("items.jsonl:1: `answers` holds no word"), "{found}");
    assert!(found.contains("items.jsonl:2: the answer \"don't know\" holds a phrase of `abstaining`"), "{found}");
    assert!(found.contains("items.jsonl:3: `answers` holds 3"), "{found}");
}
