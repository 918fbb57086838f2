//! Every view in every condition, every overlay and every mode: what is drawn of them is in the snapshots.
//!
//! A view that is added is here by being in `VIEWS`; the compiler asks what its data is.

use std::sync::Arc;

use crossterm::event::KeyCode;
use lmscope::engine::{JobEvent, Outcome};
use lmscope::tui::input::Key;
use lmscope::tui::view::{VIEWS, ViewName};

use super::compare::compared;
use super::data::{Ui, atlas, branched, branches, failure, intervened, tokens};
use super::evals::{evaluated, running, scored, suites};
use super::live::Live;
use super::patch::{fill, with_both_prompts};

const ENTER: Key = Key::plain(KeyCode::Enter);
const ESC: Key = Key::plain(KeyCode::Esc);

/// How far a view has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Condition {
    /// There is no model.
    Empty,
    /// The model is on its way.
    Loading,
    /// The tokens are there, and nothing about them.
    Computing,
    Data,
    /// The work failed.
    Error,
}

impl Condition {
    pub(super) const ALL: [Self; 5] = [Self::Empty, Self::Loading, Self::Computing, Self::Data, Self::Error];
}

/// A view in a condition.
pub(super) fn view(name: ViewName, condition: Condition) -> Ui {
    let show = |mut ui: Ui| {
        ui.chars(&name.digit().to_string());
        ui
    };
    match condition {
        Condition::Data => data(name),
        Condition::Loading => show(Ui::new().0),
        Condition::Computing => asked(name),
        Condition::Error => {
            let mut ui = asked(name);
            ui.answer(failure());
            ui
        }
        Condition::Empty => {
            let mut ui = Ui::new().0;
            ui.answer(failure());
            ui.key(ESC);
            show(ui)
        }
    }
}

/// A view whose work is under way.
fn asked(name: ViewName) -> Ui {
    match name {
        ViewName::Patch => with_both_prompts().0,
        ViewName::Compare => pressed("7c!\n"),
        _ => {
            let mut ui = Ui::with_tokens();
            ui.chars(&name.digit().to_string());
            ui
        }
    }
}

fn data(name: ViewName) -> Ui {
    match name {
        ViewName::Step | ViewName::Attention | ViewName::Lens | ViewName::Why => {
            let mut ui = Ui::with_data();
            ui.chars(&name.digit().to_string());
            ui
        }
        ViewName::Tree => branched(),
        ViewName::Patch => {
            let (mut ui, request) = with_both_prompts();
            fill(&mut ui, request, 18);
            ui.chars("jll");
            ui
        }
        ViewName::Compare => compared(),
        ViewName::Evals => running(),
        ViewName::Model => live("9"),
    }
}

fn live(keys: &str) -> Ui {
    let mut live = Live::new();
    keys.chars().for_each(|c| live.key(if c == '\n' { ENTER } else { Key::char(c) }));
    live.ui
}

/// Keys in a state with data; `\n` is Enter and `\t` answers what was asked for.
fn pressed(keys: &str) -> Ui {
    let mut ui = Ui::with_data();
    press(&mut ui, keys);
    ui
}

fn press(ui: &mut Ui, keys: &str) {
    keys.chars().for_each(|c| drop(ui.key(if c == '\n' { ENTER } else { Key::char(c) })));
}

/// What makes a screen.
type Make = fn() -> Ui;

