//! Panels: all that follow show one selection, and what is pinned stays as it was.

use std::sync::Arc;

use crossterm::event::KeyCode;
use lmscope::engine::worker::Slot;
use lmscope::engine::{Inspection, JobEvent, Outcome, Panel, Request};
use lmscope::hook::Head;
use lmscope::tui::effect::{INSPECT, INSPECTIONS};
use lmscope::tui::input::{InputEvent, Key};
use lmscope::tui::keymap::Context;
use lmscope::tui::mouse::{Gesture, Pointing};
use lmscope::tui::split::Seat;
use lmscope::tui::view::ViewName;
use lmscope::tui::{Effect, Msg, SessionOptions, TuiOptions, screen};
use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::Rect;

use super::data::{Ui, inspection, intervened, submits, tokens};
use super::evals::suites;
use super::live::Live;
use super::patch::{fill, with_both_prompts};

const ENTER: Key = Key::plain(KeyCode::Enter);
const ESC: Key = Key::plain(KeyCode::Esc);
const LEFT: Key = Key::plain(KeyCode::Left);

fn answer(ui: &mut Ui) {
    ui.answer(JobEvent::Finished(Outcome::Inspected(Arc::new(inspection(&tokens())))));
}

/// Keys, and data for what they ask.
fn press(ui: &mut Ui, keys: &str) {
    for c in keys.chars() {
        let effects = ui.key(Key::char(c));
        if submits(&effects).iter().any(|(slot, _)| *slot == INSPECT) {
            answer(ui);
        }
    }
}

/// Step and Why side by side, Step has the keys.
fn step_and_why() -> Ui {
    let mut ui = Ui::with_data();
    press(&mut ui, "|5,");
    ui
}

/// Step and Attention, Why and Lens.
pub(super) fn four() -> Ui {
    let mut ui = Ui::with_data();
    press(&mut ui, "|5-4,,-3.");
    ui
}

/// Step as it was beside Step with an intervention.
pub(super) fn pinned() -> Ui {
    let mut ui = Ui::with_data();
    press(&mut ui, "P|5");
    ui.chars("x");
    let found = intervened(&tokens(), &["zero:L1.attn".to_owned()]);
    ui.answer(JobEvent::Finished(Outcome::Inspected(Arc::new(found))));
    ui.chars("1");
    ui
}

fn resize(ui: &mut Ui, width: u16, height: u16) -> Vec<Effect> {
    ui.send(Msg::Input(InputEvent::Resize(width, height)))
}

/// The forward passes that are asked for.
fn passes(effects: &[Effect]) -> Vec<(Slot, Vec<Panel>)> {
    let pass = |(slot, request): (Slot, &Request)| match request {
        Request::Inspect { panels, .. } => Some((slot, panels.clone())),
        _ => None,
    };
    submits(effects).into_iter().filter_map(pass).collect()
}

const AREA: Rect = Rect::new(0, 0, 120, 40);

/// Every cell of a part of the screen, styles too.
fn cells(ui: &Ui, part: Rect) -> Vec<Cell> {
    let mut buffer = Buffer::empty(AREA);
    drop(screen::render(&ui.state, AREA, &mut buffer));
    part.positions().map(|at| buffer[at].clone()).collect()
}

fn text(cells: &[Cell]) -> String {
    cells.iter().map(Cell::symbol).collect()
}

/// The left one of two panels, below its title, and the right one.
const SIDES: [Rect; 2] = [Rect::new(0, 6, 60, 33), Rect::new(61, 6, 59, 33)];

