//! Suites and task files that are wrong, or mean harm: all that is wrong is told with file and line, nothing is written,
//! and nothing takes long.

use std::fs;
use std::time::{Duration, Instant};

use crate::cli::runner::lmscope;

const TASK: &str = "task: x\ndataset_path: json\ndataset_kwargs: {data_files: {test: d.jsonl}}\ntest_split: test\n\
    output_type: multiple_choice\ndoc_to_text: '{{q}}'\ndoc_to_choice: choices\ndoc_to_target: gold\n";
const ROW: &str = "{\"q\":\"Q\",\"choices\":[\"a\",\"b\"],\"gold\":0}\n";
const SUITE: &str = "name = \"x\"\nversion = 1\noutput_type = \"multiple_choice\"\nitems = \"d.jsonl\"\n\
    doc_to_text = \"{{q}}\"\ndoc_to_choice = \"choices\"\ndoc_to_target = \"gold\"\n";

/// Runs what stands in `file`, beside which `rows` are the items; the error.
fn refused(file: &str, text: &[u8], rows: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(file), text).unwrap();
    fs::write(folder.path().join("d.jsonl"), rows).unwrap();
    let (suite, record) = (folder.path().join(file), folder.path().join("run"));
    let began = Instant::now();
    let run = lmscope(&["eval", "run", suite.to_str().unwrap(), "--no-cache", "-o", record.to_str().unwrap()]);
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}: {}", began.elapsed(), run.stderr);
    assert!(!record.exists(), "nothing is written");
    run.refused()
}

fn check(error: &str, expected: &[&str]) {
    for expected in expected {
        assert!(error.contains(expected), "no `{expected}` in {error}");
    }
}

#[test]
fn items_that_are_wrong_are_all_told_with_their_lines() {
    let rows = format!(
        "{ROW}no json\n{}{}{}{}",
        "{\"q\":\"Q\",\"choices\":[\"a\"],\"gold\":1}\n",
        "{\"q\":\"Q\",\"choices\":[],\"gold\":0}\n",
        "{\"q\":\"Q\",\"choices\":[\"a\"],\"gold\":99999999999999999999}\n",
        "{\"choices\":[\"a\"],\"gold\":0}\n"
    );
    check(&refused("t.yaml", TASK.as_bytes(), rows.as_bytes()), &["d.jsonl:2: no JSON object"]);
    let rows = rows.replace("no json\n", "\n");
    let found = refused("suite.toml", SUITE.as_bytes(), rows.as_bytes());
    check(
        &found,
        &[
            "d.jsonl:3: the right answer is choice 1, and there are 1",
            "d.jsonl:4: `doc_to_choice` gives no choice",
            "d.jsonl:5: `doc_to_target` gives 1e+20",
            "d.jsonl:6: ",
        ],
    );
    let twice = "{\"id\":\"1\",\"q\":\"Q\",\"choices\":[\"a\"],\"gold\":0}\n".repeat(2);
    check(&refused("suite.toml", SUITE.as_bytes(), twice.as_bytes()), &["d.jsonl:2: id `1` is there twice"]);
    check(&refused("t.yaml", TASK.as_bytes(), b""), &["d.jsonl: there are no items"]);
    check(&refused("t.yaml", TASK.as_bytes(), b"{\"q\":\"\xff\"}\n"), &["d.jsonl:1: this is not UTF-8"]);
    let deep = format!("{{\"q\":{}\n", "[".repeat(100_000));
    check(&refused("t.yaml", TASK.as_bytes(), deep.as_bytes()), &["d.jsonl:1: no JSON object: recursion limit"]);
    let many = refused("t.yaml", TASK.as_bytes(), "x\n".repeat(50_000).as_bytes());
    check(&many, &["d.jsonl:100: ", "and 49900 more"]);
}

#[test]
fn files_that_are_wrong_are_told_with_their_lines() {
    let of = |text: &str| refused("t.yaml", text.as_bytes(), ROW.as_bytes());
    check(&of(""), &["t.yaml: the file is empty"]);
    check(&of("- a\n"), &["t.yaml:1: the file is a list, a table is expected"]);
    check(&of(&format!("{TASK}doc_to_text: q\n")), &["t.yaml:9: `doc_to_text` is there twice"]);
    check(&of(&format!("{TASK}num_fewshot: -1\nfoo: 1\n")), &["t.yaml:9: `num_fewshot` is -1", "t.yaml:10: `foo`"]);
    check(&of(&format!("{TASK}num_fewshot: 1000000\n")), &["1000000 examples are asked for, and there are 1"]);
    check(&of(&format!("include: t.yaml\n{TASK}")), &["t.yaml:1: the file includes itself"]);
    check(&of(&TASK.replace("{{q}}", "{{nope}}")), &["d.jsonl:1: ", "nope"]);
    check(&of(&TASK.replace("{{q}}", "{{q")), &["t.yaml:6: `doc_to_text` is no template"]);
    check(&of(&format!("{TASK}metric_list: [{{metric: acc_nrom}}]\n")), &["t.yaml:9: ", "the nearest is `acc_norm`"]);
    let gate = format!("{SUITE}[gate]\nacd = {{ margin = 0.1 }}\n");
    check(&refused("suite.toml", gate.as_bytes(), ROW.as_bytes()), &["suite.toml:9: ", "the nearest is `acc`"]);
    check(&refused("suite.toml", b"name = \n", ROW.as_bytes()), &["suite.toml:1: "]);
    check(&refused("t.yaml", b"task: \xe9\n", ROW.as_bytes()), &["t.yaml:1: this is not UTF-8"]);
}

#[test]
fn files_that_mean_harm_are_refused_soon() {
    let of = |text: &str| refused("t.yaml", text.as_bytes(), ROW.as_bytes());
    check(&of(&format!("task: {}", "[".repeat(100_000))), &["t.yaml:1: recursion limit exceeded"]);
    let mut bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for (one, next) in ('a'..'i').zip('b'..'j') {
        bomb.push_str(&format!("{next}: &{next} [{}]\n", vec![format!("*{one}"); 9].join(", ")));
    }
    check(&of(&format!("{bomb}{TASK}")), &["aliases stand for more than 1000000 values"]);
    let template = |text: &str| TASK.replace("{{q}}", text);
    check(&of(&template("{{ \"a\" * 4000000000 }}")), &["d.jsonl:1: ", "line 1 of the template"]);
    let endless = "{% for i in range(100000) %}{% for j in range(100000) %}x{% endfor %}{% endfor %}";
    check(&of(&template(endless)), &["d.jsonl:1: ", "fuel"]);
    check(&of(&template("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}")), &["d.jsonl:1: recursion limit"]);
}

#[test]
fn windows_line_ends_and_byte_order_marks_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let bom = |text: &str| format!("\u{feff}{}", text.replace('\n', "\r\n"));
    fs::write(folder.path().join("t.yaml"), bom(TASK)).unwrap();
    fs::write(folder.path().join("d.jsonl"), bom(ROW)).unwrap();
    let task = folder.path().join("t.yaml");
    assert_eq!(lmscope(&["eval", "validate", task.to_str().unwrap()]).status, 0);
}
