use super::*;
use crate::eval::fixture::{noise, parrot, suite, tokenizer};
use crate::eval::pair_record as record;
use crate::eval::pair_run::{RunOptions, run};
use crate::model::{CancelToken, FakeLm};

/// The record of a run, with the answers of `right` items made exact and all others made wrong.
fn contents(n: usize, right: impl Fn(usize) -> bool) -> Contents {
    let mut contents = recorded(&noise());
    let template = contents.items[0].clone();
    contents.items = (0..n)
        .map(|index| {
            let mut item = template.clone();
            item.item.id = format!("item-{index}");
            item.forward.plain.exact_match = right(index);
            item.forward.plain.best = true;
            item.reverse.plain.exact_match = false;
            item.reverse.plain.best = true;
            item
        })
        .collect();
    contents
}

fn recorded(lm: &FakeLm) -> Contents {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.jsonl");
    let options = RunOptions { record: Some(path.clone()), ..RunOptions::default() };
    run(&suite(), lm, &tokenizer(), &options, &CancelToken::default(), &mut |_| {}).unwrap();
    record::read(&path).unwrap()
}

#[test]
fn the_worked_example() {
    // 25 lost and 10 gained of 100
    let old = contents(100, |index| index < 25);
    let new = contents(100, |index| (25..35).contains(&index));
    let found = compare(&old, &new, Gate::default()).unwrap();
    let forward = &found.changes[0];
    assert!((forward.p - 0.016_67).abs() < 5e-6 && (forward.p_holm - 4.0 * 0.016_67).abs() < 2e-5);
    assert!((forward.paired.difference + 0.15).abs() < 1e-12);
    assert_eq!((forward.lost.len(), forward.gained.len(), forward.gained[0].as_str()), (25, 10, "item-25"));
    assert_eq!((forward.verdict, found.verdict), (Verdict::Fail, Verdict::Fail));
    let patient = compare(&old, &new, Gate { margin: 0.3, confidence: 0.95 }).unwrap();
    assert_eq!(patient.verdict, Verdict::Pass);
}

#[test]
fn equal_runs_never_fail_and_too_few_items_are_inconclusive() {
    for n in [1, 2, 10, 50, 100, 200, 1000] {
        let run = contents(n, |index| index % 3 == 0);
        let found = compare(&run, &run, Gate::default()).unwrap();
        let expected = if n < 133 { Verdict::Inconclusive } else { Verdict::Pass };
        assert_eq!(found.verdict, expected, "{n}");
        let needed = found.changes[0].needed;
        assert_eq!(needed.is_some(), expected == Verdict::Inconclusive);
        if let Some(needed) = needed {
            let more = contents(needed, |_| true);
            assert_eq!(compare(&more, &more, Gate::default()).unwrap().verdict, Verdict::Pass, "{needed}");
        }
    }
    let run = contents(100, |_| true);
    let strict = Gate { margin: 0.0, ..Gate::default() };
    let found = compare(&run, &run, strict).unwrap();
    assert_eq!((found.verdict, found.changes[0].needed), (Verdict::Inconclusive, None));
}

#[test]
fn items_that_only_one_run_has_are_told() {
    let (old, new) = (contents(4, |_| true), contents(3, |_| true));
    let found = compare(&old, &new, Gate::default()).unwrap();
    assert_eq!((found.n, found.unmatched), (3, vec!["item-3".to_owned()]));
    let other = compare(&new, &old, Gate::default()).unwrap();
    assert_eq!((other.n, other.unmatched), (3, vec!["item-3".to_owned()]));
}

#[test]
fn what_cannot_be_compared_is_an_error() {
    let run = recorded(&parrot(&["Tom's mother is Mary."]));
    let empty = compare(&Contents::default(), &run, Gate::default());
    assert!(matches!(empty, Err(Error::Empty { which: "old" })));
    let nothing = compare(&run, &contents(3, |_| true), Gate::default());
    assert!(matches!(nothing, Err(Error::NothingShared)));
    let mut other = run.clone();
    other.header.as_mut().unwrap().suite_hash = "0".into();
    assert!(matches!(compare(&run, &other, Gate::default()), Err(Error::OtherSuite { .. })));
}
