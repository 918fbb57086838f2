//! The configuration from the command line: where it is, what counts, and what is wrong with it.

use std::fs;

use super::runner::{lmscope, lmscope_with};
use crate::support::project;

#[test]
fn it_says_where_the_file_is_and_what_counts() {
    let folder = tempfile::tempdir().unwrap();
    let home = [("XDG_CONFIG_HOME", folder.path().to_str().unwrap())];
    let none = lmscope_with(&["config"], &home).ok();
    assert!(none.starts_with("# there is no ") && none.contains("lmscope/config.toml"), "{none}");
    assert!(none.contains("\ncandidates = 50\n") && none.contains("\nsample = \"s\"\n"), "{none}");
    fs::create_dir(folder.path().join("lmscope")).unwrap();
    let file = folder.path().join("lmscope/config.toml");
    fs::write(&file, "[tui]\ncandidates = 7\n[keys.step]\nsample = [\"S\", \"Ctrl-x\"]\n").unwrap();
    let some = lmscope_with(&["config"], &home).ok();
    assert!(some.starts_with(&format!("# {}\n", file.display())), "{some}");
    assert!(some.contains("\ncandidates = 7\n") && some.contains("\nsample = [\"S\", \"Ctrl-x\"]\n"), "{some}");
    fs::write(&file, &some).unwrap();
    assert_eq!(lmscope_with(&["config"], &home).ok(), some, "what is printed can be read");
    let without = lmscope_with(&["config", "--no-config"], &home).ok();
    assert!(without.contains("\ncandidates = 50\n"), "{without}");
    assert_eq!(lmscope_with(&["config", "--check"], &home).ok().trim(), file.display().to_string());
}

#[test]
fn mistakes_are_told_as_the_documentation_tells_them_and_nothing_starts() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.toml");
    fs::write(&file, "[theme]\ncolors = \"all\"\n\n[keys.step]\nsmaple = \"x\"\ntake-top = \"s\"\n").unwrap();
    let page = fs::read_to_string(project("docs/configuration.md")).unwrap();
    let name = file.to_str().unwrap();
    for command in [&["config", "--check"][..], &["config"], &["tui"], &[]] {
        let told = lmscope(&[command, &["--config", name]].concat()).refused();
        assert!(told.contains(name), "{told}");
        let lines: Vec<&str> = told.lines().skip(1).collect();
        assert_eq!(lines.len(), 4, "{told}");
        for line in lines {
            assert!(page.contains(line), "docs/configuration.md does not say: {line}");
        }
    }
    let missing = lmscope(&["config", "--config", "/no/such/file"]).refused();
    assert!(missing.contains("/no/such/file") && missing.contains("hint:"), "{missing}");
}
