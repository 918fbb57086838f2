//! Every view and overlay in every condition at three sizes, with its styles.

use std::fmt::Write as _;
use std::sync::Arc;

use crossterm::event::KeyCode;
use lmscope::engine::{JobEvent, Outcome};
use lmscope::tui::input::Key;
use lmscope::tui::view::VIEWS;
use lmscope::tui::{State, screen};
use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::Rect;

use super::data::{Ui, atlas, branched, branches, failure, intervened, tokens};
use super::evals::{evaluated, running, scored, suites};
use super::live::Live;
use super::patch::{fill, with_both_prompts};

const SIZES: [(u16, u16); 3] = [(80, 24), (120, 40), (40, 10)];

/// The text, then the runs of cells that are styled.
fn styled(state: &State, (width, height): (u16, u16)) -> String {
    let area = Rect::new(0, 0, width, height);
    let mut buffer = Buffer::empty(area);
    screen::render(state, area, &mut buffer);
    let mut out = String::new();
    for y in 0..height {
        let row: String = (0..width).map(|x| buffer[(x, y)].symbol()).collect();
        writeln!(out, "{}", row.trim_end()).unwrap();
    }
    (0..height).for_each(|y| runs(&buffer, y, width, &mut out));
    out
}

fn runs(buffer: &Buffer, y: u16, width: u16, out: &mut String) {
    let look = |cell: &Cell| (cell.fg, cell.bg, cell.modifier);
    let mut from = 0;
    for x in 1..=width {
        if x < width && look(&buffer[(x, y)]) == look(&buffer[(from, y)]) {
            continue;
        }
        let cell = &buffer[(from, y)];
        if look(cell) != look(&Cell::EMPTY) {
            writeln!(out, "{y}:{from}..{x} {} {} {:?}", cell.fg, cell.bg, cell.modifier).unwrap();
        }
        from = x;
    }
}

fn check(name: &str, ui: &Ui) {
    for (width, height) in SIZES {
        insta::assert_snapshot!(format!("{name}_{width}x{height}"), styled(&ui.state, (width, height)));
    }
}

#[test]
fn views() {
    for view in VIEWS.iter().map(|make| make().name()) {
        let show = |mut ui: Ui| {
            ui.chars(&view.digit().to_string());
            ui
        };
        check(&format!("view_{}_loading", view.word()), &show(Ui::new().0));
        check(&format!("view_{}_computing", view.word()), &show(Ui::with_tokens()));
        check(&format!("view_{}_data", view.word()), &show(Ui::with_data()));
        let mut failed = show(Ui::with_tokens());
        failed.answer(failure());
        check(&format!("view_{}_error", view.word()), &failed);
        let mut empty = Ui::new().0;
        empty.answer(failure());
        empty.key(lmscope::tui::input::Key::plain(crossterm::event::KeyCode::Esc));
        check(&format!("view_{}_empty", view.word()), &show(empty));
    }
}

#[test]
fn overlays_and_modes() {
    for (name, keys) in [
        ("help", "?"),
        ("editing", "i"),
        ("exporting", "3e"),
        ("all_heads", "3o"),
        ("light", "L"),
        ("surprisal", "c"),
        ("palette", ":head"),
        ("palette_nothing", ":qqq"),
        ("search", "/at"),
        ("search_nothing", "/qqq"),
    ] {
        let mut ui = Ui::with_data();
        ui.chars(keys);
        check(name, &ui);
    }
    let mut ui = Ui::with_tokens();
    ui.answer(JobEvent::Panicked("index out of bounds".into()));
    check("panic", &ui);
}

fn finish(ui: &mut Ui, interventions: &[String]) {
    ui.answer(JobEvent::Finished(Outcome::Inspected(Arc::new(intervened(&tokens(), interventions)))));
}

#[test]
fn interventions() {
    let specs = ["zero:L1.attn".to_owned()];
    let mut ui = Ui::with_data();
    ui.chars("d");
    check("interventions_empty", &ui);
    ui.chars("zer:L1");
    ui.key(Key::plain(KeyCode::Enter));
    check("interventions_error", &ui);
    let mut ui = Ui::with_data();
    ui.chars("5x");
    check("why_intervened_computing", &ui);
    finish(&mut ui, &specs);
    check("why_intervened", &ui);
    ui.chars("d");
    check("interventions_data", &ui);
    ui.key(Key::plain(KeyCode::Esc));
    ui.chars("1");
    check("step_intervened", &ui);
}

