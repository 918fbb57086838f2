//! Puts facts into words: as sentences that break off, as questions, and as questions in a chat.

use super::item::{Item, Side};
use super::suite::{Ask, Spec};
use crate::eval::context;
use crate::eval::prepare::PrepareOptions;

/// How all facts of a run are asked.
#[derive(Clone, Copy)]
pub(super) struct Wording<'a> {
    spec: &'a Spec,
    options: &'a PrepareOptions<'a>,
}

impl<'a> Wording<'a> {
    /// As `suite.toml` says; in a chat, by questions.
    pub(super) const fn new(spec: &'a Spec, options: &'a PrepareOptions<'a>) -> Self {
        Self { spec, options }
    }

    /// The question for one end, from memory.
    pub(super) fn plain(self, item: &Item, asked: Side) -> Result<String, String> {
        self.prompt(item, asked, "")
    }

    /// The same after a sentence that states the fact in the opposite direction.
    pub(super) fn in_context(self, item: &Item, asked: Side) -> Result<String, String> {
        let opposite = self.spec.statement(item, asked.other());
        self.prompt(item, asked, &format!("{opposite} {}.", item.name(asked.other())))
    }

    fn prompt(self, item: &Item, asked: Side, before: &str) -> Result<String, String> {
        let after = |space: &str, text: String| match before {
            "" => text,
            _ => format!("{before}{space}{text}"),
        };
        let text = match (self.options.chat.is_some(), self.spec.ask) {
            (true, _) => after(" ", self.question(item, asked)?),
            (false, Ask::Question) => after("\n", format!("Q: {}\nA:", self.question(item, asked)?)),
            (false, Ask::Statement) => after(" ", self.spec.statement(item, asked)),
        };
        context::question(&text, self.options)
    }

    fn question(self, item: &Item, asked: Side) -> Result<String, String> {
        let question = self.spec.question(item, asked);
        if question.is_empty() {
            let which = if asked == Side::B { "forward_question" } else { "reverse_question" };
            return Err(format!("relation `{}` has no `{which}`, and questions are asked", item.relation));
        }
        Ok(question)
    }

    /// What stands between a prompt and an answer.
    pub(super) fn delimiter(self) -> &'static str {
        if self.options.chat.is_some() { "" } else { " " }
    }

    /// Tokens that an answer may have beyond those of the longest right one: room for the stop and for another spelling;
    /// in a chat, for a sentence around it.
    pub(super) fn spare_tokens(self) -> usize {
        if self.options.chat.is_some() { 24 } else { 4 }
    }
}

/// Where a generated answer ends: before the texts that no right answer holds.
pub(super) fn stops(spec: &Spec, answers: &[&str]) -> Vec<String> {
    spec.until.iter().filter(|stop| !answers.iter().any(|name| name.contains(stop.as_str()))).cloned().collect()
}
