use std::fs;
use std::io::{Cursor, Write as _};

use super::*;
use crate::eval::record::sample::{item, record};
use crate::eval::record::{Outcome, Status};
use crate::eval::request::Response;
use crate::eval::results;
use crate::eval::task::Observed;

fn finished() -> Record {
    let mut record = record();
    for (at, item) in record.items.iter_mut().enumerate() {
        item.doc =
            serde_json::from_value(serde_json::json!({"q": format!("ü{at}\n"), "x": 1e-5, "n": [1.0, 2], "e": {}}))
                .unwrap();
    }
    let results = results::of(&record.run.tasks, &record.items);
    let lints = results::lints(&record.items);
    record.run.outcome = Some(Outcome { n_items: 4, n_resumed: 0, seconds: Some(1.5), lints, results });
    record.run.status = Status::Complete;
    record
}

#[test]
fn floats_are_written_as_python_writes_them() {
    let cases = [
        (0.0, "0.0"),
        (-4.9, "-4.9"),
        (1e-5, "1e-05"),
        (0.0001, "0.0001"),
        (1.5e-7, "1.5e-07"),
        (1e15, "1000000000000000.0"),
        (1e16, "1e+16"),
        (1e100, "1e+100"),
        (f64::INFINITY, "inf"),
        (f64::NEG_INFINITY, "-inf"),
        (f64::NAN, "nan"),
    ];
    for (value, expected) in cases {
        assert_eq!(python::float(value), expected);
    }
}

#[test]
fn lm_evals_files_have_its_names_hashes_and_strings() {
    let folder = tempfile::tempdir().unwrap();
    let files = export(&finished(), Format::LmEval, folder.path()).unwrap();
    assert_eq!(files[0].file_name().unwrap(), "results_2026-01-01T00-00-00.json");
    assert_eq!(files[1].file_name().unwrap(), "samples_small_2026-01-01T00-00-00.jsonl");
    let text = fs::read_to_string(&files[1]).unwrap();
    let line: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert_eq!(line["resps"], serde_json::json!([[["-0.123456789", "False"]]]));
    assert_eq!(line["filtered_resps"], serde_json::json!([["-0.123456789", "False"]]));
    assert_eq!(
        (&line["acc"], &line["doc_id"], &line["metrics"]),
        (&0.0.into(), &0.into(), &serde_json::json!(["acc"]))
    );
    assert_eq!(line["arguments"]["gen_args_0"], serde_json::json!({"arg_0": "a0", "arg_1": " b"}));
    // hashlib.sha256(json.dumps(doc, indent=2, ensure_ascii=False).encode()).hexdigest(), and of "a0" and " b"
    assert_eq!(line["doc_hash"], "d39e7de8415a5b07bb7a42c55f230f7d9819ea2f3720ab1f3d272d8f44f7ff3f");
    assert_eq!(line["prompt_hash"], "4e1195df020de59e0d65a33a4279f1183e7ae4e5d980e309f8b55adff2e61c3e");
    assert_eq!(line["target_hash"], "cb6f0a6c7a3223ecb5693627eb3a534fcd5be2103408f78aa19b9c6a079aa810");
    let results: serde_json::Value = serde_json::from_slice(&fs::read(&files[0]).unwrap()).unwrap();
    let of = &results["results"]["small"];
    assert_eq!((&of["acc,none"], &of["acc_stderr,none"]), (&0.75.into(), &0.25.into()));
    assert_eq!(results["total_evaluation_time_seconds"], "1.5");
}

#[test]
fn what_lm_eval_is_told_is_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let before = finished();
    let files = export(&before, Format::LmEval, folder.path()).unwrap();
    for path in [files[0].as_path(), files[0].parent().unwrap()] {
        let found = import(path).unwrap();
        assert_eq!(found.items.len(), 4);
        for (found, before) in found.items.iter().zip(&before.items) {
            assert_eq!((&found.doc, &found.target, &found.requests), (&before.doc, &before.target, &before.requests));
            assert_eq!(found.graded.observations, before.graded.observations);
            let Response::Told(told) = &found.responses[0] else { panic!() };
            assert_eq!((told.loglik, told.is_greedy), (Some(-0.123_456_789), Some(false)));
        }
        let value = |record: &Record| record.run.outcome.as_ref().unwrap().results[0].clone();
        assert_eq!((value(&found).value, value(&found).interval), (value(&before).value, value(&before).interval));
        // it says neither which weights nor which tokenizer
        assert_eq!(
            (&found.run.model.sha256, &found.run.model.fingerprint, &found.run.tokenizer),
            (&None, &None, &None)
        );
    }
    fs::remove_file(&files[1]).unwrap();
    let told = import(&files[0]).unwrap();
    let result = &told.run.outcome.as_ref().unwrap().results[0];
    assert_eq!((told.items.len(), result.value, result.stderr, result.interval), (0, Some(0.75), Some(0.25), None));
}

#[test]
fn inspects_files_are_written_and_read() {
    let folder = tempfile::tempdir().unwrap();
    let mut before = finished();
    before.items[2].graded.observations[0].value = Observed::Flag(true);
    let files = export(&before, Format::Inspect, folder.path()).unwrap();
    assert!(fs::read(&files[0]).unwrap().starts_with(b"PK\x03\x04"));
    let found = import(&files[0]).unwrap();
    let brief = |record: &Record| -> Vec<_> {
        record
            .items
            .iter()
            .map(|item| (item.id.clone(), item.target.clone(), item.graded.observations.clone()))
            .collect()
    };
    assert_eq!(brief(&found), brief(&before));
    assert_eq!((found.run.model.name.as_str(), &found.run.model.sha256), ("lmscope/tiny", &None));
    assert_eq!(found.run.outcome.unwrap().results[0].value, Some(0.75));
}

