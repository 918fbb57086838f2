//! No model file, however damaged or hostile, panics, hangs or takes memory beyond its size: each is told in an error.
//!
//! The models are made at run time from good ones. Every one of them is run through the real binary, under a limit of
//! address space and of time.

mod config;
mod directories;
mod gguf;
mod memory;
mod model;
mod random;
mod run;
mod safetensors;
mod shards;
mod tokenizer;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use self::model::{Case, Seen};
use self::run::{Limits, finished};

fn cases(root: &Path) -> Vec<Case> {
    let families =
        [safetensors::cases, shards::cases, config::cases, tokenizer::cases, gguf::cases, directories::cases];
    families.iter().flat_map(|family| family(root)).collect()
}

/// What is wrong with how the binary took a case.
fn complaint(case: &Case, command: &str, limits: Limits) -> Option<String> {
    let path = case.path.to_str().unwrap();
    let trace = case.path.with_extension("trace");
    let args = match command {
        "predict" => vec!["predict", "x", "-m", path, "-k", "1"],
        "trace" => vec!["trace", "x", "-m", path, "-o", trace.to_str().unwrap()],
        _ => vec!["info", "-m", path],
    };
    let run = finished(&args, limits);
    let whole = || format!("{} under `{command}`: {run:?}", case.name);
    let may_pass = command == "info" && case.seen == Seen::Load;
    match run.status {
        Some(0) if may_pass => return None,
        Some(2) => {}
        _ => return Some(whole()),
    }
    let error = &run.stderr;
    let is_clear = run.stdout.is_empty()
        && error.starts_with("error: ")
        && error.contains("hint: ")
        && error.contains(case.names)
        && error.len() < 8000
        && !error.contains("panicked")
        && !error.contains("allocation");
    (!is_clear).then(whole)
}

#[test]
fn every_broken_model_is_refused_with_a_reason() {
    let root = tempfile::tempdir().unwrap();
    let cases = cases(root.path());
    let limits = Limits::beyond_a_good_model();
    let (next, complaints) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            let commands = if case.traced { &["predict", "info", "trace"][..] } else { &["predict", "info"] };
            let found = commands.iter().filter_map(|command| complaint(case, command, limits));
            complaints.lock().unwrap().extend(found.collect::<Vec<_>>());
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(work);
        work();
    });
    let complaints = complaints.into_inner().unwrap();
    assert!(complaints.is_empty(), "{} of {}:\n{}", complaints.len(), cases.len(), complaints.join("\n"));
}

#[test]
fn there_are_many_broken_models_and_each_has_a_name_of_its_own() {
    let root = tempfile::tempdir().unwrap();
    let cases = cases(root.path());
    let names: BTreeSet<&str> = cases.iter().map(|case| case.name.as_str()).collect();
    assert_eq!(names.len(), cases.len());
    assert!(cases.len() >= 60, "{}", cases.len());
    assert!(cases.iter().filter(|case| case.traced).count() >= 5);
}
