//! The patch view: what it asks for, what it shows while cells come, and that its numbers are the library's.

use std::sync::Arc;
use std::time::Duration;

use crossterm::event::KeyCode;
use lmscope::engine::{Event, JobEvent, Named, Outcome, PatchFrame, Request, Tokens};
use lmscope::lens::Ask;
use lmscope::model::CancelToken;
use lmscope::model::source::ModelSource;
use lmscope::probe::patching::{
    self, Cell, CellAt, Direction, Grid, Measure, Metric, Origin, PatchSite, Request as Patching,
};
use lmscope::text::{BosPolicy, Prompt};
use lmscope::tui::Effect;
use lmscope::tui::input::Key;
use lmscope::tui::keymap::Context;
use lmscope::tui::view::ViewName;

use super::data::{Ui, submits, tokens, word};
use super::live::Live;

const ENTER: Key = Key::plain(KeyCode::Enter);
const ESC: Key = Key::plain(KeyCode::Esc);

fn corrupted() -> Tokens {
    let mut other = tokens();
    (other.ids[2], other.visible[2]) = (77, word(7, "␣dog"));
    other
}

/// A view whose grid was just asked for.
pub(super) fn with_both_prompts() -> (Ui, Patching) {
    let mut ui = Ui::with_data();
    ui.chars("6c");
    let effects = ui.key(ENTER);
    assert!(matches!(submits(&effects)[..], [(_, Request::Tokenise { .. })]));
    let effects = ui.answer(JobEvent::Finished(Outcome::Tokens(corrupted())));
    let [(slot, Request::Patch(work))] = submits(&effects)[..] else { panic!("{effects:?}") };
    assert_eq!((slot, work.layer), (ViewName::Patch.slot(), None));
    assert_eq!(work.ids, [tokens().ids, corrupted().ids]);
    (ui, work.request)
}

/// The grid begins, and some invented cells arrive.
pub(super) fn fill(ui: &mut Ui, request: Patching, n: usize) {
    let named = |id: u32, visible: &str| Named { id, visible: word(id as usize, visible) };
    let frame = PatchFrame {
        request,
        layer: None,
        n_layers: 3,
        n_heads: None,
        n_pos: 6,
        n_cells: 18,
        token: named(101, "␣mat"),
        versus: Some(named(102, "␣rug")),
        plain: [4.5, 3.0],
        base: 3.0,
    };
    ui.answer(JobEvent::Event(Event::PatchBegun(Arc::new(frame))));
    let cell = |at: usize| Cell {
        at: CellAt { layer: at / 6, head: None, position: Some(at % 6) },
        value: 3.0 + (at % 5) as f64 / 4.0,
        origin: Origin::Run,
    };
    let left = Duration::from_millis(3200);
    ui.answer(JobEvent::Event(Event::Cells { cells: (0..n).map(cell).collect(), left }));
}

#[test]
fn the_corrupted_prompt_is_typed_and_the_grid_follows() {
    let mut ui = Ui::with_data();
    ui.chars("6");
    assert!(ui.text().contains("c types the corrupted prompt"), "{}", ui.text());
    ui.chars("c");
    assert_eq!(ui.state.context(), Context::Typing);
    let effects = ui.chars("q6");
    assert!(matches!(submits(&effects)[..], [_, (_, Request::Tokenise { text, .. })] if text.ends_with("aq6")));
    ui.key(ESC);
    assert_eq!(ui.state.context(), Context::Patch, "leaving keeps what was");
    assert!(ui.text().contains("c types the corrupted prompt"), "{}", ui.text());
}

#[test]
fn prompts_of_different_lengths_are_told_with_a_way_out() {
    let mut ui = Ui::with_data();
    ui.chars("6c");
    ui.key(ENTER);
    let mut longer = corrupted();
    longer.ids.insert(3, 5);
    longer.visible.insert(3, "gy".into());
    let effects = ui.answer(JobEvent::Finished(Outcome::Tokens(longer)));
    assert!(submits(&effects).is_empty(), "nothing to compare: {effects:?}");
    let text = ui.text();
    assert!(text.contains("has 6 tokens, the corrupted one 7") && text.contains("hint: choose words"), "{text}");
}