#[test]
fn one_forward_pass_moves_every_panel() {
    let mut ui = four();
    let effects = ui.chars("dzero:L0H0");
    assert!(passes(&effects).is_empty());
    let effects = ui.key(ENTER);
    let [(INSPECT, panels)] = &passes(&effects)[..] else { panic!("{effects:?}") };
    assert_eq!(panels.len(), 5, "a distribution, a head, all heads, why and the lens: {panels:?}");
    let mut live = Live::new();
    live.chars("|5,");
    for (key, after) in [(LEFT, "after ␣on"), (LEFT, "after ␣sat")] {
        live.key(key);
        let [left, right] = SIDES.map(|side| text(&cells(&live.ui, side)));
        assert!(left.contains(after) && right.contains(after), "{}", live.ui.text());
    }
    live.chars("ja");
    let asked = live.ui.state.session().target().0.unwrap().visible.clone();
    assert!(text(&cells(&live.ui, SIDES[1])).starts_with(&asked), "{}", live.ui.text());
}

#[test]
fn a_panel_asks_only_for_what_the_selection_changes_for_it() {
    let mut ui = step_and_why();
    let effects = ui.key(LEFT);
    assert_eq!(passes(&effects), [(INSPECT, vec![Panel::Why])], "Step has every position");
    assert!(ui.chars("j").is_empty(), "a cursor is its panel's own");
}

#[test]
fn panels_of_two_heads_are_answered_each_by_its_own() {
    let mut ui = Ui::with_data();
    press(&mut ui, "3|");
    let effects = ui.chars("]");
    assert_eq!(passes(&effects), [(INSPECT, vec![Panel::AttentionHead { layer: 0, head: 1 }])]);
    let told = |head: usize, by: f32| {
        let found = inspection(&tokens());
        let figure = lmscope::figure::Figure {
            title: format!("head {head} by {by}"),
            ..found.attention.as_deref().unwrap().clone()
        };
        Inspection { head: Some(Head { layer: 0, head }), attention: Some(Arc::new(figure)), ..found }
    };
    ui.answer(JobEvent::Finished(Outcome::Inspected(Arc::new(told(1, 1.0)))));
    let effects = ui.chars("x");
    let [(INSPECT, first), (second_slot, second)] = &passes(&effects)[..] else { panic!("{effects:?}") };
    let head = |head| Panel::AttentionHead { layer: 0, head };
    assert!(first.contains(&head(0)) && !first.contains(&head(1)), "{first:?}");
    assert_eq!((*second_slot, &second[..]), (INSPECTIONS[1], &[head(1)][..]));
    let last = ui.last_job();
    for (job, at) in [(last, 1), (last - 1, 0)] {
        let specs = vec!["zero:L0H1".to_owned()];
        let found = Inspection { interventions: specs, ..told(at, 2.0) };
        ui.answer_to(job, JobEvent::Finished(Outcome::Inspected(Arc::new(found))));
    }
    assert_eq!(ui.state.figures()[0].title, "head 1 by 2");
    ui.chars(",");
    assert_eq!(ui.state.figures()[0].title, "head 0 by 2", "the focused panel is exported");
}

#[test]
fn what_is_pinned_stays_as_it_was_in_every_cell() {
    let mut live = Live::new();
    live.chars("P|");
    let before = SIDES.map(|side| cells(&live.ui, side));
    assert!(live.ui.text().contains("pinned: The cat sat on a"), "{}", live.ui.text());
    assert_eq!(before[0], cells(&live.ui, SIDES[0]));
    live.chars("i");
    live.key(Key::ctrl('u'));
    live.chars("The cat sat");
    live.key(ENTER);
    let changed = SIDES.map(|side| cells(&live.ui, side));
    assert_eq!(changed[0], before[0], "{}", live.ui.text());
    assert!(text(&changed[1]).contains("after ␣sat"), "{}", live.ui.text());
    live.chars("dzero:L0H0");
    live.key(ENTER);
    live.key(ESC);
    live.idle();
    live.key(LEFT);
    let changed = SIDES.map(|side| cells(&live.ui, side));
    assert_eq!(changed[0], before[0], "{}", live.ui.text());
    assert!(text(&changed[1]).contains("base"), "{}", live.ui.text());
    live.chars(",P");
    let [left, right] = SIDES.map(|side| text(&cells(&live.ui, side)));
    assert!(left.contains("after ␣cat") && right.contains("after ␣cat"), "it follows again: {}", live.ui.text());
}

