use super::*;
use crate::eval::fixture::{folder, parrot, recorded, result, task_in, tokenizer};
use crate::eval::prepare;
use crate::eval::record::TaskInfo;
use crate::eval::request::Generated;
use crate::eval::results::{self, MetricResult};
use crate::model::FakeLm;

fn suite() -> Task {
    let options = PrepareOptions { num_fewshot: Some(0), ..PrepareOptions::default() };
    prepare("system-1-2", &tokenizer(), &options).unwrap().remove(0)
}

fn written(text: &str) -> Response {
    Response::Generated(Generated { text: text.into(), stopped: true, ..Generated::default() })
}

/// The right answer's space and digits, each digit as probable as given.
fn scored(logprobs: &[f64], ranks: &[usize]) -> Response {
    Response::Scored(Scored {
        text: String::new(),
        ids: Vec::new(),
        boundary: 0,
        logprobs: logprobs.to_vec(),
        ranks: ranks.to_vec(),
        is_greedy: ranks.iter().all(|rank| *rank == 1),
        top: Vec::new(),
        lints: Vec::new(),
    })
}

/// An item whose answer is 9, which the scores above are of.
fn one_digit(task: &Task) -> &TaskItem {
    task.items.iter().find(|item| item.target == "9").unwrap()
}

/// The results over some items with their responses.
fn measured(task: &Task, answered: &[(&TaskItem, Vec<Response>)]) -> Vec<MetricResult> {
    let record = |(item, responses): &(&TaskItem, Vec<Response>)| {
        let graded = task.grader.grade(item, responses).unwrap();
        item.answered(&task.name, (item.requests.clone(), responses.clone()), graded)
    };
    let items: Vec<_> = answered.iter().map(record).collect();
    results::of(&[TaskInfo::of(task)], &items)
}

fn value(results: &[MetricResult], metric: &str) -> Option<f64> {
    let is_it = |one: &&MetricResult| one.metric == metric && one.stratum.is_none();
    results.iter().find(is_it).unwrap_or_else(|| panic!("{metric}")).value
}

#[test]
fn questions_are_those_of_the_suite() {
    let task = suite();
    let item = &task.items[20];
    let (a, b) = (&item.doc["a"], &item.doc["b"]);
    let context = |request: &Request| request.given().to_owned();
    let asked: Vec<String> = item.requests.iter().map(context).collect();
    let question = |more: &str| format!("Question: What is {a} + {b}?{more}\nAnswer:");
    let expected = [question(""), question(""), question(" Think step by step."), question(" Use the calculator.")];
    assert_eq!(asked, expected);
    let Request::Loglikelihood(scored) = &item.requests[0] else { panic!("{:?}", item.requests[0]) };
    assert_eq!(scored.continuation, format!(" {}", item.target));
    assert_eq!((item.strata["operation"].as_str(), item.strata["kind"].as_str()), ("sum", "sum-2"));
}

#[test]
fn examples_come_first_and_are_right() {
    let task = prepare("system-1-2", &tokenizer(), &PrepareOptions::default()).unwrap().remove(0);
    assert_eq!(task.n_shot, 2);
    let steps = task.items[0].requests[2].given();
    let expected = "Question: What is 38 + 57? Think step by step.\nAnswer: 8+7=15 write 5 carry 1; 3+5+1=09 write 95 \
                    carry 0; Answer: 95.\n\nQuestion: What is 23 * 47? Think step by step.\nAnswer: 23*7=161; \
                    23*40=920; 161+920=1081; Answer: 1081.\n\nQuestion: What is ";
    assert!(steps.starts_with(expected), "{steps}");
    let lines =
        |mode: usize| task.items[0].requests[mode].given().lines().filter_map(|line| line.strip_prefix("Answer:"));
    for mode in 1..=3 {
        let numbers: Vec<_> = lines(mode).map(answer_of).take(2).collect();
        assert_eq!(numbers, [Some("95".to_owned()), Some("1081".to_owned())]);
    }
    let asked = task.items.iter().map(|item| (item.doc["a"].as_u64(), item.doc["b"].as_u64()));
    assert!(asked.clone().all(|pair| pair != (Some(38), Some(57)) && pair != (Some(23), Some(47))));
}

