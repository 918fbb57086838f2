//! All of a configuration as TOML.

use std::fmt::Write as _;

use super::read::{DEPTHS, GROUNDS};
use super::{Config, keys};
use crate::tui::keymap::Context;
use crate::tui::mouse::MouseUse;

pub(super) fn text(config: &Config) -> String {
    let settings = config.settings;
    let mut out = format!(
        "[theme]\nbackground = \"{}\"\ncolours = \"{}\"\n\n\
         [tui]\ncandidates = {}\ngenerate = {}\nitems = {}\nmouse = {}\n",
        word(GROUNDS, config.ground),
        word(DEPTHS, config.depth),
        settings.candidates,
        settings.generated,
        settings.items,
        config.mouse == MouseUse::Ours,
    );
    for context in Context::ALL {
        // writing to a string cannot fail
        let _ = writeln!(out, "\n[keys.{}]", context.word());
        for binding in config.keymap.rows(context) {
            let _ = writeln!(out, "{} = {}", binding.action.name(), keys::written(binding));
        }
    }
    out
}

fn word<T: Copy + PartialEq>(words: &[(&'static str, Option<T>)], meaning: Option<T>) -> &'static str {
    words.iter().find(|(_, other)| *other == meaning).map_or("auto", |(word, _)| word)
}
