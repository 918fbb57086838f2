//! Clicks, by what is seen on the screen: a text is looked for in what is drawn, and clicked.

use lmscope::tui::keymap::Context;
use lmscope::tui::mouse::{Gesture, MouseUse, Pointing};
use lmscope::tui::{Effect, Msg, screen};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::data::Ui;

const AREA: Rect = Rect::new(0, 0, 120, 40);

/// Where a text is seen first.
fn find(ui: &Ui, text: &str) -> (u16, u16) {
    let mut buffer = Buffer::empty(AREA);
    screen::render(&ui.state, AREA, &mut buffer);
    for y in 0..AREA.height {
        for x in 0..AREA.width {
            let rest: String = (x..AREA.width).map(|x| buffer[(x, y)].symbol()).collect();
            if rest.starts_with(text) {
                return (x, y);
            }
        }
    }
    panic!("{text} is not on the screen: {}", ui.text())
}

fn point(ui: &mut Ui, (column, row): (u16, u16), gesture: Gesture) -> Vec<Effect> {
    let hits = screen::render(&ui.state, AREA, &mut Buffer::empty(AREA));
    ui.send(Msg::Pointed(hits.actions(Pointing { column, row, gesture })))
}

fn click(ui: &mut Ui, text: &str) -> Vec<Effect> {
    let at = find(ui, text);
    point(ui, at, Gesture::Press)
}

#[test]
fn tabs_tokens_and_rows_are_clicked() {
    let mut ui = Ui::with_data();
    click(&mut ui, "␣sat");
    assert_eq!(ui.state.session().position(), 3);
    click(&mut ui, "2 ␣rug");
    ui.chars("a");
    assert_eq!(ui.state.session().ask().token, Some(102));
    let mut ui = Ui::with_data();
    click(&mut ui, "4 Lens");
    assert_eq!(ui.state.context(), Context::Lens);
    // the second row, under the token 2
    click(&mut ui, "␣t8");
    assert_eq!(ui.state.session().position(), 2);
    let mut ui = Ui::with_data();
    click(&mut ui, "5 Why");
    let (_, y) = find(&ui, "L0.attn");
    point(&mut ui, (0, y), Gesture::Press);
    let effects = ui.chars("x");
    assert!(format!("{effects:?}").contains("zero:L0.attn"), "{effects:?}");
}

#[test]
fn a_thumbnail_selects_its_head() {
    let mut ui = Ui::with_data();
    ui.chars("3o");
    let effects = click(&mut ui, "h2");
    assert!(format!("{effects:?}").contains("AttentionHead { layer: 0, head: 2 }"), "{effects:?}");
}

#[test]
fn the_wheel_moves_the_cursor_and_the_footer_is_made_of_buttons() {
    let mut ui = Ui::with_data();
    point(&mut ui, (20, 10), Gesture::WheelDown);
    point(&mut ui, (20, 10), Gesture::WheelDown);
    point(&mut ui, (20, 10), Gesture::WheelUp);
    ui.chars("a");
    assert_eq!(ui.state.session().ask().token, Some(102));
    click(&mut ui, "? help");
    assert_eq!(ui.state.context(), Context::Help);
    click(&mut ui, "Esc close");
    assert_eq!(ui.state.context(), Context::Step);
    assert!(click(&mut ui, "q quit").contains(&Effect::Quit));
}

#[test]
fn what_lies_under_an_overlay_is_not_clicked() {
    let mut ui = Ui::with_data();
    let token = find(&ui, "The");
    ui.chars(":");
    point(&mut ui, token, Gesture::Press);
    assert_eq!(ui.state.session().position(), 5);
    ui.chars("next-v");
    let effects = click(&mut ui, "show the next view");
    assert_eq!((ui.state.current(), ui.state.context()), (1, Context::Tree), "{effects:?}");
}

#[test]
fn the_mouse_can_be_given_to_the_terminal() {
    let mut ui = Ui::with_data();
    assert_eq!(ui.chars("m"), [Effect::Mouse(MouseUse::Terminal)]);
    assert!(ui.text().contains("the terminal has the mouse"), "{}", ui.text());
    assert_eq!(ui.chars("m"), [Effect::Mouse(MouseUse::Ours)]);
    ui.chars("j");
    assert!(ui.text().contains("? help"), "{}", ui.text());
}