#[test]
fn a_perfect_model_gains_nothing() {
    let task = suite();
    let item = one_digit(&task);
    // the space before the digits is improbable, which is no fault of the answer
    let lead = lead_of(&task, item);
    let (logprobs, ranks) = ([vec![-5.0; lead], vec![-0.1, -0.2]].concat(), [vec![9; lead], vec![1, 1]].concat());
    let steps = written("4+5=09 write 9 carry 0; Answer: 9.");
    let responses = vec![scored(&logprobs, &ranks), written("9."), steps, written("<<4+5="), written("9.")];
    let results = measured(&task, &[(item, responses)]);
    for mode in ["direct", "steps", "calculator"] {
        for metric in ["exact_match", "digits", "first_digit", "last_digit"] {
            assert_eq!(value(&results, &format!("{mode}.{metric}")), Some(1.0), "{mode}.{metric}");
        }
    }
    for (metric, expected) in
        [("steps.gain", 0.0), ("calculator.gain", 0.0), ("calculator.well_formed", 1.0), ("direct.top_1", 1.0)]
    {
        assert_eq!(value(&results, metric), Some(expected), "{metric}");
    }
    assert!((value(&results, "direct.logprob").unwrap() + 0.3).abs() < 1e-9);
    // of one item, no number is anything but finite
    for result in &results {
        let bounds = result.interval.map_or([0.0; 2], |(low, high)| [low, high]);
        assert!(bounds.into_iter().chain(result.value).all(f64::is_finite), "{result:?}");
    }
}

#[test]
fn a_model_that_is_wrong_or_abstains_has_nothing() {
    let task = suite();
    let wrong = vec![scored(&[-3.0, -4.0], &[7, 30]), written("18."), written("so it is 80"), written("<<4 plus 5=")];
    let abstains = || written("I don't know.");
    let silent = vec![scored(&[-3.0, -5.0], &[9, 40]), abstains(), abstains(), abstains()];
    for responses in [wrong, silent] {
        let results = measured(&task, &[(one_digit(&task), responses)]);
        for metric in
            ["direct.exact_match", "steps.exact_match", "calculator.exact_match", "steps.gain", "calculator.gain"]
        {
            assert_eq!(value(&results, metric), Some(0.0), "{metric}");
        }
        for metric in ["calculator.well_formed", "calculator.right_call", "direct.top_1", "direct.last_digit"] {
            assert_eq!(value(&results, metric), Some(0.0), "{metric}");
        }
    }
}

#[test]
fn gains_are_differences_of_the_same_items() {
    let task = suite();
    let item = one_digit(&task);
    let answers = |direct: &str, steps: &str, calculator: &str| {
        vec![scored(&[-1.0, -1.0], &[1, 2]), written(direct), written(steps), written(calculator)]
    };
    // right with steps alone, right at once alone, right both times, never right; the calculator is never called
    let cases = [("1", "9", "9"), ("9", "1", "9"), ("9", "9", "9"), ("1", "9", "1")];
    let answered: Vec<_> = cases.iter().map(|(d, s, c)| (item, answers(d, s, c))).collect();
    let results = measured(&task, &answered);
    // (1 - 1 + 0 + 1) / 4, (1 + 0 + 0 + 0) / 4
    assert_eq!(value(&results, "steps.gain"), Some(0.25));
    assert_eq!(value(&results, "calculator.gain"), Some(0.25));
    assert_eq!(value(&results, "direct.exact_match"), Some(0.5));
    assert_eq!(value(&results, "calculator.well_formed"), Some(0.0));
    assert_eq!(value(&results, "direct.first_rank"), Some(if lead_of(&task, item) == 0 { 1.0 } else { 2.0 }));
}

