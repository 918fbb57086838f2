//! The compare view: what it asks for, and that its numbers are the library's.

use std::sync::Arc;

use crossterm::event::KeyCode;
use lmscope::engine::{Compared, Comparison, Engine, EngineError, Other, Request, open};
use lmscope::lens::Question;
use lmscope::model::checkpoint::Arithmetic;
use lmscope::model::source::ModelSource;
use lmscope::model::{CancelToken, Loading};
use lmscope::probe::diff::{Side, diff_at};
use lmscope::text::{BosPolicy, Prompt};
use lmscope::tui::Effect;
use lmscope::tui::input::Key;
use lmscope::tui::keymap::Context;
use lmscope::tui::view::ViewName;

use super::data::{Ui, failure, figure, heatmap, submits, tokens, word};
use super::live::Live;
use lmscope::engine::{JobEvent, Named, Outcome};
use lmscope::figure::Figure;

const ENTER: Key = Key::plain(KeyCode::Enter);
const ESC: Key = Key::plain(KeyCode::Esc);
const BACK: Key = Key::plain(KeyCode::Backspace);

/// The example against the same with a duck.
pub(super) fn against_a_duck() -> Live {
    let mut live = Live::new();
    live.chars("7c");
    " cat sat on a".chars().for_each(|_| live.key(BACK));
    live.chars(" duck sat on a");
    live.key(ENTER);
    live
}

/// An invented comparison, in the compare view.
pub(super) fn compared() -> Ui {
    let named = |id: u32, visible: &str| Named { id, visible: word(id as usize, visible) };
    let at = |at: usize| Compared {
        at: [at, at],
        kl: [0.5, 0.25],
        top: [named(101, "␣mat"), named(if at == 2 { 102 } else { 101 }, "␣rug")],
        tokens: vec![
            (named(101, "␣mat"), [0.6, 0.3]),
            (named(102, "␣rug"), [0.2, 0.5]),
            (named(103, "東京"), [0.1, 0.1]),
        ],
    };
    let n = tokens().ids.len();
    let layers = ["embed", "0", "1", "2"].map(String::from);
    let values = (0..4 * n).map(|i| (i % 7) as f32 / 10.0).collect();
    let title = |figure: Arc<Figure>, title: &str| Arc::new(Figure { title: title.into(), ..(*figure).clone() });
    let comparison = Comparison {
        models: ["one".into(), "one".into()],
        tokens: [tokens(), tokens()],
        positions: (0..n).map(at).collect(),
        figures: vec![title(figure(heatmap(("layer", &layers), &tokens(), values)), "Where the layers part")],
    };
    let mut ui = Ui::with_data();
    ui.chars("7c!");
    ui.key(ENTER);
    ui.answer(JobEvent::Finished(Outcome::Compared(Arc::new(comparison))));
    ui
}

#[test]
fn either_a_prompt_or_a_model_is_typed() {
    let mut ui = Ui::with_data();
    ui.chars("7");
    assert!(ui.text().contains("c types another prompt"), "{}", ui.text());
    ui.chars("c");
    assert_eq!(ui.state.context(), Context::Typing);
    ui.chars("!");
    let effects = ui.key(ENTER);
    assert!(matches!(submits(&effects)[..], [(slot, Request::Compare(work))]
        if slot == ViewName::Compare.slot()
        && matches!(&work.with, Other::Prompt { text } if text == "The cat sat on a!")));
    assert_eq!(ui.key(ESC), [Effect::Cancel(ViewName::Compare.slot())]);
    assert!(ui.text().contains("stopped, r compares again"), "{}", ui.text());
    assert!(matches!(submits(&ui.chars("r"))[..], [(_, Request::Compare(_))]));
    ui.chars("oslide-chat");
    let effects = ui.key(ENTER);
    assert!(matches!(submits(&effects)[..], [(_, Request::Compare(work))]
        if matches!(&work.with, Other::Model { name, .. } if name == "slide-chat")));
    ui.answer(failure());
    assert!(ui.text().contains("layer 9 does not exist"), "{}", ui.text());
    assert_eq!(ui.state.context(), Context::Compare, "the error is told in the view");
    assert!(ui.answer(JobEvent::Failed(EngineError::Cancelled)).is_empty());
}

