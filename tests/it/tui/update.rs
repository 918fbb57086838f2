//! Keys and reports in, effects and state out.

use std::sync::Arc;

use crossterm::event::KeyCode;
use lmscope::engine::{EngineError, Event, JobEvent, Outcome, Panel, Progress, Request, Verified};
use lmscope::intervene::Problem;
use lmscope::lens::Versus;
use lmscope::tui::Effect;
use lmscope::tui::effect::{GENERATE, HEADS, INSPECT, LOAD, TOKENISE, VERIFY};
use lmscope::tui::input::Key;
use lmscope::tui::keymap::Context;

use super::data::{Ui, atlas, branched, branches, failure, info, inspection, intervened, submits, tokens};

const ENTER: Key = Key::plain(KeyCode::Enter);
const ESC: Key = Key::plain(KeyCode::Esc);
const LEFT: Key = Key::plain(KeyCode::Left);
const DOWN: Key = Key::plain(KeyCode::Down);

#[test]
fn it_loads_then_tokenises_then_inspects() {
    let (mut ui, first) = Ui::new();
    assert_eq!(submits(&first)[0].0, LOAD);
    let second = ui.answer(JobEvent::Finished(Outcome::Loaded(Box::new(info()))));
    assert!(matches!(submits(&second)[..], [(TOKENISE, Request::Tokenise { text, .. })] if text == "The cat sat on a"));
    let third = ui.answer(JobEvent::Finished(Outcome::Tokens(tokens())));
    assert!(matches!(submits(&third)[..], [(INSPECT, Request::Inspect { panels, .. })]
        if matches!(panels[..], [Panel::Distributions { .. }])));
    assert_eq!(ui.state.session().position(), 5);
}

#[test]
fn loading_shows_how_far_it_is() {
    let (mut ui, _) = Ui::new();
    ui.answer(JobEvent::Event(Event::Progress(Progress { done: 12, total: 538, unit: "MB" })));
    assert!(ui.text().contains("loading 12/538 MB"), "{}", ui.text());
}

#[test]
fn a_model_that_cannot_be_loaded_leaves_the_screen_alive() {
    let (mut ui, _) = Ui::new();
    assert!(ui.answer(failure()).is_empty());
    assert_eq!(ui.state.context(), Context::Error);
    ui.key(ESC);
    assert_eq!(ui.state.context(), Context::Step);
    assert!(ui.chars("tsgi").is_empty(), "nothing can be asked without a model");
    ui.key(ESC);
    assert_eq!(ui.chars("q"), [Effect::Quit]);
}

#[test]
fn candidates_are_appended_and_taken_back() {
    let cases: [(&str, Option<Key>, u32); 3] = [("", Some(ENTER), 101), ("j", Some(ENTER), 102), ("jt", None, 101)];
    for (keys, last, id) in cases {
        let mut ui = Ui::with_data();
        let typed = ui.chars(keys);
        let effects = last.map_or(typed, |key| ui.key(key));
        assert!(matches!(submits(&effects)[..], [(INSPECT, _)]), "{keys}");
        assert_eq!(ui.state.session().tokens().ids, [0, 11, 12, 13, 14, 15, id], "{keys}");
        ui.chars("u");
        assert_eq!(ui.state.session().tokens(), &tokens());
        ui.key(Key::ctrl('r'));
        assert_eq!(ui.state.session().tokens().ids.last(), Some(&id));
    }
}

#[test]
fn a_token_goes_after_the_selected_position() {
    let mut ui = Ui::with_data();
    ui.key(LEFT);
    ui.key(LEFT);
    ui.chars("t");
    assert_eq!(ui.state.session().tokens().ids, [0, 11, 12, 13, 101]);
    assert_eq!(ui.state.session().text(), "The cat sat mat");
}

