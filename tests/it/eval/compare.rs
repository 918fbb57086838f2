//! `eval compare`: every way it can end.

use std::fs;
use std::path::{Path, PathBuf};

use crate::cli::runner::{Run, lmscope};

/// A record of eighty items by the embedded model, and copies of it with words replaced.
fn records(folder: &Path, changes: &[(&str, &str, &str)]) -> Vec<PathBuf> {
    let original = folder.join("run");
    let run = lmscope(&["eval", "run", "reversal-curse", "--limit", "80", "-o", original.to_str().unwrap()]);
    assert_eq!(run.status, 0, "{}", run.stderr);
    // items that are independent of each other, so that there are enough of them to tell
    let items = fs::read_to_string(original.join("items.jsonl")).unwrap();
    let alone = items.lines().map(|line| {
        let mut item: serde_json::Value = serde_json::from_str(line).unwrap();
        item.as_object_mut().unwrap().remove("cluster");
        format!("{item}\n")
    });
    fs::write(original.join("items.jsonl"), alone.collect::<String>()).unwrap();
    let read = |name: &str| fs::read_to_string(original.join(name)).unwrap();
    let copy = |(name, from, to): &(&str, &str, &str)| {
        let path = folder.join(name);
        assert!(read("items.jsonl").contains(from));
        fs::create_dir(&path).unwrap();
        fs::write(path.join("run.json"), read("run.json")).unwrap();
        fs::write(path.join("items.jsonl"), read("items.jsonl").replace(from, to)).unwrap();
        path
    };
    std::iter::once(original.clone()).chain(changes.iter().map(copy)).collect()
}

fn compare(old: &Path, new: &Path, options: &[&str]) -> Run {
    lmscope(&[&["eval", "compare", old.to_str().unwrap(), new.to_str().unwrap()], options].concat())
}

#[test]
fn every_verdict_has_its_status() {
    let folder = tempfile::tempdir().unwrap();
    let changes = [
        (
            "worse",
            r#""forward.exact_match","filter":"none","value":{"flag":true}"#,
            r#""forward.exact_match","filter":"none","value":{"flag":false}"#,
        ),
        ("other", r#""target":""#, r#""target":"not "#),
    ];
    let found = records(folder.path(), &changes);
    let [run, worse, other] = found.as_slice() else { panic!() };
    assert!(compare(run, run, &[]).ok().contains("inconclusive"));
    assert_eq!(compare(run, run, &["--strict"]).status, 3);
    let worse = compare(run, worse, &["--format", "json"]);
    assert_eq!(worse.status, 1, "{}", worse.stderr);
    let json: serde_json::Value = serde_json::from_str(&worse.stdout).unwrap();
    assert_eq!(json["verdict"], "fail");
    let is_it = |change: &&serde_json::Value| change["metric"] == "forward.exact_match";
    let change = json["changes"].as_array().unwrap().iter().find(is_it).unwrap();
    assert!(change["lost"].as_array().unwrap().len() > 4 && change["gained"].as_array().unwrap().is_empty());
    assert!(compare(run, other, &[]).refused().contains("no item is in both"));
    assert!(compare(run, &folder.path().join("none"), &[]).refused().contains("it has no run.json"));
    assert!(compare(run, run, &["--margin", "2"]).refused().contains("a number from 0 to 1"));
}