#[test]
fn two_prompts_are_compared_as_the_library_compares_them() {
    let mut live = against_a_duck();
    let loaded = open(&ModelSource::default(), &Loading::unwatched(Arithmetic::Exact)).unwrap();
    let prompts = ["The cat sat on a", "The duck sat on a"]
        .map(|text| Prompt::new(&loaded.tokenizer, text, BosPolicy::Model).unwrap());
    let provenance = loaded.provenance(None);
    let side = |at: usize| Side {
        lm: &loaded.decoder,
        tokenizer: &loaded.tokenizer,
        prompt: &prompts[at],
        provenance: &provenance,
    };
    let cancel = CancelToken::default();
    let (figures, positions) = diff_at(side(0), side(1), &Question::default(), 12, &cancel).unwrap();
    let last = positions.last().unwrap();
    let text = live.ui.text();
    assert!(text.contains(&format!("KL(A‖B) {:.4}  KL(B‖A) {:.4} nats", last.kl[0], last.kl[1])), "{text}");
    for (id, [a, b]) in &last.tokens {
        let row = format!(" {:>8.3}%{:>8.3}%{:>+9.3} ", a * 100.0, b * 100.0, (b - a) * 100.0);
        assert!(text.contains(&row), "{}: {row}\n{text}", loaded.tokenizer.visible(*id));
    }
    let agree = positions.iter().filter(|at| at.top[0] == at.top[1]).count();
    assert!(text.contains(&format!("top tokens agree at {agree} of {} aligned", positions.len())), "{text}");
    live.chars("v");
    for at in &positions {
        assert!(live.ui.text().contains(&format!("{:.4}", at.kl[1])), "{}", live.ui.text());
    }
    live.chars("v");
    let lmscope::figure::Content::Heatmap(map) = &figures[2].content else { panic!("the third is of layers") };
    for row in 0..map.rows().labels.len() {
        let values = (0..positions.len()).map(|column| format!("{:>9.2} ", map.value(row, column).unwrap()));
        assert!(live.ui.text().contains(&values.collect::<String>()), "row {row}: {}", live.ui.text());
    }
    live.chars("v");
    assert!(live.ui.text().contains("b_minus_a"), "{}", live.ui.text());
}

#[test]
fn only_components_ask_again_for_another_position() {
    let mut live = against_a_duck();
    let asks = |effects: &[Effect]| !submits(effects).is_empty();
    assert!(!asks(&live.ui.chars("h")), "both distributions are there already");
    live.chars("vvv");
    assert!(asks(&live.ui.chars("h")), "another question");
}

#[test]
fn another_model_is_loaded_beside_the_first() {
    let mut live = Live::new();
    live.chars("7oslide-chat");
    live.key(ENTER);
    let text = live.ui.text();
    assert!(text.contains("B: model slide-chat") && text.contains("KL(A‖B)"), "{text}");
    live.chars("o");
    "slide-chat".chars().for_each(|_| live.key(BACK));
    live.chars("no-such-model");
    live.key(ENTER);
    assert!(live.ui.text().contains("no-such-model") && live.ui.text().contains("hint:"), "{}", live.ui.text());
}

#[test]
fn a_second_model_gets_only_the_memory_that_the_first_leaves() {
    let options = lmscope::model::LoadOptions { max_memory: Some(6 << 20), ..Default::default() };
    let mut engine = Engine::default();
    let cancel = CancelToken::default();
    let load = Request::Load { source: ModelSource::default(), options };
    let first = engine.run(load, &cancel, &mut |_| {});
    if let Err(error) = first {
        panic!("the budget of this test is too small for one model: {error:?}");
    }
    let with = Other::Model { name: "slide-chat".into(), text: "The cat".into() };
    let work = lmscope::engine::CompareWork {
        ids: vec![0, 11],
        ask: lmscope::lens::Ask::default(),
        with,
        bos: BosPolicy::Model,
        top: 3,
    };
    let error = engine.run(Request::Compare(Box::new(work)), &cancel, &mut |_| {}).unwrap_err();
    assert!(error.hint().is_some(), "{error:?}");
    let reason = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
    assert!(reason.contains("MiB"), "{error:?}");
}
