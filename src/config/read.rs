//! From TOML to a configuration.

use std::ops::Range;

use super::{Config, keys};
use crate::reading::{self, At, Problem, Reader, boolean, count, nearest, string};
use crate::tui::Settings;
use crate::tui::mouse::MouseUse;
use crate::tui::palette::{Color, Palette, Ramp, colour_names, parse_colour};
use crate::tui::theme::{Depth, Ground};

/// The word for what is left to the program.
pub(super) const AUTO: &str = "auto";

/// Words for what lies behind the text; none asks the environment.
pub(super) const GROUNDS: &[(&str, Option<Ground>)] =
    &[(AUTO, None), ("dark", Some(Ground::Dark)), ("light", Some(Ground::Light))];

/// Words for the colours; none asks the environment.
pub(super) const DEPTHS: &[(&str, Option<Depth>)] = &[
    (AUTO, None),
    ("none", Some(Depth::Mono)),
    ("16", Some(Depth::Sixteen)),
    ("256", Some(Depth::Indexed)),
    ("truecolor", Some(Depth::True)),
];

/// More candidates would make every step slow.
const MOST_CANDIDATES: usize = 10_000;
/// More tokens than a context holds.
const MOST_GENERATED: usize = 1_000_000;

pub(super) fn parse(text: &str) -> Result<Config, Vec<Problem>> {
    reading::parse(text, "the configuration", |reader, top| {
        reader.known(top, &["theme", "tui", "keys"]);
        let (ground, depth, palette) = theme(reader, top);
        let (settings, mouse) = tui(reader, top);
        let keymap = keys::read(reader, top);
        Some(Config { ground, depth, palette, settings, mouse, keymap })
    })
}

/// One of some words.
fn word<'a, T: Copy>(reader: &mut Reader<'a>, at: At<'a>, key: &str, words: &[(&str, Option<T>)]) -> Option<T> {
    let expected: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
    let read = |value: &_| {
        let text = string(value)?;
        words.iter().find(|(word, _)| *word == text).map(|(_, meaning)| *meaning)
    };
    reader.optional(at, key, &format!("one of {}", expected.join(", ")), read).flatten()
}

fn theme<'a>(reader: &mut Reader<'a>, top: At<'a>) -> (Option<Ground>, Option<Depth>, Palette) {
    let Some(at) = reader.table(top, "theme", "[theme]") else { return (None, None, Palette::OWN) };
    reader.known(at, &["background", "colours", "scale", "towards", "against", "error"]);
    let palette = Palette {
        ramp: ramp(reader, at).unwrap_or(Palette::OWN.ramp),
        towards: colour(reader, at, "towards"),
        against: colour(reader, at, "against"),
        error: colour(reader, at, "error"),
    };
    (word(reader, at, "background", GROUNDS), word(reader, at, "colours", DEPTHS), palette)
}

/// The scale of values.
fn ramp<'a>(reader: &mut Reader<'a>, at: At<'a>) -> Option<Ramp> {
    let names = Ramp::ALL.map(Ramp::name);
    let (text, span) = text(reader, at, "scale", &format!("one of {}", names.join(", ")))?;
    let found = Ramp::ALL.into_iter().find(|ramp| ramp.name() == text);
    if found.is_none() {
        let near = nearest(&text, names).unwrap_or_default();
        let what = format!("`{text}` is no scale, the nearest is `{near}`; scales: {}", names.join(", "));
        reader.tell(&span, format!("scale: {what}"));
    }
    found
}

/// A colour; none is the program's own.
fn colour<'a>(reader: &mut Reader<'a>, at: At<'a>, key: &str) -> Option<Color> {
    let (text, span) = text(reader, at, key, "a colour: \"auto\", \"red\", \"bright-blue\", \"#63c4ff\"")?;
    if text == AUTO {
        return None;
    }
    let found = parse_colour(&text);
    if found.is_none() {
        let expected = if text.starts_with('#') {
            "expected # and six hexadecimal digits: #63c4ff".to_owned()
        } else {
            format!("the nearest is `{}`", nearest(&text, colour_names()).unwrap_or_default())
        };
        reader.tell(&span, format!("{key}: `{text}` is no colour, {expected}"));
    }
    found
}

/// A text, and where it is.
fn text<'a>(reader: &mut Reader<'a>, at: At<'a>, key: &str, expected: &str) -> Option<(String, Range<usize>)> {
    let text = reader.optional(at, key, expected, string)?;
    Reader::value(at, key).map(|value| (text, value.span()))
}

fn tui<'a>(reader: &mut Reader<'a>, top: At<'a>) -> (Settings, MouseUse) {
    let (mut settings, mut mouse) = (Settings::default(), MouseUse::default());
    let Some(at) = reader.table(top, "tui", "[tui]") else { return (settings, mouse) };
    reader.known(at, &["candidates", "generate", "items", "mouse"]);
    let mut number = |key: &str, most: usize, place: &mut usize| {
        let expected = format!("a whole number from 1 to {most}");
        let read = |value: &_| count(value).filter(|number| (1..=most).contains(number));
        if let Some(number) = reader.optional(at, key, &expected, read) {
            *place = number;
        }
    };
    number("candidates", MOST_CANDIDATES, &mut settings.candidates);
    number("generate", MOST_GENERATED, &mut settings.generated);
    number("items", usize::MAX, &mut settings.items);
    if let Some(is_ours) = reader.optional(at, "mouse", "true or false", boolean) {
        mouse = if is_ours { MouseUse::Ours } else { MouseUse::Terminal };
    }
    (settings, mouse)
}
