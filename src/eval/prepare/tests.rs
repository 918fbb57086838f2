use std::fs;

use tempfile::TempDir;

use super::*;
use crate::eval::fixture::{SPEC, lines, noise, parrot, tokenizer};
use crate::eval::hash;
use crate::eval::request::{Request, Response, Scored};
use crate::eval::scheduler::Scheduler;
use crate::eval::task::{Observed, TaskItem};
use crate::model::CancelToken;

fn folder(suite_toml: &str, items: &str) -> TempDir {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("suite.toml"), suite_toml).unwrap();
    fs::write(folder.path().join("items.jsonl"), items).unwrap();
    folder
}

fn number(task: &Task, item: &TaskItem, responses: &[Response], metric: &str) -> f64 {
    let graded = task.grader.grade(item, responses).unwrap();
    let found = graded.observations.iter().find(|one| one.metric == metric).unwrap();
    found.value.number().unwrap()
}

#[test]
fn a_model_that_learnt_one_direction_shows_the_curse() {
    let folder = folder(SPEC, &lines().join("\n"));
    let task = prepare(
        &folder.path().to_string_lossy(),
        &tokenizer(),
        &PrepareOptions { seed: 3, ..PrepareOptions::default() },
    )
    .unwrap()
    .remove(0);
    let lm =
        parrot(&["Tom's mother is Mary.", "Eve's daughter is Ann.", "Bob's mother is Joan.", "Joan's son is Bob."]);
    let (tokenizer, cancel) = (tokenizer(), CancelToken::default());
    let mut scheduler = Scheduler::new(&lm, &tokenizer, &cancel);
    let right = |item: &TaskItem, responses: &[Response], metric: &str| {
        let graded = task.grader.grade(item, responses).unwrap();
        let found = graded.observations.iter().find(|one| one.metric == metric).unwrap();
        found.value == Observed::Flag(true)
    };
    let mut exact = Vec::new();
    for item in &task.items {
        let responses = scheduler.answer(&item.requests).unwrap();
        let both = ["forward.exact_match", "reverse.exact_match"].map(|metric| right(item, &responses, metric));
        exact.push((item.strata["seen"].clone(), both));
    }
    let expected = [("ab", [true, false]), ("ba", [false, true]), ("both", [true, true]), ("both", [false, false])];
    assert_eq!(exact, expected.map(|(seen, both)| (seen.to_owned(), both)));
}

#[test]
fn a_gate_is_carried_to_its_metric() {
    let gated = format!("{SPEC}[gate]\n\"forward.best\" = {{ margin = 0.1, min = 0.5 }}\n");
    let dir = folder(&gated, &lines().join("\n"));
    let task = prepare(&dir.path().to_string_lossy(), &tokenizer(), &PrepareOptions::default()).unwrap().remove(0);
    let spec = task.metrics.iter().find(|spec| spec.metric == "forward.best").unwrap();
    assert_eq!((spec.bounds.margin, spec.bounds.min, spec.chance), (Some(0.1), Some(0.5), Some(1.0 / 3.0)));
    let wrong = format!("{SPEC}[gate]\n\"forward.bset\" = {{ min = 0.5 }}\n");
    let dir = folder(&wrong, &lines().join("\n"));
    let error = prepare(&dir.path().to_string_lossy(), &tokenizer(), &PrepareOptions::default()).err().unwrap();
    assert!(error.to_string().contains("`forward.bset`") && error.to_string().contains("`forward.best`"), "{error}");
}

const CHOICES: &str = r#"
name = "colours"
version = 2
about = "Colours of things"
output_type = "multiple_choice"
items = "items.jsonl"
description = "Name the colour.\n\n"
doc_to_text = "The {{thing}} is"
doc_to_choice = ["red", "green"]
doc_to_target = "colour"
num_fewshot = 1
cluster = "kind"
strata = ["kind", "easy"]
metric_list = [{ metric = "acc" }, { metric = "mc2" }]
[gate]
acc = { min = 0.5 }
"mc2,none" = { margin = 0.1 }
"#;

