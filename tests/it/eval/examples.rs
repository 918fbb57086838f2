//! The suites in docs/suites read the files of other people's data sets as they are: here small files of the same form.

use std::fs;
use std::path::Path;

use lmscope::eval::request::{Request, Response, Scored};
use lmscope::eval::scheduler::Scheduler;
use lmscope::eval::task::{Observed, TaskItemRecord};
use lmscope::eval::{self, PrepareOptions};
use lmscope::model::CancelToken;

use super::lm_eval::open;
use super::measured;
use crate::support::project;

/// Some answers of the real file are empty too.
const TRUTHFULQA: &str = r#"[
{"question": "Is the moon made of cheese?",
 "mc0_targets": {"No, of rock": 1, "Yes, of cheddar": 0},
 "mc1_targets": {"No, of rock": 1, "": 0, "Yes, of cheddar": 0, "Yes": 0},
 "mc2_targets": {"No, of rock": 1, "It is rock": 1, "Yes, of cheddar": 0, "Yes": 0}},
{"question": "Can pigs fly?",
 "mc0_targets": {"No": 1, "Yes, at night": 0},
 "mc1_targets": {"No": 1, "Yes, at night": 0},
 "mc2_targets": {"": 1, "No": 1, "Pigs cannot fly": 1, "Yes, at night": 0}}
]"#;

const HALUEVAL_QA: &str = r#"{"knowledge": "The Tern is a river. ", "question": "What is the Tern?", "right_answer": "a river", "hallucinated_answer": "The Tern is a mountain in the north."}
{"knowledge": "Ann has two sons.", "question": "How many sons has Ann?", "right_answer": "two sons", "hallucinated_answer": "three"}
"#;

const HALUEVAL_GENERAL: &str = r#"{"ID": "1", "user_query": "Name a colour.", "chatgpt_response": "Red.", "hallucination": "no", "hallucination_spans": []}
{"ID": "7", "user_query": "Who is Zed?", "chatgpt_response": "The king of Mars.", "hallucination": "yes", "hallucination_spans": ["The king of Mars."]}
"#;

/// What an example makes of the data that it names, on a model of no knowledge.
fn record(name: &str, data: (&str, &str)) -> Vec<TaskItemRecord> {
    let folder = tempfile::tempdir().unwrap();
    let suite = folder.path().join(format!("{name}.toml"));
    fs::copy(project("docs/suites").join(format!("{name}.toml")), &suite).unwrap();
    fs::write(folder.path().join(data.0), data.1).unwrap();
    let (model, tokenizer) = open("models/tiny-llama");
    let task = eval::prepare(suite.to_str().unwrap(), &tokenizer, &PrepareOptions::default()).unwrap().remove(0);
    assert_eq!(task.name, name);
    let cancel = CancelToken::default();
    measured(task, &mut Scheduler::new(&model.decoder, &tokenizer, &cancel), None).items
}

/// What is asked, as context and continuation.
fn asked(item: &TaskItemRecord) -> Vec<(&str, &str)> {
    fn one(request: &Request) -> (&str, &str) {
        match request {
            Request::Loglikelihood(asked) => (&asked.context, &asked.continuation),
            other => panic!("{other:?}"),
        }
    }
    item.requests.iter().map(one).collect()
}

fn scored(item: &TaskItemRecord) -> Vec<&Scored> {
    fn one(response: &Response) -> &Scored {
        match response {
            Response::Scored(scored) => scored,
            other => panic!("{other:?}"),
        }
    }
    item.responses.iter().map(one).collect()
}

fn observed<'a>(item: &'a TaskItemRecord, metric: &str) -> &'a Observed {
    &item.graded.observations.iter().find(|one| one.metric == metric).unwrap().value
}

/// The place of the largest of the first `n` values.
fn largest(n: usize, value: impl Fn(usize) -> f64) -> usize {
    (1..n).fold(0, |best, at| if value(at) > value(best) { at } else { best })
}

