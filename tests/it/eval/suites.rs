//! Every suite of the binary, looked at as a reviewer would.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use lmscope::eval::prepare::{Chat, Turns};
use lmscope::eval::record::{Settings, Tier};
use lmscope::eval::request::{Generated, Request, Response, Scored};
use lmscope::eval::run::selected;
use lmscope::eval::task::{Observed, Task, TaskItem};
use lmscope::eval::{self, BUILTIN, PrepareOptions};
use lmscope::text::{ChatTemplate, Tokenizer};

use super::lm_eval::open;

/// What the README of a suite must have, in this order.
const HEADINGS: [&str; 4] = ["## What is measured", "## How to read it", "## Known flaws", "## Source"];

/// Strata with as many items as the world has: of some relations few facts are beyond doubt.
const AS_THEY_COME: [&str; 1] = ["relation"];

/// Values of other strata may differ in number by this factor.
const MOST_UNEVEN: usize = 4;

fn tasks() -> Vec<Task> {
    let (_, tokenizer) = open("slide/base");
    let of = |name: &str| eval::prepare(name, &tokenizer, &PrepareOptions::default()).unwrap();
    BUILTIN.iter().flat_map(|builtin| of(builtin.name)).collect()
}

/// How many items have each value of each stratum.
fn counts<'t>(items: impl Iterator<Item = &'t TaskItem>) -> BTreeMap<(String, String), usize> {
    let mut counts = BTreeMap::new();
    for (name, value) in items.flat_map(|item| &item.strata) {
        *counts.entry((name.clone(), value.clone())).or_insert(0) += 1;
    }
    counts
}

#[test]
fn every_readme_says_what_is_measured_with_which_flaws_and_from_where() {
    for builtin in BUILTIN {
        let (name, readme) = (builtin.name, builtin.readme);
        let places: Vec<usize> = HEADINGS
            .iter()
            .map(|heading| readme.find(heading).unwrap_or_else(|| panic!("{name}: `{heading}` is missing")))
            .collect();
        assert!(places.is_sorted(), "{name}: headings are out of order");
        assert!(readme.starts_with(&format!("# {name}\n")), "{name}: another title");
        let source = &readme[places[3]..];
        assert!(source.contains("Licence: that of lmscope"), "{name}: the licence is not stated with the source");
        let has_figures = readme.lines().any(|line| line.starts_with("| ") && line.contains("slide"));
        assert!(has_figures, "{name}: no figures of the embedded model");
    }
}

#[test]
fn no_suite_asks_an_item_twice() {
    for task in tasks() {
        let mut seen = HashSet::new();
        for item in &task.items {
            let mut doc = item.doc.clone();
            doc.remove("id");
            let asked = (serde_json::to_string(&doc).unwrap(), format!("{:?}", item.requests));
            assert!(seen.insert(asked), "{}: {} is there twice", task.name, item.id);
        }
    }
}

#[test]
fn strata_are_balanced_and_the_quick_tier_has_some_of_each() {
    for task in tasks() {
        let all = counts(task.items.iter());
        let names: BTreeSet<&String> = all.keys().map(|(name, _)| name).collect();
        for stratum in names {
            let of: Vec<usize> = all.iter().filter(|((name, _), _)| name == stratum).map(|(_, n)| *n).collect();
            let (least, most) = (of.iter().min().unwrap(), of.iter().max().unwrap());
            let is_even = most <= &(MOST_UNEVEN * least) || AS_THEY_COME.contains(&stratum.as_str());
            assert!(is_even, "{}: {stratum} has {least} to {most} items", task.name);
        }
        let n = task.quick.unwrap_or_else(|| panic!("{} has no quick tier", task.name));
        assert!(n < task.items.len(), "{}: the quick tier has {n} items", task.name);
        let settings = Settings { tier: Some(Tier::Quick), ..Settings::default() };
        let quick = counts(selected(&task, &settings).into_iter());
        let missing: Vec<_> = all.keys().filter(|key| !quick.contains_key(key)).collect();
        assert!(missing.is_empty(), "{}: the quick tier has none of {missing:?}", task.name);
    }
}

/// The right answers to an item: one, or one in each direction.
fn golds(item: &TaskItem) -> Vec<String> {
    let other = item.doc.get("relation").and_then(|_| item.doc.get("a")?.as_str());
    [Some(item.target.as_str()), other]
        .into_iter()
        .flatten()
        .filter(|gold| !gold.is_empty())
        .map(str::to_owned)
        .collect()
}

/// The right answer to a request: not the one that it asks about, which is named last.
fn gold<'g>(request: &Request, golds: &'g [String]) -> &'g str {
    golds.iter().min_by_key(|gold| request.given().rfind(gold.as_str())).unwrap()
}

/// What a model answers that knows every right answer.
fn right(request: &Request, golds: &[String]) -> Response {
    let text = gold(request, golds).to_owned();
    let written = || Generated { text, stopped: true, entropy: Some(0.0), ..Generated::default() };
    match request {
        Request::Loglikelihood(asked) => {
            let is_right = golds.iter().any(|gold| asked.continuation.trim() == gold);
            Response::Scored(Scored {
                text: asked.continuation.clone(),
                ids: vec![0, 1],
                boundary: 1,
                logprobs: vec![if is_right { -0.001 } else { -20.0 }],
                ranks: vec![if is_right { 1 } else { 50 }],
                is_greedy: is_right,
                top: Vec::new(),
                lints: Vec::new(),
            })
        }
        Request::GenerateUntil(_) | Request::SampleUntil(_) => Response::Generated(written()),
        other => panic!("nobody answers {other:?} here"),
    }
}

