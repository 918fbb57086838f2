//! The prompt while it is being edited.

use tui_input::{Input, InputRequest};

use super::input::{Key, editing_request};
use crate::engine::Tokens;

/// A text and its tokens so far.
#[derive(Debug, Clone, Default)]
pub struct Editor {
    input: Input,
    tokens: Tokens,
    problem: Option<String>,
}

impl Editor {
    /// An editor that starts with a text.
    pub(super) fn new(text: String, tokens: Tokens) -> Self {
        Self { input: Input::new(text), tokens, problem: None }
    }

    /// The line.
    pub const fn input(&self) -> &Input {
        &self.input
    }

    /// The tokens of the text, or of the text before the last key.
    pub const fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// Why the text has no tokens.
    pub fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    /// Types a key; answers whether the text changed.
    pub(super) fn key(&mut self, key: Key) -> bool {
        let change = editing_request(key).and_then(|request| self.input.handle(request));
        change.is_some_and(|change| change.value)
    }

    pub(super) fn paste(&mut self, text: &str) {
        for c in text.chars() {
            self.input.handle(InputRequest::InsertChar(c));
        }
    }

    pub(super) fn arrive(&mut self, tokens: Tokens) {
        self.tokens = tokens;
        self.problem = None;
    }

    pub(super) fn fail(&mut self, problem: String) {
        self.problem = Some(problem);
    }
}
