//! `[keys.PLACE]`: other keys for actions, by the names that docs/keys.md lists.

use crate::reading::{At, Reader, Value, nearest, strings};
use crate::tui::action::Action;
use crate::tui::clash::clashes;
use crate::tui::input::Key;
use crate::tui::key_name::{key_name, parse_key, useless};
use crate::tui::keymap::{Binding, Context, Keymap};

/// A binding that the file has, and its line.
struct Rebound {
    context: Context,
    action: Action,
    line: usize,
}

/// The keys as they come, with those of the file.
pub(super) fn read<'a>(reader: &mut Reader<'a>, top: At<'a>) -> Keymap {
    let mut keymap = Keymap::default();
    let Some(at) = reader.table(top, "keys", "[keys]") else { return keymap };
    let mut rebound = Vec::new();
    for (name, _) in at.table {
        let word: &str = name.get_ref();
        match Context::ALL.into_iter().find(|context| context.word() == word) {
            Some(context) => place(reader, (at, word), context, &mut keymap, &mut rebound),
            None => {
                let words = Context::ALL.map(Context::word);
                let near = nearest(word, words).unwrap_or_default();
                let what =
                    format!("[keys.{word}] is no place, the nearest is [keys.{near}]; places: {}", words.join(", "));
                reader.tell(&name.span(), what);
            }
        }
    }
    tell_clashes(reader, &keymap, &rebound);
    keymap
}

/// Reads the keys of one place.
fn place<'a>(
    reader: &mut Reader<'a>,
    (keys, word): (At<'a>, &'a str),
    context: Context,
    keymap: &mut Keymap,
    rebound: &mut Vec<Rebound>,
) {
    let Some(at) = reader.table(keys, word, word) else { return };
    for (name, value) in at.table {
        let line = reader.line(&name.span());
        match found(name.get_ref(), context) {
            Ok(action) => {
                let keys = keys_of(reader, name.get_ref(), value, (context, action));
                if let Some(keys) = keys {
                    keymap.rebind(context, action, keys);
                    rebound.push(Rebound { context, action, line });
                }
            }
            Err(what) => reader.problem(line, what),
        }
    }
}

/// The action of a name in a place, or what is wrong with it.
fn found(name: &str, context: Context) -> Result<Action, String> {
    let rows = || crate::tui::keymap::rows(context);
    if let Some(row) = rows().find(|row| row.action.name() == name) {
        return Ok(row.action);
    }
    let word = context.word();
    let elsewhere: Vec<String> = Context::ALL
        .into_iter()
        .filter(|context| crate::tui::keymap::rows(*context).any(|row| row.action.name() == name))
        .map(|context| format!("[keys.{}]", context.word()))
        .collect();
    if !elsewhere.is_empty() {
        return Err(format!("`{name}` is no action of [keys.{word}], it belongs to {}", elsewhere.join(", ")));
    }
    let names: Vec<_> = rows().map(|row| row.action.name()).collect();
    let near = nearest(name, names.iter().map(AsRef::as_ref)).unwrap_or_default();
    Err(format!("`{name}` is no action of [keys.{word}], the nearest is `{near}`"))
}

/// The keys of a binding, if all of them can be had.
fn keys_of<'a>(
    reader: &mut Reader<'a>,
    name: &str,
    value: &Value<'a>,
    (context, action): (Context, Action),
) -> Option<Vec<Key>> {
    let Some(texts) = strings(value.get_ref()) else {
        reader.unexpected(name, value, "a key such as \"Ctrl-s\", or a list of keys");
        return None;
    };
    let mut keys = Vec::new();
    let mut wrong = Vec::new();
    for text in texts {
        match parse_key(&text) {
            Ok(key) if keys.contains(&key) => wrong.push(format!("`{text}` is there twice")),
            Ok(key) => match useless(key, context) {
                Some(why) => wrong.push(format!("`{text}` {why}")),
                None => keys.push(key),
            },
            Err(error) => wrong.push(error.to_string()),
        }
    }
    if keys.is_empty() && wrong.is_empty() && is_way_out(action) {
        wrong.push("it needs a key: there would be no way out".into());
    }
    let is_right = wrong.is_empty();
    for what in wrong {
        reader.tell(&value.span(), format!("{name}: {what}"));
    }
    is_right.then_some(keys)
}

const fn is_way_out(action: Action) -> bool {
    matches!(action, Action::Quit | Action::Close | Action::Leave)
}

/// Tells of keys that mean two things, at the line that comes later.
fn tell_clashes(reader: &mut Reader<'_>, keymap: &Keymap, rebound: &[Rebound]) {
    let line = |binding: &Binding| {
        let is = |one: &&Rebound| one.context == binding.context && one.action == binding.action;
        rebound.iter().find(is).map(|one| one.line)
    };
    for clash in clashes(keymap) {
        // a clash that the file has no part in is none
        if let Some(at) = line(clash.one).max(line(clash.other)) {
            let moved = if line(clash.one).is_some() { clash.other } else { clash.one };
            let what = format!("{clash}; give `{}` another key as well", moved.action.name());
            reader.problem(at, what);
        }
    }
}

/// The keys of a binding, as a value of TOML.
pub(super) fn written(binding: &Binding) -> String {
    let texts: Vec<toml::Value> = binding.keys.iter().map(|&key| toml::Value::String(key_name(key))).collect();
    match &texts[..] {
        [one] => one.to_string(),
        _ => toml::Value::Array(texts).to_string(),
    }
}
