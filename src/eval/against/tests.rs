use super::*;
use crate::eval::fixture::{folder, noise, parrot, recorded, task_in, tokenizer};
use crate::eval::prepare::PrepareOptions;
use crate::eval::stats::{mcnemar, tango};
use crate::model::FakeLm;

const SUITE: &str = "name = 'two'\nversion = 1\nscorer = 'base-vs-assistant'\nabstain = 'No.'\nstrata = ['kind']\n";

fn row(id: usize, kind: &str) -> String {
    format!(r#"{{"id": "i{id}", "kind": "{kind}", "question": "q{id}?", "answer": "zz", "others": ["vv"]}}"#)
}

/// 24 items, a third of them of another kind.
fn task() -> Task {
    let rows: Vec<String> = (0..24).map(|id| row(id, if id % 3 == 0 { "odd" } else { "even" })).collect();
    task_in(&folder(SUITE, &rows.join("\n")), &PrepareOptions::default()).unwrap()
}

/// A model that answers this many of them right, and the rest wrong.
fn knowing(n: usize) -> FakeLm {
    let answer = |id: usize| if id < n { "zz" } else { "vv" };
    let sentences: Vec<String> = (0..24).map(|id| format!("Q: q{id}?\nA: {}\n", answer(id))).collect();
    parrot(&sentences.iter().map(String::as_str).collect::<Vec<_>>())
}

fn of(found: &Against, metric: &str, stratum: Option<&str>) -> Difference {
    let is = |one: &&Difference| one.metric == metric && one.stratum.as_deref() == stratum;
    found.differences.iter().find(is).unwrap().clone()
}

fn joined(a: &FakeLm, b: &FakeLm) -> Against {
    let task = task();
    let [a, b] = [a, b].map(|lm| recorded(&task, lm, &tokenizer()));
    against(&[task], [&a, &b], &Divergences::new()).unwrap()
}

#[test]
fn the_difference_of_each_metric_has_an_interval_and_a_test() {
    let found = joined(&knowing(18), &knowing(6));
    let acc = of(&found, "acc", None);
    // 12 items only A has right, and none only B
    assert_eq!((acc.n, acc.units, acc.a, acc.b, acc.difference), (24, 24, 0.75, 0.25, 0.5));
    assert_eq!((acc.only_a.len(), acc.only_b.len(), acc.only_a[0].as_str()), (12, 0, "i6"));
    assert_eq!(acc.p, Some(mcnemar(12, 0)));
    assert!((acc.p.unwrap() - 2.0 / 4096.0).abs() < 1e-12, "all twelve the same way: {:?}", acc.p);
    assert_eq!(acc.interval, Some(tango(12, 0, 24, ONE_SIDED)));
    let (low, high) = acc.interval.unwrap();
    assert!(low > 0.0 && low < 0.5 && high > 0.5, "{low} {high}");
    // of ids 0, 3, … 21 the model A has 0..18 right: six, and B 0 and 3
    let odd = of(&found, "acc", Some("kind=odd"));
    assert_eq!((odd.n, odd.a, odd.b, odd.only_a.len()), (8, 0.75, 0.25, 4));
    assert!(found.unmatched.is_empty());
}

#[test]
fn a_model_beside_itself_differs_in_nothing() {
    let found = joined(&noise(), &noise());
    for one in &found.differences {
        assert_eq!((one.difference, one.p), (0.0, Some(1.0)), "{one:?}");
        assert!(one.interval.is_none_or(|(low, high)| low <= 0.0 && high >= 0.0), "{one:?}");
    }
}

#[test]
fn the_other_way_round_every_difference_has_the_other_sign() {
    let (found, swapped) = (joined(&knowing(18), &noise()), joined(&noise(), &knowing(18)));
    for one in &found.differences {
        let other = of(&swapped, &one.metric, one.stratum.as_deref());
        assert!((one.difference + other.difference).abs() < 1e-12, "{one:?}");
        assert_eq!((&one.only_a, one.p), (&other.only_b, other.p));
    }
}

#[test]
fn items_of_one_model_alone_are_left_out_and_told() {
    let task = task();
    let a = recorded(&task, &knowing(18), &tokenizer());
    let mut b = recorded(&task, &knowing(6), &tokenizer());
    b.items.truncate(20);
    let found = against(&[task], [&a, &b], &Divergences::new()).unwrap();
    assert_eq!((of(&found, "acc", None).n, found.unmatched.len()), (20, 4));
    assert!(found.unmatched.contains(&"two/i23".to_owned()));
    b.items.clear();
    let error = against(&[self::task()], [&a, &b], &Divergences::new()).unwrap_err();
    assert!(error.to_string().contains("no item is in both"), "{error}");
}

#[test]
fn words_may_differ_where_items_do_not() {
    let template = "{% for m in messages %}[{{ m['role'] }}]{{ m['content'] }}[end]{% endfor %}\
                    {% if add_generation_prompt %}[assistant]{% endif %}";
    let template = crate::text::ChatTemplate::new(template, None, None).unwrap();
    let chat = Some(crate::eval::prepare::Chat { template: &template, turns: Turns::Each });
    let asked = task_in(&folder(SUITE, &row(0, "odd")), &PrepareOptions { chat, ..PrepareOptions::default() });
    let (chat, plain) = (asked.unwrap(), task_in(&folder(SUITE, &row(0, "odd")), &PrepareOptions::default()).unwrap());
    assert_ne!(chat.items[0].requests, plain.items[0].requests);
    let (mut a, b) = (recorded(&chat, &noise(), &tokenizer()), recorded(&plain, &noise(), &tokenizer()));
    a.run.settings.chat = Some(Turns::Each);
    let found = against(&[chat], [&a, &b], &Divergences::new()).unwrap();
    assert_eq!(of(&found, "p_answer", None).n, 1);
    let figures = figures(&found).unwrap();
    assert!(figures[0].caption.contains("A: tiny, asked through its chat template. B: tiny, asked in plain text"));
}

#[test]
fn the_file_holds_both_sides() {
    let found = joined(&knowing(18), &knowing(6));
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &found).unwrap();
    let json: serde_json::Value = serde_json::from_slice(&std::fs::read(folder.path().join(FILE)).unwrap()).unwrap();
    assert_eq!((&json["format_version"], &json["a"]["model"]["name"]), (&1.into(), &"tiny".into()));
    assert_eq!(json["differences"].as_array().unwrap().len(), found.differences.len());
    let missing = folder.path().join("nowhere");
    assert!(write(&missing, &found).unwrap_err().to_string().contains("against.json"));
}