#[test]
fn a_pinned_panel_says_so_instead_of_changing() {
    let mut ui = Ui::with_data();
    press(&mut ui, "|,P");
    for keys in ["t", "5", "a"] {
        assert!(ui.chars(keys).is_empty(), "{keys}");
        assert!(ui.text().contains("this panel is pinned: P lets it follow again"), "{keys}: {}", ui.text());
    }
    let before = cells(&ui, SIDES[0]);
    ui.chars("j");
    assert_ne!(cells(&ui, SIDES[0]), before, "its cursor moves");
    ui.chars(&"j".repeat(60));
    assert!(!ui.state.is_busy(), "behind its last row nothing is asked for");
    let mut ui = Ui::with_data();
    ui.chars("i!");
    ui.answer(JobEvent::Finished(Outcome::Tokens(lmscope::engine::Tokens {
        ids: vec![7],
        visible: vec!["!".into()],
        ..tokens()
    })));
    ui.key(ENTER);
    ui.answer(JobEvent::Finished(Outcome::Tokens(lmscope::engine::Tokens {
        ids: vec![7],
        visible: vec!["!".into()],
        ..tokens()
    })));
    ui.chars("P");
    assert!(ui.text().contains("not pinned"), "its distribution is under way: {}", ui.text());
}

#[test]
fn two_panels_of_one_view_have_jobs_of_their_own() {
    let mut ui = Ui::with_data();
    ui.chars("8");
    let first = ui.last_job();
    let effects = ui.chars("|");
    let slots = [Seat(0), Seat(1)].map(|seat| ViewName::Evals.slot_in(seat));
    assert!(matches!(submits(&effects)[..], [(slot, Request::Suites)] if slot == slots[1]), "{effects:?}");
    ui.answer(suites());
    ui.answer_to(first, suites());
    for side in SIDES {
        assert!(text(&cells(&ui, side)).contains("facts"), "{}", ui.text());
    }
    ui.key(ENTER);
    ui.chars(",");
    ui.key(ENTER);
    let effects = ui.key(ESC);
    assert_eq!(effects, slots.map(Effect::Cancel), "Esc stops both");
    let effects = ui.chars("8.r");
    assert!(matches!(submits(&effects)[..], [(slot, Request::Evaluate { .. })] if slot == slots[1]), "{effects:?}");
    assert_eq!(ui.chars("X"), [Effect::Cancel(slots[1])], "what is closed is stopped");
}

#[test]
fn a_grid_that_fills_gives_way_and_goes_on() {
    let (mut ui, request) = with_both_prompts();
    fill(&mut ui, request, 7);
    ui.chars("|");
    let effects = ui.chars("3");
    let asked = submits(&effects);
    let [(INSPECT, _), (slot, Request::Patch(work))] = asked[..] else { panic!("{asked:?}") };
    assert_eq!((slot, work.known.len()), (ViewName::Patch.slot(), 7), "no cell is computed twice");
    assert!(ui.chars("t").is_empty(), "what asks for nothing disturbs nothing");
}

#[test]
fn what_is_not_seen_asks_for_nothing_until_it_is() {
    let mut ui = step_and_why();
    assert!(ui.chars("z").is_empty());
    assert!(ui.text().contains("panel 1 of 2, z shows all"), "{}", ui.text());
    assert!(ui.key(LEFT).is_empty(), "Why is not seen");
    assert_eq!(passes(&ui.chars("z")), [(INSPECT, vec![Panel::Why])]);
    let mut ui = step_and_why();
    resize(&mut ui, 40, 10);
    assert!(ui.rows(40, 10).concat().contains("panel 1 of 2, no room"), "{:?}", ui.rows(40, 10));
    assert!(ui.key(LEFT).is_empty());
    assert_eq!(passes(&resize(&mut ui, 120, 40)), [(INSPECT, vec![Panel::Why])]);
    let effects = ui.chars("z.");
    assert_eq!(ui.state.context(), Context::Why, "the next one is shown alone");
    assert_eq!(passes(&effects).len(), 1, "{effects:?}");
}

