use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use proptest::prelude::*;
use serde_json::Map;

use super::*;
use crate::eval::backend::{Cached, Replay};
use crate::eval::cache::{Cache, Scope};
use crate::eval::fixture::{noise, tokenizer};
use crate::eval::merge::merge;
use crate::eval::record::{Shard, TaskInfo, read, sample};
use crate::eval::request::{GenerateUntil, Loglikelihood, LoglikelihoodRolling};
use crate::eval::scheduler::{Options, Scheduler};
use crate::eval::task::{Aggregation, Better, Bounds, Graded, Grader, MetricSpec, Observation, Observed};
use crate::model::CancelToken;

/// Takes the first of two choices for right, and keeps its log-likelihood.
struct First;

impl Grader for First {
    fn grade(&self, _: &TaskItem, responses: &[Response]) -> Option<Graded> {
        let [Response::Scored(a), Response::Scored(b), Response::Rolled(_), Response::Generated(said)] = responses
        else {
            return None;
        };
        let observation = |metric: &str, value| Observation { metric: metric.into(), filter: "none".into(), value };
        let observations = vec![
            observation("acc", Observed::Flag(a.loglik() > b.loglik())),
            observation("ppl", Observed::Number(a.loglik())),
        ];
        Some(Graded { filtered: BTreeMap::from([("none".into(), vec![said.text.clone()])]), observations })
    }
}

fn spec(metric: &str, aggregation: Aggregation) -> MetricSpec {
    MetricSpec {
        metric: metric.into(),
        filter: "none".into(),
        aggregation,
        better: Better::Higher,
        chance: None,
        chances: BTreeMap::new(),
        bounds: Bounds::default(),
    }
}

fn item(index: usize) -> TaskItem {
    let context = format!("{}{index} there", "we on and on. ".repeat(index % 3));
    let choice =
        |text: &str| Request::Loglikelihood(Loglikelihood { context: context.clone(), continuation: text.to_owned() });
    TaskItem {
        id: format!("i{index}"),
        index,
        doc: Map::new(),
        target: " the".into(),
        cluster: Some((index / 2).to_string()),
        strata: BTreeMap::from([("third".to_owned(), (index % 3).to_string())]),
        requests: vec![
            choice(" the"),
            choice(" on and"),
            Request::LoglikelihoodRolling(LoglikelihoodRolling { text: context.clone() }),
            Request::GenerateUntil(GenerateUntil { context: context.clone(), until: vec!["e".into()], max_new: 3 }),
        ],
    }
}

fn task(order: &[usize]) -> Task {
    Task {
        name: "small".into(),
        version: "1".into(),
        hash: "h".into(),
        output_type: "multiple_choice".into(),
        n_shot: 0,
        items: order.iter().map(|index| item(*index)).collect(),
        grader: Box::new(First),
        metrics: vec![spec("acc", Aggregation::Mean), spec("ppl", Aggregation::Perplexity)],
        groups: Vec::new(),
        quick: None,
        notes: Vec::new(),
    }
}

fn plan(task: &Task) -> Run {
    Run { tasks: vec![TaskInfo::of(task)], ..sample::run() }
}

/// Runs a task on the model that looks random.
fn go(task: Task, plan: Run, options: Options, folder: Option<&Path>, cache: Option<&Path>) -> Result<Record, Error> {
    let (lm, tokenizer, cancel) = (noise(), tokenizer(), CancelToken::default());
    let mut scheduler = Scheduler::new(&lm, &tokenizer, &cancel).with_options(options);
    let cache = cache.map(|file| Cache::open(file, Scope::of(&plan).unwrap()).unwrap());
    let mut backend = Cached::new(&mut scheduler, cache);
    let output = Output { folder, existing: Existing::Resume, elapsed: &|| Duration::ZERO };
    let found = run(&[task], plan, &mut backend, &output, &mut |_| {});
    assert!(backend.trouble().is_none());
    found
}

const N: usize = 7;

