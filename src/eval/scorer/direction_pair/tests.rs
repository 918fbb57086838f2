use std::fs;

use super::item::Side;
use super::suite::Suite;
use super::*;
use crate::eval::fixture::{SPEC, lines, parrot, tokenizer};
use crate::eval::prepare::{Chat, Turns, prepare};
use crate::eval::record::TaskInfo;
use crate::eval::request::Request;
use crate::eval::results::{self, MetricResult};
use crate::eval::run::ask_one;
use crate::eval::scheduler::Scheduler;
use crate::eval::suite_toml;
use crate::model::{CancelToken, CausalLm, FakeLm};
use crate::text::ChatTemplate;

/// What a sheet of these files is made into.
fn with<T>(spec: &str, file: &str, items: &str, of: impl Fn(&Sheet<'_>) -> T) -> Result<T, Vec<String>> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(file), items).unwrap();
    let told = |problems: Vec<Problem>| {
        let place = format!("{}/", folder.path().display());
        problems.iter().map(|problem| problem.to_string().replace(&place, "")).collect::<Vec<_>>()
    };
    let spec = format!("items = \"{file}\"\n{spec}");
    let root = suite_toml::read("suite.toml", &spec).map_err(told)?;
    let sheet = Sheet::read(&root, &folder.path().join("suite.toml"), SCORER.keys).map_err(told)?;
    Ok(of(&sheet))
}

fn problems(spec: &str, items: &[String]) -> Vec<String> {
    let found = with(spec, "items.jsonl", &items.join("\n"), Suite::of);
    let told = |problems: Vec<Problem>| problems.iter().map(Problem::to_string).collect();
    found.map_or_else(|problems| problems, |suite| told(suite.unwrap_err()))
}

fn suite(spec: &str, file: &str, items: &str) -> Suite {
    with(spec, file, items, |sheet| Suite::of(sheet).unwrap()).unwrap()
}

fn small() -> Suite {
    suite(SPEC, "items.jsonl", &lines().join("\n"))
}

#[test]
fn all_bad_lines_are_reported_together() {
    let mut items = lines();
    items.push(r#"{"id":"x","relation":"aunt","a":"A","b":"B"}"#.into());
    items.push(r#"{"id":"y","relation":"mother","a":"J. Doe\n","b":"B"}"#.into());
    let found = problems(SPEC, &items);
    for (line, what) in [
        (5, "`aunt` is not in suite.toml: "),
        (6, "name `J. Doe\n` is empty or has spaces around it"),
        (6, "every text of `until` is in `J. Doe\n`"),
        (6, "`a_gender` is missing"),
    ] {
        assert!(
            found.iter().any(|p| p.contains(&format!("items.jsonl:{line}: ")) && p.contains(what)),
            "{what}: {found:#?}"
        );
    }
    // what a row may hold comes first
    items.push(r#"{"id":"z","relation":"mother","a":"A","b":"B","sex":"m"}"#.into());
    items.push(r#"{"id":"v","relation":"mother","a":"A","a_gender":"x","b":"B"}"#.into());
    items.push(r#"{"id":"u","relation":"mother","a":"A","b":"B","seen":"never"}"#.into());
    items.push(r#"{"id":"t","relation":"mother","a":"A"}"#.into());
    items.push(r#"{"id":"s","relation":"mother","a":["A"],"b":"B"}"#.into());
    items.push(r#"{"id":"r","relation":"mother","a":"A","b":"B","b_also":[1]}"#.into());
    let found = problems(SPEC, &items);
    for (line, what) in [
        (7, "unknown field `sex`"),
        (8, "`a_gender` is `x`, `m` or `f` is expected"),
        (9, "`seen` is `never`"),
        (10, "the field `b` is missing"),
        (11, "`a` is ['A'], a text is expected"),
        (12, "`b_also` is [1], a list of texts is expected"),
    ] {
        assert!(
            found.iter().any(|p| p.contains(&format!("items.jsonl:{line}: ")) && p.contains(what)),
            "{what}: {found:#?}"
        );
    }
    let again = [lines(), vec![lines()[0].replace("mother-0", "other")]].concat();
    assert_eq!(
        problems(SPEC, &again).iter().map(|p| p.split_once("items.jsonl:").unwrap().1).collect::<Vec<_>>(),
        ["5: Tom – Mary is there twice, as `mother` here and as `mother` in line 1"]
    );
}

#[test]
fn a_bad_specification_is_reported() {
    let cases = [
        (SPEC.replace("{b}'s {child}", "{a}'s {child}"), "must contain {b} and not {a}"),
        (SPEC.replace("controls = 2", "controls = 9"), "3 control names for `Tom`, 9 are needed"),
        (SPEC.replace("controls = 2", "controls = 'x'"), "suite.toml:6: `controls`: invalid type: string \"x\""),
        (SPEC.replace("child = {", "# {"), "`child` is not given"),
        (SPEC.replace("until = [\".\", \"\\n\"]", "until = []"), "`until` needs at least one text"),
        (SPEC.replace("name = \"mother\"", "name = \"mother\"\nforwrad = 'x'"), "unknown field `forwrad`"),
        (format!("weight = 1\n{SPEC}"), "`weight` is not known here"),
        (format!("ask = 'shout'\n{SPEC}"), "`ask`: unknown variant `shout`"),
        (format!("ignore = ['x']\n{SPEC}"), "the file has no column `x`"),
        (format!("columns = {{ c = 'a', b = 'bb' }}\n{SPEC}"), "`c` is no field of a fact"),
        (format!("columns = {{ c = 'a', b = 'bb' }}\n{SPEC}"), "the file has no column `bb`: the nearest is `b`"),
    ];
    for (spec, what) in cases {
        let found = problems(&spec, &lines());
        assert!(found.iter().any(|problem| problem.contains(what)), "{what}: {found:#?}");
    }
}

#[test]
fn facts_are_put_into_words() {
    let suite = small();
    let of = |n: usize, side| suite.spec.statement(&suite.items[n], side);
    assert_eq!(of(0, Side::B), "Tom's mother is");
    assert_eq!(of(0, Side::A), "Mary's son is");
    assert_eq!(of(1, Side::A), "Eve's daughter is");
}

/// A file of two columns, one relation, and nothing else.
const PAIRS: &str = "a,b\nFrance,Paris\nItaly,Rome\nPeru,Lima\nCuba,Havana\n";
const CAPITALS: &str = "name = 'capitals'\nversion = 1\nscorer = 'direction-pair'\ncontrols = 2\nuntil = ['.', \"\\n\"]\n[[relation]]\nname = 'capital'\nforward = 'The capital of {a} is'\nreverse = '{b} is the capital of'\nforward_question = 'What is the capital of {a}?'\nreverse_question = 'Of which country is {b} the capital?'\n";

#[test]
fn two_columns_are_a_suite() {
    let suite = suite(CAPITALS, "pairs.csv", PAIRS);
    let ids: Vec<&str> = suite.items.iter().map(|item| item.id.as_str()).collect();
    assert_eq!(ids, ["capital-001", "capital-002", "capital-003", "capital-004"]);
    assert_eq!(suite.spec.statement(&suite.items[3], Side::A), "Havana is the capital of");
}

#[test]
fn columns_are_found_by_the_names_that_they_have_and_doubles_are_told_by_name() {
    let spec = r#"
name = "parents"
version = 1
scorer = "direction-pair"
controls = 1
until = [".", "\n"]
columns = { a = "child", b = "parent", relation = "parent_type" }
ignore = ["child_prediction", "can_reverse"]
child = { m = "son", f = "daughter", other = "child" }
[[relation]]
name = "mother"
forward = "{a}'s mother is"
reverse = "{b}'s {child} is"
[[relation]]
name = "father"
forward = "{a}'s father is"
reverse = "{b}'s {child} is"
controls_from = ["mother"]
"#;
    let csv = "child,parent,parent_type,child_prediction,can_reverse\n\
        Ann Lee,Eve Lee,mother,,False\n\
        Ann Lee,Tom Lee,father,Ann Lee,True\n\
        \"Sam Roe, Jr.\",Kim Roe,mother,,False\n\
        Ann Lee,Eve Lee,father,Ann Lee,True\n\
        Sue Day,Al Day,father,,False\n";
    let problems = with(spec, "pairs.csv", csv, |sheet| Suite::of(sheet).unwrap_err()).unwrap();
    assert_eq!(problems.len(), 1);
    assert!(
        problems[0]
            .to_string()
            .ends_with("pairs.csv:5: Ann Lee – Eve Lee is there twice, as `father` here and as `mother` in line 2")
    );
    let suite = suite(&format!("duplicates = 'first'\n{spec}"), "pairs.csv", csv);
    let names: Vec<(&str, &str, &str)> =
        suite.items.iter().map(|item| (item.id.as_str(), item.a.as_str(), item.b.as_str())).collect();
    assert_eq!(
        names,
        [
            ("mother-001", "Ann Lee", "Eve Lee"),
            ("father-002", "Ann Lee", "Tom Lee"),
            ("mother-003", "Sam Roe, Jr.", "Kim Roe"),
            ("father-005", "Sue Day", "Al Day")
        ]
    );
    assert_eq!(suite.notes.len(), 1);
    assert!(suite.notes[0].ends_with(
        ".csv:5: Ann Lee – Eve Lee is there twice, as `father` here and as `mother` in line 2; the first counts"
    ));
    // nobody says whether Ann is a son; and a name with a full stop is asked up to the end of the line
    assert_eq!(suite.spec.statement(&suite.items[0], Side::A), "Eve Lee's child is");
    assert_eq!(wording::stops(&suite.spec, &["Sam Roe, Jr."]), ["\n"]);
    assert_eq!(wording::stops(&suite.spec, &["Ann Lee"]), [".", "\n"]);
    assert_eq!(cluster::of(&suite.items), ["Ann Lee", "Ann Lee", "Sam Roe, Jr.", "Sue Day"]);
    let without = spec.replace("ignore =", "# ");
    let problems = with(&without, "pairs.csv", csv, |sheet| Suite::of(sheet).unwrap_err()).unwrap();
    assert!(problems[0].to_string().contains("unknown field `child_prediction`"), "{problems:?}");
}

#[test]
fn all_right_names_count_and_none_of_them_is_a_control() {
    let rows = "a,b,b_also\nX,Ann,Eve|Joe\nX,Kim,\nY,Eve,\nZ,Pat,\nW,Joe,\nV,Ray,\n";
    let suite = suite(CAPITALS, "pairs.csv", rows);
    let all: Vec<&Item> = suite.items.iter().collect();
    // of X are Ann, what else the row says, and what another row says of X
    assert_eq!(control::answers(&suite.items[0], Side::B, &all), ["Ann", "Eve", "Joe", "Kim"]);
    assert_eq!(control::answers(&suite.items[1], Side::B, &all), ["Kim", "Ann", "Eve", "Joe"]);
    let mut controls = control::choose(&suite, &suite.items[1], Side::B, 0, &|_| 1);
    controls.sort();
    assert_eq!(controls, ["Pat", "Ray"]);
}

fn task_of(spec: &str, file: &str, items: &str, options: &PrepareOptions<'_>) -> Result<Task, Vec<String>> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(file), items).unwrap();
    fs::write(folder.path().join("suite.toml"), format!("items = '{file}'\n{spec}")).unwrap();
    let found = prepare(folder.path().to_str().unwrap(), &tokenizer(), options);
    found.map(|mut tasks| tasks.remove(0)).map_err(|error| vec![error.to_string()])
}

/// The contexts of the answers that are written: forward, forward in context, reverse, reverse in context.
fn contexts(task: &Task, n: usize) -> Vec<String> {
    let written = task.items[n].requests.iter().filter_map(|request| match request {
        Request::GenerateUntil(request) => Some(request.context.clone()),
        _ => None,
    });
    written.collect()
}

#[test]
fn a_fact_is_asked_as_a_sentence_as_a_question_and_in_a_chat() {
    let only = |options: &PrepareOptions<'_>, spec: &str| -> Vec<String> {
        let task = task_of(spec, "pairs.csv", PAIRS, options).unwrap();
        contexts(&task, 0)
    };
    let plain = PrepareOptions::default();
    assert_eq!(
        only(&plain, CAPITALS),
        [
            "The capital of France is",
            "Paris is the capital of France. The capital of France is",
            "Paris is the capital of",
            "The capital of France is Paris. Paris is the capital of",
        ]
    );
    let ask = format!("ask = 'question'\n{CAPITALS}");
    assert_eq!(
        only(&plain, &ask)[..2],
        [
            "Q: What is the capital of France?\nA:",
            "Paris is the capital of France.\nQ: What is the capital of France?\nA:",
        ]
    );
    let template = "{% for m in messages %}[{{ m.role }}]{{ m.content }}\n{% endfor %}[assistant]";
    let template = ChatTemplate::new(template, None, None).unwrap();
    let chat = Some(Chat { template: &template, turns: Turns::Each });
    let in_chat = PrepareOptions { chat, system: Some("Be brief."), ..plain };
    let found = only(&in_chat, CAPITALS);
    assert_eq!(found[2], "[system]Be brief.\n[user]Of which country is Paris the capital?\n[assistant]");
    assert_eq!(
        found[1],
        "[system]Be brief.\n[user]Paris is the capital of France. What is the capital of France?\n[assistant]"
    );
    let task = task_of(CAPITALS, "pairs.csv", PAIRS, &in_chat).unwrap();
    let Request::Loglikelihood(first) = &task.items[0].requests[0] else { panic!() };
    assert_eq!(first.continuation, "Paris");
    let hash = |options| task_of(CAPITALS, "pairs.csv", PAIRS, options).unwrap().hash;
    assert_ne!(hash(&plain), hash(&in_chat));
    let told = task_of(SPEC, "items.jsonl", &lines().join("\n"), &in_chat).err().unwrap().remove(0);
    assert!(
        told.contains("items.jsonl:1: relation `mother` has no `forward_question`, and questions are asked"),
        "{told}"
    );
}

fn results_of(task: &Task, lm: &dyn CausalLm) -> Vec<MetricResult> {
    let (tokenizer, cancel) = (tokenizer(), CancelToken::default());
    let mut scheduler = Scheduler::new(lm, &tokenizer, &cancel);
    let items: Vec<_> = task.items.iter().map(|item| ask_one(task, item, &mut scheduler).unwrap()).collect();
    let results = results::of_task(&TaskInfo::of(task), &items);
    assert!(results.iter().all(|result| result.value.is_none_or(f64::is_finite)));
    results
}

/// A metric over all items: its value and how many items have it.
fn value(results: &[MetricResult], metric: &str) -> (Option<f64>, usize) {
    let found = results.iter().find(|result| result.metric == metric && result.stratum.is_none());
    found.map(|result| (result.value, result.n)).unwrap()
}

#[test]
fn what_is_known_in_one_direction_is_counted_against_the_other() {
    // two facts are known forward, of which one is also known in reverse; one is known in reverse only
    let lm = parrot(&[
        "The capital of France is Paris.",
        "The capital of Italy is Rome.",
        "Rome is the capital of Italy.",
        "Lima is the capital of Peru.",
    ]);
    let task = task_of(CAPITALS, "pairs.csv", PAIRS, &PrepareOptions::default()).unwrap();
    let found = results_of(&task, &lm);
    let shares = ["known.both", "known.forward_only", "known.reverse_only", "known.neither"];
    assert_eq!(shares.map(|name| value(&found, name)), [(Some(0.25), 4); 4]);
    // one and one discordant
    assert_eq!(value(&found, "known.mcnemar_p"), (Some(1.0), 4));
    assert_eq!(value(&found, "reverse_given_forward.exact_match"), (Some(0.5), 2));
    assert_eq!(value(&found, "forward_given_reverse.exact_match"), (Some(0.5), 2));
    assert_eq!(value(&found, "forward.exact_match"), (Some(0.5), 4));
    assert_eq!(value(&found, "forward.named"), (Some(0.5), 4));
    let p = found.iter().find(|result| result.metric == "gap.lift_p" && result.stratum.is_none()).unwrap();
    assert_eq!((p.interval, p.stderr), (None, None));
}

#[test]
fn the_gap_is_that_of_the_lifts_and_its_signs_are_flipped() {
    let task = task_of(CAPITALS, "pairs.csv", PAIRS, &PrepareOptions::default()).unwrap();
    // all four facts are known forward, and none in reverse
    let sentences: Vec<String> = PAIRS
        .lines()
        .skip(1)
        .map(|row| row.split_once(',').unwrap())
        .map(|(a, b)| format!("The capital of {a} is {b}."))
        .collect();
    let lm = parrot(&sentences.iter().map(String::as_str).collect::<Vec<_>>());
    let found = results_of(&task, &lm);
    assert_eq!(value(&found, "known.forward_only"), (Some(1.0), 4));
    assert_eq!(value(&found, "reverse_given_forward.exact_match"), (Some(0.0), 4));
    // nothing is known in reverse, so that there is no share of it
    assert_eq!(value(&found, "forward_given_reverse.exact_match"), (None, 0));
    // four of four: 2 / 2^4
    assert_eq!(value(&found, "known.mcnemar_p"), (Some(0.125), 4));
    let (gap, forward, reverse) =
        (value(&found, "gap.lift"), value(&found, "forward.lift"), value(&found, "reverse.lift"));
    assert!((gap.0.unwrap() - (forward.0.unwrap() - reverse.0.unwrap())).abs() < 1e-9);
    assert!(gap.0.unwrap() > 5.0);
    assert_eq!(value(&found, "gap.lift_p"), (Some(0.125), 4));
}

#[test]
fn signs_are_flipped_cluster_by_cluster() {
    // the four facts in two clusters: both sums are of one sign, 2 / 2^2
    let rows = "a,b,cluster\nFrance,Paris,x\nItaly,Rome,x\nPeru,Lima,y\nCuba,Havana,y\n";
    let task = task_of(CAPITALS, "pairs.csv", rows, &PrepareOptions::default()).unwrap();
    let lm = parrot(&[
        "The capital of France is Paris.",
        "The capital of Italy is Rome.",
        "The capital of Peru is Lima.",
        "The capital of Cuba is Havana.",
    ]);
    let found = results_of(&task, &lm);
    assert_eq!(value(&found, "gap.lift_p"), (Some(0.5), 4));
    let clusters = found.iter().find(|result| result.metric == "gap.lift").unwrap().clusters;
    assert_eq!(clusters, Some(2));
}

#[test]
fn a_model_that_knows_nothing_has_no_gap_and_no_share_of_what_it_knows() {
    let task = task_of(CAPITALS, "pairs.csv", PAIRS, &PrepareOptions::default()).unwrap();
    let found = results_of(&task, &FakeLm::new(288, 512, |_| vec![0.0; 288]));
    assert_eq!(value(&found, "known.neither"), (Some(1.0), 4));
    assert_eq!(value(&found, "known.mcnemar_p"), (Some(1.0), 4));
    assert_eq!(value(&found, "reverse_given_forward.exact_match"), (None, 0));
    // all tokens are as likely: what a name gains on its controls is the log of the vocabulary for each token it has less
    let of = |name: &str| -(tokenizer().encode(&format!(" {name}")).unwrap().len() as f64) * 288f64.ln();
    let questions = DirectionQuestions::of(&task);
    let lift = |(gold, controls): &(String, Vec<String>)| {
        of(gold) - controls.iter().map(|name| of(name)).sum::<f64>() / controls.len() as f64
    };
    let mean = questions.0.iter().map(lift).sum::<f64>() / 4.0;
    assert!((value(&found, "forward.lift").0.unwrap() - mean).abs() < 1e-6);
}

/// The gold name and the controls of the forward question of each item, as they are asked.
struct DirectionQuestions(Vec<(String, Vec<String>)>);

impl DirectionQuestions {
    fn of(task: &Task) -> Self {
        let names = |item: &TaskItem| {
            let mut names = item.requests.iter().map_while(|request| match request {
                Request::Loglikelihood(request) => Some(request.continuation.trim().to_owned()),
                _ => None,
            });
            (names.next().unwrap(), names.collect())
        };
        Self(task.items.iter().map(names).collect())
    }
}

#[test]
fn one_fact_is_a_suite_if_it_has_controls() {
    let error = task_of(CAPITALS, "pairs.csv", "a,b\nFrance,Paris\n", &PrepareOptions::default()).err().unwrap();
    assert!(error[0].contains("pairs.csv:2: 0 control names for `France`, 2 are needed"), "{error:?}");
}
