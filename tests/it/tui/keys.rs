//! The keymap as data.

use std::collections::{BTreeSet, HashSet};

use lmscope::engine::{Panel, Request};
use lmscope::tui::effect::INSPECT;
use lmscope::tui::keymap::{Context, KEYMAP, markdown, rows};

use super::data::{Ui, submits};
use crate::support::project;

#[test]
fn no_key_means_two_things_in_one_context() {
    for context in Context::ALL {
        let mut seen = HashSet::new();
        for key in rows(context).flat_map(|binding| binding.keys.iter()) {
            assert!(seen.insert(key), "{context:?}: {key:?}");
        }
    }
}

#[test]
fn the_page_of_keys_is_current() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/keys.md");
    if std::env::var_os("LMSCOPE_WRITE_DOCS").is_some() {
        std::fs::write(path, markdown()).unwrap();
    }
    let page = std::fs::read_to_string(path).unwrap();
    assert!(page == markdown(), "run the tests with LMSCOPE_WRITE_DOCS=1 to write docs/keys.md anew");
}

#[test]
fn a_name_means_one_thing_in_a_context() {
    for context in Context::ALL {
        let mut seen = HashSet::new();
        for binding in rows(context) {
            let name = binding.action.name();
            assert!(name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'), "{name}");
            assert!(seen.insert(name.clone()), "{context:?}: two rows are called {name}");
        }
    }
}

/// The variants of the enum, read from its source.
fn actions() -> BTreeSet<String> {
    let source = std::fs::read_to_string(project("src/tui/action.rs")).unwrap();
    let body = source.split("pub enum Action {").nth(1).unwrap().split("\n}").next().unwrap();
    let variants = body.lines().filter(|line| line.starts_with("    ") && line.trim().starts_with(char::is_uppercase));
    variants.map(|line| line.trim().split(|c: char| !c.is_alphanumeric()).next().unwrap().to_owned()).collect()
}

#[test]
fn every_action_is_in_the_table() {
    let named = |name: String| name.split('(').next().unwrap().to_owned();
    let bound: BTreeSet<String> = KEYMAP.iter().map(|binding| named(format!("{:?}", binding.action))).collect();
    assert_eq!(bound, actions());
}

#[test]
fn a_count_right_before_a_move_repeats_it() {
    let mut ui = Ui::with_data();
    ui.chars("3");
    ui.count("2");
    let effects = ui.chars("j");
    assert!(matches!(submits(&effects)[..], [.., (INSPECT, Request::Inspect { panels, .. })]
        if panels[..] == [Panel::AttentionHead { layer: 2, head: 0 }]));
    ui.count("99");
    ui.chars("h");
    assert_eq!(ui.state.session().position(), 0);
    ui.count("10");
    ui.chars("l");
    assert_eq!(ui.state.session().position(), 5, "ten to the right, of which there are five");
    ui.count("3");
    ui.chars("xh");
    assert_eq!(ui.state.session().position(), 4, "x is no move, and no count is left");
}

#[test]
fn a_digit_alone_shows_a_view_at_once() {
    let mut ui = Ui::with_data();
    ui.chars("4k");
    assert_eq!(ui.state.current(), 3);
}