fn expected() -> Record {
    let order: Vec<usize> = (0..N).collect();
    go(task(&order), plan(&task(&order)), Options::default(), None, None).unwrap()
}

fn outcome(record: &Record) -> Outcome {
    Outcome { n_resumed: 0, ..record.run.outcome.clone().unwrap() }
}

#[test]
fn a_run_grades_counts_and_writes() {
    let folder = tempfile::tempdir().unwrap();
    let order: Vec<usize> = (0..N).collect();
    let found = go(task(&order), plan(&task(&order)), Options::default(), Some(folder.path()), None).unwrap();
    assert_eq!(found, read(folder.path()).unwrap());
    assert_eq!((found.items.len(), found.run.status), (N, record::Status::Complete));
    let outcome = found.run.outcome.unwrap();
    assert_eq!(outcome.results.len(), 2 * 4);
    let right = found.items.iter().filter(|item| item.graded.observations[0].value == Observed::Flag(true)).count();
    assert!((outcome.results[0].value.unwrap() - right as f64 / N as f64).abs() < 1e-12);
    assert_eq!(outcome.results[0].clusters, Some(4));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn neither_batch_order_shards_cache_nor_a_kill_changes_a_score(
        batch in 1usize..=64,
        order in Just((0..N).collect::<Vec<usize>>()).prop_shuffle(),
        shards in 1usize..=4,
        cut in 0.0f64..1.0,
        cached: bool,
    ) {
        let expected = expected();
        let folder = tempfile::tempdir().unwrap();
        let cache = folder.path().join("cache.sqlite");
        let cache = cached.then_some(cache.as_path());
        let options = Options { batch, ..Options::default() };
        let mut parts = Vec::new();
        for index in 1..=shards {
            let mut plan = plan(&task(&order));
            plan.settings.shard = Shard::new(index, shards);
            let dir = folder.path().join(index.to_string());
            go(task(&order), plan.clone(), options, Some(&dir), cache).unwrap();
            let file = dir.join("items.jsonl");
            let whole = fs::read(&file).unwrap();
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a length")]
            fs::write(&file, &whole[..(whole.len() as f64 * cut) as usize]).unwrap();
            go(task(&order), plan, options, Some(&dir), cache).unwrap();
            parts.push((dir.clone(), read(&dir).unwrap()));
        }
        parts.reverse();
        let found = merge(parts).unwrap();
        prop_assert_eq!(&found.items, &expected.items);
        prop_assert_eq!(outcome(&found), outcome(&expected));
    }
}

#[test]
fn an_item_that_cannot_be_asked_is_named_and_the_others_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let mut broken = task(&[0, 1, 2]);
    broken.items[1].requests[0] =
        Request::Loglikelihood(Loglikelihood { context: "we".into(), continuation: String::new() });
    let plan = plan(&broken);
    let error = go(broken, plan, Options::default(), Some(folder.path()), None).unwrap_err();
    assert!(error.to_string().starts_with("score item `i1` of `small`") && error.hint().is_some(), "{error}");
    assert_eq!(read(folder.path()).unwrap().run.status, record::Status::Running);
}

#[test]
fn a_stopped_run_keeps_what_is_finished() {
    let folder = tempfile::tempdir().unwrap();
    let order: Vec<usize> = (0..N).collect();
    let (lm, tokenizer, cancel) = (noise(), tokenizer(), CancelToken::default());
    // what was run in one pass is finished, whoever stops
    let options = Options { batch: 4, ..Options::default() };
    let mut scheduler = Scheduler::new(&lm, &tokenizer, &cancel).with_options(options);
    let output = Output { folder: Some(folder.path()), existing: Existing::Refuse, elapsed: &|| Duration::ZERO };
    let mut sink = |event| {
        if matches!(event, Event::Item { done: 2, .. }) {
            cancel.cancel();
        }
    };
    let error = run(&[task(&order)], plan(&task(&order)), &mut scheduler, &output, &mut sink).unwrap_err();
    assert!(error.is_cancelled());
    let kept = read(folder.path()).unwrap();
    assert!(kept.items.len() >= 2 && kept.items.len() < N && kept.run.outcome.is_none());
    let found = go(task(&order), plan(&task(&order)), Options::default(), Some(folder.path()), None).unwrap();
    assert_eq!(found.run.outcome.as_ref().unwrap().n_resumed, kept.items.len());
    assert_eq!((&found.items, outcome(&found)), (&expected().items, outcome(&expected())));
}

