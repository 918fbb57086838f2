//! One set of scores, however a run is cut: in shards, killed and resumed, from the cache, of items in another order.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use lmscope::eval::record::read;
use lmscope::eval::results::MetricResult;
use lmscope::eval::task::TaskItemRecord;

use crate::cli::runner::lmscope;
use crate::support::project;

/// Items and results of a record: all that may not depend on how it was made.
fn content(folder: &Path) -> (Vec<TaskItemRecord>, Vec<MetricResult>) {
    let record = read(folder).unwrap();
    (record.items, record.run.outcome.unwrap().results)
}

/// Task files of every kind of request.
fn tasks() -> Vec<String> {
    ["capitals", "continuation", "sums", "texts"]
        .map(|name| project("fixtures/suites").join(format!("{name}.yaml")).to_str().unwrap().to_owned())
        .to_vec()
}

fn run(folder: &Path, name: &str, more: &[&str]) -> std::path::PathBuf {
    let folder = folder.join(name);
    let tasks = tasks();
    let mut args = vec!["eval", "run", "-o", folder.to_str().unwrap()];
    args.extend(tasks.iter().map(String::as_str));
    args.extend(more);
    let run = lmscope(&args);
    assert_eq!(run.status, 0, "{}", run.stderr);
    folder
}

#[test]
fn shards_put_together_are_the_whole() {
    let folder = tempfile::tempdir().unwrap();
    let whole = content(&run(folder.path(), "whole", &[]));
    for n in [2, 3, 7] {
        let shards: Vec<_> =
            (1..=n).map(|k| run(folder.path(), &format!("{k}of{n}"), &["--shard", &format!("{k}/{n}")])).collect();
        let merged = folder.path().join(format!("merged{n}"));
        let mut args = vec!["eval", "merge", "-o", merged.to_str().unwrap()];
        // in no order
        args.extend(shards.iter().rev().map(|shard| shard.to_str().unwrap()));
        let run = lmscope(&args);
        assert_eq!(run.status, 0, "{}", run.stderr);
        assert_eq!(content(&merged), whole, "{n} shards");
        let lacking = lmscope(&[&args[..4], &args[5..]].concat());
        assert_eq!(lacking.status, 2, "a shard is missing: {}{}", lacking.stdout, lacking.stderr);
    }
}

#[test]
fn a_run_cut_off_at_any_byte_is_resumed_to_the_same_scores() {
    let folder = tempfile::tempdir().unwrap();
    let done = run(folder.path(), "done", &[]);
    let whole = content(&done);
    let items = fs::read(done.join("items.jsonl")).unwrap();
    let cut = folder.path().join("cut");
    let unfinished = fs::read_to_string(done.join("run.json")).unwrap();
    let mut unfinished: serde_json::Value = serde_json::from_str(&unfinished).unwrap();
    unfinished["status"] = "running".into();
    unfinished.as_object_mut().unwrap().remove("outcome");
    for at in [0, 1, items.len() / 3, items.len() / 2, items.len() - 1, items.len()] {
        fs::create_dir(&cut).unwrap();
        fs::write(cut.join("items.jsonl"), &items[..at]).unwrap();
        fs::write(cut.join("run.json"), unfinished.to_string()).unwrap();
        run(folder.path(), "cut", &["--resume"]);
        assert_eq!(content(&cut), whole, "cut at byte {at} of {}", items.len());
        fs::remove_dir_all(&cut).unwrap();
    }
}

/// A run of the built-in suite, which takes a while, as a process of its own.
fn begun(folder: &Path) -> Child {
    let args = ["eval", "run", "reversal-curse", "--no-cache", "--limit", "60", "-o", folder.to_str().unwrap()];
    let mut command = Command::new(env!("CARGO_BIN_EXE_lmscope"));
    command.args(args).stdout(Stdio::null()).stderr(Stdio::null());
    command.env("XDG_CACHE_HOME", folder.with_extension("cache")).env("XDG_DATA_HOME", folder.with_extension("data"));
    command.spawn().unwrap()
}

fn await_items(folder: &Path, n: usize) {
    let until = Instant::now() + Duration::from_secs(60);
    while fs::read_to_string(folder.join("items.jsonl")).unwrap_or_default().lines().count() < n {
        assert!(Instant::now() < until, "no items in {}", folder.display());
        sleep(Duration::from_millis(5));
    }
}

fn resumed(folder: &Path) -> (Vec<TaskItemRecord>, Vec<MetricResult>) {
    let args = ["eval", "run", "reversal-curse", "--limit", "60", "--resume", "-o", folder.to_str().unwrap()];
    let run = lmscope(&args);
    assert_eq!(run.status, 0, "{}", run.stderr);
    content(folder)
}

