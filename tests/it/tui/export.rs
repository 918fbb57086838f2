//! What a view shows, in a file or in the clipboard: every view in every format, and that the numbers are those shown.

use std::path::Path;

use crossterm::event::KeyCode;
use lmscope::engine::{JobEvent, Outcome};
use lmscope::export::{EXPORTERS, Exporter, of_file};
use lmscope::figure::{Content, Figure};
use lmscope::session::{IfThere, SessionError, write_file};
use lmscope::tui::input::Key;
use lmscope::tui::keymap::Context;
use lmscope::tui::view::{VIEWS, ViewName};
use lmscope::tui::{Effect, Msg};
use serde_json::{Value, json};

use super::compare::against_a_duck;
use super::data::{Ui, branched, branches, intervened, tokens};
use super::evals::{evaluated, running, suites};
use super::live::Live;
use super::patch::{fill, with_both_prompts};
use super::pty::Session;

const ENTER: Key = Key::plain(KeyCode::Enter);
const TAB: Key = Key::plain(KeyCode::Tab);
const BACK: Key = Key::plain(KeyCode::Backspace);

/// A view that shows something, in a condition that has a name.
struct Shown {
    view: ViewName,
    condition: &'static str,
    figures: Vec<Figure>,
}

fn shown(view: ViewName, condition: &'static str, ui: &Ui) -> Shown {
    assert_eq!(ui.state.current(), VIEWS.iter().position(|make| make().name() == view).unwrap(), "{condition}");
    Shown { view, condition, figures: ui.state.figures() }
}

/// Every view in every condition in which it shows something else.
fn all() -> Vec<Shown> {
    let mut all = Vec::new();
    let mut live = Live::new();
    let mut look = |live: &mut Live, view: ViewName, keys: &str, condition| {
        live.chars(keys);
        all.push(shown(view, condition, &live.ui));
    };
    look(&mut live, ViewName::Step, "1", "distribution");
    look(&mut live, ViewName::Step, "v", "chain");
    look(&mut live, ViewName::Tree, "2", "tree");
    look(&mut live, ViewName::Attention, "3", "head");
    look(&mut live, ViewName::Attention, "o", "all heads");
    look(&mut live, ViewName::Lens, "4", "grid");
    for level in ["components", "heads", "neurons", "sources"] {
        look(&mut live, ViewName::Why, if level == "components" { "5" } else { "v" }, level);
    }
    live.idle();
    live.idle();
    look(&mut live, ViewName::Model, "9", "facts");
    look(&mut live, ViewName::Model, "v", "laws");
    look(&mut live, ViewName::Model, "v", "tensors");
    live.key(ENTER);
    look(&mut live, ViewName::Model, "", "a tensor");
    let mut live = against_a_duck();
    for page in ["tokens", "positions", "layers", "components"] {
        look(&mut live, ViewName::Compare, if page == "tokens" { "" } else { "v" }, page);
    }
    let mut live = Live::new();
    live.chars("6c");
    " cat sat on a".chars().for_each(|_| live.key(BACK));
    live.chars(" duck sat on a");
    live.key(ENTER);
    look(&mut live, ViewName::Patch, "", "filled");
    let (mut ui, request) = with_both_prompts();
    fill(&mut ui, request, 7);
    all.push(shown(ViewName::Patch, "filling", &ui));
    let mut ui = branched();
    ui.key(Key::plain(KeyCode::Up));
    ui.chars("m");
    ui.key(Key::plain(KeyCode::Down));
    ui.chars("v");
    ui.answer(JobEvent::Finished(Outcome::Branches(branches())));
    all.push(shown(ViewName::Tree, "branches", &ui));
    let mut ui = Ui::with_data();
    ui.chars("8");
    ui.answer(suites());
    all.push(shown(ViewName::Evals, "suites", &ui));
    let mut ui = running();
    all.push(shown(ViewName::Evals, "running", &ui));
    ui.answer(evaluated());
    all.push(shown(ViewName::Evals, "items", &ui));
    ui.chars("o");
    all.push(shown(ViewName::Evals, "metrics", &ui));
    all
}

