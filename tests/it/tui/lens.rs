//! The lens view: the grid and the lines, tokens that are followed, and both runs.

use std::sync::Arc;

use crossterm::event::KeyCode;
use lmscope::engine::{JobEvent, Outcome, Panel, Request, Tokens};
use lmscope::tui::effect::INSPECT;
use lmscope::tui::input::Key;
use lmscope::tui::keymap::Context;
use lmscope::tui::view::ViewName;

use super::data::{Ui, intervened, submits, tokens};
use super::live::Live;

const ENTER: Key = Key::plain(KeyCode::Enter);

/// The lens view of a model with an intervention.
pub(super) fn changed() -> Ui {
    let mut ui = Ui::with_data();
    ui.chars("dzero:L1");
    ui.key(ENTER);
    ui.key(Key::plain(KeyCode::Esc));
    ui.chars("4");
    ui.answer(JobEvent::Finished(Outcome::Inspected(Arc::new(intervened(&tokens(), &["zero:L1".to_owned()])))));
    ui
}

fn watched(effects: &[lmscope::tui::Effect]) -> Vec<u32> {
    match submits(effects)[..] {
        [(INSPECT, Request::Inspect { panels, .. })] => match &panels[..] {
            [Panel::LogitLens { watch }] => watch.clone(),
            other => panic!("{other:?}"),
        },
        _ => panic!("{effects:?}"),
    }
}

#[test]
fn lines_show_the_numbers_of_the_chosen_layer() {
    let mut ui = Ui::with_data();
    ui.chars("4v");
    let text = ui.text();
    // exp(-4 / 4), exp(-3), and what the table says of entropy and divergence
    for part in ["layer 2", "A ␣mat", "36.79%", "B ␣rug", "4.98%", "H bits", "1.00", "K nats", "0.50", "entropy, bits"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    ui.chars("k");
    assert!(ui.text().contains("layer 1") && ui.text().contains("26.36%"), "exp(-4 / 3): {}", ui.text());
    ui.chars("v");
    assert!(ui.text().contains("if the model stopped here") && !ui.text().contains("entropy, bits"), "{}", ui.text());
}

#[test]
fn the_token_of_a_cell_is_followed_and_no_longer() {
    let mut ui = Ui::with_data();
    ui.chars("4");
    // the last of four rows of six
    assert_eq!(watched(&ui.key(ENTER)), [523]);
    ui.chars("k");
    assert_eq!(watched(&ui.key(ENTER)), [523, 517]);
    assert_eq!(watched(&ui.key(ENTER)), [523]);
    let effects = ui.key(Key::plain(KeyCode::Backspace));
    assert!(submits(&effects).is_empty(), "none is left, and that is what is shown: {effects:?}");
    assert!(ui.key(Key::plain(KeyCode::Backspace)).is_empty());
}

#[test]
fn a_typed_text_is_followed_token_by_token_and_the_first_make_room() {
    let mut ui = Ui::with_data();
    ui.chars("4+");
    assert_eq!(ui.state.context(), Context::Typing);
    ui.chars(" dog");
    let effects = ui.key(ENTER);
    let [(slot, Request::Tokenise { text, .. })] = submits(&effects)[..] else { panic!("{effects:?}") };
    assert_eq!((slot, text.as_str()), (ViewName::Lens.slot(), " dog"));
    let five = Tokens { ids: vec![1, 2, 3, 4, 5], visible: vec!["x".into(); 5], bos: String::new() };
    assert_eq!(watched(&ui.answer(JobEvent::Finished(Outcome::Tokens(five)))), [2, 3, 4, 5]);
    ui.chars("+");
    assert!(
        ui.key(ENTER).iter().all(
            |effect| !matches!(effect, lmscope::tui::Effect::Submit { slot, .. } if *slot == ViewName::Lens.slot())
        )
    );
    assert_eq!(ui.state.context(), Context::Lens);
}

#[test]
fn a_followed_token_has_the_probability_that_the_model_gives_it_in_the_end() {
    let mut live = Live::new();
    live.chars("4v+ chair");
    live.key(ENTER);
    let text = live.ui.text();
    assert!(text.contains("A ␣mat") && text.contains("96.86%"), "{text}");
    assert!(text.contains("B ␣chair") && text.contains("1.04%"), "{text}");
    live.chars("+ dog");
    live.key(ENTER);
    assert!(live.ui.text().contains("C ␣dog"), "{}", live.ui.text());
}

#[test]
fn grid_and_lines_show_both_runs() {
    let mut ui = changed();
    let text = ui.text();
    assert!(text.contains("now ␣t23") && text.contains("base ␣t23") && text.contains("underlined"), "{text}");
    ui.chars("b");
    assert!(ui.text().contains("base ␣t23 40.00%, now ␣t23 10.00%"), "{}", ui.text());
    ui.chars("v");
    let text = ui.text();
    // exp(-8 / 4) beside exp(-4 / 4)
    assert!(text.contains("36.79%  13.53%") && text.contains("small: base"), "{text}");
}
