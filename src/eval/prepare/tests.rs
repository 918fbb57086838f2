use std::fs;

use tempfile::TempDir;

use super::*;
use crate::eval::fixture::{SPEC, lines, noise, tokenizer};
use crate::eval::pair_run::{RunOptions, run};
use crate::eval::scheduler::Scheduler;
use crate::eval::task::{Observed, TaskItem};
use crate::model::CancelToken;

fn folder(suite_toml: &str, items: &str) -> TempDir {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("suite.toml"), suite_toml).unwrap();
    fs::write(folder.path().join("items.jsonl"), items).unwrap();
    folder
}

fn number(task: &Task, item: &TaskItem, responses: &[crate::eval::request::Response], metric: &str) -> f64 {
    let graded = task.grader.grade(item, responses).unwrap();
    let found = graded.observations.iter().find(|one| one.metric == metric).unwrap();
    found.value.number().unwrap()
}

#[test]
fn a_suite_of_facts_keeps_its_numbers_as_a_task() {
    let folder = folder(SPEC, &lines().join("\n"));
    let options = PrepareOptions { seed: 3, ..PrepareOptions::default() };
    let task = prepare(&folder.path().to_string_lossy(), &tokenizer(), &options).unwrap().remove(0);
    let (lm, tokenizer, cancel) = (noise(), tokenizer(), CancelToken::default());
    let suite = crate::eval::fixture::suite();
    let run_options = RunOptions { seed: 3, ..RunOptions::default() };
    let before = run(&suite, &lm, &tokenizer, &run_options, &cancel, &mut |_| {}).unwrap();
    let mut scheduler = Scheduler::new(&lm, &tokenizer, &cancel);
    for group in &before.groups {
        let seen = group.seen.map(|seen| serde_json::to_value(seen).unwrap()).unwrap();
        let items = task.items.iter().filter(|item| item.strata["seen"] == seen.as_str().unwrap());
        let answered: Vec<_> = items.map(|item| (item, scheduler.answer(&item.requests).unwrap())).collect();
        let of = |metric: &str| {
            let spec = task.metrics.iter().find(|spec| spec.metric == metric).unwrap();
            let values: Vec<Observed> = answered
                .iter()
                .map(|(item, responses)| Observed::Number(number(&task, item, responses, metric)))
                .collect();
            spec.aggregation.of(values.iter()).unwrap()
        };
        for (name, direction) in [("forward", &group.forward), ("reverse", &group.reverse)] {
            let kept = [
                ("exact_match", direction.exact_match.rate),
                ("best", direction.best.rate),
                ("lift", direction.lift.mean),
                ("mean_logprob", direction.mean_logprob.mean),
                ("first_rank", direction.median_first_rank),
                ("in_context.exact_match", direction.in_context_exact_match.rate),
                ("in_context.best", direction.in_context_best.rate),
            ];
            for (metric, value) in kept {
                let found = of(&format!("{name}.{metric}"));
                assert!((found - value).abs() < 1e-12, "{name}.{metric}: {found}, not {value}");
            }
        }
    }
    assert_eq!(before.groups.len(), 3);
}

#[test]
fn a_gate_is_carried_to_its_metric() {
    let gated = format!("{SPEC}[gate]\n\"forward.best\" = {{ margin = 0.1, min = 0.5 }}\n");
    let dir = folder(&gated, &lines().join("\n"));
    let task = prepare(&dir.path().to_string_lossy(), &tokenizer(), &PrepareOptions::default()).unwrap().remove(0);
    let spec = task.metrics.iter().find(|spec| spec.metric == "forward.best").unwrap();
    assert_eq!((spec.bounds.margin, spec.bounds.min, spec.chance), (Some(0.1), Some(0.5), Some(1.0 / 3.0)));
    let wrong = format!("{SPEC}[gate]\n\"forward.bset\" = {{ min = 0.5 }}\n");
    let dir = folder(&wrong, &lines().join("\n"));
    let error = prepare(&dir.path().to_string_lossy(), &tokenizer(), &PrepareOptions::default()).err().unwrap();
    assert!(error.to_string().contains("`forward.bset`") && error.to_string().contains("`forward.best`"), "{error}");
}