#[test]
fn a_panel_that_no_view_fits_in_is_refused() {
    let mut ui = Ui::with_data();
    resize(&mut ui, 80, 24);
    press(&mut ui, "|");
    assert!(ui.rows(80, 24)[23].starts_with(", . focus the other panel, z shows one alone, P pins it, X closes it"));
    assert_eq!(ui.chars("|"), []);
    let said = "no room to split: 26x18, a view needs 39x7; enlarge the window, or X closes one";
    assert!(ui.text().contains(said), "{}", ui.text());
    press(&mut ui, "-");
    ui.chars("-");
    assert!(ui.text().contains("no room to split: 39x6"), "{}", ui.text());
    press(&mut ui, ",,-");
    assert!(!ui.text().contains("no room"), "80x24 has room for four: {}", ui.text());
    resize(&mut ui, 200, 60);
    ui.chars("|");
    assert!(ui.text().contains("4 panels are the most; X closes one"), "{}", ui.text());
    press(&mut ui, "XXX");
    assert!(!ui.text().contains('▶'), "one panel has no title: {}", ui.text());
    for (key, said) in [("X", "it is the only panel"), ("z", "| makes another one")] {
        ui.chars(key);
        assert!(ui.text().contains(said), "{}", ui.text());
    }
    resize(&mut ui, 60, 20);
    ui.chars("|");
    assert!(ui.text().contains("29x14") && ui.text().contains("; enlarge the window"), "{}", ui.text());
}

#[test]
fn a_click_focuses_a_panel_and_acts_in_it() {
    let mut ui = step_and_why();
    let row = (6..40).find(|&y| text(&cells(&ui, Rect::new(61, y, 59, 1))).starts_with("L0.attn")).unwrap();
    let point = |ui: &mut Ui, column, row, gesture| {
        let hits = screen::render(&ui.state, AREA, &mut Buffer::empty(AREA));
        ui.send(Msg::Pointed(hits.actions(Pointing { column, row, gesture })))
    };
    point(&mut ui, 63, row, Gesture::Press);
    assert_eq!(ui.state.context(), Context::Why);
    let effects = ui.chars("x");
    assert!(format!("{effects:?}").contains("zero:L0.attn"), "{effects:?}");
    let mut ui = Ui::with_data();
    press(&mut ui, "4|,P.");
    point(&mut ui, 100, 8, Gesture::Press);
    let position = ui.state.session().position();
    assert!(position < 5, "a token was clicked");
    point(&mut ui, 10, 8, Gesture::Press);
    assert_eq!(ui.state.session().position(), position, "what is pinned selects nothing");
    assert!(ui.text().contains("this panel is pinned"), "{}", ui.text());
    let mut ui = step_and_why();
    point(&mut ui, 100, 30, Gesture::WheelDown);
    let effects = ui.chars("x");
    assert!(format!("{effects:?}").contains("zero:L0.attn"), "the wheel moves what it is over: {effects:?}");
}

#[test]
fn panels_are_saved_and_come_back_as_they_were() {
    let mut first = Live::new();
    first.chars("|5-4,,-3.P");
    let session = SessionOptions { resumed: first.ui.state.saved(), ..SessionOptions::default() };
    let second = Live::with_options(TuiOptions { session, ..TuiOptions::default() });
    let saved = second.ui.state.saved().unwrap();
    assert_eq!((saved.panels.len(), saved.view.as_str(), saved.focus), (4, "why", 1));
    assert_eq!(Some(saved), first.ui.state.saved());
    for title in ["Step", "Attention", "Why", "Lens"] {
        assert!(second.ui.text().contains(&format!(" {title} ")), "{}", second.ui.text());
    }
    assert!(!second.ui.text().contains("pinned"), "what was pinned follows");
}
