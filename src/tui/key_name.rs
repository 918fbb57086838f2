//! Keys as people write them, and back: in help, in documentation and in the configuration.

use crossterm::event::{KeyCode, KeyModifiers};

use super::input::Key;
use super::keymap::Context;
use crate::reading::nearest;

/// Names of keys that are no characters; the first is the one shown.
const NAMES: &[(KeyCode, &[&str])] = &[
    (KeyCode::Char(' '), &["Space"]),
    (KeyCode::Up, &["↑", "Up"]),
    (KeyCode::Down, &["↓", "Down"]),
    (KeyCode::Left, &["←", "Left"]),
    (KeyCode::Right, &["→", "Right"]),
    (KeyCode::Enter, &["Enter", "Return"]),
    (KeyCode::Esc, &["Esc", "Escape"]),
    (KeyCode::Tab, &["Tab"]),
    (KeyCode::Backspace, &["Backspace"]),
    (KeyCode::Delete, &["Del", "Delete"]),
    (KeyCode::Insert, &["Ins", "Insert"]),
    (KeyCode::Home, &["Home"]),
    (KeyCode::End, &["End"]),
    (KeyCode::PageUp, &["Page Up", "PageUp", "PgUp"]),
    (KeyCode::PageDown, &["Page Down", "PageDown", "PgDn"]),
];

/// Function keys that there are.
const N_FUNCTION: u8 = 24;

const MODIFIERS: [(KeyModifiers, &str); 3] =
    [(KeyModifiers::CONTROL, "Ctrl-"), (KeyModifiers::ALT, "Alt-"), (KeyModifiers::SHIFT, "Shift-")];

/// A key as people write it.
pub fn key_name(key: Key) -> String {
    if key.code == KeyCode::BackTab {
        return "Shift-Tab".into();
    }
    let held = MODIFIERS.iter().filter(|(modifier, _)| key.modifiers.contains(*modifier)).map(|(_, name)| *name);
    let known = NAMES.iter().find(|(code, _)| *code == key.code).and_then(|(_, names)| names.first());
    let name = match (known, key.code) {
        (Some(name), _) => (*name).to_owned(),
        (None, KeyCode::Char(c)) => c.to_string(),
        (None, other) => other.to_string(),
    };
    held.chain([name.as_str()]).collect()
}

/// Why a text names no key that a terminal sends.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// There is no such name.
    #[error("`{found}` is no key{}", meant.as_ref().map_or_else(String::new, |meant| format!(", did you mean `{meant}`?")))]
    Unknown {
        /// What was written.
        found: String,
        /// A key that is written like it.
        meant: Option<String>,
    },
    /// Shift is part of a character.
    #[error("`{found}`: a terminal sends the character that Shift makes, write that")]
    ShiftedCharacter {
        /// What was written.
        found: String,
    },
    /// A terminal sends the same as for another key.
    #[error("`{found}`: a terminal sends `{instead}` for it, write that")]
    Same {
        /// What was written.
        found: String,
        /// The other key.
        instead: &'static str,
    },
}

/// The key of a name: `x`, `Ctrl-s`, `Alt-←`, `Shift-Tab`, `Page Up`, `F2`. Names of keys may be written small.
///
/// # Errors
/// Why there is none.
pub fn parse_key(text: &str) -> Result<Key, KeyError> {
    let found = || text.to_owned();
    let (mut rest, mut modifiers) = (text, KeyModifiers::NONE);
    while let Some((modifier, length)) = held(rest) {
        modifiers |= modifier;
        rest = rest.get(length..).unwrap_or_default();
    }
    let code = code(rest).ok_or_else(|| KeyError::Unknown { found: found(), meant: meant(rest) })?;
    let is_shifted = modifiers.contains(KeyModifiers::SHIFT);
    match code {
        KeyCode::Tab if is_shifted => Ok(Key { code: KeyCode::BackTab, modifiers: modifiers - KeyModifiers::SHIFT }),
        KeyCode::Char(_) if is_shifted => Err(KeyError::ShiftedCharacter { found: found() }),
        KeyCode::Char(c) if modifiers.contains(KeyModifiers::CONTROL) => match c.to_ascii_lowercase() {
            'i' => Err(KeyError::Same { found: found(), instead: "Tab" }),
            'm' => Err(KeyError::Same { found: found(), instead: "Enter" }),
            '[' => Err(KeyError::Same { found: found(), instead: "Esc" }),
            c => Ok(Key { code: KeyCode::Char(c), modifiers }),
        },
        code => Ok(Key { code, modifiers }),
    }
}

