//! All of a configuration as TOML.

use std::fmt::Write as _;

use super::read::{AUTO, DEPTHS, GROUNDS};
use super::{Config, keys};
use crate::tui::keymap::Context;
use crate::tui::mouse::MouseUse;
use crate::tui::palette::{Color, colour_name};

pub(super) fn text(config: &Config) -> String {
    let settings = config.settings;
    let mut out = format!(
        "[theme]\nbackground = \"{}\"\ncolours = \"{}\"\nscale = \"{}\"\ntowards = \"{}\"\nagainst = \"{}\"\n\
         error = \"{}\"\n\n\
         [tui]\ncandidates = {}\ngenerate = {}\nitems = {}\nmouse = {}\n",
        word(GROUNDS, config.ground),
        word(DEPTHS, config.depth),
        config.palette.ramp.name(),
        colour(config.palette.towards),
        colour(config.palette.against),
        colour(config.palette.error),
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
    words.iter().find(|(_, other)| *other == meaning).map_or(AUTO, |(word, _)| word)
}

fn colour(chosen: Option<Color>) -> String {
    chosen.map_or_else(|| AUTO.to_owned(), colour_name)
}
