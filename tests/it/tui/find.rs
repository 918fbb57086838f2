//! The palette and the search.

use crossterm::event::KeyCode;
use lmscope::tui::input::Key;
use lmscope::tui::keymap::{Context, KEYMAP};
use lmscope::tui::view::VIEWS;
use lmscope::tui::{Effect, Offer, TuiOptions};

use super::data::Ui;

const ENTER: Key = Key::plain(KeyCode::Enter);

#[test]
fn a_command_is_found_and_run_where_it_means_something() {
    let mut ui = Ui::with_data();
    ui.chars(":toggle-grid");
    assert_eq!(ui.state.context(), Context::Picker);
    assert!(ui.text().contains("Enter, o"), "{}", ui.text());
    ui.key(ENTER);
    assert_eq!((ui.state.current(), ui.state.context()), (2, Context::Attention));
    ui.chars(":quit");
    assert!(ui.key(ENTER).contains(&Effect::Quit));
}

#[test]
fn every_view_and_every_command_is_in_the_palette() {
    let passing =
        [Context::Typing, Context::Picker, Context::Help, Context::Error, Context::Editing, Context::Interventions];
    for binding in KEYMAP.iter().filter(|binding| !passing.contains(&binding.context)) {
        let name = binding.action.name();
        let mut ui = Ui::with_data();
        ui.chars(&format!(":{name}"));
        assert!(name == "palette" || ui.text().contains(&*name), "{name}: {}", ui.text());
    }
    for (at, name) in VIEWS.iter().map(|make| make().name()).enumerate() {
        let mut ui = Ui::with_data();
        ui.chars(&format!(":{}", lmscope::tui::action::Action::ShowView(name).name()));
        ui.key(ENTER);
        assert_eq!(ui.state.current(), at);
    }
}

#[test]
fn a_lens_is_shown_by_its_view_and_a_suite_says_how_it_is_run() {
    let offer = |kind, name: &str| Offer {
        kind,
        name: name.into(),
        about: "what it measures".into(),
        command: format!("lmscope run {name} {{prompt}} -m {{model}}"),
    };
    let offers = vec![offer("lens", "logit-lens"), offer("suite", "reversal-curse")];
    let mut ui = Ui::with_tokens_and(TuiOptions { offers, ..TuiOptions::default() });
    ui.chars(":logit-lens");
    ui.key(ENTER);
    assert_eq!(ui.state.context(), Context::Lens);
    ui.chars(":reversal");
    ui.key(ENTER);
    assert!(ui.text().contains("lmscope run reversal-curse 'The cat sat on a' -m slide"), "{}", ui.text());
    let copied = ui.chars("y");
    assert_eq!(copied, [Effect::Copy("lmscope run reversal-curse 'The cat sat on a' -m slide".into())]);
}

#[test]
fn a_search_goes_to_tokens_and_rows_round_and_round() {
    let mut ui = Ui::with_data();
    ui.chars("/at");
    assert!(ui.text().contains("token 2") && ui.text().contains("Step row 1"), "{}", ui.text());
    ui.key(ENTER);
    assert_eq!(ui.state.session().position(), 2, "␣cat");
    ui.chars("n");
    assert_eq!(ui.state.session().position(), 3, "␣sat");
    ui.chars("nnn");
    assert_eq!(ui.state.session().position(), 2, "after the candidates ␣mat and ␣hat it starts again");
    ui.chars("/hat");
    ui.key(ENTER);
    assert!(ui.chars("a").len() <= 1);
    assert_eq!(ui.state.session().ask().token, Some(112), "the cursor is on ␣hat");
    ui.chars("N");
    assert_eq!(ui.state.context(), Context::Step);
}

#[test]
fn a_search_for_nothing_moves_nothing() {
    let mut ui = Ui::with_data();
    ui.chars("/qqq");
    ui.key(ENTER);
    ui.chars("nN");
    assert_eq!((ui.state.session().position(), ui.state.context()), (5, Context::Step));
    let mut fresh = Ui::with_data();
    fresh.chars("n");
    assert_eq!(fresh.state.context(), Context::Picker, "without a search it asks for one");
}
