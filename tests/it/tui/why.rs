//! The why view's scores of the prompt's tokens: what is asked, stopped, and shown.

use std::sync::Arc;

use crossterm::event::KeyCode;
use lmscope::engine::{InputMethod, Inputs, JobEvent, Named, Outcome, Pair, Part, PartKind, Request};
use lmscope::tui::Effect;
use lmscope::tui::input::Key;
use lmscope::tui::view::ViewName;

use super::data::{Ui, failure, submits};
use super::live::Live;

/// Invented scores.
pub(super) fn scores(method: InputMethod) -> JobEvent {
    let named = |id, visible: &str| Named { id, visible: visible.into() };
    let part = |position: usize, name: &str, now| Part {
        kind: PartKind::Input(position),
        name: name.into(),
        share: Pair { now, base: None },
        mostly: None,
        value: Some(0.25),
    };
    let parts = vec![part(0, "0 <s>", -0.5), part(2, "2 ␣cat", 1.5), part(5, "5 ␣a", 0.25)];
    let promised = (method == InputMethod::IntegratedGradients).then_some(1.5);
    let (token, versus) = (named(101, "␣mat"), Some(named(102, "␣rug")));
    JobEvent::Finished(Outcome::Inputs(Arc::new(Inputs { method, token, versus, logit: 1.1, promised, parts })))
}

/// The view at the first level of scores, which were just asked for.
pub(super) fn asked() -> Ui {
    let mut ui = Ui::with_data();
    let effects = ui.chars("5vvvv");
    let [(slot, Request::Inputs { method, .. })] = submits(&effects)[..] else { panic!("{effects:?}") };
    assert_eq!((slot, *method), (ViewName::Why.slot(), InputMethod::GradientXInput));
    ui
}

fn method(effects: &[Effect]) -> Option<InputMethod> {
    submits(effects).iter().find_map(|(_, request)| match request {
        Request::Inputs { method, .. } => Some(*method),
        _ => None,
    })
}

#[test]
fn each_method_is_asked_once_and_its_scores_stay() {
    let mut ui = asked();
    assert!(ui.text().contains("computing; Esc stops"), "{}", ui.text());
    ui.answer(scores(InputMethod::GradientXInput));
    let text = ui.text();
    for part in ["tokens, gradient × input", "2 ␣cat", "+1.500", "25.0% of all", "sum +1.250, logit +1.100"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!(method(&ui.chars("v")), Some(InputMethod::LeaveOneOut));
    ui.answer(scores(InputMethod::LeaveOneOut));
    assert!(ui.text().contains("what +1.100 loses"), "{}", ui.text());
    assert_eq!(method(&ui.chars("v")), Some(InputMethod::IntegratedGradients));
    ui.answer(scores(InputMethod::IntegratedGradients));
    assert!(ui.text().contains("sum +1.250 of +1.500") && ui.text().contains("remainder +0.250"), "{}", ui.text());
    assert_eq!(method(&ui.chars("vvvvv")), None, "all round, and nothing is asked again");
    assert!(ui.text().contains("gradient × input") && ui.text().contains("+1.500"), "{}", ui.text());
    assert_eq!(method(&ui.key(Key::plain(KeyCode::Left))), Some(InputMethod::GradientXInput), "another position");
}

#[test]
fn what_is_stopped_or_fails_says_so_and_begins_again_when_asked_to() {
    let mut ui = asked();
    assert_eq!(ui.key(Key::plain(KeyCode::Esc)), [Effect::Cancel(ViewName::Why.slot())]);
    assert!(ui.text().contains("stopped; r begins again"), "{}", ui.text());
    assert_eq!(method(&ui.chars("r")), Some(InputMethod::GradientXInput));
    ui.answer(failure());
    assert!(ui.text().contains("layer 9 does not exist"), "{}", ui.text());
    assert_eq!(method(&ui.chars("r")), Some(InputMethod::GradientXInput));
    ui.answer(scores(InputMethod::GradientXInput));
    assert!(method(&ui.chars("r")).is_none(), "there is nothing unfinished");
    assert_eq!(method(&ui.chars("v")), Some(InputMethod::LeaveOneOut));
    assert_eq!(method(&ui.chars("v")), Some(InputMethod::IntegratedGradients), "in place of the one under way");
    ui.answer(scores(InputMethod::IntegratedGradients));
    assert_eq!(method(&ui.chars("vvvvvv")), Some(InputMethod::LeaveOneOut), "which is asked again");
}

#[test]
fn a_token_is_taken_out_by_hiding_it_from_all_later_ones() {
    let mut ui = asked();
    ui.answer(scores(InputMethod::GradientXInput));
    ui.chars("x");
    assert_eq!(ui.state.session().interventions().active(), ["knockout:L*H*:3-->2"]);
    let mut live = Live::new();
    live.chars("5vvvvv");
    let text = live.ui.text();
    assert!(text.contains("leave one out") && text.contains("␣cat"), "{text}");
    live.chars("x");
    assert!(live.ui.text().contains("without interventions"), "{}", live.ui.text());
}