fn lead_of(task: &Task, item: &TaskItem) -> usize {
    lead(&task.items[item.index].requests, Some(&tokenizer())).unwrap()
}

#[test]
fn digits_are_counted_place_by_place() {
    let task = suite();
    // without a zero in its second place, which would not be written in front
    let item = task.items.iter().find(|item| item.target.len() == 3 && &item.target[1..2] != "0").unwrap();
    let target = &item.target;
    // the last digit off by one: two places of three
    let last = target.as_bytes()[2];
    let off = format!("{}{}", &target[..2], char::from(if last == b'0' { b'1' } else { last - 1 }));
    let responses = vec![scored(&[-1.0; 4], &[1; 4]), written(&off), written(target), written(&target[1..])];
    let results = measured(&task, &[(item, responses)]);
    assert!((value(&results, "direct.digits").unwrap() - 2.0 / 3.0).abs() < 1e-12);
    assert_eq!(value(&results, "direct.first_digit"), Some(1.0));
    assert_eq!(value(&results, "direct.last_digit"), Some(0.0));
    assert_eq!(value(&results, "steps.gain"), Some(1.0));
    assert!((value(&results, "calculator.digits").unwrap() - 2.0 / 3.0).abs() < 1e-12);
}

#[test]
fn a_call_is_answered_and_the_answer_goes_on() {
    let task = suite();
    let item = one_digit(&task);
    let mut asked = item.requests.clone();
    let mut responses = vec![scored(&[-1.0; 2], &[1; 2]), written("1"), written("1"), written(" <<4+5=7>>7.")];
    let more = task.grader.follow_up(item, &asked, &responses);
    let [Request::GenerateUntil(next)] = more.as_slice() else { panic!("{more:?}") };
    // what the model took for the result is thrown away
    assert_eq!(next.context, format!("{} <<4+5=9>>", item.requests[3].given()));
    for text in ["<<9*1=", "<<9*1=", "<<9*1="] {
        asked.extend(task.grader.follow_up(item, &asked, &responses));
        assert_eq!(asked.len(), responses.len() + 1);
        responses.push(written(text));
    }
    // three calls are answered, and no more
    assert_eq!(asked.last().unwrap().given(), format!("{} <<4+5=9>><<9*1=9>><<9*1=9>>", item.requests[3].given()));
    assert!(task.grader.follow_up(item, &asked, &responses).is_empty());
    assert_eq!(value(&measured(&task, &[(item, responses)]), "calculator.right_call"), Some(1.0));
}

#[test]
fn a_malformed_call_is_not_answered() {
    let task = suite();
    let item = one_digit(&task);
    for text in ["9.", "<<4+5", "<<4+=", "<<4 plus 5=", "<<1/0=", "<<((((="] {
        let responses = vec![scored(&[-1.0; 2], &[1; 2]), written("1"), written("1"), written(text)];
        assert!(task.grader.follow_up(item, &item.requests, &responses).is_empty(), "{text}");
        assert_eq!(value(&measured(&task, &[(item, responses)]), "calculator.well_formed"), Some(0.0), "{text}");
    }
}

#[test]
fn responses_that_do_not_match_are_no_answer() {
    let task = suite();
    let item = one_digit(&task);
    for responses in [vec![], vec![written("9")], vec![scored(&[-1.0], &[1]), written("9"), written("9")]] {
        assert_eq!(task.grader.grade(item, &responses), None);
    }
}

const SUITE: &str = include_str!("../../../../evals/system-1-2/suite.toml");

