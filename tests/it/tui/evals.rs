//! The evals view: what it asks for, that its numbers are the library's, and that an item leads into the model.

use std::sync::Arc;
use std::time::Duration;

use crossterm::event::KeyCode;
use lmscope::engine::{EvalItem, Evaluated, Event, JobEvent, Look, MetricResult, Named, Outcome, Outline, Request};
use lmscope::engine::{Tokens, open};
use lmscope::eval::record::{Existing, FORMAT_VERSION, Model, Origin, Record, Run, Settings, Status, TaskInfo};
use lmscope::eval::request::{Response, Scored};
use lmscope::eval::results::IntervalMethod;
use lmscope::eval::scheduler::Scheduler;
use lmscope::eval::task::{Aggregation, Better, TaskItemRecord};
use lmscope::eval::{PrepareOptions, prepare, run};
use lmscope::lens::Versus;
use lmscope::model::checkpoint::Arithmetic;
use lmscope::model::source::ModelSource;
use lmscope::model::{CancelToken, Loading};
use lmscope::tui::Effect;
use lmscope::tui::input::Key;
use lmscope::tui::keymap::Context;
use lmscope::tui::view::ViewName;

use super::data::{Ui, failure, submits, word};
use super::live::Live;

const ENTER: Key = Key::plain(KeyCode::Enter);
const ESC: Key = Key::plain(KeyCode::Esc);
const BACK: Key = Key::plain(KeyCode::Backspace);

/// Invented suites.
pub(super) fn suites() -> JobEvent {
    let suite = |name: &str, items| Outline {
        quick: None,
        name: name.into(),
        version: "1".into(),
        output_type: "direction-pair".into(),
        about: "Facts asked from both ends".into(),
        items,
        notes: Vec::new(),
    };
    JobEvent::Finished(Outcome::Suites(Arc::new(vec![suite("facts", 222), suite("other", 7)])))
}

/// An invented item.
pub(super) fn scored(id: &str, verdicts: [bool; 2]) -> JobEvent {
    let named = |id, visible: &str| Named { id, visible: visible.into() };
    let tokens =
        Tokens { ids: vec![0, 21, 22], visible: ["<s>", "A", "␣is"].map(String::from).into(), bos: String::new() };
    let look = Look { tokens, n_added: 1, token: named(31, "␣B"), versus: Some(named(32, "␣C")) };
    let item = EvalItem {
        id: id.into(),
        verdicts: ["forward.exact", "reverse.exact"].map(String::from).into_iter().zip(verdicts).collect(),
        gold: "Bora\u{7}".into(),
        answer: word(3, "東京, the town"),
        deciding: (id != "blind").then_some(look),
    };
    JobEvent::Event(Event::Scored { item: Arc::new(item), total: 20, left: Duration::from_secs(4) })
}

fn result(metric: &str, stratum: Option<&str>, better: Better) -> MetricResult {
    MetricResult {
        task: "facts".into(),
        metric: metric.into(),
        filter: "none".into(),
        members: None,
        stratum: stratum.map(str::to_owned),
        n: 3,
        clusters: None,
        value: Some(0.625),
        stderr: None,
        interval: Some((0.25, 0.875)),
        method: IntervalMethod::Wilson,
        aggregation: Aggregation::Mean,
        better,
        chance: None,
    }
}

/// Invented results.
pub(super) fn evaluated() -> JobEvent {
    let results = vec![
        result("forward.exact", None, Better::Higher),
        result("reverse.exact", None, Better::Higher),
        result("rank", None, Better::Neither),
        result("forward.exact", Some("seen=ab"), Better::Higher),
    ];
    JobEvent::Finished(Outcome::Evaluated(Arc::new(Evaluated { results })))
}

/// A run that goes on.
pub(super) fn running() -> Ui {
    let mut ui = Ui::with_data();
    ui.chars("8");
    ui.answer(suites());
    ui.key(ENTER);
    for (id, verdicts) in [("first", [true, true]), ("second", [true, false]), ("blind", [false, false])] {
        ui.answer(scored(id, verdicts));
    }
    ui
}

#[test]
fn a_suite_is_chosen_and_run_on_as_many_items_as_are_typed() {
    let mut ui = Ui::with_data();
    let effects = ui.chars("8");
    assert!(matches!(submits(&effects)[..], [(slot, Request::Suites)] if slot == ViewName::Evals.slot()));
    ui.answer(suites());
    ui.chars("j#");
    assert_eq!(ui.state.context(), Context::Typing);
    for key in [BACK, BACK, Key::char('0'), ENTER] {
        ui.key(key);
    }
    assert!(ui.text().contains("`0` is no number of items"), "{}", ui.text());
    for key in [BACK, Key::char('3'), ENTER] {
        ui.key(key);
    }
    let effects = ui.key(ENTER);
    assert!(matches!(submits(&effects)[..], [(_, Request::Evaluate { suite, limit: Some(3), seed: 0 })]
        if suite == "other"));
    ui.answer(failure());
    assert!(ui.text().contains("layer 9 does not exist"), "{}", ui.text());
    ui.key(BACK);
    ui.chars("#");
    ui.key(BACK);
    ui.key(ENTER);
    let effects = ui.key(ENTER);
    assert!(matches!(submits(&effects)[..], [(_, Request::Evaluate { suite, limit: None, .. })] if suite == "facts"));
}