/// Reads a file as whoever opens it would.
fn is_readable(exporter: &dyn Exporter, bytes: &[u8], n_figures: usize) {
    let text = || std::str::from_utf8(bytes).unwrap();
    match exporter.name() {
        "json" => assert_eq!(serde_json::from_slice::<Value>(bytes).unwrap().as_array().unwrap().len(), n_figures),
        "csv" => {
            let mut reader = csv::ReaderBuilder::new().flexible(true).has_headers(false).from_reader(bytes);
            let records: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
            assert!(records.len() > n_figures && records.iter().all(|record| record.len() > 1), "{}", text());
        }
        "markdown" => assert_eq!(text().lines().filter(|line| line.starts_with("| ---")).count(), n_figures),
        // a table that is longer than a page goes on in another
        "latex" => {
            let count = |what: &str| text().matches(what).count();
            assert_eq!(count("\\caption{") - count(" (continued)}"), n_figures);
        }
        "table" => assert!(text().lines().count() > 2 * n_figures, "{}", text()),
        "svg" => assert!(roxmltree::Document::parse(text()).unwrap().root_element().has_tag_name("svg")),
        "png" => {
            let mut reader = png::Decoder::new(std::io::Cursor::new(bytes)).read_info().unwrap();
            let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
            assert!(reader.next_frame(&mut pixels).unwrap().width > 600);
        }
        "safetensors" => drop(safetensors::SafeTensors::deserialize(bytes).unwrap()),
        other => panic!("nobody reads {other} here: teach this test to"),
    }
}

#[test]
fn every_view_is_written_in_every_format_or_says_why_not() {
    let folder = tempfile::tempdir().unwrap();
    let all = all();
    for make in VIEWS {
        let name = make().name();
        assert!(all.iter().any(|shown| shown.view == name), "{name:?} is not tried");
    }
    let mut refused = Vec::new();
    for (number, Shown { view, condition, figures }) in all.iter().enumerate() {
        assert!(!figures.is_empty(), "{view:?}, {condition}");
        for exporter in EXPORTERS {
            let file = folder.path().join(format!("{number}.{}", exporter.extension()));
            let what = format!("{view:?}, {condition}, {}", exporter.name());
            match write_file(&file, *exporter, IfThere::Refuse, figures) {
                Ok(written) => {
                    let bytes = std::fs::read(&file).unwrap();
                    assert_eq!((written.n_bytes, written.file), (bytes.len(), file), "{what}");
                    is_readable(*exporter, &bytes, figures.len());
                }
                Err(error) => {
                    let reason = std::error::Error::source(&error).unwrap().to_string();
                    assert!(reason.contains("cannot be drawn") && error.hint().is_some(), "{what}: {reason}");
                    assert!(!file.exists(), "{what}");
                    refused.push(format!("{condition} {}", exporter.name()));
                }
            }
        }
    }
    // a table without a number in every row, and a vocabulary of more rows than a picture has bars
    let expected = ["chain", "facts", "running", "suites", "tensors"];
    let mut expected: Vec<String> =
        expected.iter().flat_map(|condition| ["svg", "png"].map(|format| format!("{condition} {format}"))).collect();
    refused.sort();
    expected.sort();
    assert_eq!(refused, expected);
}

#[test]
fn every_figure_says_what_it_was_computed_from() {
    let mut live = Live::new();
    live.chars("5x");
    // in some views each figure stands beside that of the model as it is
    let views: [(&str, &[usize]); 4] = [("1", &[1]), ("3", &[1, 0]), ("4", &[1, 1, 0, 0]), ("5", &[1])];
    for (keys, expected) in views {
        live.chars(keys);
        let figures = live.ui.state.figures();
        let with: Vec<usize> = figures.iter().map(|figure| figure.provenance.interventions.len()).collect();
        assert_eq!(with, expected, "{keys}");
        for figure in figures {
            let from = &figure.provenance;
            assert_eq!(from.model, "slide", "{keys}");
            let prompt = from.prompt.as_deref().unwrap();
            assert!(prompt.contains("The cat sat on a"), "{keys}: {prompt}");
            let bos = from.bos.as_deref();
            assert!(bos.map_or(prompt.starts_with("<|endoftext|>"), |bos| bos.contains("BOS")), "{keys}: {bos:?}");
            assert!(!from.fingerprint.is_empty() && !from.precision.is_empty(), "{keys}");
        }
    }
}

