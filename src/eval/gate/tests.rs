use std::collections::BTreeMap;

use super::*;
use crate::eval::task::{Aggregation, Better, Bounds, Observation, Observed};

fn spec(metric: &str, aggregation: Aggregation, better: Better) -> MetricSpec {
    let bounds = Bounds::default();
    MetricSpec {
        metric: metric.into(),
        filter: "none".into(),
        aggregation,
        better,
        chance: None,
        chances: BTreeMap::new(),
        bounds,
    }
}

fn scores(metric: MetricSpec, values: impl IntoIterator<Item = Observed>) -> Scores {
    let observation = |value| Observation { metric: metric.metric.clone(), filter: "none".into(), value };
    let item = |(at, value): (usize, Observed)| ItemScores {
        id: format!("item-{at}"),
        hash: at.to_string(),
        doc: at.to_string(),
        cluster: None,
        strata: BTreeMap::from([("half".into(), if at % 2 == 0 { "even" } else { "odd" }.into())]),
        observations: vec![observation(value)],
    };
    let items = values.into_iter().enumerate().map(item).collect();
    let task =
        TaskScores { name: "task".into(), version: "1".into(), hash: "h".into(), metrics: vec![metric.clone()], items };
    Scores { format_version: FORMAT_VERSION, origin: Origin::default(), tasks: vec![task] }
}

fn flags(n: usize, right: impl Fn(usize) -> bool) -> Scores {
    scores(spec("acc", Aggregation::Mean, Better::Higher), (0..n).map(|at| Observed::Flag(right(at))))
}

fn texts(n: usize, nats: impl Fn(usize) -> f64) -> Scores {
    let metric = spec("word_perplexity", Aggregation::WeightedPerplexity, Better::Lower);
    scores(metric, (0..n).map(|at| Observed::Text { loglik: -nats(at), units: 10 + at % 7 }))
}

fn compared(old: &Scores, new: &Scores) -> Comparison {
    compare(old, new, &Gate::default()).unwrap()
}

/// Bumps that look random and sum to nothing over a cycle.
fn wobble(at: usize) -> f64 {
    [0.3, -0.2, 0.05, -0.25, 0.1][at % 5]
}

#[test]
fn the_worked_example() {
    // 25 lost and 10 gained of 100
    let (old, new) = (flags(100, |at| at < 25), flags(100, |at| (25..35).contains(&at)));
    let found = compared(&old, &new);
    let change = &found.changes[0];
    assert!((change.p.unwrap() - 0.016_67).abs() < 5e-6 && change.p_holm == change.p);
    assert!((change.difference + 0.15).abs() < 1e-12);
    assert_eq!((change.lost.len(), change.gained.len(), change.gained[0].as_str()), (25, 10, "item-25"));
    assert_eq!((change.verdict, found.verdict), (Some(Verdict::Fail), Verdict::Fail));
    assert_eq!(compared(&new, &old).verdict, Verdict::Pass, "the other way it got better");
    let patient = compare(&old, &new, &Gate { margin: 0.3, ..Gate::default() }).unwrap();
    assert_eq!(patient.verdict, Verdict::Pass);
}

#[test]
fn equal_runs_never_fail_and_too_few_items_are_inconclusive() {
    for n in [1, 2, 10, 50, 100, 200, 1000] {
        let run = flags(n, |at| at % 3 == 0);
        let found = compared(&run, &run);
        let expected = if n < 133 { Verdict::Inconclusive } else { Verdict::Pass };
        assert_eq!(found.verdict, expected, "{n}");
        let needed = found.changes[0].needed;
        assert_eq!(needed.is_some(), expected == Verdict::Inconclusive);
        if let Some(needed) = needed {
            let more = flags(needed, |_| true);
            assert_eq!(compared(&more, &more).verdict, Verdict::Pass, "{needed}");
        }
    }
    for n in [1, 5, 19, 20, 60] {
        let run = texts(n, |at| 20.0 + wobble(at));
        let found = compared(&run, &run);
        assert_eq!(found.verdict, if n < 20 { Verdict::Inconclusive } else { Verdict::Pass }, "{n}");
        assert_eq!(found.changes[0].needed, (n < 20).then_some(20), "{n}");
        assert!((found.changes[0].p.unwrap() - 1.0).abs() < 1e-12);
    }
}