#[test]
fn what_is_finished_stays_and_is_filtered_and_searched() {
    let mut ui = running();
    assert!(ui.text().contains("3/20 items, about 5 s left"), "{}", ui.text());
    assert!(ui.text().contains("0.6667") && ui.text().contains("0.3333"), "{}", ui.text());
    assert_eq!(ui.key(ESC), [Effect::Cancel(ViewName::Evals.slot())]);
    assert!(ui.text().contains("stopped after 3 items, r runs again"), "{}", ui.text());
    let has = |ui: &Ui, ids: [bool; 3]| {
        let text = ui.text();
        assert_eq!(["first ", "second ", "blind "].map(|id| text.contains(id)), ids, "{text}");
    };
    has(&ui, [true, true, true]);
    ui.chars("v");
    has(&ui, [false, true, true]);
    ui.chars("v");
    has(&ui, [true, false, false]);
    ui.chars("v/blind");
    ui.key(ENTER);
    assert!(ui.key(ENTER).is_empty());
    assert!(ui.text().contains("no token of this item is known"), "{}", ui.text());
    assert!(matches!(submits(&ui.chars("r"))[..], [(_, Request::Evaluate { .. })]));
    ui.answer(evaluated());
    ui.chars("o");
    assert!(ui.text().contains("seen=ab") && ui.text().contains("0.2500 to 0.8750"), "{}", ui.text());
}

#[test]
fn an_item_that_is_opened_while_the_suite_runs_stops_it_and_undo_comes_back() {
    let mut ui = running();
    let before = ui.state.session().tokens().ids.clone();
    let effects = ui.key(ENTER);
    assert_eq!(effects[0], Effect::Cancel(ViewName::Evals.slot()));
    assert!(matches!(submits(&effects)[..], [(_, Request::Inspect { ids, .. })] if ids[..] == [0, 21, 22]));
    assert_eq!(ui.state.context(), Context::Step);
    assert_eq!(ui.state.session().text(), "A is", "the token that was added is not of the text");
    ui.chars("u");
    assert_eq!(ui.state.session().tokens().ids, before);
    ui.chars("8");
    assert!(ui.text().contains("stopped after 3"), "{}", ui.text());
}

/// The library's own run of two items.
fn library() -> Record {
    let loaded = open(&ModelSource::default(), &Loading::unwatched(Arithmetic::Exact)).unwrap();
    let tasks = prepare("reversal-curse", &loaded.tokenizer, &PrepareOptions::default()).unwrap();
    let plan = Run {
        format_version: FORMAT_VERSION,
        status: Status::Running,
        model: Model::default(),
        tokenizer: None,
        tasks: tasks.iter().map(TaskInfo::of).collect(),
        settings: Settings { seed: Some(0), limit: Some(2), ..Settings::default() },
        origin: Origin { lmscope_version: "0".into(), command: Vec::new(), started: None, imported: None },
        outcome: None,
    };
    let cancel = CancelToken::default();
    let mut scheduler = Scheduler::new(&loaded.decoder, &loaded.tokenizer, &cancel);
    let output = run::Output { folder: None, existing: Existing::Refuse, elapsed: &|| Duration::ZERO };
    run::run(&tasks, plan, &mut scheduler, &output, &mut |_| ()).unwrap()
}

/// The tokens before the one that decides, and the two that compete, by the record alone.
fn decided(item: &TaskItemRecord) -> (Vec<u32>, u32, u32) {
    let scored = |response: &Response| match response {
        Response::Scored(scored) => Some(scored.clone()),
        _ => None,
    };
    let all: Vec<Scored> = item.responses.iter().map_while(scored).collect();
    let strongest = all[1..].iter().max_by(|a, b| a.loglik().total_cmp(&b.loglik())).unwrap();
    let at = (all[0].boundary..all[0].ids.len()).find(|at| all[0].ids[*at] != strongest.ids[*at]).unwrap();
    (all[0].ids[..at].to_vec(), all[0].ids[at], strongest.ids[at])
}

#[test]
fn two_items_are_what_the_library_makes_of_them_and_lead_to_where_they_are_decided() {
    let record = library();
    let mut live = Live::new();
    live.chars("8#");
    for key in [BACK, BACK, Key::char('2'), ENTER, ENTER] {
        live.key(key);
    }
    let text = live.ui.text();
    let results = record.run.outcome.as_ref().map(|outcome| outcome.results.clone()).unwrap();
    let main = |one: &&MetricResult| one.stratum.is_none() && one.better != Better::Neither;
    assert_eq!(results.iter().filter(main).count(), 6);
    for one in results.iter().filter(main) {
        let interval = one.interval.map_or_else(String::new, |(low, high)| format!("  {low:.4} to {high:.4}"));
        let row = format!("n {:>5} {:>9}{interval}", one.n, format!("{:.4}", one.value.unwrap()));
        let shown = text.split(&format!("{} ", one.metric)).nth(1).unwrap_or_default().trim_start();
        assert!(shown.starts_with(&row), "{}: {row}\n{text}", one.metric);
    }
    assert_eq!(record.items.len(), 2);
    for item in &record.items {
        assert!(text.contains(&item.id) && text.contains(&item.target), "{}: {text}", item.id);
    }
    live.chars("j");
    live.key(ENTER);
    let (ids, token, rival) = decided(&record.items[1]);
    let session = live.ui.state.session();
    assert_eq!(live.ui.state.context(), Context::Step);
    assert_eq!((&session.tokens().ids, session.position()), (&ids, ids.len() - 1));
    assert_eq!((session.ask().token, session.ask().versus), (Some(token), Versus::Token(rival)));
}