#[test]
fn stale_candidates_are_not_appended_and_late_answers_are_dropped() {
    let mut ui = Ui::with_data();
    ui.chars("t");
    let stale = ui.last_job();
    assert!(ui.chars("t").is_empty(), "the distribution after the new token is not known yet");
    ui.chars("u");
    ui.answer_to(stale, JobEvent::Failed(EngineError::NoModel));
    assert_eq!(ui.state.context(), Context::Step, "the job was replaced");
}

#[test]
fn sampling_uses_up_the_seed_and_generation_can_be_stopped() {
    let mut ui = Ui::with_data();
    let effects = ui.chars("s");
    assert!(matches!(submits(&effects)[..], [(GENERATE, Request::Generate { n_tokens: 1, sampling, .. })]
        if sampling.seed == 0 && (sampling.temperature - 1.0).abs() < 1e-9));
    assert_eq!(ui.state.session().seed(), 1);
    let effects = ui.chars("g");
    assert!(effects.contains(&Effect::Cancel(GENERATE)));
    ui.answer(JobEvent::Event(Event::Token { id: 7, visible: "␣x".into() }));
    let effects = ui.key(ESC);
    assert!(effects.contains(&Effect::Cancel(GENERATE)));
    assert!(matches!(submits(&effects)[..], [(INSPECT, _)]), "what was generated stays");
    assert_eq!(ui.state.session().tokens().ids.last(), Some(&7));
}

#[test]
fn the_prompt_is_tokenised_while_it_is_typed() {
    let mut ui = Ui::with_data();
    ui.chars("i");
    assert_eq!(ui.state.context(), Context::Editing);
    let effects = ui.chars("!");
    assert!(
        matches!(submits(&effects)[..], [(TOKENISE, Request::Tokenise { text, .. })] if text == "The cat sat on a!")
    );
    ui.answer(failure());
    assert_eq!(ui.state.context(), Context::Editing, "a text without tokens is not an error yet");
    assert!(ui.key(ENTER).is_empty());
    ui.chars("?");
    ui.answer(JobEvent::Finished(Outcome::Tokens(tokens())));
    let effects = ui.key(ENTER);
    assert!(matches!(submits(&effects)[..], [(TOKENISE, _)]));
    assert_eq!(ui.state.context(), Context::Step);
    ui.chars("i");
    ui.key(ESC);
    assert_eq!(ui.state.context(), Context::Step);
}

#[test]
fn each_view_asks_for_its_own_panels_once() {
    let mut ui = Ui::with_data();
    assert!(ui.chars("2345").is_empty(), "all panels have arrived");
    let mut ui = Ui::with_tokens();
    let effects = ui.chars("3");
    assert!(matches!(submits(&effects)[..], [(INSPECT, Request::Inspect { panels, .. })]
        if matches!(panels[..], [Panel::AttentionHead { layer: 0, head: 0 }, Panel::HeadGrid { .. }])));
    ui.answer(JobEvent::Finished(Outcome::Inspected(Arc::new(inspection(&tokens())))));
    let effects = ui.key(DOWN);
    assert!(matches!(submits(&effects)[..], [(INSPECT, Request::Inspect { panels, .. })]
        if matches!(panels[..], [Panel::AttentionHead { layer: 1, head: 0 }])));
}

#[test]
fn keys_that_end_it() {
    for key in [Key::char('q'), Key::ctrl('c')] {
        assert_eq!(Ui::with_data().key(key), [Effect::Quit]);
    }
    for before in ["?", "i"] {
        let mut ui = Ui::with_data();
        ui.chars(before);
        assert_eq!(ui.key(Key::ctrl('c')), [Effect::Quit]);
    }
}

#[test]
fn a_panic_of_the_worker_is_shown() {
    let mut ui = Ui::with_tokens();
    ui.answer(JobEvent::Panicked("index out of bounds".into()));
    assert_eq!(ui.state.context(), Context::Error);
}

