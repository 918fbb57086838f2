use std::fs;

use super::*;
use crate::eval::fixture::{SPEC, lines, noise, parrot, suite, tokenizer};
use crate::eval::report;
use crate::model::FakeLm;

fn options(record: Option<PathBuf>) -> RunOptions {
    let model = ModelInfo { name: "fake".into(), fingerprint: "f".into(), precision: "f32".into() };
    RunOptions { model, seed: 1, limit: None, started: "now".into(), record }
}

fn go(suite: &Suite, lm: &FakeLm, options: &RunOptions) -> Result<RunSummary, Error> {
    run(suite, lm, &tokenizer(), options, &CancelToken::default(), &mut |_| {})
}

#[test]
fn a_model_that_learnt_one_direction_shows_the_curse() {
    let lm =
        parrot(&["Tom's mother is Mary.", "Eve's daughter is Ann.", "Bob's mother is Joan.", "Joan's son is Bob."]);
    let summary = go(&suite(), &lm, &options(None)).unwrap();
    let exact: Vec<_> = summary
        .groups
        .iter()
        .map(|group| (group.label.as_str(), group.forward.exact_match.count, group.reverse.exact_match.count))
        .collect();
    assert_eq!(exact, [("stated forward only", 1, 0), ("stated reverse only", 0, 1), ("stated both ways", 1, 1)]);
    let both = &summary.groups[2].pairs;
    assert_eq!((both.both, both.forward_only, both.reverse_only, both.neither), (1, 0, 0, 1));
    assert!((summary.groups[0].forward.chance - 1.0 / 3.0).abs() < 1e-12);
    assert!(summary.groups[0].forward.lift.mean > 5.0);
    let figures = report::figures(&summary).unwrap();
    let json = serde_json::to_value(&figures).unwrap();
    assert_eq!(json[0]["content"]["rows"].as_array().unwrap().len(), 6);
    assert_eq!(json[1]["content"]["rows"][0], serde_json::json!(["stated forward only", "right", 0, 1, 1.0]));
}

#[test]
fn a_run_killed_at_any_byte_ends_like_an_unbroken_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/run.jsonl");
    let unbroken = go(&suite(), &noise(), &options(Some(path.clone()))).unwrap();
    let whole = fs::read(&path).unwrap();
    let ends: Vec<usize> = whole.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at).collect();
    assert_eq!(ends.len(), 6);
    let kills = ends.iter().flat_map(|end| [end - 40, *end, end + 1]).chain([0, 5, 30]);
    for kill in kills {
        fs::write(&path, &whole[..kill]).unwrap();
        let mut resumed = None;
        let mut sink = |event| {
            if let EvalEvent::Started { resumed: n, .. } = event {
                resumed = Some(n);
            }
        };
        let options = options(Some(path.clone()));
        let summary = run(&suite(), &noise(), &tokenizer(), &options, &CancelToken::default(), &mut sink).unwrap();
        assert_eq!(summary, unbroken, "{kill}");
        assert_eq!(fs::read(&path).unwrap(), whole, "{kill}");
        let finished = ends.iter().filter(|end| **end < kill).count().saturating_sub(1).min(4);
        assert_eq!(resumed, Some(finished));
    }
    assert_eq!(record::read(&path).unwrap().summary, Some(unbroken));
}

#[test]
fn a_record_of_another_run_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.jsonl");
    let first = options(Some(path.clone()));
    go(&suite(), &noise(), &first).unwrap();
    let before = fs::read(&path).unwrap();
    let other = RunOptions { model: ModelInfo { fingerprint: "g".into(), ..first.model.clone() }, ..first.clone() };
    let error = go(&suite(), &noise(), &other).unwrap_err();
    assert!(error.to_string().ends_with("its fingerprint is `f`, this run's is `g`"), "{error}");
    let changed = Suite::parse(&SPEC.replace("version = 1", "version = 2"), &lines().join("\n")).unwrap();
    assert!(go(&changed, &noise(), &first).unwrap_err().to_string().contains("suite version is `1`"));
    assert_eq!(fs::read(&path).unwrap(), before);
    fs::write(&path, "notes").unwrap();
    assert!(matches!(go(&suite(), &noise(), &first), Err(Error::Record(record::Error::NotARecord { .. }))));
    assert_eq!(fs::read(&path).unwrap(), b"notes");
}

#[test]
fn the_order_of_the_items_changes_no_score() {
    let folder = tempfile::tempdir().unwrap();
    let scores = |name: &str, lines: &[String]| {
        let path = folder.path().join(name);
        let suite = Suite::parse(SPEC, &lines.join("\n")).unwrap();
        go(&suite, &noise(), &options(Some(path.clone()))).unwrap();
        let mut items = record::read(&path).unwrap().items;
        items.sort_by(|x, y| x.item.id.cmp(&y.item.id));
        items
    };
    let reversed: Vec<String> = lines().into_iter().rev().collect();
    assert_eq!(scores("one", &lines()), scores("two", &reversed));
}

#[test]
fn a_cancelled_run_says_so_and_can_be_resumed() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(Some(folder.path().join("run.jsonl")));
    let cancel = CancelToken::default();
    let mut sink = |event| {
        if matches!(event, EvalEvent::Item { done: 2, .. }) {
            cancel.cancel();
        }
    };
    let error = run(&suite(), &noise(), &tokenizer(), &options, &cancel, &mut sink).unwrap_err();
    assert!(error.is_cancelled());
    assert_eq!(record::read(options.record.as_deref().unwrap()).unwrap().items.len(), 2);
    assert_eq!(go(&suite(), &noise(), &options).unwrap().n, 4);
}

#[test]
fn controls_are_matched_names_and_never_true_answers() {
    let suite = crate::eval::load("reversal-curse").unwrap();
    let tokenizer = tokenizer();
    let job = Job::new(&suite, &tokenizer, 0).unwrap();
    for item in &suite.items {
        for side in [Side::A, Side::B] {
            let question = job.question(item, side);
            assert_eq!(question.controls.len(), 8, "{}", item.id);
            assert!(
                question
                    .controls
                    .iter()
                    .all(|name| !question.answers.contains(name) && name != item.name(side.other()))
            );
        }
    }
    let cruise = job.question(&suite.items[0], Side::A);
    assert_eq!(cruise.in_context, "Tom Cruise's mother is Mary Lee Pfeiffer. Mary Lee Pfeiffer's son is");
}

#[test]
fn a_limit_draws_with_the_seed() {
    let ids = |seed| {
        let options = RunOptions { seed, limit: Some(2), ..RunOptions::default() };
        sample(&suite().items, &options).iter().map(|item| item.id.clone()).collect::<Vec<_>>()
    };
    assert_eq!(ids(1), ids(1));
    assert!((0..20).any(|seed| ids(seed) != ids(1)));
    assert_eq!(ids(3).len(), 2);
}

#[test]
fn every_built_in_suite_runs() {
    for builtin in crate::eval::BUILTIN {
        let suite = crate::eval::load(builtin.name).unwrap();
        let options = RunOptions { limit: Some(3), ..options(None) };
        let summary = go(&suite, &noise(), &options).unwrap();
        assert_eq!((summary.n, summary.header.suite.as_str()), (3, builtin.name));
        let json = serde_json::to_string(&summary).unwrap();
        assert_eq!(serde_json::from_str::<RunSummary>(&json).unwrap().n, 3);
    }
}