/// A log with these members, as Inspect 0.3.154 writes it.
fn log(file: &Path, members: &[(&str, serde_json::Value)]) {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, value) in members {
        archive.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        archive.write_all(&serde_json::to_vec_pretty(value).unwrap()).unwrap();
    }
    fs::write(file, archive.finish().unwrap().into_inner()).unwrap();
}

#[test]
fn a_log_of_inspect_is_read_and_so_is_one_that_was_broken_off() {
    use serde_json::json;
    let eval = json!({
        "eval_id": "e", "run_id": "r", "created": "2026-01-01T00:00:00+00:00", "task": "evals/colours", "task_id": "t",
        "task_version": 3, "task_attribs": {}, "task_args": {"cot": false}, "task_args_passed": {},
        "dataset": {"name": "colours", "samples": 40, "sample_ids": [1, "two"], "shuffled": false},
        "model": "openai/tiny", "model_args": {}, "model_roles": {}, "config": {"limit": 2, "epochs": 2},
        "packages": {"inspect_ai": "0.3.154"}, "scorers": [{"name": "choice", "options": {}, "metadata": {}}],
    });
    let start = json!({"version": 2, "eval": eval, "plan": {"name": "plan", "steps": [], "config": {}}});
    let metrics = json!({"accuracy": {"name": "accuracy", "value": 0.5, "params": {}}});
    let header = json!({
        "version": 2, "status": "success", "eval": eval, "plan": start["plan"], "stats": {"model_usage": {}},
        "results": {"total_samples": 4, "completed_samples": 4,
            "scores": [{"name": "choice", "scorer": "choice", "params": {}, "metrics": metrics}]},
    });
    let sample = |id: serde_json::Value, epoch: u64, content: serde_json::Value, value: serde_json::Value| {
        json!({
            "id": id, "epoch": epoch, "input": "The rose is", "choices": ["red", "green"], "target": "A",
            "messages": [{"id": "m", "content": "The rose is", "source": "input", "role": "user"}],
            "output": {"model": "tiny", "completion": "A", "choices":
                [{"message": {"content": content, "role": "assistant"}, "stop_reason": "stop"}]},
            "scores": {"choice": {"value": value, "answer": "A", "history": []}},
            "metadata": {"kind": "plant"}, "store": {}, "events": [{"event": "sample_init"}], "model_usage": {},
            "attachments": {"dfed": "x"}, "uuid": "u",
        })
    };
    let parts = json!([{"type": "reasoning", "reasoning": "hm"}, {"type": "text", "text": "ANSWER: A"}]);
    let samples = [
        ("samples/1_epoch_1.json", sample(json!(1), 1, json!("ANSWER: A"), json!("C"))),
        ("samples/1_epoch_2.json", sample(json!(1), 2, json!("B"), json!("I"))),
        ("samples/two_epoch_1.json", sample(json!("two"), 1, parts, json!("C"))),
        ("samples/two_epoch_2.json", sample(json!("two"), 2, json!(""), json!("N"))),
    ];
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("2026.eval");
    let whole = [("_journal/start.json", start.clone()), ("header.json", header), ("reductions.json", json!([]))];
    log(&file, &[&whole[..], &samples].concat());
    let found = import(&file).unwrap();
    let (task, outcome) = (&found.run.tasks[0], found.run.outcome.as_ref().unwrap());
    assert_eq!((task.name.as_str(), task.version.as_str(), task.n_items), ("evals/colours", "3", 40));
    assert_eq!(
        (found.run.model.name.as_str(), found.run.status, found.run.settings.limit),
        ("openai/tiny", Status::Complete, Some(2))
    );
    let ids: Vec<(&str, Option<&str>)> =
        found.items.iter().map(|item| (item.id.as_str(), item.cluster.as_deref())).collect();
    let expected = [("two", Some("two")), ("two_epoch_2", Some("two")), ("1", Some("1")), ("1_epoch_2", Some("1"))];
    assert_eq!(ids, expected);
    let said = |at: usize| match &found.items[at].responses[..] {
        [Response::Told(told)] => told.text.clone().unwrap(),
        other => panic!("{other:?}"),
    };
    assert_eq!((said(0), said(1), said(2)), ("ANSWER: A".into(), String::new(), "ANSWER: A".into()));
    let result = &outcome.results[0];
    assert_eq!((result.metric.as_str(), result.value, result.n, result.clusters), ("choice", Some(0.5), 4, Some(2)));

    log(&file, &[&whole[..1], &samples[..1]].concat());
    let part = import(&file).unwrap();
    assert_eq!(
        (part.items.len(), part.run.status, part.run.tasks[0].name.as_str()),
        (1, Status::Running, "evals/colours")
    );
    log(&file, &samples);
    let error = import(&file).unwrap_err();
    assert!(matches!(error, Error::Zip { .. }), "{error}");
    log(&file, &[("header.json", json!({"eval": {}}))]);
    assert!(import(&file).unwrap_err().to_string().contains("`eval.task` of header.json is missing"));
}

#[test]
fn what_is_no_log_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(import(folder.path()), Err(Error::Unknown { .. })));
    let file = folder.path().join("a.eval");
    fs::write(&file, "no archive").unwrap();
    assert!(matches!(import(&file), Err(Error::Zip { .. })));
    let file = folder.path().join("results_a.json");
    fs::write(&file, "{").unwrap();
    assert!(matches!(import(&file), Err(Error::Json { .. })));
    fs::write(&file, "{}").unwrap();
    assert!(import(&file).unwrap_err().to_string().contains("`results`"));
    assert_eq!(item(0, true).id, "i0");
}