/// A state with data that knows what the heads do.
fn with_heads() -> Ui {
    let mut ui = Ui::with_data();
    let effects = ui.idle();
    assert!(matches!(submits(&effects)[..], [(HEADS, Request::Heads)]));
    ui.answer(JobEvent::Finished(Outcome::Heads(Arc::new(atlas()))));
    ui
}

#[test]
fn heads_are_named_once_they_are_measured() {
    let mut ui = with_heads();
    ui.chars("5v");
    assert!(ui.text().contains("induction"), "{}", ui.text());
    let mut stopped = Ui::with_data();
    stopped.idle();
    assert_eq!(stopped.key(ESC), [Effect::Cancel(HEADS)]);
    let effects = stopped.idle();
    assert!(matches!(submits(&effects)[..], [(VERIFY, _)]), "it is not tried again");
}

#[test]
fn the_question_is_chosen_once_and_asked_of_every_view() {
    let mut ui = Ui::with_data();
    assert!(ui.text().contains("␣mat vs ␣rug"), "{}", ui.text());
    ui.chars("jja");
    assert!(ui.text().contains("東 京  vs ␣mat"), "{}", ui.text());
    let effects = ui.chars("5");
    assert!(matches!(submits(&effects)[..], [(INSPECT, Request::Inspect { ask, panels, .. })]
        if ask.token == Some(103) && ask.position == Some(5) && panels[..] == [Panel::Why]));
    ui.chars("1");
    ui.chars("jb");
    assert_eq!(ui.state.session().ask().versus, Versus::Token(104));
    ui.chars("ka");
    assert_eq!(ui.state.session().ask().token, None, "chosen again, it is the most probable one");
    ui.chars("jab");
    assert_eq!(ui.state.session().ask().token, None, "a token is not compared with itself");
}

#[test]
fn what_is_taken_out_of_the_why_view_is_an_intervention_on_every_panel() {
    let mut ui = Ui::with_data();
    ui.chars("5");
    let effects = ui.chars("x");
    let specs = ["zero:L1.attn".to_owned()];
    assert!(matches!(submits(&effects)[..], [(INSPECT, Request::Inspect { interventions, panels, .. })]
        if interventions[..] == specs && panels[..] == [Panel::Why]));
    ui.answer(JobEvent::Finished(Outcome::Inspected(Arc::new(intervened(&tokens(), &specs)))));
    assert!(ui.text().contains("do zero:L1.attn") && ui.text().contains("90.0% → 60.0%"), "{}", ui.text());
    assert!(ui.chars("1").is_empty(), "the distribution came along");
    assert!(ui.text().contains("base"), "{}", ui.text());
    let effects = ui.chars("g");
    assert!(matches!(submits(&effects)[..], [(GENERATE, Request::Generate { interventions, .. })]
        if interventions[..] == specs));
    ui.key(ESC);
    let effects = ui.chars("D");
    assert!(matches!(submits(&effects)[..], [(INSPECT, Request::Inspect { interventions, .. })]
        if interventions.is_empty()));
}

#[test]
fn the_why_view_opens_what_is_chosen_and_goes_back() {
    let mut ui = Ui::with_data();
    ui.chars("5");
    ui.key(ENTER);
    assert!(ui.text().contains("heads of layer 1") && !ui.text().contains("L0H0"), "{}", ui.text());
    ui.key(ENTER);
    assert!(ui.text().contains("tokens, through L1H2"), "{}", ui.text());
    assert!(ui.key(ENTER).is_empty(), "a token is made of nothing");
    let effects = ui.chars("x");
    assert!(matches!(submits(&effects)[..], [(INSPECT, Request::Inspect { interventions, .. })]
        if interventions[..] == ["zero-attention:L1H2:5->2"]));
    ui.key(Key::plain(KeyCode::Backspace));
    ui.key(Key::plain(KeyCode::Backspace));
    assert!(ui.text().contains("components"), "{}", ui.text());
    let effects = ui.key(LEFT);
    assert!(matches!(submits(&effects)[..], [(INSPECT, Request::Inspect { ask, .. })] if ask.position == Some(4)));
}