const THINGS: &str = r#"{"id":"x","thing":"rose","colour":"red","kind":"plant","easy":true}
{"id":"y","thing":"leaf","colour":"green","kind":"plant","easy":false}"#;

fn prepared(source: &TempDir, options: &PrepareOptions<'_>) -> Result<Vec<Task>, Error> {
    prepare(&source.path().to_string_lossy(), &tokenizer(), options)
}

fn context(item: &TaskItem) -> &str {
    item.requests[0].given()
}

#[test]
fn a_suite_of_our_own_is_rendered_with_the_other_item_as_its_example() {
    let task = prepared(&folder(CHOICES, THINGS), &PrepareOptions::default()).unwrap().remove(0);
    assert_eq!((task.name.as_str(), task.version.as_str(), task.n_shot), ("colours", "2", 1));
    let [rose, leaf] = task.items.as_slice() else { panic!("two items") };
    assert_eq!(context(rose), "Name the colour.\n\nThe leaf is green\n\nThe rose is");
    assert_eq!(context(leaf), "Name the colour.\n\nThe rose is red\n\nThe leaf is");
    let Request::Loglikelihood(second) = &rose.requests[1] else { panic!("a continuation") };
    assert_eq!((second.continuation.as_str(), rose.requests.len(), rose.target.as_str()), (" green", 2, "red"));
    assert_eq!((leaf.id.as_str(), leaf.index, leaf.cluster.as_deref()), ("y", 1, Some("plant")));
    assert_eq!(leaf.strata["easy"], "False");
    let [acc, mc2] = task.metrics.as_slice() else { panic!("two metrics") };
    assert_eq!((acc.bounds.min, mc2.bounds.margin, acc.chance, mc2.chance), (Some(0.5), Some(0.1), Some(0.5), None));
    let zero = PrepareOptions { num_fewshot: Some(0), ..PrepareOptions::default() };
    let plain = prepared(&folder(CHOICES, THINGS), &zero).unwrap().remove(0);
    assert_eq!(context(&plain.items[0]), "Name the colour.\n\nThe rose is");
    assert_ne!(plain.hash, task.hash);
}

#[test]
fn the_share_of_the_right_choices_is_by_probability() {
    let several = CHOICES.replace("[\"red\", \"green\"]", "[\"red\", \"green\", \"blue\"]");
    let several = several.replace("\"colour\"", "\"[0, 2]\"").replace("num_fewshot = 1", "");
    let task = prepared(&folder(&several, THINGS), &PrepareOptions::default()).unwrap().remove(0);
    // far below what a double can hold without taking logarithms
    let scored = |loglik: f64| {
        let logprobs = vec![loglik];
        Response::Scored(Scored { logprobs, ..answered(&task.items[0].requests[0]) })
    };
    let responses = [scored(-2000.0), scored(-2000.0), scored(-2000.0 + 2f64.ln())];
    assert!((number(&task, &task.items[0], &responses, "mc2") - 0.75).abs() < 1e-9);
    assert!((number(&task, &task.items[0], &responses, "acc") - 1.0).abs() < 1e-12);
}