#[test]
fn cells_fill_the_grid_and_esc_keeps_them() {
    let (mut ui, request) = with_both_prompts();
    fill(&mut ui, request, 7);
    let text = ui.text();
    for part in ["7/18 cells, about 4 s left", "clean 4.50", "corrupted 3.00", "A ␣mat", "B ␣rug", "3.25", "␣dog"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!(ui.key(ESC), [Effect::Cancel(ViewName::Patch.slot())]);
    assert!(ui.text().contains("stopped at 7 of 18 cells") && ui.text().contains("3.25"), "{}", ui.text());
    let effects = ui.chars("r");
    assert!(matches!(submits(&effects)[..], [(_, Request::Patch(work))] if work.known.len() == 7), "{effects:?}");
    assert!(ui.text().contains("7/18 cells"), "it goes on from there: {}", ui.text());
}

#[test]
fn another_view_stops_the_grid_and_switches_ask_again() {
    let (mut ui, request) = with_both_prompts();
    fill(&mut ui, request, 7);
    assert_eq!(ui.chars("1"), [Effect::Cancel(ViewName::Patch.slot())]);
    assert!(ui.chars("6").is_empty(), "it does not begin by itself again");
    let asked = |effects: &[Effect]| match submits(effects)[..] {
        [(_, Request::Patch(work))] => (work.request.site, work.request.measure.direction, work.request.measure.metric),
        _ => panic!("{effects:?}"),
    };
    let (denoise, noise) = (Direction::Denoise, Direction::Noise);
    assert_eq!(asked(&ui.chars("s")), (PatchSite::AttnOut, denoise, Metric::LogitDiff));
    assert_eq!(asked(&ui.chars("n")), (PatchSite::AttnOut, noise, Metric::LogitDiff));
    assert_eq!(asked(&ui.chars("m")), (PatchSite::AttnOut, noise, Metric::Recovery));
}

#[test]
fn a_cell_opens_into_the_heads_of_its_layer_and_back() {
    let (mut ui, request) = with_both_prompts();
    fill(&mut ui, request, 18);
    ui.answer(JobEvent::Finished(Outcome::Patched(Vec::new())));
    ui.chars("jl");
    assert!(ui.text().contains("L1@1 The: logit-diff 3.500, +0.500 from 3.000"), "{}", ui.text());
    let effects = ui.key(ENTER);
    assert!(matches!(submits(&effects)[..], [(_, Request::Patch(work))]
        if work.layer == Some(1) && work.request.site == PatchSite::Z));
    assert!(ui.text().contains("heads of layer 1"), "{}", ui.text());
    assert!(ui.key(Key::plain(KeyCode::Backspace)).iter().all(|effect| !matches!(effect, Effect::Submit { .. })));
    assert!(ui.text().contains("L1@1 The: logit-diff 3.500"), "what was filled is shown again: {}", ui.text());
}

/// The model patched with a prompt in which a duck takes the cat's place.
fn with_a_duck() -> Live {
    let mut live = Live::new();
    live.chars("6c");
    for _ in 0.." cat sat on a".len() {
        live.key(Key::plain(KeyCode::Backspace));
    }
    live.chars(" duck sat on a");
    live.key(ENTER);
    live
}

#[test]
fn the_numbers_are_those_of_the_library() {
    let live = with_a_duck();
    let text = live.ui.text();
    let loaded = lmscope::engine::open(
        &ModelSource::default(),
        &lmscope::model::Loading::unwatched(lmscope::model::checkpoint::Arithmetic::Exact),
    )
    .unwrap();
    let prompt = |text| Prompt::new(&loaded.tokenizer, text, BosPolicy::Model).unwrap();
    let prompts = [prompt("The cat sat on a"), prompt("The duck sat on a")];
    let measure = Measure { direction: Direction::Denoise, metric: Metric::LogitDiff, ask: Ask::default() };
    let request = patching::Request { site: PatchSite::ResidPre, measure };
    let cancel = CancelToken::default();
    let grid = Grid::new(&loaded.decoder, &loaded.tokenizer, [&prompts[0], &prompts[1]], request, &cancel).unwrap();
    let cells = grid.fill(&cancel, &mut |_| ()).unwrap();
    for layer in 0..loaded.info.config.n_layers {
        let values = cells.iter().filter(|cell| cell.at.layer == layer).map(|cell| format!("{:>9.2} ", cell.value));
        let row: String = values.collect();
        assert!(text.contains(&row), "layer {layer}: {row}\n{text}");
    }
    let of_layer = grid.of_layer(2).fill(&cancel, &mut |_| ()).unwrap();
    let same: Vec<Cell> = cells.into_iter().filter(|cell| cell.at.layer == 2).collect();
    assert_eq!(of_layer.len(), same.len());
    assert!(of_layer.iter().zip(&same).all(|(a, b)| a.at == b.at && (a.value - b.value).abs() < 1e-4));
}

#[test]
fn a_cell_is_put_into_the_model_and_other_views_show_both() {
    let (mut ui, request) = with_both_prompts();
    fill(&mut ui, request, 18);
    ui.answer(JobEvent::Finished(Outcome::Patched(Vec::new())));
    ui.chars("jll");
    ui.chars("x");
    let spec = "patch:L1@2<The cat sat on a";
    assert_eq!(ui.state.session().interventions().active(), [spec], "what was typed, and where the cursor is");
    let effects = ui.chars("1");
    assert!(
        matches!(submits(&effects)[..], [(_, Request::Inspect { interventions, .. })] if interventions[..] == [spec])
    );
    // keys have no name among interventions
    ui.chars("6");
    let mut asked = None;
    for _ in 0..8 {
        let effects = ui.chars("s");
        if let [(_, Request::Patch(work))] = submits(&effects)[..]
            && work.request.site == PatchSite::K
        {
            asked = Some(work.request);
            break;
        }
    }
    fill(&mut ui, asked.unwrap(), 18);
    ui.chars("x");
    assert!(ui.text().contains("no intervention patches k"), "{}", ui.text());
    assert_eq!(ui.state.session().interventions().active().len(), 1);
}

#[test]
fn a_patched_cell_changes_the_answer_as_its_number_says() {
    let mut live = with_a_duck();
    // noise: the corrupted activation in the prompt; the third column of the third row
    live.chars("njjll");
    let cell = live.ui.text();
    let number = cell.split("L2@2 ").nth(1).and_then(|rest| rest.split("logit-diff ").nth(1)).unwrap();
    let number: f64 = number.split(',').next().unwrap().trim().parse().unwrap();
    live.chars("x5");
    let why = live.ui.text();
    let last = why.split("logit A-B").nth(1).unwrap();
    let numbers: Vec<f64> = last.split_whitespace().take(2).map(|word| word.parse().unwrap()).collect();
    assert!((numbers[1] - number).abs() < 2e-3, "now {} in Why, {number} in the grid: {why}", numbers[1]);
    assert!((numbers[0] - 4.531).abs() < 2e-3, "as it is: {why}");
}