#[test]
fn a_perplexity_may_rise_by_the_margin() {
    let old = texts(60, |at| 20.0 + wobble(at));
    // a hundredth of a nat for each of 13 words on average
    let little = texts(60, |at| 20.0 + wobble(at) + 0.01 * (10 + at % 7) as f64 + 0.1 * wobble(at + 1));
    let much = texts(60, |at| 20.0 + wobble(at) + 0.05 * (10 + at % 7) as f64 + 0.1 * wobble(at + 1));
    let found = compared(&old, &little);
    let change = &found.changes[0];
    assert!((change.difference - 0.01).abs() < 1e-3, "{change:?}");
    assert!(change.low.unwrap() < change.difference && change.difference < change.high.unwrap());
    assert_eq!((change.unit, change.verdict), (Unit::Ratio, Some(Verdict::Pass)));
    assert_eq!(compared(&old, &much).verdict, Verdict::Fail);
    assert_eq!(compared(&much, &old).verdict, Verdict::Pass, "a lower perplexity is better");
    assert!(compared(&old, &much).changes[0].p.unwrap() < 0.001);
}

#[test]
fn clusters_widen_the_bounds() {
    let numbers = |shift: fn(usize) -> f64| {
        scores(spec("lift", Aggregation::Mean, Better::Higher), (0..200).map(|at| Observed::Number(shift(at))))
    };
    // items of one cluster change alike
    let (old, mut new) = (numbers(|_| 0.0), numbers(|at| wobble(at / 4)));
    let alone = compared(&old, &new).changes.remove(0);
    let mut old = old;
    for scores in [&mut old, &mut new] {
        for (at, item) in scores.tasks[0].items.iter_mut().enumerate() {
            item.cluster = Some(format!("c{}", at / 4));
        }
    }
    let together = compared(&old, &new).changes.remove(0);
    assert_eq!((alone.units, together.units, together.n), (200, 50, 200));
    let width = |change: &Change| change.high.unwrap() - change.low.unwrap();
    let ratio = width(&together) / width(&alone);
    assert!((ratio - 2.0).abs() < 0.1, "four alike count as one: {ratio}");
    assert_eq!((together.unit, together.verdict), (Unit::Own, None), "a number is gated only if the suite says how");
}

#[test]
fn limits_are_of_the_value_itself() {
    let run = flags(200, |at| at % 2 == 0);
    let gate = |min: f64| Gate { min: vec![("acc".into(), min)], ..Gate::default() };
    assert_eq!(compare(&run, &run, &gate(0.5)).unwrap().verdict, Verdict::Pass);
    let found = compare(&run, &run, &gate(0.51)).unwrap();
    assert_eq!(found.verdict, Verdict::Fail);
    assert!(found.changes[0].reason.as_ref().unwrap().contains("0.51"));
    let mut suite = run.clone();
    suite.tasks[0].metrics[0].bounds = Bounds { margin: None, min: None, max: Some(0.4) };
    assert_eq!(compared(&run, &suite).verdict, Verdict::Fail);
    let unknown = compare(&run, &run, &Gate { max: vec![("f1".into(), 1.0)], ..Gate::default() });
    assert!(matches!(unknown, Err(Error::UnknownMetric { name, known }) if name == "f1" && known == ["acc"]));
}

#[test]
fn items_are_joined_by_what_they_ask() {
    let old = flags(30, |_| true);
    let mut new = flags(31, |_| true);
    new.tasks[0].items[3].hash = "other".into();
    let found = compared(&old, &new);
    assert_eq!(
        (found.changes[0].n, found.unmatched, found.altered),
        (29, vec!["task/item-30".into()], vec!["task/item-3".into()])
    );
    new.tasks[0].name = "other".into();
    let nothing = compare(&old, &new, &Gate::default());
    assert!(matches!(nothing, Err(Error::NothingShared { unmatched: 61, altered: 0 })));
}

#[test]
fn items_that_are_asked_in_other_words_are_joined_if_that_is_asked_for() {
    let (old, mut new) = (flags(30, |_| false), flags(30, |at| at < 20));
    for item in &mut new.tasks[0].items {
        item.hash = format!("chat {}", item.hash);
    }
    let refused = compare(&old, &new, &Gate::default()).unwrap_err();
    assert!(matches!(refused, Error::NothingShared { unmatched: 0, altered: 30 }));
    assert!(refused.hint().unwrap().contains("--pair items"));
    new.tasks[0].items[3].doc = "other".into();
    new.tasks[0].items[4].doc = String::new();
    let gate = Gate { selection: Selection { pairing: Pairing::Items, stratum: None }, ..Gate::default() };
    let found = compare(&old, &new, &gate).unwrap();
    assert_eq!(found.changes[0].gained.len(), 18);
    assert_eq!(found.altered, ["task/item-3", "task/item-4"]);
    // 18 gained, none lost: 2 / 2^18
    assert!((found.changes[0].p.unwrap() - 2f64.powi(-17)).abs() < 1e-12);
    assert!(report::figures(&found).unwrap()[0].caption.contains("whatever their prompts"));
}