#[test]
fn a_record_answers_without_a_model_and_says_what_it_lacks() {
    let order: Vec<usize> = (0..N).collect();
    let recorded = expected();
    let mut replay = Replay::new("runs/a".into(), &recorded);
    let output = Output { folder: None, existing: Existing::Refuse, elapsed: &|| Duration::ZERO };
    let found = run(&[task(&order)], plan(&task(&order)), &mut replay, &output, &mut |_| {}).unwrap();
    assert_eq!(found, recorded);
    let more: Vec<usize> = (0..=N).collect();
    let error = run(&[task(&more)], plan(&task(&more)), &mut replay, &output, &mut |_| {}).unwrap_err();
    assert!(matches!(&error, Error::Item { id, .. } if id == "i7"), "{error}");
}

/// Asks on until the answers are three, or, at `endless`, for ever.
struct Curious {
    endless: bool,
}

impl Grader for Curious {
    fn follow_up(&self, item: &TaskItem, asked: &[Request], responses: &[Response]) -> Vec<Request> {
        assert!(asked.starts_with(&item.requests) && asked.len() == responses.len());
        // items with an odd place have enough at once
        if !self.endless && (item.index % 2 == 1 || responses.len() > 5) {
            return Vec::new();
        }
        let context = format!("we {}", "on ".repeat(asked.len()));
        vec![Request::Loglikelihood(Loglikelihood { context, continuation: " the".into() })]
    }

    fn grade(&self, _: &TaskItem, responses: &[Response]) -> Option<Graded> {
        let value = Observed::Number(responses.len() as f64);
        Some(Graded { observations: vec![Observation::new("answers", value)], ..Graded::default() })
    }
}

fn curious(order: &[usize], endless: bool) -> Task {
    let metrics = vec![MetricSpec::new("answers", Aggregation::Mean, Better::Neither)];
    Task { grader: Box::new(Curious { endless }), metrics, ..task(order) }
}

#[test]
fn what_answers_lead_to_is_asked_and_recorded_and_a_cut_record_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let order: Vec<usize> = (0..N).collect();
    let of = |order: &[usize], folder| {
        let task = curious(order, false);
        let plan = plan(&task);
        go(task, plan, Options::default(), folder, None).unwrap()
    };
    let found = of(&order, Some(folder.path()));
    let counts: Vec<usize> = found.items.iter().map(|item| item.responses.len()).collect();
    assert_eq!(counts, [6, 4, 6, 4, 6, 4, 6]);
    assert!(found.items.iter().all(|item| item.requests.len() == item.responses.len()));
    // alone, in another order, and after a kill in the middle of the log
    assert_eq!(of(&[6, 2, 4, 0, 1, 3, 5], None).items, found.items);
    let file = folder.path().join("items.jsonl");
    let whole = fs::read(&file).unwrap();
    fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    assert_eq!(of(&order, Some(folder.path())).items, found.items);
    let mut replay = Replay::new("runs/a".into(), &found);
    let (task, output) =
        (curious(&order, false), Output { folder: None, existing: Existing::Refuse, elapsed: &|| Duration::ZERO });
    let replayed = run(&[task], plan(&curious(&order, false)), &mut replay, &output, &mut |_| {}).unwrap();
    assert_eq!(replayed.items, found.items);
    let (lm, tokenizer, cancel) = (noise(), tokenizer(), CancelToken::default());
    let mut scheduler = Scheduler::new(&lm, &tokenizer, &cancel);
    let task = curious(&order, false);
    assert_eq!(ask_one(&task, &task.items[2], &mut scheduler).unwrap(), found.items[2]);
}

