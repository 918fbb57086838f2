use std::fs;

use super::sample::{item, record, run};
use super::*;
use crate::eval::results;

fn outcome(items: &[crate::eval::task::TaskItemRecord]) -> Outcome {
    Outcome {
        n_items: items.len(),
        n_resumed: 0,
        seconds: Some(1.5),
        lints: results::lints(items),
        results: results::of(&run().tasks, items),
    }
}

#[test]
fn what_is_written_is_what_is_read_whatever_the_order() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("deep/run");
    let mut recorder = Recorder::open(&dir, &run(), Existing::Refuse).unwrap();
    for index in [2, 0, 3, 1] {
        recorder.item(&item(index, index > 0)).unwrap();
    }
    assert_eq!(read(&dir).unwrap(), record());
    let finished = recorder.finish(outcome(&record().items)).unwrap();
    assert_eq!((finished.status, read(&dir).unwrap().run), (Status::Complete, finished.clone()));
    assert_eq!(read(&dir).unwrap().items, record().items);
    assert_eq!(finished.outcome.unwrap().results[0].value, Some(0.75));
}

#[test]
fn a_torn_line_is_dropped_and_a_damaged_one_named() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &record()).unwrap();
    let file = folder.path().join("items.jsonl");
    let whole = fs::read(&file).unwrap();
    for kill in 0..whole.len() {
        fs::write(&file, &whole[..kill]).unwrap();
        let lines = whole[..kill].split(|byte| *byte == b'\n').count() - 1;
        let mut recorder = Recorder::open(folder.path(), &run(), Existing::Resume).unwrap();
        assert_eq!(recorder.take_finished(), record().items[..lines]);
        assert_eq!(
            fs::read(&file).unwrap().len(),
            whole[..kill].iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1)
        );
    }
    let damaged = String::from_utf8(whole).unwrap().replacen("\"index\":1", "\"index\":-1", 1);
    fs::write(&file, damaged).unwrap();
    let error = read(folder.path()).unwrap_err();
    assert!(error.to_string().ends_with("line 2 is damaged"), "{error}");
}

/// A field's name, and what makes it another.
type Change = (&'static str, fn(&mut Run));

#[test]
fn a_record_of_another_run_is_refused_by_field_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &record()).unwrap();
    let before = fs::read(folder.path().join("run.json")).unwrap();
    let changes: [Change; 8] = [
        ("model.sha256", |run| run.model.sha256 = Some("o".into())),
        ("model.precision", |run| run.model.precision = Some("o".into())),
        ("model.interventions", |run| run.model.interventions = vec!["o".into()]),
        ("tokenizer.sha256", |run| run.tokenizer.as_mut().unwrap().sha256 = "o".into()),
        ("tasks.0.hash", |run| run.tasks[0].hash = Some("o".into())),
        ("settings.seed", |run| run.settings.seed = Some(9)),
        ("settings.limit", |run| run.settings.limit = Some(9)),
        ("lmscope_version", |run| run.origin.lmscope_version = "o".into()),
    ];
    for (name, change) in changes {
        let mut other = run();
        change(&mut other);
        let error = Recorder::open(folder.path(), &other, Existing::Resume).unwrap_err();
        assert!(matches!(&error, Error::OtherRun { field, .. } if field == name), "{name}: {error}");
    }
    let error = Recorder::open(folder.path(), &run(), Existing::Refuse).unwrap_err();
    assert!(matches!(error, Error::Exists { .. }) && error.hint().unwrap().contains("--resume"));
    assert_eq!(fs::read(folder.path().join("run.json")).unwrap(), before);
    let mut later = run();
    later.origin.started = None;
    later.model.name = "another link".into();
    assert!(Recorder::open(folder.path(), &later, Existing::Resume).is_ok());
}

#[test]
fn two_runs_do_not_write_one_record() {
    let folder = tempfile::tempdir().unwrap();
    let _first = Recorder::open(folder.path(), &run(), Existing::Refuse).unwrap();
    let second = Recorder::open(folder.path(), &run(), Existing::Resume).unwrap_err();
    assert!(matches!(second, Error::Locked { .. }), "{second}");
}

#[test]
fn what_is_no_record_is_said_to_be_none() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(read(folder.path()), Err(Error::NotARecord { .. })));
    fs::write(folder.path().join("run.json"), r#"{"format_version":99}"#).unwrap();
    assert!(matches!(read(folder.path()), Err(Error::Version { found: 99, .. })));
    fs::write(folder.path().join("run.json"), "{\n\"format_version\":2,\n\"status\":7}").unwrap();
    assert!(matches!(read(folder.path()), Err(Error::Damaged { .. })));
}

#[test]
fn shards_are_written_as_they_are_read() {
    let shard: Shard = "2/4".parse().unwrap();
    assert_eq!((shard.to_string().as_str(), shard.has(1), shard.has(5), shard.has(2)), ("2/4", true, true, false));
    for wrong in ["0/4", "5/4", "4", "a/b", "1/0", ""] {
        assert!(wrong.parse::<Shard>().unwrap_err().contains("the second of four is 2/4"), "{wrong}");
    }
}