#[test]
fn a_killed_run_and_an_interrupted_one_are_resumed_to_the_same_scores() {
    let folder = tempfile::tempdir().unwrap();
    let [whole, killed, interrupted] = ["whole", "killed", "interrupted"].map(|name| folder.path().join(name));
    assert_eq!(begun(&whole).wait().unwrap().code(), Some(0));
    let mut child = begun(&killed);
    await_items(&killed, 3);
    child.kill().unwrap();
    assert_eq!(child.wait().unwrap().code(), None, "it was killed by a signal, and not done before");
    assert_eq!(resumed(&killed), content(&whole));
    let mut child = begun(&interrupted);
    await_items(&interrupted, 3);
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(read(&interrupted).unwrap().run.outcome.is_none());
    assert_eq!(resumed(&interrupted), content(&whole));
    let again = lmscope(&["eval", "run", "reversal-curse", "--limit", "60", "-o", whole.to_str().unwrap()]);
    assert_eq!(again.status, 2, "a finished record is not written over");
    assert!(again.stderr.contains("--resume goes on with it"), "{}", again.stderr);
}

#[test]
fn the_cache_changes_no_score_and_history_lists_every_run() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().to_str().unwrap();
    let variables = [("XDG_CACHE_HOME", home), ("XDG_DATA_HOME", home)];
    let tasks = tasks();
    let run = |name: &str, more: &[&str]| {
        let record = folder.path().join(name);
        let mut args = vec!["eval", "run", "-o", record.to_str().unwrap()];
        args.extend(tasks.iter().map(String::as_str));
        args.extend(more);
        let run = crate::cli::runner::lmscope_with(&args, &variables);
        assert_eq!(run.status, 0, "{}", run.stderr);
        (content(&record), run.stderr.contains("answered from the cache"))
    };
    let (first, from_cache) = run("first", &[]);
    assert!(!from_cache);
    let (second, from_cache) = run("second", &[]);
    assert!(from_cache);
    let (third, from_cache) = run("third", &["--no-cache"]);
    assert!(!from_cache);
    assert_eq!((&first, &first), (&second, &third));
    let history = crate::cli::runner::lmscope_with(&["eval", "history", "--format", "json"], &variables).ok();
    for name in ["first", "second", "third"] {
        assert!(history.contains(&format!("/{name}\"")), "{name}: {history}");
    }
}

#[test]
fn verify_says_how_far_scores_move() {
    let tasks = tasks();
    let verify = |more: &[&str]| lmscope(&[&["eval", "verify", &tasks[0], "-n", "3"], more].concat());
    let run = verify(&["--format", "json"]);
    assert_eq!(run.status, 0, "{}", run.stderr);
    let ways: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert!(ways.as_array().unwrap().len() >= 3, "alone, batched, after a cache hit: {ways}");
    let folder = tempfile::tempdir().unwrap();
    let record = folder.path().join("run");
    assert_eq!(lmscope(&["eval", "run", &tasks[0], "-o", record.to_str().unwrap()]).status, 0);
    let verified = |record: &Path| lmscope(&["eval", "verify", record.to_str().unwrap(), "-n", "3"]);
    assert_eq!(verified(&record).status, 0);
    let items = fs::read_to_string(record.join("items.jsonl")).unwrap();
    let digit = items.replace("\"logprobs\":[-", "\"logprobs\":[-1");
    assert_ne!(digit, items);
    fs::write(record.join("items.jsonl"), digit).unwrap();
    assert_eq!(verified(&record).status, 1, "a record that another model made");
}

#[test]
fn a_chat_is_asked_through_the_template() {
    let folder = tempfile::tempdir().unwrap();
    let tasks = tasks();
    let run = |name: &str, more: &[&str]| {
        let record = folder.path().join(name);
        let args = ["eval", "run", &tasks[0], "--limit", "3", "-o", record.to_str().unwrap()];
        let run = lmscope(&[&args, more].concat());
        (run.status == 0).then(|| read(&record).unwrap()).ok_or(run)
    };
    let chat = ["-m", "slide-chat", "--system", "Be brief."];
    let each = run("each", &[&chat[..], &["--chat"]].concat()).ok().unwrap();
    let one = run("one", &[&chat[..], &["--chat=one"]].concat()).ok().unwrap();
    let asked = |record: &lmscope::eval::record::Record| match &record.items[0].requests[0] {
        lmscope::eval::request::Request::Loglikelihood(request) => request.context.clone(),
        other => panic!("{other:?}"),
    };
    assert!(asked(&each).contains("Be brief.") && asked(&one).contains("Be brief."));
    assert_ne!(asked(&each), asked(&one));
    let settings = |record: &lmscope::eval::record::Record| {
        (serde_json::to_value(record.run.settings.chat).unwrap(), record.run.settings.system.clone())
    };
    assert_eq!(settings(&each), ("each".into(), Some("Be brief.".into())));
    assert_eq!(settings(&one), ("one".into(), Some("Be brief.".into())));
    let refused = run("base", &["-m", "slide", "--chat"]).err().unwrap().refused();
    assert!(refused.contains("through its chat template: it has none") && refused.contains("hint: "), "{refused}");
    assert!(!folder.path().join("base").exists());
}
