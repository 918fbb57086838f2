//! The examples in the documentation are run: what a page shows is what the program prints.
//!
//! Every line `$ lmscope …` of a `console` block in docs/lenses and docs/interventions.md is run on the embedded model
//! and compared with the lines below it, word by word; numbers may differ in their last digits, because processors add
//! up in different orders. `LMSCOPE_WRITE_DOCS=1` writes the pages anew.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use lmscope::lens::LENSES;
use lmscope::probe::PROBES;

use crate::cli::runner::lmscope;
use crate::support::project;

/// How far a printed number may be from the documented one.
const TOLERANCE: f64 = 5e-3;

fn pages() -> Vec<PathBuf> {
    let mut pages: Vec<PathBuf> =
        std::fs::read_dir(project("docs/lenses")).unwrap().map(|entry| entry.unwrap().path()).collect();
    pages.push(project("docs/interventions.md"));
    pages.retain(|page| page.exists());
    pages.sort();
    pages
}

/// The words of a command line; double quotes keep spaces.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (number, part) in line.split('"').enumerate() {
        if number % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(ToOwned::to_owned));
        }
    }
    words
}

/// The page with the output of every command put in anew.
fn rerun(page: &str) -> String {
    let (mut text, mut inside, mut skipping) = (String::new(), false, false);
    for line in page.lines() {
        if line.starts_with("```") {
            inside = line == "```console";
            skipping = false;
        }
        let command = line.strip_prefix("$ lmscope ").filter(|_| inside);
        if command.is_none() && skipping {
            continue;
        }
        text.push_str(line);
        text.push('\n');
        if let Some(command) = command {
            let args = words(command);
            let args: Vec<&str> = args.iter().map(String::as_str).collect();
            for line in lmscope(&args).ok().lines() {
                text.push_str(line.trim_end());
                text.push('\n');
            }
            skipping = true;
        }
    }
    text
}

/// Whether two lines are the same word by word, apart from last digits.
pub(crate) fn is_same(found: &str, documented: &str) -> bool {
    let number = |word: &str| word.trim_matches([',', ':', ';', '(', ')', '%']).parse::<f64>().ok();
    let near = |a: f64, b: f64| (a - b).abs() <= TOLERANCE * a.abs().max(1.0);
    let same = |(a, b): (&str, &str)| a == b || number(a).zip(number(b)).is_some_and(|(a, b)| near(a, b));
    let (a, b): (Vec<&str>, Vec<&str>) = (found.split_whitespace().collect(), documented.split_whitespace().collect());
    a.len() == b.len() && a.into_iter().zip(b).all(same)
}

fn check(page: &Path) {
    let documented = std::fs::read_to_string(page).unwrap();
    let found = rerun(&documented);
    if std::env::var_os("LMSCOPE_WRITE_DOCS").is_some() {
        std::fs::write(page, &found).unwrap();
        return;
    }
    assert!(documented.contains("$ lmscope "), "{} has no example", page.display());
    let (found, documented): (Vec<&str>, Vec<&str>) = (found.lines().collect(), documented.lines().collect());
    for (number, (found, documented)) in found.iter().zip(&documented).enumerate() {
        assert!(
            is_same(found, documented),
            "{}:{}\n  page:  {documented}\n  found: {found}\nLMSCOPE_WRITE_DOCS=1 writes the pages anew",
            page.display(),
            number + 1
        );
    }
    assert_eq!(found.len(), documented.len(), "{}: LMSCOPE_WRITE_DOCS=1 writes the pages anew", page.display());
}

#[test]
fn every_example_prints_what_its_page_says() {
    for page in pages() {
        check(&page);
    }
}

#[test]
fn every_lens_and_probe_has_a_page_and_every_page_a_lens() {
    let names: BTreeSet<String> =
        LENSES.iter().map(|lens| lens.name()).chain(PROBES.iter().map(|probe| probe.name())).map(Into::into).collect();
    let pages = std::fs::read_dir(project("docs/lenses")).unwrap();
    let pages: BTreeSet<String> =
        pages.map(|page| page.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned()).collect();
    assert_eq!(names, pages);
}

#[test]
fn words_of_a_command_line() {
    assert_eq!(words("lens dla \"The cat\" --token \" mat\""), ["lens", "dla", "The cat", "--token", " mat"]);
    assert!(is_same("L3H0  0.384 x", "L3H0 0.385 x") && !is_same("L3H0 0.384", "L3H1 0.384"));
    assert!(!is_same("1.00 2", "1.02 2") && !is_same("1", "1 2"));
}
