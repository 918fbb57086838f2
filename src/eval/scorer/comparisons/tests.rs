use std::collections::{BTreeMap, HashSet};
use std::fs;

use serde_json::Value;

use super::*;
use crate::eval::against::{Divergences, against};
use crate::eval::builtin::Builtin;
use crate::eval::fixture::{folder, parrot, recorded, result, task_in, tokenizer};
use crate::eval::prepare::{Chat, Turns};
use crate::eval::record::Record;
use crate::model::FakeLm;
use crate::text::ChatTemplate;

const SUITE: &str = "name = 'pairs'\nversion = 1\nscorer = 'comparisons'\n";

/// Letters that no merge joins, so that a byte is a token.
fn row(id: usize, chosen: &str, rejected: &str) -> String {
    format!(r#"{{"id": {id}, "prompt": "q{id}?", "chosen": "{chosen}", "rejected": "{rejected}"}}"#)
}

fn asked(items: &[String]) -> Task {
    task_in(&folder(SUITE, &items.join("\n")), &PrepareOptions::default()).unwrap()
}

fn uniform() -> FakeLm {
    FakeLm::new(288, 512, |_| vec![0.0; 288])
}

fn value(record: &Record, metric: &str) -> f64 {
    result(record, metric).value.unwrap()
}

fn near(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-6, "{found} {expected}");
}

#[test]
fn a_uniform_model_knows_lengths_alone() {
    // each token costs ln 288: of four pairs the preferred answer is shorter once, by one, and longer by 1, 2 and 4
    let pairs = [("zz", "qqq"), ("zzz", "qq"), ("zzzz", "qq"), ("zzzzz", "q")];
    let items: Vec<String> = pairs.iter().enumerate().map(|(id, (a, b))| row(id, a, b)).collect();
    let record = recorded(&asked(&items), &uniform(), &tokenizer());
    let nats = 288f64.ln();
    near(value(&record, "acc"), 0.25);
    near(value(&record, "margin"), -nats * (-1.0 + 1.0 + 2.0 + 4.0) / 4.0);
    // every token costs the same, so that all means tie, and ties count against
    near(value(&record, "acc_mean"), 0.0);
    near(value(&record, "margin_mean"), 0.0);
    // nothing is left once length is taken out
    near(value(&record, "acc_length_controlled"), 0.0);
    near(value(&record, "margin_length_controlled"), 0.0);
}

#[test]
fn a_perfect_model_and_one_that_is_always_wrong() {
    let pairs = [("zz", "qq"), ("vv", "kk"), ("jj", "xx")];
    let items: Vec<String> = pairs.iter().enumerate().map(|(id, (a, b))| row(id, a, b)).collect();
    let task = asked(&items);
    let learnt = |of: fn(&(&'static str, &'static str)) -> &'static str| -> Vec<String> {
        pairs.iter().enumerate().map(|(id, pair)| format!("Q: q{id}?\nA: {}\n", of(pair))).collect()
    };
    let measured = |sentences: &[String]| {
        let lm = parrot(&sentences.iter().map(String::as_str).collect::<Vec<_>>());
        recorded(&task, &lm, &tokenizer())
    };
    let perfect = measured(&learnt(|pair| pair.0));
    let wrong = measured(&learnt(|pair| pair.1));
    for metric in ["acc", "acc_mean", "acc_length_controlled"] {
        assert_eq!((value(&perfect, metric), value(&wrong, metric)), (1.0, 0.0), "{metric}");
    }
    // " zz\n" is known by heart: four tokens of logit 10 among 287 of 0. Of " qq\n" only the space is; the first q has
    // logit 0 where another has 10, the rest follows nothing that is known
    let log_sum = (10f64.exp() + 287.0).ln();
    let (known, missed, unknown) = (10.0 - log_sum, -log_sum, -288f64.ln());
    assert_eq!(tokenizer().encode(" zz\n").unwrap().len(), 4);
    near(value(&perfect, "margin"), 3.0 * known - missed - 2.0 * unknown);
    // the space is the same in both, and not counted
    near(value(&perfect, "margin_mean"), known - (missed + 2.0 * unknown) / 3.0);
    near(value(&wrong, "margin"), -value(&perfect, "margin"));
}

#[test]
fn one_pair_has_a_value_and_no_error() {
    let record = recorded(&asked(&[row(0, "zz", "qqq")]), &uniform(), &tokenizer());
    let outcome = record.run.outcome.as_ref().unwrap();
    for one in &outcome.results {
        assert!(one.value.is_some_and(f64::is_finite), "{one:?}");
        assert!(one.interval.is_none_or(|(low, high)| low.is_finite() && high.is_finite()), "{one:?}");
    }
    // with one pair there is no line to fit: the margin is as it is
    near(value(&record, "margin_length_controlled"), 288f64.ln());
    near(value(&record, "acc_length_controlled"), 1.0);
}

#[test]
fn the_reward_of_a_model_is_what_it_adds_to_its_reference() {
    let pairs = [("zz", "qq"), ("vvvv", "kk")];
    let items: Vec<String> = pairs.iter().enumerate().map(|(id, (a, b))| row(id, a, b)).collect();
    let task = asked(&items);
    let lm = parrot(&["Q: q0?\nA: zz\n", "Q: q1?\nA: vvvv\n"]);
    let [model, reference] = [&lm, &uniform()].map(|lm| recorded(&task, lm, &tokenizer()));
    let rewards = |a: &Record, b: &Record| -> BTreeMap<String, f64> {
        let found = against(std::slice::from_ref(&task), [a, b], &Divergences::new()).unwrap();
        found.results.into_iter().map(|one| (one.metric, one.value.unwrap())).collect()
    };
    let found = rewards(&model, &reference);
    assert_eq!((found["implicit_reward.acc"], found["implicit_reward.acc_length_controlled"]), (1.0, 1.0));
    near(found["implicit_reward.margin"], value(&model, "margin") - value(&reference, "margin"));
    // the other way round every pair is lost, and a model adds nothing to itself
    assert!(rewards(&reference, &model)["implicit_reward.acc"].abs() < 1e-12);
    let same = rewards(&model, &model);
    assert_eq!((same["implicit_reward.acc"], same["implicit_reward.margin"]), (0.0, 0.0));
}

