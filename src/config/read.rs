//! From TOML to a configuration.

use super::{Config, keys};
use crate::reading::{self, At, Problem, Reader, boolean, count, string};
use crate::tui::Settings;
use crate::tui::mouse::MouseUse;
use crate::tui::theme::{Depth, Ground};

/// Words for what lies behind the text; none asks the environment.
pub(super) const GROUNDS: &[(&str, Option<Ground>)] =
    &[("auto", None), ("dark", Some(Ground::Dark)), ("light", Some(Ground::Light))];

/// Words for the colours; none asks the environment.
pub(super) const DEPTHS: &[(&str, Option<Depth>)] = &[
    ("auto", None),
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
        let (ground, depth) = theme(reader, top);
        let (settings, mouse) = tui(reader, top);
        let keymap = keys::read(reader, top);
        Some(Config { ground, depth, settings, mouse, keymap })
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

fn theme<'a>(reader: &mut Reader<'a>, top: At<'a>) -> (Option<Ground>, Option<Depth>) {
    let Some(at) = reader.table(top, "theme", "[theme]") else { return (None, None) };
    reader.known(at, &["background", "colours"]);
    (word(reader, at, "background", GROUNDS), word(reader, at, "colours", DEPTHS))
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
