//! The interventions of a session: a list of specs, each on or off, and what is wrong with those that cannot be done.

use crate::intervene::{Error, Spec};

/// One intervention.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// As typed.
    pub spec: String,
    /// Whether it is done.
    pub state: EntryState,
}

/// Whether an intervention is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntryState {
    /// It is.
    On,
    /// It is not.
    Off,
    /// It does not fit the model or the prompt.
    Refused(String),
}

/// All interventions, in the order they are done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Interventions {
    entries: Vec<Entry>,
}

impl Interventions {
    /// The interventions.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Those that are on, as typed.
    pub fn active(&self) -> Vec<String> {
        let on = self.entries.iter().filter(|entry| entry.state == EntryState::On);
        on.map(|entry| entry.spec.clone()).collect()
    }

    /// Adds one, or switches it on if it is there.
    ///
    /// # Errors
    /// Why the text is no intervention, and what to do about it.
    pub(super) fn add(&mut self, text: &str) -> Result<(), String> {
        let spec = text.trim().parse::<Spec>().map_err(|error| in_words(&error))?.to_string();
        match self.entries.iter_mut().find(|entry| entry.spec == spec) {
            Some(entry) => entry.state = EntryState::On,
            None => self.entries.push(Entry { spec, state: EntryState::On }),
        }
        Ok(())
    }

    pub(super) fn toggle(&mut self, at: usize) {
        if let Some(entry) = self.entries.get_mut(at) {
            entry.state = if entry.state == EntryState::On { EntryState::Off } else { EntryState::On };
        }
    }

    /// All off if any is on, else all on.
    pub(super) fn toggle_all(&mut self) {
        let is_any_on = self.entries.iter().any(|entry| entry.state == EntryState::On);
        let state = if is_any_on { EntryState::Off } else { EntryState::On };
        self.entries.iter_mut().for_each(|entry| entry.state = state.clone());
    }

    pub(super) fn delete(&mut self, at: usize) {
        if at < self.entries.len() {
            self.entries.remove(at);
        }
    }

    /// Switches off what cannot be done, and remembers why; answers whether it is one of these.
    pub(super) fn refuse(&mut self, error: &Error) -> bool {
        let (Error::Check { spec, .. } | Error::Parse { spec, .. }) = error else { return false };
        let Some(entry) = self.entries.iter_mut().find(|entry| entry.spec == *spec) else { return false };
        entry.state = EntryState::Refused(in_words(error));
        true
    }
}

/// The reason and the hint.
fn in_words(error: &Error) -> String {
    let reason = std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string);
    error.hint().map_or_else(|| reason.clone(), |hint| format!("{reason}; {hint}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interventions_are_added_toggled_and_deleted() {
        let mut list = Interventions::default();
        list.add(" zero:L3H2 ").unwrap();
        list.add("zero:L1.mlp").unwrap();
        assert_eq!(list.active(), ["zero:L3H2", "zero:L1.mlp"]);
        list.toggle(0);
        assert_eq!(list.active(), ["zero:L1.mlp"]);
        list.add("zero:L3H2").unwrap();
        assert_eq!(list.entries().len(), 2, "it was there");
        list.toggle_all();
        assert!(list.active().is_empty());
        list.toggle_all();
        assert_eq!(list.active().len(), 2);
        list.delete(0);
        list.delete(7);
        assert_eq!(list.active(), ["zero:L1.mlp"]);
    }

    #[test]
    fn a_typo_is_told_with_its_hint() {
        let mut list = Interventions::default();
        let problem = list.add("zer:L5").unwrap_err();
        assert!(problem.contains("not a kind") && problem.contains("did you mean `zero:`"), "{problem}");
        assert!(list.entries().is_empty());
    }
}
