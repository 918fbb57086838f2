use std::fs;

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
