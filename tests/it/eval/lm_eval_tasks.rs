//! Task files come to what lm-evaluation-harness makes of them: `fixtures/oracle/lm_eval_tasks.json`, which it gave in
//! float32. Contexts, continuations, filtered answers and metrics are the same; log-likelihoods are near.

use std::fs;

use lmscope::eval::request::{Request, Response};
use lmscope::eval::scheduler::Scheduler;
use lmscope::eval::task::{Graded, Observed, Task, TaskItem};
use lmscope::eval::{PrepareOptions, prepare};
use lmscope::model::CancelToken;
use serde_json::{Value, json};

use super::lm_eval::open;
use crate::support::project;

const TOLERANCE: f64 = 1e-3;

fn near(found: f64, expected: &Value, what: &str) {
    let expected = expected.as_f64().unwrap();
    let size = expected.abs().max(1.0);
    assert!((found - expected).abs() < TOLERANCE * size, "{what}: {found}, lm-eval says {expected}");
}

/// The request as the harness writes its arguments.
fn arguments(request: &Request) -> Value {
    match request {
        Request::Loglikelihood(request) => json!([request.context, request.continuation]),
        Request::LoglikelihoodRolling(request) => json!([request.text]),
        Request::GenerateUntil(request) => json!([
            request.context,
            {"until": request.until, "do_sample": false, "max_gen_toks": request.max_new}
        ]),
        other => panic!("no task file asks {other:?}"),
    }
}

fn check_response(response: &Response, expected: &Value, what: &str) {
    match response {
        Response::Scored(scored) => {
            near(scored.loglik(), &expected[0][0], what);
            assert_eq!(json!(scored.is_greedy), expected[0][1], "{what}");
        }
        Response::Rolled(rolled) => near(rolled.loglik(), &expected[0], what),
        Response::Generated(generated) => assert_eq!(json!(generated.text), expected[0], "{what}"),
        other => panic!("no task file is answered {other:?}"),
    }
}

fn check_observed(value: &Observed, expected: &Value, what: &str) {
    match value {
        Observed::Flag(_) | Observed::Number(_) => {
            let found = value.number().unwrap();
            match expected {
                // what the harness keeps of a Brier score: the gold choice and the probabilities
                Value::Array(pair) => near(found, &json!(brier(pair)), what),
                expected => near(found, expected, what),
            }
        }
        Observed::Text { loglik, units } => {
            near(*loglik, &expected[0], what);
            assert_eq!(json!(units), expected[1], "{what}");
        }
        Observed::Classes { gold, predicted } => assert_eq!(json!([gold, predicted]), *expected, "{what}"),
        Observed::Ratio { .. } => panic!("{what}: no metric of a task file"),
        Observed::Judged { .. } => panic!("{what}: the harness ranks no answers"),
        Observed::Contrast { .. } => panic!("{what}: the harness has no such value"),
    }
}

fn brier(pair: &[Value]) -> f64 {
    let gold = usize::try_from(pair[0].as_u64().unwrap()).unwrap();
    let probs = pair[1].as_array().unwrap().iter().map(|prob| prob.as_f64().unwrap());
    probs.enumerate().map(|(k, prob)| (prob - if k == gold { 1.0 } else { 0.0 }).powi(2)).sum()
}

/// Every sample of a filter, and the number of those.
fn check_samples(task: &Task, answered: &[(Vec<Response>, Graded)], samples: &[Value]) -> usize {
    for sample in samples {
        let at = usize::try_from(sample["doc_id"].as_u64().unwrap()).unwrap();
        let (item, (responses, graded)) = (&task.items[at], &answered[at]);
        let what = format!("{} item {at}", task.name);
        let asked: Vec<Value> = item.requests.iter().map(arguments).collect();
        assert_eq!(json!(asked), sample["arguments"], "{what}");
        assert_eq!(item.target, sample["target"].as_str().map_or_else(|| sample["target"].to_string(), str::to_owned));
        for (response, expected) in responses.iter().zip(sample["resps"].as_array().unwrap()) {
            check_response(response, expected, &what);
        }
        let filter = sample["filter"].as_str().unwrap();
        if let Some(filtered) = graded.filtered.get(filter) {
            assert_eq!(json!(filtered), sample["filtered_resps"], "{what} {filter}");
        }
        for (metric, expected) in sample["metrics"].as_object().unwrap() {
            let observed = graded.observations.iter().find(|one| one.metric == *metric && one.filter == filter);
            check_observed(&observed.unwrap().value, expected, &format!("{what} {metric}"));
        }
    }
    samples.len()
}

/// Compares every task of a folder on a model with what the harness says of them; how many samples there were.
fn compare(model: &str, suites: &str, oracle: &str) -> usize {
    let oracle: Value = serde_json::from_slice(&fs::read(project(oracle)).unwrap()).unwrap();
    let (model, tokenizer) = open(model);
    let tasks = prepare(&project(suites).to_string_lossy(), &tokenizer, &PrepareOptions::default()).unwrap();
    assert_eq!(tasks.len(), oracle["tasks"].as_object().unwrap().len());
    let cancel = CancelToken::default();
    let mut scheduler = Scheduler::new(&model.decoder, &tokenizer, &cancel);
    let check = |task: &Task| {
        let expected = &oracle["tasks"][&task.name];
        assert_eq!(json!(task.n_shot), expected["n_shot"], "{}", task.name);
        assert_eq!(task.version, expected["version"].as_str().map_or(expected["version"].to_string(), str::to_owned));
        let answered: Vec<(Vec<Response>, Graded)> =
            task.items.iter().map(|item| answer(task, item, &mut scheduler)).collect();
        check_results(task, &answered, &expected["results"]);
        check_samples(task, &answered, expected["samples"].as_array().unwrap())
    };
    tasks.iter().map(check).sum()
}

fn answer(task: &Task, item: &TaskItem, scheduler: &mut Scheduler<'_>) -> (Vec<Response>, Graded) {
    let responses = scheduler.answer(&item.requests).unwrap();
    let graded = task.grader.grade(item, &responses).unwrap();
    (responses, graded)
}

fn check_results(task: &Task, answered: &[(Vec<Response>, Graded)], results: &Value) {
    assert_eq!(results.as_object().unwrap().len(), task.metrics.len(), "{}", task.name);
    for spec in &task.metrics {
        let values = answered.iter().flat_map(|(_, graded)| &graded.observations);
        let values = values.filter(|one| one.metric == spec.metric && one.filter == spec.filter);
        let found = spec.aggregation.of(values.map(|one| &one.value)).unwrap();
        near(found, &results[&format!("{},{}", spec.metric, spec.filter)], &spec.metric);
    }
}

#[test]
fn task_files_are_read_as_the_harness_reads_them() {
    let checked = compare("slide/base", "fixtures/suites", "fixtures/oracle/lm_eval_tasks.json");
    assert_eq!(checked, 12 + 12 + 20 + 6);
}
