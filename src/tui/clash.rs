//! Keys that would mean two things: twice in one place, or in a view what hides another meaning everywhere.

use std::fmt;

use super::input::Key;
use super::key_name::key_name;
use super::keymap::{Binding, Context, KEYMAP, Keymap};

/// One key of two bindings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clash<'a> {
    /// The key.
    pub key: Key,
    /// A binding that has it; where one hides the other, the one of the view.
    pub one: &'a Binding,
    /// The other binding.
    pub other: &'a Binding,
}

impl fmt::Display for Clash<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, one, other } = *self;
        let (key, name, other_name) = (key_name(key), one.action.name(), other.action.name());
        let place = one.context.word();
        if one.context == other.context {
            return write!(f, "`{key}` would be `{name}` and `{other_name}` in [keys.{place}]");
        }
        let everywhere = other.context.word();
        write!(f, "`{key}` is `{name}` in [keys.{place}], which hides `{other_name}` of [keys.{everywhere}] there")
    }
}

/// Every clash, but for views' keys that hide others as they come.
pub fn clashes(keymap: &Keymap) -> Vec<Clash<'_>> {
    Context::ALL.into_iter().flat_map(|context| of_context(keymap, context)).collect()
}

fn of_context(keymap: &Keymap, context: Context) -> Vec<Clash<'_>> {
    let mut found = Vec::new();
    let own: Vec<&Binding> = keymap.rows(context).collect();
    for (at, one) in own.iter().copied().enumerate() {
        for &key in one.keys.iter() {
            let twice = own[at + 1..].iter().copied().filter(|other| other.keys.contains(&key));
            let hidden = context.fallback().into_iter().flat_map(|context| keymap.rows(context));
            let hidden = hidden.filter(|other| other.keys.contains(&key) && !hides_as_it_comes(key, one, other));
            found.extend(twice.chain(hidden).map(|other| Clash { key, one, other }));
        }
    }
    found
}

/// Whether the view hides the other already without a configuration: `c` in the patch view is no colour of the prompt.
fn hides_as_it_comes(key: Key, one: &Binding, other: &Binding) -> bool {
    let mut own = KEYMAP.iter().filter(|row| row.context == one.context);
    let mut others = KEYMAP.iter().filter(|row| row.context == other.context && row.action == other.action);
    own.any(|row| row.keys.contains(&key)) && others.any(|row| row.keys.contains(&key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::action::Action;

    #[test]
    fn the_keys_as_they_come_do_not_clash() {
        assert_eq!(clashes(&Keymap::default()), []);
    }

    #[test]
    fn a_key_of_two_meanings_is_found_in_its_view_and_behind_it() {
        let mut keymap = Keymap::default();
        keymap.rebind(Context::Tree, Action::Mark, vec![Key::char('x')]);
        keymap.rebind(Context::Step, Action::Sample, vec![Key::char('q')]);
        let told: Vec<String> = clashes(&keymap).iter().map(Clash::to_string).collect();
        assert_eq!(
            told,
            [
                "`q` is `sample` in [keys.step], which hides `quit` of [keys.everywhere] there",
                "`x` would be `mark` and `prune` in [keys.tree]",
            ]
        );
    }
}