#[test]
fn levels_of_the_why_view() {
    let mut ui = Ui::with_data();
    ui.idle();
    ui.answer(JobEvent::Finished(Outcome::Heads(Arc::new(atlas()))));
    for (name, keys) in [("heads", "5v"), ("neurons", "v"), ("sources", "v")] {
        ui.chars(keys);
        check(&format!("why_{name}"), &ui);
    }
}

#[test]
fn the_model_itself() {
    let mut live = Live::new();
    live.chars("9");
    check("model_facts", &live.ui);
    live.chars("v");
    check("model_laws_untried", &live.ui);
    live.chars("v");
    check("model_tensors", &live.ui);
    live.chars("/mlp");
    live.key(Key::plain(KeyCode::Enter));
    live.key(Key::plain(KeyCode::Enter));
    check("model_survey", &live.ui);
}

#[test]
fn a_suite_item_by_item() {
    let mut ui = Ui::with_data();
    ui.chars("8");
    ui.answer(suites());
    check("evals_suites", &ui);
    ui.chars("#");
    check("evals_typing", &ui);
    ui.key(Key::plain(KeyCode::Enter));
    ui.key(Key::plain(KeyCode::Enter));
    check("evals_begun", &ui);
    ui.answer(failure());
    check("evals_failed", &ui);
    let mut ui = running();
    check("evals_running", &ui);
    (0..40).for_each(|at| {
        ui.answer(scored(&format!("item {at}"), [at % 3 == 0, true]));
    });
    ui.answer(evaluated());
    ui.chars("vjj");
    check("evals_wrong", &ui);
    ui.chars("o");
    check("evals_metrics", &ui);
}

#[test]
fn a_patching_grid() {
    let (mut ui, request) = with_both_prompts();
    check("patch_begun", &ui);
    fill(&mut ui, request, 7);
    check("patch_filling", &ui);
    ui.chars("jll");
    check("patch_cell", &ui);
    ui.chars("c");
    check("patch_typing", &ui);
}

#[test]
fn a_screen_that_is_too_small_says_what_is_needed() {
    let ui = Ui::with_data();
    for size in [(39, 10), (40, 9), (5, 1), (1, 1)] {
        let text = styled(&ui.state, size);
        assert!(size.0 < 30 || text.contains("needs 40x10"), "{text}");
    }
}

#[test]
fn no_size_breaks_a_view() {
    for view in [
        "1", "2", "3", "4", "5", "6", "5v", "5vvvv", "4v", "4+", "3tsv", "6c", "8", "8#", "1e", "9v", "9/", "3o", "?",
        "i", "d",
    ] {
        let mut ui = Ui::with_data();
        ui.chars(view);
        for size in (1..=50).flat_map(|h| [1, 39, 40, 41, 69, 70, 79, 200].map(|w| (w, h))) {
            styled(&ui.state, size);
        }
    }
}

#[test]
fn the_tree_and_what_is_done_with_it() {
    let mut ui = branched();
    check("tree_branched", &ui);
    ui.chars("mrhope");
    check("tree_naming", &ui);
    ui.key(Key::plain(KeyCode::Enter));
    ui.key(Key::plain(KeyCode::Up));
    check("tree_marked", &ui);
    ui.chars("v");
    check("tree_comparing", &ui);
    ui.answer(JobEvent::Finished(Outcome::Branches(branches())));
    check("tree_compared", &ui);
}

#[test]
fn what_the_attention_view_counts_and_leaves_out() {
    let mut ui = Ui::with_data();
    ui.chars("3hht");
    check("attention_to", &ui);
    ui.chars("lltsv");
    check("attention_written", &ui);
    let mut ui = super::attention::changed();
    check("attention_intervened", &ui);
    ui.chars("bb");
    check("attention_change", &ui);
}

#[test]
fn lines_through_the_layers() {
    let mut ui = Ui::with_data();
    ui.chars("4v");
    check("lens_lines", &ui);
    let mut ui = super::lens::changed();
    check("lens_intervened", &ui);
    ui.chars("v");
    check("lens_lines_intervened", &ui);
    ui.chars("+");
    check("lens_typing", &ui);
}

#[test]
fn scores_of_the_prompts_tokens() {
    let mut ui = super::why::asked();
    check("why_inputs_computing", &ui);
    ui.answer(super::why::scores(lmscope::engine::InputMethod::GradientXInput));
    check("why_inputs", &ui);
}
