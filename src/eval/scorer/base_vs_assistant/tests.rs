use super::*;
use crate::eval::fixture::{folder, parrot, recorded, result, task_in, tokenizer};
use crate::eval::record::Record;
use crate::model::FakeLm;

const SUITE: &str = "name = 'two'\nversion = 1\nscorer = 'base-vs-assistant'\nabstain = 'No.'\nstrata = ['kind']\n";

fn row(id: usize, answer: Option<&str>) -> String {
    let answer = answer.map_or_else(String::new, |answer| format!("\"answer\": \"{answer}\", "));
    format!(r#"{{"id": "i{id}", "kind": "k", "question": "q{id}?", {answer}"others": ["vv", "kk"]}}"#)
}

fn measured(rows: &[String], lm: &FakeLm) -> Record {
    recorded(&task_in(&folder(SUITE, &rows.join("\n")), &PrepareOptions::default()).unwrap(), lm, &tokenizer())
}

fn values(record: &Record) -> [(usize, Option<f64>); 4] {
    ["acc", "abstains", "p_abstain", "p_answer"].map(|metric| {
        let found = result(record, metric);
        (found.n, found.value.map(|value| (value * 1e4).round() / 1e4))
    })
}

#[test]
fn a_model_that_always_abstains_is_never_right_and_always_sure() {
    let lm = parrot(&["Q: q0?\nA: No.\n", "Q: q1?\nA: No.\n"]);
    let record = measured(&[row(0, Some("zz")), row(1, None)], &lm);
    let [acc, abstains, p_abstain, p_answer] = values(&record);
    assert_eq!((acc, abstains, p_answer), ((1, Some(0.0)), (2, Some(1.0)), (1, Some(0.0))));
    // " No.\n" is known by heart, the others miss one token of it by 10 nats and more
    assert_eq!(p_abstain, (2, Some(1.0)));
}

#[test]
fn a_perfect_model_and_one_that_is_always_wrong() {
    let rows = [row(0, Some("zz"))];
    let [perfect, wrong] =
        ["Q: q0?\nA: zz\n", "Q: q0?\nA: vv\n"].map(|known| values(&measured(&rows, &parrot(&[known]))));
    assert_eq!((perfect[0], perfect[1]), ((1, Some(1.0)), (1, Some(0.0))));
    assert_eq!((wrong[0], wrong[1], wrong[3]), ((1, Some(0.0)), (1, Some(0.0)), (1, Some(0.0))));
    assert!(perfect[3].1.unwrap() > 0.9);
}

#[test]
fn a_uniform_model_ties_and_ties_count_against() {
    let uniform = FakeLm::new(288, 512, |_| vec![0.0; 288]);
    let record = measured(&[row(0, Some("zz")), row(1, None)], &uniform);
    let [acc, abstains, p_abstain, p_answer] = values(&record);
    // of one length all answers are as likely; not knowing has a token more, and so 1/288 of one of their shares
    assert_eq!((acc, abstains), ((1, Some(0.0)), (2, Some(0.0))));
    let (with_three, with_two) = (1.0 / (1.0 + 3.0 * 288.0), 1.0 / (1.0 + 2.0 * 288.0));
    let rounded = |value: f64| Some((value * 1e4).round() / 1e4);
    assert_eq!(p_abstain, (2, rounded(f64::midpoint(with_three, with_two))));
    assert_eq!(p_answer, (1, rounded(288.0 * with_three)));
}

#[test]
fn where_nobody_can_know_nothing_is_right() {
    let record = measured(&[row(0, None)], &parrot(&["Q: q0?\nA: No.\n"]));
    let [acc, abstains, _, p_answer] = values(&record);
    assert_eq!((acc, p_answer, abstains), ((0, None), (0, None), (1, Some(1.0))));
}

#[test]
fn mistakes_are_told_with_their_places() {
    let told = |suite: &str, row: &str| task_in(&folder(suite, row), &PrepareOptions::default()).err().unwrap();
    let twice = told(SUITE, &row(0, Some("vv")));
    assert!(twice.contains("items.jsonl:1: `vv` is there twice"), "{twice}");
    let abstains = told(SUITE, &row(0, Some("No.")));
    assert!(abstains.contains("`No.` is there twice"), "{abstains}");
    let none = told(SUITE, r#"{"question": "q?", "kind": "k", "answer": "zz"}"#);
    assert!(none.contains("`others` is empty"), "{none}");
    let suite = told(&SUITE.replace("abstain = 'No.'\n", ""), &row(0, None));
    assert!(suite.contains("`abstain` is missing"), "{suite}");
}