/// Why a key would never do what it is to do.
pub fn useless(key: Key, context: Context) -> Option<&'static str> {
    match key.code {
        KeyCode::Char(_) if context.types() && (key.modifiers - KeyModifiers::SHIFT).is_empty() => {
            Some("is typed here, and cannot be a key: hold Ctrl or Alt")
        }
        KeyCode::Char(c) if !context.types() && key.modifiers == KeyModifiers::ALT && c.is_ascii_digit() => {
            Some("is a count, which repeats a move")
        }
        _ => None,
    }
}

/// The modifier that a text begins with, and its length; what follows must be something.
fn held(text: &str) -> Option<(KeyModifiers, usize)> {
    let begins = |name: &str| text.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
    let found = MODIFIERS.iter().find(|(_, name)| begins(name) && text.len() > name.len());
    found.map(|(modifier, name)| (*modifier, name.len()))
}

fn code(name: &str) -> Option<KeyCode> {
    let mut characters = name.chars();
    if let (Some(c), None) = (characters.next(), characters.next())
        && !c.is_control()
        && !NAMES.iter().any(|(_, names)| names.contains(&name))
    {
        return Some(KeyCode::Char(c));
    }
    let is = |known: &&str| known.eq_ignore_ascii_case(name);
    let named = NAMES.iter().find(|(_, names)| names.iter().any(is));
    named.map(|(code, _)| *code).or_else(|| {
        let number = name.strip_prefix(['F', 'f'])?.parse().ok()?;
        (1..=N_FUNCTION).contains(&number).then_some(KeyCode::F(number))
    })
}

/// A name that is written like this one.
fn meant(name: &str) -> Option<String> {
    let all = NAMES.iter().flat_map(|(_, names)| names.iter().copied()).filter(|known| known.is_ascii());
    let likely = nearest(name, all).filter(|known| strsim::normalized_damerau_levenshtein(name, known) > 0.4);
    likely.map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_back_to_its_key() {
        let codes = NAMES.iter().map(|(code, _)| *code).chain([KeyCode::Char('x'), KeyCode::Char('-'), KeyCode::F(12)]);
        let held =
            [KeyModifiers::NONE, KeyModifiers::CONTROL, KeyModifiers::ALT, KeyModifiers::CONTROL | KeyModifiers::ALT];
        for code in codes {
            for modifiers in held {
                let key = Key { code, modifiers };
                assert_eq!(parse_key(&key_name(key)), Ok(key), "{}", key_name(key));
            }
        }
        let back = Key::plain(KeyCode::BackTab);
        assert_eq!((parse_key("shift-tab"), key_name(back)), (Ok(back), "Shift-Tab".into()));
    }

    #[test]
    fn keys_may_be_written_in_other_ways() {
        let alt = |code| Key { code, modifiers: KeyModifiers::ALT };
        let cases = [
            ("ctrl-S", Key::ctrl('s')),
            ("Ctrl--", Key::ctrl('-')),
            ("alt-left", alt(KeyCode::Left)),
            ("pgup", Key::plain(KeyCode::PageUp)),
            ("f2", Key::plain(KeyCode::F(2))),
            ("f", Key::char('f')),
            ("Ж", Key::char('Ж')),
            ("Shift-F5", Key { code: KeyCode::F(5), modifiers: KeyModifiers::SHIFT }),
        ];
        for (text, key) in cases {
            assert_eq!(parse_key(text), Ok(key), "{text}");
        }
    }

    #[test]
    fn what_no_terminal_sends_is_refused_with_a_reason() {
        let cases = [
            ("Entr", "did you mean `Enter`"),
            ("F25", "no key"),
            ("", "no key"),
            ("xy", "no key"),
            ("\t", "no key"),
            ("Ctrl-", "no key"),
            ("Shift-x", "that Shift makes"),
            ("Shift-Space", "that Shift makes"),
            ("Ctrl-I", "sends `Tab`"),
            ("Ctrl-m", "sends `Enter`"),
            ("Ctrl-[", "sends `Esc`"),
        ];
        for (text, reason) in cases {
            let error = parse_key(text).unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
