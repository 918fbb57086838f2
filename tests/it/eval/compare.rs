//! `eval compare`: every way it can end.

use std::fs;
use std::path::{Path, PathBuf};

use crate::cli::runner::{Run, lmscope};

/// A record of twelve items by the embedded model, with words of it replaced.
fn records(folder: &Path, changes: &[(&str, &str, &str)]) -> Vec<PathBuf> {
    let status = lmscope(&["eval", "run", "reversal-curse", "--limit", "12", "-o", folder.to_str().unwrap()]).status;
    assert_eq!(status, 0);
    let original = fs::read_dir(folder).unwrap().next().unwrap().unwrap().path();
    let text = fs::read_to_string(&original).unwrap();
    let write = |(name, from, to): &(&str, &str, &str)| {
        let path = folder.join(name);
        assert!(text.contains(from));
        fs::write(&path, text.replace(from, to)).unwrap();
        path
    };
    std::iter::once(original.clone()).chain(changes.iter().map(write)).collect()
}

fn compare(old: &Path, new: &Path, options: &[&str]) -> Run {
    lmscope(&[&["eval", "compare", old.to_str().unwrap(), new.to_str().unwrap()], options].concat())
}

#[test]
fn every_verdict_has_its_status() {
    let folder = tempfile::tempdir().unwrap();
    let changes = [
        ("worse.jsonl", r#""exact_match":true"#, r#""exact_match":false"#),
        ("other.jsonl", r#""suite_hash":""#, r#""suite_hash":"0"#),
    ];
    let found = records(folder.path(), &changes);
    let [run, worse, other] = found.as_slice() else { panic!() };
    let equal = compare(run, run, &[]).ok();
    assert!(equal.contains("inconclusive") && equal.contains("133"), "{equal}");
    assert_eq!(compare(run, run, &["--strict"]).status, 3);
    assert_eq!(compare(run, run, &["--strict", "--margin", "0.5"]).status, 0);
    let worse = compare(run, worse, &["--format", "json"]);
    assert_eq!(worse.status, 1);
    let json: serde_json::Value = serde_json::from_str(&worse.stdout).unwrap();
    assert_eq!((&json["verdict"], &json["n"]), (&"fail".into(), &12.into()));
    let lost = json["changes"][0]["lost"].as_array().unwrap().len();
    assert!(lost > 4 && json["changes"][0]["gained"].as_array().unwrap().is_empty());
    assert!(compare(run, other, &[]).refused().contains("the suites differ"));
    assert!(compare(run, &folder.path().join("none"), &[]).refused().contains("use the record"));
    assert!(compare(run, run, &["--margin", "2"]).refused().contains("a number from 0 to 1"));
}
