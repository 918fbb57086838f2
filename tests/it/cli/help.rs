//! The help of every command, and exact output of one.

use lmscope::cli;

use super::runner::lmscope;
use crate::support::project;

/// The command lines that have a help of their own.
fn commands(command: &clap::Command, path: &[String], out: &mut Vec<Vec<String>>) {
    out.push(path.to_vec());
    for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
        let path: Vec<String> = path.iter().cloned().chain([sub.get_name().to_owned()]).collect();
        commands(sub, &path, out);
    }
}

#[test]
fn every_command_explains_itself_with_an_example() {
    let mut all = Vec::new();
    commands(&cli::definition(), &[], &mut all);
    assert!(all.len() > 10, "{all:?}");
    for path in all {
        let args: Vec<&str> = path.iter().map(String::as_str).chain(["--help"]).collect();
        let text = lmscope(&args).ok();
        let is_group = path == ["eval"];
        assert!(is_group || text.contains("Example"), "{path:?}:\n{text}");
        insta::assert_snapshot!(format!("help_{}", path.join("_")), text);
    }
}

#[test]
fn predict_prints_exactly_this() {
    let model = project("fixtures/models/tiny-llama");
    let args = ["predict", "The cat", "-m", model.to_str().unwrap(), "-k", "3"];
    insta::assert_snapshot!("predict_table", lmscope(&args).ok());
    let csv = lmscope(&[&args[..], &["--format", "csv"]].concat()).ok();
    // further digits are those of the processor
    let digits = fancy_regex::Regex::new(r"(\.\d{4})\d+").unwrap();
    insta::assert_snapshot!("predict_csv", digits.replace_all(&csv, "$1…"));
}