fn answered(request: &Request) -> Scored {
    let (lm, tokenizer, cancel) = (noise(), tokenizer(), CancelToken::default());
    match Scheduler::new(&lm, &tokenizer, &cancel).answer(std::slice::from_ref(request)).unwrap().remove(0) {
        Response::Scored(scored) => scored,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_chat_has_each_example_as_a_turn_or_all_in_one() {
    let template = "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}\
        {% if add_generation_prompt %}[assistant]{% endif %}";
    let template = ChatTemplate::new(template, None, None).unwrap();
    let contexts = |suite: &str, turns: Turns| {
        let chat = Some(Chat { template: &template, turns });
        let options = PrepareOptions { chat, system: Some("Be brief."), ..PrepareOptions::default() };
        let task = prepared(&folder(suite, THINGS), &options).unwrap().remove(0);
        let Request::Loglikelihood(request) = &task.items[0].requests[0] else { panic!("a continuation") };
        (request.context.clone(), request.continuation.clone())
    };
    let system = "[system]Be brief.\n\nName the colour.\n\n";
    let (each, continuation) = contexts(CHOICES, Turns::Each);
    let expected = format!("{system}[user]The leaf is[assistant]green[user]The rose is[assistant]");
    assert_eq!((each, continuation.as_str()), (expected, "red"));
    let (one, _) = contexts(CHOICES, Turns::One);
    assert_eq!(one, format!("{system}[user]The leaf is green\n\nThe rose is[assistant]"));
    let begun = CHOICES.replace("cluster =", "gen_prefix = \"It is\"\ncluster =");
    let (begun, continuation) = contexts(&begun, Turns::Each);
    let expected = format!("{system}[user]The leaf is[assistant]It is green[user]The rose is[assistant]It is");
    assert_eq!((begun, continuation.as_str()), (expected, " red"));
}

fn told(source: &TempDir) -> Vec<String> {
    match prepared(source, &PrepareOptions::default()).err().unwrap() {
        Error::Problems { problems, .. } => problems
            .iter()
            .map(|problem| {
                let file = problem.file.rsplit('/').next().unwrap();
                format!("{file}:{}: {}", problem.line.unwrap_or(0), problem.what)
            })
            .collect(),
        other => panic!("{other}"),
    }
}

#[test]
fn everything_that_is_wrong_with_a_suite_is_told_at_once() {
    let wrong = CHOICES
        .replace("doc_to_text = \"The {{thing}} is\"", "doc_to_text = \"The {{thing is\"")
        .replace("\"mc2\" }", "\"mc3\" }")
        .replace("strata", "stratum")
        .replace("\"colour\"", "\"colour\"\nchance = 2");
    let expected = [
        "suite.toml:14: `stratum` is not known here: the nearest is `strata`",
        "suite.toml:8: `doc_to_text` is no template",
        "suite.toml:15: metric `mc3` does not exist for multiple_choice, the nearest is `mc2`",
        "suite.toml:11: `chance` is 2, a number from 0 to 1 is expected",
    ];
    let found = told(&folder(&wrong, THINGS));
    for expected in expected {
        assert!(found.iter().any(|one| one.starts_with(expected)), "{expected}: {found:#?}");
    }
    assert_eq!(told(&folder("name = \n", THINGS))[0].split(": ").next(), Some("suite.toml:1"));
}

#[test]
fn everything_that_is_wrong_with_items_is_told_at_once() {
    let items = [
        r#"{"id":"x","thing":"rose","colour":"red","kind":"plant","easy":true}"#,
        r#"{"id":"x","thing":"sky","colour":"blue","kind":"air","easy":true}"#,
        r#"{"id":"z","colour":"red","kind":"plant","easy":true}"#,
        r#"{"id":"x","thing":"leaf","colour":"green","kind":"plant","easy":true}"#,
        r#"{"id":"w","thing":"leaf","colour":"green","easy":true}"#,
    ];
    let plain = CHOICES.replace("num_fewshot = 1", "");
    let found = told(&folder(&plain, &items.join("\n")));
    let expected = [
        "items.jsonl:2: the right answer \"blue\" is none of the choices [\"red\", \"green\"]",
        "items.jsonl:3: a variable has no value in line 1 of the template",
        "items.jsonl:4: id `x` is there twice",
        "items.jsonl:5: the field `kind` is missing",
    ];
    for expected in expected {
        assert!(found.iter().any(|one| one.starts_with(expected)), "{expected}: {found:#?}");
    }
    assert_eq!(told(&folder(&plain, "{\"a\":1\n[2]\n")).len(), 2);
    assert!(told(&folder(&plain, "\n"))[0].contains("there are no items"));
    let many = CHOICES.replace("num_fewshot = 1", "num_fewshot = 2");
    assert!(told(&folder(&many, THINGS))[0].contains("2 examples are asked for, and there are 2"));
}

/// A folder with these files.
fn files(files: &[(&str, &str)]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

const BASE: &str = "dataset_path: json\ndataset_kwargs: {data_files: {test: d.jsonl}}\ntest_split: test\n\
    output_type: loglikelihood\ndoc_to_text: '{{q}}'\ndoc_to_target: a\n";

#[test]
fn groups_tags_and_includes_come_to_tasks() {
    let source = files(&[
        ("base.yaml", BASE),
        ("d.jsonl", "{\"q\": \"Q\", \"a\": \" A\"}\n"),
        ("one.yaml", "include: base.yaml\ntask: one\ntag: both\n"),
        ("two.yaml", "include: [base.yaml]\ntask: two\ntag: [both]\ndoc_to_text: q\n"),
        (
            "all.yaml",
            "group: all\ntask:\n- both\n- one\n- group: inner\n  task: [two]\n  \
             aggregate_metric_list: {metric: acc}\nfewshot_delimiter: x\naggregate_metric_list: [{metric: perplexity}]\n",
        ),
        ("twice.yaml", "group: twice\ntask:\n- both\n- task: one\n  description: 'D '\n"),
        ("cycle.yaml", "include: cycle.yaml\n"),
        ("lost.yaml", "group: lost\ntask: [oen]\naggregate_metric_list: [{metric: acc, aggregation: max}]\n"),
    ]);
    let of = |name: &str| {
        let path = source.path().join(name);
        prepare(&path.to_string_lossy(), &tokenizer(), &PrepareOptions::default())
    };
    let tasks = of("all.yaml").unwrap();
    let names: Vec<&str> = tasks.iter().map(|task| task.name.as_str()).collect();
    assert_eq!(names, ["one", "two"], "what is the same is counted once");
    assert_eq!(tasks.iter().map(|task| context(&task.items[0])).collect::<Vec<_>>(), ["Q", "Q"]);
    let groups =
        |task: &Task| task.groups.iter().map(|one| format!("{}.{}", one.group, one.metric)).collect::<Vec<_>>();
    assert_eq!(groups(&tasks[0]), ["all.perplexity"]);
    assert_eq!(groups(&tasks[1]), ["inner.acc", "all.perplexity"]);
    let twice = of("twice.yaml").err().unwrap().to_string();
    assert!(twice.contains("twice.yaml:4: the task `one` is here once more, with other keys than at "), "{twice}");
    assert!(twice.contains("twice.yaml:3: results go by the name"), "{twice}");
    assert!(of("cycle.yaml").err().unwrap().to_string().contains("includes itself"));
    let lost = of("lost.yaml").err().unwrap().to_string();
    assert!(lost.contains("lost.yaml:2: no file in") && lost.contains("nearest is `one`"), "{lost}");
    assert!(lost.contains("lost.yaml:3: tasks of a group are counted together by `mean`"), "{lost}");
}

#[test]
fn parquet_of_python_is_read_as_it_was_written() {
    let task = "task: x\ndataset_path: parquet\ndataset_kwargs: {data_files: {test: d.parquet}}\ntest_split: test\n\
        output_type: multiple_choice\ndoc_to_text: country\ndoc_to_choice: choices\ndoc_to_target: gold\n";
    let source = files(&[("x.yaml", task)]);
    fs::copy("fixtures/suites/data/capitals.parquet", source.path().join("d.parquet")).unwrap();
    let task = prepared(&source, &PrepareOptions::default()).unwrap().remove(0);
    // what `datasets` 5.2.0 says of the same file
    let second = serde_json::json!({"country": "Japan", "choices": ["Kyoto", "Osaka", "Tokyo", "Nara"], "gold": 2,
        "notes": {"n": 1, "of": [{"k": "ü", "x": 0.5}]}, "maybe": null});
    let last = serde_json::json!({"country": "Peru", "choices": ["Lima", "Cusco", "Ica", "Puno"], "gold": 0,
        "notes": {"n": 5, "of": [{"k": "ü", "x": 2.5}, {"k": "ü", "x": 2.5}]}, "maybe": null});
    let doc = |at: usize| serde_json::Value::Object(task.items[at].doc.clone());
    assert_eq!((task.items.len(), doc(1), doc(5)), (6, second, last));
    // bytes that are no text tell files apart
    assert_ne!(hash::hex_of_bytes(&[b"\xfe"]), hash::hex_of_bytes(&[b"\xff"]));
    assert_eq!(hash::hex_of_bytes(&["é".as_bytes()]), hash::hex(&["é"]));
}

#[test]
fn two_tasks_of_one_name_are_refused() {
    let one = "include: base.yaml\ntask: one\n";
    let base = ("base.yaml", BASE);
    let source = files(&[base, ("d.jsonl", "{\"q\": \"Q\", \"a\": \" A\"}\n"), ("a.yaml", one), ("b.yaml", one)]);
    let found = told(&source);
    assert!(found[0].starts_with("b.yaml:1: the task `one` is here once more"), "{found:#?}");
    let path = |name: &str| source.path().join(name).to_string_lossy().into_owned();
    let both = |first: &str, second: &str| {
        let suites = [path(first), path(second)];
        let error = prepare_all(&suites, &tokenizer(), &PrepareOptions::default()).err().unwrap();
        (error.to_string(), error.hint().unwrap())
    };
    let (error, hint) = both("a.yaml", "a.yaml");
    assert!(error.contains("both have a task `one`") && hint == "name each suite once", "{error}");
    assert!(both("a.yaml", "b.yaml").1.contains("another name"));
    fs::write(path("b.yaml"), one.replace("one", "other")).unwrap();
    let tasks = prepare_all(&[path("a.yaml"), path("b.yaml")], &tokenizer(), &PrepareOptions::default()).unwrap();
    assert_eq!(tasks.iter().map(|task| task.name.as_str()).collect::<Vec<_>>(), ["one", "other"]);
}

#[test]
fn what_a_task_file_cannot_ask_here_is_refused_by_name_and_line() {
    let text = "task: x\nprocess_docs: !function utils.f\ndoc_to_image: i\noutput_type: multiple_chioce\nfoo: 1\n\
        dataset_path: org/data/x\nrepeats: 4\ngeneration_kwargs: {do_sample: true}\nmetric_list: [{metric: bleu}]\n";
    let source = files(&[("x.yaml", text)]);
    let found = told(&source);
    let expected = [
        "x.yaml:2: `!function utils.f` is a program",
        "x.yaml:3: `doc_to_image` is not known here: only texts",
        "x.yaml:4: `output_type` is \"multiple_chioce\", the nearest is `multiple_choice`",
        "x.yaml:5: `foo` is not known here",
        "x.yaml:6: `dataset_path` is \"org/data/x\"",
        "x.yaml:1: `test_split` is missing",
        "x.yaml:1: `doc_to_text` is missing",
    ];
    for expected in expected {
        assert!(found.iter().any(|one| one.starts_with(expected)), "{expected}: {found:#?}");
    }
}

#[test]
fn guessing_is_worth_what_the_choices_of_a_stratum_say() {
    let suite = "name = \"c\"\nversion = 1\noutput_type = \"multiple_choice\"\ndoc_to_text = \"q\"\n\
                 doc_to_choice = \"c\"\ndoc_to_target = \"0\"\nstrata = [\"k\"]\n";
    let items = "{\"q\":\"x\",\"c\":[\"a\",\"b\"],\"k\":\"two\"}\n{\"q\":\"y\",\"c\":[\"a\",\"b\",\"c\",\"d\"],\"k\":\"four\"}\n";
    let dir = folder(suite, items);
    let of = |source: &str| prepare(source, &tokenizer(), &PrepareOptions::default()).unwrap().remove(0);
    let task = of(&dir.path().to_string_lossy());
    let acc = task.metrics.iter().find(|spec| spec.metric == "acc").unwrap();
    assert_eq!(acc.chance, Some(0.375));
    assert_eq!(acc.chances, [("k=four".to_owned(), 0.25), ("k=two".to_owned(), 0.5)].into());
}