fn written(ui: &Ui, name: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(name);
    write_file(&file, of_file(&file).unwrap(), IfThere::Refuse, &ui.state.figures()).unwrap();
    std::fs::read_to_string(&file).unwrap()
}

#[test]
fn the_numbers_are_those_that_are_shown() {
    let mut ui = Ui::with_data();
    let csv = written(&ui, "a.csv");
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(
        lines[..3],
        [
            "rank,token,id,prob,logprob,logit",
            "1,␣mat,101,0.6,-0.5108256237659907,8",
            "2,␣rug,102,0.2,-1.6094379124341003,7"
        ]
    );
    assert_eq!(lines.len(), 13);
    assert!(ui.text().contains("60.000%") && ui.text().contains("20.000%"), "{}", ui.text());
    let found: Value = serde_json::from_str(&written(&ui, "a.json")).unwrap();
    assert_eq!(found[0]["title"], "After 5 ␣a");
    assert_eq!(found[0]["content"]["rows"][0][3], json!(0.6));
    let interventions = ["zero:L1.attn".to_owned()];
    ui.chars("dzero:L1.attn");
    ui.key(ENTER);
    ui.key(Key::plain(KeyCode::Esc));
    ui.answer(JobEvent::Finished(Outcome::Inspected(std::sync::Arc::new(intervened(&tokens(), &interventions)))));
    assert!(written(&ui, "b.csv").contains("1,␣mat,101,0.6,0.3,"), "what it was without them is beside it");
    assert!(ui.state.figures()[0].provenance.interventions == interventions);
}

#[test]
fn the_rows_of_the_other_views_are_those_on_the_screen() {
    let mut ui = Ui::with_data();
    ui.chars("5");
    let csv = written(&ui, "a.csv");
    let names: Vec<&str> = csv.lines().skip(1).map(|line| line.split(',').next().unwrap()).collect();
    assert_eq!(names, ["L1.attn", "L0.attn", "L1.mlp", "L0.mlp", "embed", "remainder", "logit A-B"]);
    assert!(csv.contains("\nL1.attn,,1.5,,\n") && csv.contains("\nlogit A-B,,1.1,,\n"), "{csv}");
    ui.chars("v");
    assert!(written(&ui, "a.csv").contains("\nL1H2,,1.2,2 ␣cat,\n"));
    let mut ui = running();
    let csv = written(&ui, "a.csv");
    assert!(csv.starts_with("item,forward.exact,reverse.exact,answer,gold\nfirst,yes,yes,"), "{csv}");
    ui.chars("v");
    assert!(!written(&ui, "a.csv").contains("first"), "only what the filter lists");
    let (mut ui, request) = with_both_prompts();
    fill(&mut ui, request, 7);
    let figures = ui.state.figures();
    let Content::Heatmap(map) = &figures[0].content else { panic!("{figures:?}") };
    assert_eq!(map.values().iter().filter(|value| value.is_finite()).count(), 7);
    assert!(figures[0].caption.contains("7 of 18 cells"), "{}", figures[0].caption);
    assert!(ui.text().contains(&format!("{:.2}", map.value(0, 0).unwrap())), "{}", ui.text());
}