/// What a model makes of these sums.
fn run(sums: &[(u32, u32)], lm: &FakeLm) -> impl Fn(&str) -> Option<f64> + use<> {
    let row = |(id, (a, b)): (usize, &(u32, u32))| {
        format!(r#"{{"id": "{id}", "kind": "sum", "operation": "sum", "digits": 1, "a": {a}, "b": {b}}}"#)
    };
    let rows: Vec<String> = sums.iter().enumerate().map(row).collect();
    let options = PrepareOptions { num_fewshot: Some(0), ..PrepareOptions::default() };
    let task = task_in(&folder(SUITE, &rows.join("\n")), &options).unwrap();
    let record = recorded(&task, lm, &tokenizer());
    move |metric: &str| result(&record, metric).value
}

/// A sum as a model has learnt it: at once, in steps, with the calculator.
fn learnt(sum: &str, [direct, steps, calculator]: [&str; 3]) -> [String; 3] {
    let sentence = |ask: &str, answer: &str| format!("Question: What is {sum}?{ask}\nAnswer: {answer}\n");
    [sentence("", direct), sentence(" Think step by step.", steps), sentence(" Use the calculator.", calculator)]
}

fn model(sentences: &[[String; 3]]) -> FakeLm {
    parrot(&sentences.iter().flatten().map(String::as_str).collect::<Vec<_>>())
}

#[test]
fn a_perfect_model_and_one_that_only_reckons_in_steps() {
    let four = learnt("4 + 5", ["9.", "4+5=09; Answer: 9.", "<<4+5=9>>9."]);
    let seven = |direct| learnt("7 + 8", [direct, "7+8=15; Answer: 15.", "<<7+8=15>>15."]);
    let sums = [(4, 5), (7, 8)];
    let perfect = run(&sums, &model(&[four.clone(), seven("15.")]));
    let reckons = run(&sums, &model(&[four, seven("14.")]));
    for (metric, of_perfect, of_other) in [
        ("direct.exact_match", 1.0, 0.5),
        ("direct.first_digit", 1.0, 1.0),
        ("direct.last_digit", 1.0, 0.5),
        ("direct.digits", 1.0, 0.75),
        ("direct.top_1", 1.0, 0.5),
        ("steps.exact_match", 1.0, 1.0),
        ("steps.gain", 0.0, 0.5),
        ("calculator.exact_match", 1.0, 1.0),
        ("calculator.gain", 0.0, 0.5),
        ("calculator.well_formed", 1.0, 1.0),
        ("calculator.right_call", 1.0, 1.0),
    ] {
        assert_eq!((perfect(metric), reckons(metric)), (Some(of_perfect), Some(of_other)), "{metric}");
    }
    assert_eq!(perfect("direct.first_rank"), Some(1.0));
}

#[test]
fn a_model_that_abstains_one_that_is_wrong_and_one_that_knows_nothing() {
    let abstains = model(&[learnt("4 + 5", ["I don't know."; 3])]);
    let wrong = model(&[learnt("4 + 5", ["8.", "4+5=08; Answer: 8.", "<<4*5=20>>20."])]);
    let uniform = FakeLm::new(288, 512, |_| vec![0.0; 288]);
    // where all tokens are as probable, none is before another: each has rank 1
    let cases = [("abstains", abstains, 0.0, 0.0), ("wrong", wrong, 1.0, 0.0), ("uniform", uniform, 0.0, 1.0)];
    for (name, lm, well_formed, top_1) in cases {
        let found = run(&[(4, 5)], &lm);
        for mode in ["direct", "steps", "calculator"] {
            assert_eq!(found(&format!("{mode}.exact_match")), Some(0.0), "{name} {mode}");
        }
        for metric in ["steps.gain", "calculator.gain", "calculator.right_call"] {
            assert_eq!(found(metric), Some(0.0), "{name} {metric}");
        }
        let found = (found("calculator.well_formed"), found("direct.top_1"));
        assert_eq!(found, (Some(well_formed), Some(top_1)), "{name}");
    }
    let uniform = run(&[(4, 5)], &FakeLm::new(288, 512, |_| vec![0.0; 288]));
    assert!((uniform("direct.first_logprob").unwrap() + 288f64.ln()).abs() < 1e-6);
}