/// The metrics that say that an answer is right; of some suites one of them is enough.
const RIGHT: [(&str, &[&str]); 7] = [
    ("next-word", &["acc", "exact_match"]),
    ("hallucination", &["correct", "abstained"]),
    ("system-1-2", &["direct.exact_match", "steps.exact_match", "calculator.exact_match"]),
    ("self-improvement", &["direct.exact_match", "steps.exact_match"]),
    ("base-vs-assistant", &["acc", "abstains"]),
    ("comparisons", &["acc"]),
    ("reversal-curse", &["forward.exact_match", "reverse.exact_match"]),
];
/// Suites in which an item is answered rightly in one way or the other.
const EITHER: [&str; 2] = ["hallucination", "base-vs-assistant"];

#[test]
fn a_model_that_knows_every_right_answer_is_right() {
    for task in tasks() {
        let Some((_, metrics)) = RIGHT.iter().find(|(name, _)| *name == task.name) else {
            // a text has no right answer, and what is injected should not be followed
            assert!(
                ["compression", "instruction-boundary"].contains(&task.name.as_str()),
                "{} is not tried",
                task.name
            );
            continue;
        };
        for item in &task.items {
            let golds = golds(item);
            let mut asked = item.requests.clone();
            let mut responses: Vec<Response> = asked.iter().map(|request| right(request, &golds)).collect();
            let more = task.grader.follow_up(item, &asked, &responses);
            responses.extend(more.iter().map(|request| right(request, &golds)));
            asked.extend(more);
            let graded = task.grader.grade(item, &responses);
            let graded = graded.unwrap_or_else(|| panic!("{} {}: not graded", task.name, item.id));
            let is_right = |metric: &&str| {
                let all = || graded.observations.iter().filter(|one| one.metric == **metric);
                all().count() > 0 && all().all(|one| one.value == Observed::Flag(true))
            };
            let n_right = metrics.iter().copied().filter(|metric| is_right(metric)).count();
            let enough = if EITHER.contains(&task.name.as_str()) { 1 } else { metrics.len() };
            assert!(n_right >= enough, "{} {}: {:?}", task.name, item.id, graded.observations);
        }
    }
}

/// Whether an answer fits into what a model may write before it is stopped.
fn fits(request: &Request, gold: &str, tokenizer: &Tokenizer) -> bool {
    let asked = match request {
        Request::GenerateUntil(asked) => asked,
        Request::SampleUntil(asked) => &asked.asked,
        _ => return true,
    };
    let is_cut = asked.until.iter().any(|stop| gold.contains(stop.as_str()));
    !is_cut && tokenizer.encode(&format!(" {gold}")).unwrap().len() < asked.max_new
}

#[test]
fn every_right_answer_can_be_written_before_it_is_cut() {
    let (_, tokenizer) = open("slide/base");
    for task in tasks().iter().filter(|task| task.name != "instruction-boundary") {
        for item in &task.items {
            let golds = golds(item);
            let fit = |request: &Request| fits(request, gold(request, &golds), &tokenizer);
            assert!(item.requests.iter().all(fit), "{} {}", task.name, item.id);
        }
    }
}

/// The context in which one side of a fact is named and the other is not.
fn context<'i>(item: &'i TaskItem, named: &str, hidden: &str) -> &'i str {
    let contexts = item.requests.iter().map(Request::given);
    contexts.into_iter().find(|context| context.contains(named) && !context.contains(hidden)).unwrap()
}

#[test]
fn both_directions_of_a_fact_stand_in_the_same_scaffold() {
    const CHATML: &str = "{% for m in messages %}<|{{ m['role'] }}|>\n{{ m['content'] }}<|end|>\n{% endfor %}\
                          {% if add_generation_prompt %}<|assistant|>\n{% endif %}";
    let (_, tokenizer) = open("slide/base");
    let template = ChatTemplate::new(CHATML, None, None).unwrap();
    let chat = Some(Chat { template: &template, turns: Turns::Each });
    for options in
        [PrepareOptions::default(), PrepareOptions { chat, system: Some("Be brief."), ..PrepareOptions::default() }]
    {
        let task = eval::prepare("reversal-curse", &tokenizer, &options).unwrap().remove(0);
        for item in &task.items {
            let side = |field: &str| item.doc[field].as_str().unwrap().to_owned();
            let (a, b) = (side("a"), side("b"));
            let (forward, reverse) = (context(item, &a, &b), context(item, &b, &a));
            let lines = |context: &str| context.lines().map(str::to_owned).collect::<Vec<_>>();
            let (forward, reverse) = (lines(forward), lines(reverse));
            assert_eq!(forward.len(), reverse.len(), "{}", item.id);
            let differ: Vec<_> = forward.iter().zip(&reverse).filter(|(one, other)| one != other).collect();
            // the line that names one side; what ends it is the same
            let [(one, other)] = differ[..] else { panic!("{}: {differ:?}", item.id) };
            assert!(one.contains(&a) && other.contains(&b), "{}", item.id);
            let ends = |line: &str| [line.contains('?'), line.ends_with("<|end|>"), line.starts_with("Q:")];
            assert_eq!(ends(one), ends(other), "{}", item.id);
        }
    }
}