#[test]
fn a_file_is_named_and_its_ending_chosen() {
    let mut ui = Ui::with_data();
    ui.chars("4");
    assert!(ui.chars("e").is_empty());
    assert_eq!(ui.state.context(), Context::Exporting);
    assert!(ui.text().contains("lens-5.json"), "{}", ui.text());
    let endings: Vec<String> = EXPORTERS.iter().map(|exporter| format!("lens-5.{}", exporter.extension())).collect();
    for _ in EXPORTERS {
        ui.key(TAB);
        assert!(endings.iter().any(|name| ui.text().contains(name)), "{}", ui.text());
    }
    ui.key(Key::plain(KeyCode::BackTab));
    ui.key(TAB);
    ui.key(TAB);
    let effects = ui.key(ENTER);
    let [Effect::Export { file, ending: "csv", if_there: IfThere::Refuse, figures }] = &effects[..] else {
        panic!("{effects:?}")
    };
    assert_eq!((file.as_path(), figures.len()), (Path::new("lens-5.csv"), 2));
    assert!(ui.text().contains("writing lens-5.csv"), "{}", ui.text());
    ui.chars("e");
    assert!(ui.text().contains("lens-5.csv"), "the ending is offered again: {}", ui.text());
    " 5.csv".chars().for_each(|_| drop(ui.key(BACK)));
    ui.chars(".doc");
    assert!(ui.key(ENTER).is_empty());
    assert!(ui.text().contains(".json .csv .md"), "{}", ui.text());
    assert_eq!(ui.state.context(), Context::Exporting, "it can be typed anew");
    assert!(ui.key(Key::plain(KeyCode::Esc)).is_empty());
    assert_eq!(ui.state.context(), Context::Lens);
}

#[test]
fn a_file_that_is_there_is_asked_about() {
    let mut ui = Ui::with_data();
    ui.chars("e");
    ui.key(ENTER);
    ui.send(Msg::Exported(Err(SessionError::Exists { file: "step-5.json".into() })));
    assert_eq!(ui.state.context(), Context::Exporting);
    assert!(ui.text().contains("there already") && ui.text().contains("step-5.json"), "{}", ui.text());
    ui.chars("!");
    let effects = ui.key(ENTER);
    assert!(
        matches!(&effects[..], [Effect::Export { file, if_there: IfThere::Replace, .. }]
        if file == Path::new("step-5.json")),
        "{effects:?}"
    );
    let written = write_file(Path::new("/no/such/folder/a.csv"), EXPORTERS[0], IfThere::Refuse, &ui.state.figures());
    ui.send(Msg::Exported(written));
    assert_eq!(ui.state.context(), Context::Error);
    assert!(ui.text().contains("/no/such/folder/a.csv") && ui.text().contains("hint:"), "{}", ui.text());
}

#[test]
fn what_is_shown_is_copied_as_text() {
    for (tabs, expected) in
        [(0, "json"), (1, "csv"), (2, "md"), (3, "tex"), (4, "md"), (5, "md"), (6, "md"), (7, "txt")]
    {
        let mut ui = Ui::with_data();
        ui.chars("e");
        (0..tabs).for_each(|_| drop(ui.key(TAB)));
        let effects = ui.key(Key::ctrl('y'));
        let [Effect::Encode { ending, figures }] = &effects[..] else { panic!("{effects:?}") };
        assert_eq!((*ending, figures.len()), (expected, 1), "after {tabs} tabs");
        assert_eq!(ui.state.context(), Context::Step);
        assert_eq!(ui.send(Msg::Encoded(Ok("text".into()))), [Effect::Copy("text".into())]);
    }
}

#[test]
fn a_view_without_numbers_says_so() {
    for make in VIEWS {
        let mut ui = Ui::with_tokens();
        ui.chars(&make().name().digit().to_string());
        let name = make().name();
        ui.chars("e");
        if name == ViewName::Tree {
            assert_eq!(ui.state.context(), Context::Exporting, "the tree needs no model");
            continue;
        }
        assert!(ui.text().contains("nothing to export"), "{name:?}: {}", ui.text());
        assert_eq!(ui.state.context(), make().context());
    }
}

#[test]
fn the_program_writes_the_file_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("deep.png");
    let mut session = Session::start_with(&["tui"], tempfile::tempdir().unwrap());
    session.wait("the distribution", |screen| screen.contents().contains("entropy"));
    for text in ["e\x15", &file.display().to_string(), "\r"] {
        session.press(text);
    }
    session.wait("what was written", |screen| screen.contents().contains("bytes in"));
    assert!(std::fs::read(&file).unwrap().starts_with(b"\x89PNG"));
    session.press("q");
    session.ends_restored();
}
