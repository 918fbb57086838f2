//! The model view: what it asks for, and that its numbers are those in the files.

use crossterm::event::KeyCode;
use lmscope::engine::{Inquiry, JobEvent, Request, describe, readable_bytes, readable_count};
use lmscope::model::LoadOptions;
use lmscope::model::checkpoint::{Checkpoint as _, Part, SafetensorsCheckpoint};
use lmscope::model::load::weight_files;
use lmscope::model::source::ModelSource;
use lmscope::tui::input::Key;
use lmscope::tui::keymap::Context;
use lmscope::tui::view::ViewName;

use super::data::{Ui, failure, submits};
use super::live::Live;

const ENTER: Key = Key::plain(KeyCode::Enter);
const ESC: Key = Key::plain(KeyCode::Esc);

#[test]
fn it_is_described_once_and_again_for_another_number_of_tokens() {
    let mut ui = Ui::with_data();
    let effects = ui.chars("9");
    assert!(matches!(submits(&effects)[..], [(slot, Request::Describe { n_tokens: 6 })]
        if slot == ViewName::Model.slot()));
    assert!(ui.chars("v").is_empty());
    ui.answer(failure());
    assert!(ui.text().contains("layer 9 does not exist"), "{}", ui.text());
    assert_eq!(ui.state.context(), Context::Model, "the error is told in the view");
    ui.chars("1");
    ui.chars("t");
    let effects = ui.chars("9");
    assert!(submits(&effects).iter().any(|(_, request)| matches!(request, Request::Describe { n_tokens: 7 })));
}

#[test]
fn facts_and_laws_are_the_engines() {
    let mut live = Live::new();
    live.chars("9");
    let inquiry = Inquiry { options: LoadOptions::default(), n_tokens: 6 };
    let found = describe(&ModelSource::default(), inquiry).unwrap();
    let text = live.ui.text();
    for part in [
        found.fingerprint.clone(),
        readable_count(found.parameters.count),
        readable_bytes(found.memory.weights),
        readable_bytes(found.memory.trace_all_hooks),
    ] {
        assert!(text.contains(&part), "{part}: {text}");
    }
    live.idle();
    live.idle();
    live.chars("v");
    let text = live.ui.text();
    for invariant in lmscope::verify::INVARIANTS {
        assert!(text.contains(invariant.name()), "{}: {text}", invariant.name());
    }
    assert!(text.contains("laws hold") && !text.contains("FAILS"), "{text}");
}

#[test]
fn tensors_are_filtered_and_their_numbers_are_those_in_the_file() {
    let mut live = Live::new();
    live.chars("9/down 1.");
    assert_eq!(live.ui.state.context(), Context::Typing);
    live.key(ESC);
    live.chars("/");
    live.chars("norm");
    live.key(ENTER);
    let source = ModelSource::default();
    let files = weight_files(&source).unwrap();
    let checkpoint = SafetensorsCheckpoint::new(&files).unwrap();
    let mut names: Vec<String> = checkpoint.names().into_iter().filter(|name| name.contains("norm")).collect();
    names.sort();
    assert!(!names.is_empty() && names.iter().all(|name| live.ui.text().contains(name)), "{}", live.ui.text());
    live.key(ENTER);
    let values: Vec<f32> = checkpoint.dense(Part::whole(&names[0])).unwrap().flatten_all().unwrap().to_vec1().unwrap();
    let n = values.len() as f64;
    let mean = values.iter().map(|&value| f64::from(value)).sum::<f64>() / n;
    let std = (values.iter().map(|&value| (f64::from(value) - mean).powi(2)).sum::<f64>() / n).sqrt();
    let max = values.iter().copied().fold(f32::MIN, f32::max);
    let text = live.ui.text();
    for part in [format!("mean {mean:.4}  std {std:.4}"), format!("max {max:.4}"), format!("{} numbers", values.len())]
    {
        assert!(text.contains(&part), "{part}: {text}");
    }
}

#[test]
fn a_survey_that_is_stopped_leaves_the_list() {
    let mut live = Live::new();
    live.chars("9vv");
    let effects = live.ui.key(ENTER);
    assert!(matches!(submits(&effects)[..], [(_, Request::Survey { .. })]));
    assert!(live.ui.text().contains("Esc stops"), "{}", live.ui.text());
    live.ui.key(ESC);
    assert!(live.ui.text().contains("Enter reads the numbers"), "{}", live.ui.text());
    assert!(live.ui.answer(JobEvent::Failed(lmscope::engine::EngineError::Cancelled)).is_empty());
}