#[test]
fn a_grader_that_never_has_enough_is_stopped() {
    let task = curious(&[0], true);
    let plan = plan(&task);
    let error = go(task, plan, Options::default(), None, None).unwrap_err();
    assert_eq!(error.to_string(), "score item `i0` of `small`: it is not finished after 64 rounds of questions");
}

#[test]
fn the_quick_tier_is_spread_over_the_file() {
    let ids = |quick, tier, limit| -> Vec<usize> {
        let task = Task { quick, ..task(&[0, 1, 2, 3, 4, 5, 6]) };
        let settings = record::Settings { tier, limit, ..sample::run().settings };
        selected(&task, &settings).into_iter().map(|item| item.index).collect()
    };
    let all = [0, 1, 2, 3, 4, 5, 6];
    assert_eq!(ids(Some(3), Some(record::Tier::Quick), None), [0, 2, 4]);
    assert_eq!(ids(Some(3), Some(record::Tier::Quick), Some(2)).len(), 2);
    for (quick, tier) in [
        (Some(3), None),
        (Some(3), Some(record::Tier::Full)),
        (None, Some(record::Tier::Quick)),
        (Some(9), Some(record::Tier::Quick)),
    ] {
        assert_eq!(ids(quick, tier, None), all);
    }
}

#[test]
fn a_limit_draws_the_same_items_whatever_the_order_and_shards_share_them() {
    let ids = |order: &[usize], shard: Option<Shard>| -> Vec<String> {
        let task = task(order);
        let settings = record::Settings { limit: Some(4), shard, ..sample::run().settings };
        selected(&task, &settings).into_iter().map(|item| item.id.clone()).collect()
    };
    let all = ids(&[0, 1, 2, 3, 4, 5, 6], None);
    assert_eq!((all.len(), &all), (4, &ids(&[6, 5, 4, 3, 2, 1, 0], None)));
    let mut parts =
        [ids(&[0, 1, 2, 3, 4, 5, 6], Shard::new(1, 2)), ids(&[0, 1, 2, 3, 4, 5, 6], Shard::new(2, 2))].concat();
    parts.sort();
    assert_eq!(parts, all);
}

#[test]
fn shards_that_are_not_one_run_are_refused_by_name() {
    let part = |index, count| {
        let mut record = expected();
        record.run.settings.shard = Shard::new(index, count);
        record.items.retain(|item| record.run.settings.shard.unwrap().has(item.index));
        (std::path::PathBuf::from(format!("{index}")), record)
    };
    let refused = |parts: Vec<(std::path::PathBuf, Record)>| merge(parts).unwrap_err().to_string();
    assert_eq!(merge(vec![part(2, 2), part(1, 2)]).unwrap().items, expected().items);
    assert!(refused(vec![part(1, 3), part(3, 3)]).ends_with("shard 2/3 is missing"));
    assert!(refused(vec![part(1, 2), part(1, 2)]).ends_with("both are shard 1/2"));
    assert!(refused(vec![part(1, 2), part(2, 3)]).contains("the number of shards is `3` here and `2` there"));
    assert!(refused(vec![("a".into(), expected())]).contains("it is no shard"));
    let mut other = part(2, 2);
    other.1.run.model.sha256 = Some("other".into());
    assert!(refused(vec![part(1, 2), other]).contains("model.sha256 is `other`"));
    let mut both = part(2, 2);
    both.1.items.push(part(1, 2).1.items.remove(0));
    assert!(refused(vec![part(1, 2), both]).contains("item `i0` of `small` is in both"));
    let mut stopped = part(2, 2);
    stopped.1.run.status = record::Status::Running;
    assert!(refused(vec![part(1, 2), stopped]).contains("did not come to its end"));
    assert!(refused(Vec::new()).contains("there are none"));
}
