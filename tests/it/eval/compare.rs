//! `eval compare`, `eval bless` and `eval run --gate`: every way they can end.

use std::fs;
use std::path::{Path, PathBuf};

use crate::cli::runner::{Run, lmscope};

/// A record of eighty items by the embedded model, and copies of it with words replaced.
fn records(folder: &Path, changes: &[(&str, &str, &str)]) -> Vec<PathBuf> {
    let original = folder.join("run");
    let run = lmscope(&["eval", "run", "reversal-curse", "--limit", "80", "-o", original.to_str().unwrap()]);
    assert_eq!(run.status, 0, "{}", run.stderr);
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
    assert!(compare(run, &folder.path().join("none"), &[]).refused().contains("cannot read"));
    assert!(compare(run, run, &["--margin", "2"]).refused().contains("a number from 0 to 1"));
}

#[test]
fn a_run_is_gated_on_a_baseline() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (old, new, baseline, junit) = (path("old"), path("new"), path("baseline.json"), path("junit.xml"));
    let run = ["eval", "run", "reversal-curse", "--limit", "30", "--seed", "1", "-o"];
    let gated = |more: &[&str]| lmscope(&[&run[..], more].concat());
    assert_eq!(gated(&[&old]).status, 0);
    let blessed = lmscope(&["eval", "bless", &old, "-o", &baseline]);
    assert_eq!(blessed.status, 0, "{}", blessed.stderr);
    assert_eq!(fs::read_to_string(&baseline).unwrap().lines().count(), 3 + 1 + 30);
    let same = gated(&[&new, "--baseline", &baseline, "--gate", "--margin", "0.3", "--junit", &junit]);
    assert_eq!(same.status, 0, "{}", same.stderr);
    assert!(same.stdout.contains("pass: "), "{}", same.stdout);
    let cases = fs::read_to_string(&junit).unwrap();
    let document = roxmltree::Document::parse(&cases).unwrap();
    assert_eq!(document.descendants().filter(|node| node.has_tag_name("testcase")).count(), 4, "what has a margin");
    let limit = ["--min", "reverse.exact_match=1"];
    let shown = gated(&[&[&*path("shown"), "--baseline", &old], &limit[..]].concat());
    assert_eq!(shown.status, 0, "only --gate makes it the status: {}", shown.stderr);
    assert!(shown.stdout.contains("is below the least that passes, 1"), "{}", shown.stdout);
    let failed = gated(&[&[&*path("failed"), "--baseline", &old, "--gate", "--format", "json"], &limit[..]].concat());
    assert_eq!(failed.status, 1, "{}", failed.stderr);
    assert_eq!(serde_json::from_str::<serde_json::Value>(&failed.stdout).unwrap()["verdict"], "fail");
    fs::write(&baseline, "{\"format_version\":9}").unwrap();
    assert!(gated(&[&path("x"), "--baseline", &baseline]).refused().contains("format version is 9"));
    assert!(!folder.path().join("x").exists(), "a baseline that cannot be read is told before the work");
}