#[test]
fn a_file_of_reward_bench_is_read_as_it_is() {
    let suite = format!("{SUITE}items = 'filtered.jsonl'\nstrata = ['subset']\n");
    let folder = folder(&suite, "");
    let row = |id: usize, subset: &str| {
        format!(
            r#"{{"prompt": "Say q{id}.", "chosen": "zz", "chosen_model": "GPT4", "rejected": "qqq", "rejected_model": "alpaca", "subset": "{subset}", "id": {id}}}"#
        )
    };
    let rows = [row(0, "alpacaeval-easy"), row(1, "alpacaeval-easy"), row(5, "refusals-dangerous")];
    fs::write(folder.path().join("filtered.jsonl"), rows.join("\n")).unwrap();
    let task = task_in(&folder, &PrepareOptions::default()).unwrap();
    let ids: Vec<&str> = task.items.iter().map(|item| item.id.as_str()).collect();
    assert_eq!(ids, ["0", "1", "5"]);
    let record = recorded(&task, &uniform(), &tokenizer());
    let outcome = record.run.outcome.as_ref().unwrap();
    let of = |stratum: &str| {
        let found = outcome.results.iter().find(|one| one.metric == "acc" && one.stratum.as_deref() == Some(stratum));
        found.map(|one| (one.n, one.value))
    };
    assert_eq!(of("subset=alpacaeval-easy"), Some((2, Some(1.0))));
    assert_eq!(of("subset=refusals-dangerous"), Some((1, Some(1.0))));
    let Request::Loglikelihood(first) = &task.items[0].requests[0] else { panic!() };
    assert_eq!((first.context.as_str(), first.continuation.as_str()), ("Q: Say q0.\nA:", " zz\n"));
}

#[test]
fn mistakes_are_told_with_their_lines() {
    let told = |items: &str| task_in(&folder(SUITE, items), &PrepareOptions::default()).err().unwrap();
    let same = told(&format!("{}\n{}", row(0, "zz", "qq"), row(1, "zz", "zz")));
    assert!(same.contains("items.jsonl:2: `chosen` and `rejected` are the same"), "{same}");
    let several =
        told("{\"prompt\": \"q?\", \"chosen\": \"z\"}\n{\"prompt\": \" \", \"chosen\": \"z\", \"rejected\": 3}");
    assert!(several.contains("items.jsonl:1: the field `rejected` is missing"), "{several}");
    assert!(several.contains("items.jsonl:2: `prompt` is empty"), "{several}");
    let number = told("{\"prompt\": \"q?\", \"chosen\": \"z\", \"rejected\": 3}");
    assert!(number.contains("items.jsonl:1: `rejected` is 3, a text is expected"), "{number}");
}

#[test]
fn in_a_chat_the_prompt_and_the_answers_are_in_the_templates_words() {
    let template = "{% for m in messages %}[{{ m['role'] }}]{{ m['content'] }}[end]{% endfor %}\
                    {% if add_generation_prompt %}[assistant]{% endif %}";
    let template = ChatTemplate::new(template, None, None).unwrap();
    let chat = Some(Chat { template: &template, turns: Turns::Each });
    let options = PrepareOptions { chat, ..PrepareOptions::default() };
    let task = task_in(&folder(SUITE, &row(0, "zz", "qq")), &options).unwrap();
    let Request::Loglikelihood(first) = &task.items[0].requests[0] else { panic!() };
    assert_eq!(first.context, "[user]q0?[end][assistant]");
    assert_eq!(first.continuation, "zz[end]");
}

/// Items whose preferred answers were longer, or shorter, would measure length.
#[test]
fn the_answers_of_the_suite_are_as_long_as_each_other() {
    let items = Builtin::named("comparisons").unwrap().items_jsonl;
    let rows: Vec<Value> = items.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let length = |row: &Value, field: &str| i64::try_from(row[field].as_str().unwrap().len()).unwrap();
    let longer = |row: &&Value| length(row, "chosen") - length(row, "rejected");
    for wording in ["slide", "general"] {
        let of: Vec<&Value> = rows.iter().filter(|row| row["wording"] == wording).collect();
        assert!(of.len() >= 20, "{wording}: {}", of.len());
        let all: i64 = of.iter().map(longer).sum();
        let n = i64::try_from(of.len()).unwrap();
        assert!(all.abs() <= n, "{wording}: {all} bytes over {n} pairs, at most one a pair is meant");
    }
    let (more, less) = (rows.iter().filter(|row| longer(row) > 0), rows.iter().filter(|row| longer(row) < 0));
    let (more, less) = (more.count(), less.count());
    assert!(more.abs_diff(less) * 10 <= rows.len(), "{more} are longer, {less} shorter");
    let prompts: HashSet<&str> = rows.iter().map(|row| row["prompt"].as_str().unwrap()).collect();
    assert_eq!(prompts.len(), rows.len(), "a prompt is there twice");
}
