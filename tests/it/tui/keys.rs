//! The keymap as data.

use std::collections::HashSet;

use lmscope::tui::keymap::{Context, markdown, rows};

#[test]
fn no_key_means_two_things_in_one_context() {
    for context in Context::ALL {
        let mut seen = HashSet::new();
        for key in rows(context).flat_map(|binding| binding.keys) {
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