#[test]
fn interventions_are_typed_toggled_and_deleted() {
    let mut ui = Ui::with_data();
    ui.chars("d");
    assert_eq!(ui.state.context(), Context::Interventions);
    ui.chars("zer:L1");
    assert!(ui.key(ENTER).is_empty());
    assert!(ui.text().contains("did you mean `zero:`"), "{}", ui.text());
    (0..6).for_each(|_| drop(ui.key(Key::plain(KeyCode::Backspace))));
    ui.chars("zero:L1");
    let active = |effects: &[Effect]| match submits(effects)[..] {
        [(INSPECT, Request::Inspect { interventions, .. })] => Some(interventions.clone()),
        _ => None,
    };
    assert_eq!(active(&ui.key(ENTER)), Some(vec!["zero:L1".to_owned()]));
    assert_eq!(active(&ui.key(Key::plain(KeyCode::Tab))), None, "what is shown is of the model as it is");
    assert!(ui.state.session().interventions().active().is_empty());
    assert_eq!(active(&ui.key(ENTER)), Some(vec!["zero:L1".to_owned()]), "an empty line switches");
    ui.key(Key::plain(KeyCode::Delete));
    assert!(ui.state.session().interventions().entries().is_empty());
    ui.key(ESC);
    assert_eq!(ui.state.context(), Context::Step);
}

#[test]
fn an_intervention_that_does_not_fit_is_switched_off_with_its_reason() {
    let mut ui = Ui::with_data();
    ui.chars("dzero:L99");
    ui.key(ENTER);
    let source = Problem::Outside { what: "layer", found: "99".into(), n: 6 };
    let error = lmscope::intervene::Error::Check { spec: "zero:L99".into(), source };
    ui.answer(JobEvent::Failed(EngineError::Intervene(error)));
    assert_eq!(ui.state.context(), Context::Interventions, "it is told in the list");
    assert!(ui.text().contains("[!] zero:L99") && ui.text().contains("there are 6"), "{}", ui.text());
    assert!(ui.state.session().interventions().active().is_empty());
}

#[test]
fn an_idle_model_is_verified_once_and_never_in_the_way() {
    let mut ui = with_heads();
    assert!(ui.state.awaits_idleness());
    let effects = ui.idle();
    assert!(matches!(submits(&effects)[..], [(VERIFY, Request::Verify)]));
    assert!(!ui.state.awaits_idleness(), "it is under way");

    let verification = ui.last_job();
    let effects = ui.chars("t");
    assert_eq!(effects[0], Effect::Cancel(VERIFY), "the user comes first");
    assert!(matches!(submits(&effects)[..], [(INSPECT, _)]));
    let verified = || JobEvent::Finished(Outcome::Verified(Verified { n_hold: 13, ..Verified::default() }));
    ui.answer_to(verification, verified());
    assert!(!ui.text().contains("laws"), "a cancelled verification says nothing");

    ui.answer(JobEvent::Finished(Outcome::Inspected(Arc::new(inspection(ui.state.session().tokens())))));
    ui.idle();
    ui.answer(verified());
    assert!(ui.text().contains("exact · ✓ 13 laws"), "{}", ui.text());
    assert!(!ui.state.awaits_idleness() && ui.idle().is_empty(), "once is enough");
}

#[test]
fn a_broken_law_is_named() {
    let mut ui = with_heads();
    ui.idle();
    ui.answer(JobEvent::Finished(Outcome::Verified(Verified {
        n_hold: 10,
        failed: vec!["head-sum"],
        ..Verified::default()
    })));
    assert!(ui.text().contains("✗ head-sum"), "{}", ui.text());
}

