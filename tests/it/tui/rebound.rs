//! Texts on the screen name the keys that count, and no others, where a configuration says so.

use std::collections::BTreeSet;

use lmscope::tui::action::Action;
use lmscope::tui::input::Key;
use lmscope::tui::keymap::{Context, KEYMAP, Keymap, key_name};
use lmscope::tui::view::{VIEWS, ViewName};

use super::data::{Ui, in_keys};
use super::scenes::scenes;

/// The letters that take the place of all keys begin here: Cyrillic, which no text of ours has.
const FIRST: u32 = 0x400;

/// The one key of a row of the table.
fn key_of(at: usize) -> Key {
    Key::char(char::from_u32(FIRST + u32::try_from(at).unwrap()).unwrap())
}

/// No key of the table where a character is a key; where one types, keys stay.
fn rebound() -> Keymap {
    let mut keymap = Keymap::default();
    for (at, row) in KEYMAP.iter().enumerate().filter(|(_, row)| !row.context.types()) {
        keymap.rebind(row.context, row.action, vec![key_of(at)]);
    }
    keymap
}

/// The names of the keys that mean nothing any more.
fn gone() -> BTreeSet<String> {
    KEYMAP.iter().filter(|row| !row.context.types()).flat_map(|row| row.keys.iter()).map(|key| key_name(*key)).collect()
}

/// Keys that a row says to press: a name, and what it does.
fn named(row: &str, keys: &BTreeSet<String>) -> Vec<String> {
    let words: Vec<&str> = row.split([' ', '│']).filter(|word| !word.is_empty()).collect();
    let is_verb = |word: &str| word.len() > 3 && word.ends_with('s') && word.chars().all(|c| c.is_ascii_lowercase());
    // a number of things is no key
    let is_key = |word: &str| keys.contains(word) && !word.starts_with(|c: char| c.is_ascii_digit());
    let told = words.windows(2).filter(|pair| is_key(pair[0]) && is_verb(pair[1]));
    let spelled = words.iter().filter(|word| word.chars().count() > 1 && keys.contains(**word));
    told.map(|pair| pair.join(" ")).chain(spelled.map(|word| (*word).to_owned())).collect()
}

/// The same of a screen.
fn told(rows: &[String], keys: &BTreeSet<String>) -> Vec<String> {
    rows.iter().flat_map(|row| named(row, keys)).collect()
}

const SIZES: [(u16, u16); 3] = [(120, 40), (80, 24), (38, 9)];

#[test]
fn no_text_names_a_key_that_means_nothing() {
    let gone = gone();
    let mut n_named = 0;
    for (name, make) in scenes() {
        let (usual, other) = (make(), in_keys(rebound(), make));
        // where one types, Enter and Esc are what they were
        let here = rebound().rows(other.state.context()).flat_map(|row| row.keys.to_vec()).map(key_name).collect();
        for size in SIZES {
            n_named += told(&usual.rows(size.0, size.1), &gone).len();
            let rows = other.rows(size.0, size.1);
            let wrong = told(&rows, &gone.difference(&here).cloned().collect());
            assert!(wrong.is_empty(), "{name} {size:?}: {wrong:?}\n{}", rows.join("\n"));
        }
    }
    assert!(n_named > 100, "texts name {n_named} keys: does the test see them?");
}

#[test]
fn texts_name_the_keys_that_count() {
    let place = |context, action| {
        let at = KEYMAP.iter().position(|row| row.context == context && row.action == action).unwrap();
        key_name(key_of(at))
    };
    for (name, context, action, what) in [
        ("view_step_empty", Context::Global, Action::Quit, "quits"),
        ("view_patch_empty", Context::Global, Action::Quit, "quits"),
        ("patch_filling", Context::Global, Action::Cancel, "stops"),
        ("why_inputs_computing", Context::Global, Action::Cancel, "stops"),
        ("why_sources", Context::Why, Action::Out, "goes back"),
        ("evals_suites", Context::Evals, Action::Open, "runs the chosen suite"),
        ("evals_begun", Context::Global, Action::Cancel, "stops"),
        ("view_compare_computing", Context::Global, Action::Cancel, "stops"),
    ] {
        let make = scenes().into_iter().find(|scene| scene.0 == name).unwrap().1;
        let text = in_keys(rebound(), make).text();
        let told = format!("{} {what}", place(context, action));
        assert!(text.contains(&told), "{name}: no {told}");
    }
}

#[test]
fn tabs_are_named_with_the_keys_that_show_them() {
    let make = || in_keys(rebound(), Ui::with_data);
    let header = make().rows(120, 24)[1].clone();
    let narrow = make().rows(50, 24)[1].clone();
    for name in VIEWS.iter().map(|make| make().name()) {
        let at = KEYMAP.iter().position(|row| row.action == Action::ShowView(name)).unwrap();
        let key = key_name(key_of(at));
        assert!(header.contains(&format!("{key} {}", name.title())), "{header}");
        assert!(narrow.contains(&key), "{narrow}");
        assert!(!header.contains(name.digit()) && !narrow.contains(name.digit()), "{header}{narrow}");
    }
    let mut keymap = Keymap::default();
    keymap.rebind(Context::Global, Action::ShowView(ViewName::Tree), Vec::new());
    let without = in_keys(keymap, Ui::with_data).rows(120, 24)[1].clone();
    assert!(without.contains(" Tree ") && !without.contains('2') && without.contains("3 Attention"), "{without}");
}

#[test]
fn what_has_no_key_is_named_as_the_palette_has_it() {
    let mut keymap = Keymap::default();
    let way = |keymap: &Keymap| keymap.way(Context::Patch, Action::Cancel);
    assert_eq!(way(&keymap), "Esc");
    keymap.rebind(Context::Global, Action::Cancel, Vec::new());
    assert_eq!(way(&keymap), ": cancel");
    keymap.rebind(Context::Global, Action::Palette, vec![Key::ctrl('o')]);
    assert_eq!(way(&keymap), "Ctrl-o cancel");
    keymap.rebind(Context::Global, Action::Palette, Vec::new());
    assert_eq!(way(&keymap), "cancel");
    // the patch view has another meaning for the key of the prompt's colours
    assert_eq!(Keymap::default().key(Context::Patch, Action::NextTint), None);
    assert_eq!(Keymap::default().key(Context::Step, Action::NextTint).as_deref(), Some("c"));
}