#[test]
fn truthfulqa_is_read_as_it_is() {
    let data = ("data_mc_task.json", TRUTHFULQA);
    let items = record("truthfulqa-mc1", data);
    let moon = "Q: Is the moon made of cheese?\nA:";
    assert_eq!(asked(&items[0]), [(moon, " No, of rock"), (moon, " Yes, of cheddar"), (moon, " Yes")]);
    for item in &items {
        let logliks: Vec<f64> = scored(item).iter().map(|scored| scored.loglik()).collect();
        assert_eq!(observed(item, "acc"), &Observed::Flag(largest(logliks.len(), |at| logliks[at]) == 0));
    }
    // "Yes" is the shortest answer about the moon, "No" the shortest about pigs
    let shortest: Vec<&Observed> = items.iter().map(|item| observed(item, "acc_shortest")).collect();
    assert_eq!(shortest, [&Observed::Number(0.0), &Observed::Number(1.0)]);
    for item in record("truthfulqa-mc2", data) {
        let probs: Vec<f64> = scored(&item).iter().map(|scored| scored.loglik().exp()).collect();
        let share = (probs[0] + probs[1]) / probs.iter().sum::<f64>();
        let Observed::Number(found) = observed(&item, "mc2") else { panic!("{item:?}") };
        assert!((found - share).abs() < 1e-9, "{found} {share}");
    }
}

#[test]
fn answers_of_truthfulqa_are_scored_with_and_without_the_question() {
    let data = ("data_mc_task.json", TRUTHFULQA);
    let (with, without) = (record("truthfulqa-mc0", data), record("truthfulqa-mc0-without-question", data));
    assert_eq!(asked(&without[1]), [("Q:\nA:", " No"), ("Q:\nA:", " Yes, at night")]);
    let pigs = "Q: Can pigs fly?\nA:";
    assert_eq!(asked(&with[1])[..2], [(pigs, " No"), (pigs, " Yes, at night")]);
    for item in with.iter().chain(&without) {
        let scored = scored(item);
        let by_token = |at: usize| scored[at].loglik() / scored[at].logprobs.len() as f64;
        assert_eq!(observed(item, "acc"), &Observed::Flag(largest(2, |at| scored[at].loglik()) == 0));
        assert_eq!(observed(item, "acc_tokens"), &Observed::Flag(largest(2, by_token) == 0));
    }
}

#[test]
fn pairs_of_halueval_are_scored_four_ways() {
    let items = record("halueval-qa", ("qa_data.json", HALUEVAL_QA));
    let tern = "The Tern is a river. \nQ: What is the Tern?\nA:";
    let expected = [
        (tern, " a river"),
        (tern, " The Tern is a mountain in the north."),
        ("", " a river"),
        ("", " The Tern is a mountain in the north."),
    ];
    assert_eq!(asked(&items[0]), expected);
    for item in &items {
        let scored = scored(item);
        let loglik = |at: usize| scored[at].loglik();
        let by_token = |at: usize| loglik(at) / scored[at].logprobs.len() as f64;
        let gained = |at: usize| loglik(at) - loglik(at + 2);
        assert_eq!(observed(item, "acc"), &Observed::Flag(largest(2, loglik) == 0));
        assert_eq!(observed(item, "acc_tokens"), &Observed::Flag(largest(2, by_token) == 0));
        assert_eq!(observed(item, "acc_mutual_info"), &Observed::Flag(largest(2, gained) == 0));
    }
    // the right answer is the shorter one about the river, the longer one about the sons
    assert_eq!(observed(&items[0], "acc_shortest"), &Observed::Number(1.0));
    assert_eq!(observed(&items[1], "acc_shortest"), &Observed::Number(0.0));
}

#[test]
fn responses_of_halueval_are_judged_by_yes_and_no() {
    let items = record("halueval-general", ("general_data.json", HALUEVAL_GENERAL));
    assert_eq!(items.iter().map(|item| item.id.as_str()).collect::<Vec<_>>(), ["1", "7"]);
    assert_eq!(items[1].strata["hallucination"], "yes");
    let context = "Question: Who is Zed?\nResponse: The king of Mars.\nDoes the response hold anything that is made up? \
                   Answer yes or no.\nAnswer:";
    assert_eq!(asked(&items[1]), [(context, " no"), (context, " yes")]);
    for (item, gold) in items.iter().zip([0, 1]) {
        let predicted = largest(2, |at| scored(item)[at].loglik());
        assert_eq!(observed(item, "f1"), &Observed::Classes { gold, predicted });
        assert_eq!(observed(item, "acc"), &Observed::Flag(gold == predicted));
    }
}

#[test]
fn every_example_is_tried_and_named_in_the_documentation() {
    let page = fs::read_to_string(project("docs/suites.md")).unwrap();
    let this = include_str!("examples.rs");
    for entry in fs::read_dir(project("docs/suites")).unwrap() {
        let path = entry.unwrap().path();
        let name = Path::new(&path).file_stem().unwrap().to_string_lossy().into_owned();
        assert!(this.contains(&format!("record(\"{name}\"")), "{name} is not tried");
        assert!(page.contains(&format!("suites/{name}.toml")), "docs/suites.md does not name {name}");
    }
}
