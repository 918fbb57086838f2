//! The attention view: which side it shows of a token, what it counts, what it leaves out, and both runs.

use std::sync::Arc;

use lmscope::engine::{JobEvent, Outcome};
use lmscope::tui::input::Key;

use super::data::{Ui, intervened, tokens};
use super::live::Live;

fn attention() -> Ui {
    let mut ui = Ui::with_data();
    ui.chars("3");
    ui
}

/// The same with an intervention.
pub(super) fn changed() -> Ui {
    let mut ui = attention();
    ui.chars("x");
    let found = intervened(&tokens(), &["zero:L0H0".to_owned()]);
    ui.answer(JobEvent::Finished(Outcome::Inspected(Arc::new(found))));
    ui
}

#[test]
fn the_row_of_a_token_and_its_column() {
    let mut ui = attention();
    ui.key(Key::char('h'));
    assert!(ui.text().contains("␣on looks at"), "{}", ui.text());
    ui.chars("t");
    // ␣on is the fifth of six: it and ␣a look at it
    let text = ui.text();
    assert!(text.contains("␣on is looked at by") && text.contains("mostly by ␣on 20.0%"), "{text}");
    assert!(text.contains("16.7%"), "1/6 of what ␣a looks at: {text}");
    ui.chars("t");
    assert!(ui.text().contains("␣on looks at"), "{}", ui.text());
}

#[test]
fn the_first_token_is_left_out_and_what_it_holds_is_told() {
    let mut ui = attention();
    ui.chars("s");
    let text = ui.text();
    assert!(text.contains("left out: <s>, with 16.7% of the row's weight"), "{text}");
    assert!(!text.contains("mostly at <s>"), "{text}");
    ui.chars("t");
    assert!(ui.text().contains("left out: <s>  "), "{}", ui.text());
    ui.key(Key::char('0'));
    assert!(!ui.text().contains("left out"), "it is what is asked about: {}", ui.text());
}

#[test]
fn weight_times_value_is_what_the_engine_says_it_is() {
    let mut ui = attention();
    ui.chars("v");
    let text = ui.text();
    assert!(text.contains("␣a gets written from") && text.contains("mostly at ␣a 0.50"), "1/6 · 3: {text}");
    ui.chars("v");
    assert!(ui.text().contains("mostly at"), "{}", ui.text());
    let mut live = Live::new();
    live.chars("3v");
    let text = live.ui.text();
    assert!(text.contains("weight × value"), "{text}");
}

#[test]
fn both_runs_stand_side_by_side() {
    let mut ui = changed();
    let text = ui.text();
    // the weight on the first token was a sixth of a sixth
    for part in ["base    now change", "2.8%  16.7%  +13.9", "map: now"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    ui.chars("b");
    assert!(ui.text().contains("map: base"), "{}", ui.text());
    ui.chars("b");
    let text = ui.text();
    assert!(text.contains("map: now - base") && text.contains("+14"), "{text}");
}