#[test]
fn of_a_mistake_that_is_no_longer_made_the_item_is_gained() {
    let mistakes = |n: usize| {
        scores(spec("wrong", Aggregation::Mean, Better::Lower), (0..40).map(move |at| Observed::Flag(at < n)))
    };
    let found = compared(&mistakes(30), &mistakes(10));
    let change = &found.changes[0];
    assert_eq!((change.lost.len(), change.gained.len(), change.verdict), (0, 20, Some(Verdict::Pass)));
    assert!((change.difference + 0.5).abs() < 1e-12 && change.high.unwrap() < 0.0);
}

#[test]
fn a_stratum_is_compared_alone() {
    let (old, new) = (flags(30, |_| false), flags(31, |at| at < 20));
    let of = |value: &str| Selection { stratum: Some(("half".into(), value.into())), ..Selection::default() };
    let found = compare(&old, &new, &Gate { selection: of("odd"), ..Gate::default() }).unwrap();
    assert_eq!((found.changes[0].n, found.changes[0].gained.len(), found.unmatched.len()), (15, 10, 0));
    assert_eq!(found.stratum.as_deref(), Some("half=odd"));
    let nothing = compare(&old, &new, &Gate { selection: of("upper"), ..Gate::default() }).unwrap_err();
    assert_eq!(nothing.hint().unwrap(), "name a stratum that the items have");
}

#[test]
fn a_baseline_is_read_as_it_was_written() {
    let scores = texts(3, |at| 1.25 + wobble(at));
    let text = scores.to_json().unwrap();
    assert_eq!(text.lines().count(), 3 + 1 + 3, "{text}");
    assert_eq!(Scores::parse(&text).unwrap(), scores);
    let other = text.replacen("\"format_version\":1", "\"format_version\":7", 1);
    assert!(matches!(Scores::parse(&other), Err(Error::Version { found: 7, expected: 1 })));
    assert!(matches!(Scores::parse(&text[..40]), Err(Error::Json { .. })));
    let twice = text.replace("item-1", "item-2");
    assert!(matches!(Scores::parse(&twice), Err(Error::Twice { name }) if name == "task/item-2"));
}

#[test]
fn junit_and_github_say_the_same_as_the_verdict() {
    let found = compared(&flags(100, |at| at < 25), &flags(100, |at| (25..35).contains(&at)));
    let xml = junit::write(&found, junit::Undecided::Skipped).unwrap();
    let document = roxmltree::Document::parse(&xml).unwrap();
    let node = |name: &str| document.descendants().find(|node| node.has_tag_name(name)).unwrap();
    assert_eq!(node("testsuite").attribute("failures"), Some("1"));
    assert_eq!(
        (node("testcase").attribute("name"), node("testcase").attribute("classname")),
        (Some("acc"), Some("task"))
    );
    assert!(node("failure").attribute("message").unwrap().starts_with("fail: -15.0 pp ["));
    assert!(node("failure").text().unwrap().contains("lost item-0\n"));
    let lines = github::annotations(&found);
    assert!(lines.starts_with("::error title=task acc%3A fail::-15.0 pp [-"), "{lines}");
    assert_eq!(lines.lines().count(), 1);
    let small = flags(5, |_| true);
    let open = compared(&small, &small);
    let skipped = junit::write(&open, junit::Undecided::Skipped).unwrap();
    assert!(skipped.contains("skipped=\"1\"") && skipped.contains("needs n ≥"), "{skipped}");
    assert!(junit::write(&open, junit::Undecided::Failed).unwrap().contains("failures=\"1\""));
    assert!(github::annotations(&open).starts_with("::warning title=task acc%3A inconclusive::"));
}

#[test]
fn what_github_would_cut_is_cut_where_it_can_be_read() {
    let mut old = flags(200, |_| true);
    let mut new = flags(200, |_| false);
    for scores in [&mut old, &mut new] {
        let task = scores.tasks[0].clone();
        scores.tasks = (0..15).map(|at| TaskScores { name: format!("t{at}"), ..task.clone() }).collect();
    }
    let found = compared(&old, &new);
    let lines = github::annotations(&found);
    assert_eq!(lines.lines().count(), 10);
    assert!(lines.lines().last().unwrap().contains("::6 more: t9 acc, t10 acc"));
    let long = "| ä line of a table |\n".repeat(100_000);
    let cut = github::step_summary(&found, &long);
    assert!(cut.len() <= 1 << 20 && cut.ends_with("has all)\n") && cut.contains("a table |\n\n(cut: "));
    assert!(cut.starts_with("## lmscope eval: fail: 0 pass, 15 fail, 0 inconclusive"));
}