#[test]
fn a_verification_that_is_stopped_or_fails_is_not_tried_again() {
    let mut stopped = with_heads();
    stopped.idle();
    assert_eq!(stopped.key(ESC), [Effect::Cancel(VERIFY)]);
    let mut failed = with_heads();
    failed.idle();
    failed.answer(JobEvent::Panicked("index out of bounds".into()));
    for ui in [&mut stopped, &mut failed] {
        assert!(!ui.state.awaits_idleness() && ui.idle().is_empty());
    }
}

/// The guides and the last token of every row of the tree.
fn drawn(ui: &Ui) -> Vec<String> {
    let tree = ui.state.session().tree();
    let text = |row: &lmscope::tui::tree::Row| {
        format!("{}{}", row.guide, tree.node(row.node).visible.last().map_or("", String::as_str))
    };
    tree.rows().iter().map(text).collect()
}

#[test]
fn every_continuation_tried_is_a_node() {
    let mut ui = branched();
    let all = ["● ␣on", "├─ ␣a", "│  ├─ ␣mat", "│  ├─ ␣rug", "│  └─ 東京", "└─ ␣mat"];
    assert_eq!(drawn(&ui), all);
    let here = ui.state.session().tokens().ids.clone();
    ui.chars("u");
    assert_ne!(ui.state.session().tokens().ids, here);
    assert_eq!(drawn(&ui), all, "undo goes back and keeps what was tried");
    ui.chars("U");
    assert_eq!(ui.state.session().tokens().ids, here);
}

#[test]
fn the_tree_is_walked_named_and_pruned() {
    let mut ui = Ui::with_data();
    ui.chars("t");
    ui.chars("uj");
    ui.key(ENTER);
    ui.chars("2");
    let rug = ui.state.session().tokens().ids.clone();
    ui.chars("[");
    let effects = ui.key(ENTER);
    assert!(matches!(submits(&effects)[..], [(INSPECT, Request::Inspect { ids, .. })] if ids.last() == Some(&101)));
    ui.chars("rfirst try");
    assert_eq!(ui.state.context(), Context::Typing);
    ui.key(ENTER);
    assert!(ui.text().contains("first try"), "{}", ui.text());
    ui.chars("u");
    assert!(!ui.text().contains("first try"), "{}", ui.text());
    ui.chars("U]");
    ui.chars("x");
    assert_eq!(drawn(&ui).len(), 2, "{:?}", drawn(&ui));
    assert_eq!(ui.state.session().tokens().ids.last(), Some(&101), "what is pruned was elsewhere");
    ui.chars("u");
    assert_eq!(drawn(&ui).len(), 3);
    ui.chars("f]");
    ui.key(ENTER);
    assert_eq!(ui.state.session().tokens().ids, rug);
    ui.chars("x");
    assert_eq!(ui.state.session().tokens(), &tokens(), "the place was pruned: its parent is shown");
    ui.chars("x");
    assert_eq!(ui.state.session().tokens(), &tokens(), "the only prompt stays");
    ui.chars("u");
    assert_eq!(ui.state.session().tokens().ids, rug);
}

#[test]
fn two_branches_are_compared() {
    let mut ui = branched();
    assert!(ui.chars("v").is_empty(), "nothing is marked");
    ui.chars("m");
    assert!(ui.chars("v").is_empty(), "a node does not differ from itself");
    let effects = ui.chars("[v");
    assert!(matches!(submits(&effects)[..], [(_, Request::Branches { a, b })] if a != b));
    ui.answer(JobEvent::Finished(Outcome::Branches(branches())));
    assert!(ui.text().contains("the tokens part at position 6"), "{}", ui.text());
    ui.key(Key::plain(KeyCode::Backspace));
    assert!(ui.text().contains("prompt"), "{}", ui.text());
    ui.chars("v");
    assert!(matches!(ui.key(ESC)[..], [Effect::Cancel(_)]));
    assert!(ui.text().contains("prompt"), "{}", ui.text());
}