/// Overlays and modes: a name, and how they come about.
static MODES: &[(&str, Make)] = &[
    ("all_heads", || pressed("3o")),
    ("attention_change", || after(super::attention::changed(), "bb")),
    ("attention_intervened", super::attention::changed),
    ("attention_to", || pressed("3hht")),
    ("attention_written", || pressed("3sv")),
    ("compare_layers", || after(compared(), "vv")),
    ("compare_positions", || after(compared(), "v")),
    ("editing", || pressed("i")),
    ("evals_begun", || on_suites("#\n\n")),
    ("evals_failed", || {
        let mut ui = on_suites("\n");
        ui.answer(failure());
        ui
    }),
    ("evals_metrics", || after(wrong_ones(), "o")),
    ("evals_suites", || on_suites("")),
    ("evals_typing", || on_suites("#")),
    ("evals_wrong", wrong_ones),
    ("exporting", || pressed("3e")),
    ("help", || pressed("?")),
    ("interventions_data", || after(intervention(), "d")),
    ("interventions_empty", || pressed("d")),
    ("interventions_error", || pressed("dzer:L1\n")),
    ("lens_intervened", super::lens::changed),
    ("lens_lines", || pressed("4v")),
    ("lens_lines_intervened", || after(super::lens::changed(), "v")),
    ("lens_typing", || pressed("4+")),
    ("model_laws_untried", || live("9v")),
    ("model_survey", || live("9vv/mlp\n\n")),
    ("model_tensors", || live("9vv")),
    ("palette", || pressed(":head")),
    ("palette_nothing", || pressed(":qqq")),
    ("panic", || {
        let mut ui = Ui::with_tokens();
        ui.answer(JobEvent::Panicked("index out of bounds".into()));
        ui
    }),
    ("panels_four", super::panels::four),
    ("panels_maximised", || after(super::panels::four(), "z")),
    ("panels_pinned", super::panels::pinned),
    ("patch_begun", || with_both_prompts().0),
    ("patch_filling", || {
        let (mut ui, request) = with_both_prompts();
        fill(&mut ui, request, 7);
        ui
    }),
    ("patch_typing", || after(with_both_prompts().0, "c")),
    ("search", || pressed("/at")),
    ("search_nothing", || pressed("/qqq")),
    ("step_intervened", || after(intervention(), "1")),
    ("surprisal", || pressed("c")),
    ("tree_compared", || {
        let mut ui = after(branched(), "m");
        ui.key(Key::plain(KeyCode::Up));
        ui.chars("v");
        ui.answer(JobEvent::Finished(Outcome::Branches(branches())));
        ui
    }),
    ("tree_marked", || {
        let mut ui = after(branched(), "mrhope\n");
        ui.key(Key::plain(KeyCode::Up));
        ui
    }),
    ("tree_naming", || after(branched(), "mrhope")),
    ("why_heads", || with_roles("5v")),
    ("why_inputs", || {
        let mut ui = super::why::asked();
        ui.answer(super::why::scores(lmscope::engine::InputMethod::GradientXInput));
        ui
    }),
    ("why_inputs_computing", super::why::asked),
    ("why_intervened", intervention),
    ("why_intervened_computing", || pressed("5x")),
    ("why_neurons", || with_roles("5vv")),
    ("why_sources", || with_roles("5vvv")),
];

fn after(mut ui: Ui, keys: &str) -> Ui {
    press(&mut ui, keys);
    ui
}

fn on_suites(keys: &str) -> Ui {
    let mut ui = Ui::with_data();
    ui.chars("8");
    ui.answer(suites());
    after(ui, keys)
}

fn wrong_ones() -> Ui {
    let mut ui = running();
    (0..40).for_each(|at| drop(ui.answer(scored(&format!("item {at}"), [at % 3 == 0, true]))));
    ui.answer(evaluated());
    after(ui, "vjj")
}

fn with_roles(keys: &str) -> Ui {
    let mut ui = Ui::with_data();
    ui.idle();
    ui.answer(JobEvent::Finished(Outcome::Heads(Arc::new(atlas()))));
    after(ui, keys)
}

/// A head is taken out, in the why view.
fn intervention() -> Ui {
    let mut ui = pressed("5x");
    let specs = ["zero:L1.attn".to_owned()];
    ui.answer(JobEvent::Finished(Outcome::Inspected(Arc::new(intervened(&tokens(), &specs)))));
    ui
}

/// A name and how it comes about.
pub(super) type Scene = (String, Box<dyn Fn() -> Ui>);

/// All of them.
pub(super) fn scenes() -> Vec<Scene> {
    let views = VIEWS.iter().map(|make| make().name());
    let all = views.flat_map(|name| Condition::ALL.map(|condition| (name, condition)));
    let of_view = |(name, condition): (ViewName, Condition)| -> Scene {
        let title = format!("view_{}_{condition:?}", name.word()).to_lowercase();
        (title, Box::new(move || view(name, condition)))
    };
    let modes = MODES.iter().map(|(name, make)| -> Scene { ((*name).to_owned(), Box::new(make)) });
    all.map(of_view).chain(modes).collect()
}

#[test]
fn every_condition_of_a_view_looks_different() {
    for name in VIEWS.iter().map(|make| make().name()) {
        let shown = Condition::ALL.map(|condition| (condition, view(name, condition).text()));
        for (at, (condition, text)) in shown.iter().enumerate() {
            for (other, same) in &shown[..at] {
                assert_ne!(text, same, "{name:?}: {condition:?} and {other:?}");
            }
        }
    }
}
