//! One line that is typed where the prompt stands: a name, a text, a setting.

use tui_input::{Input, InputRequest};

use super::input::{Key, editing_request};
use super::keymap::Context;
use super::tree::NodeId;

/// What is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The name of a node.
    Label(NodeId),
    /// The file that the session is saved in.
    Session,
    /// The folder that the figures of every lens are saved in.
    Figures,
    /// How tokens are sampled.
    Chain,
    /// A text whose tokens follow the selected position.
    Append,
    /// The file that what the view shows is written to.
    Export,
}

impl Purpose {
    /// What stands before the line.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Label(_) => "name> ",
            Self::Session => "save session as> ",
            Self::Figures => "save figures in> ",
            Self::Chain => "chain> ",
            Self::Append => "append> ",
            Self::Export => "export to> ",
        }
    }

    /// Where keys are looked up while it is typed.
    pub(super) const fn context(self) -> Context {
        match self {
            Self::Export => Context::Exporting,
            Self::Label(_) | Self::Session | Self::Figures | Self::Chain | Self::Append => Context::Typing,
        }
    }

    /// What may be typed, in few words.
    pub const fn help(self) -> &'static str {
        match self {
            Self::Label(_) => "a name for this node; empty takes the name away",
            Self::Session => "a file; `lmscope FILE` goes on with it, `lmscope replay FILE` draws its figures again",
            Self::Figures => "a folder; a JSON file for each lens",
            Self::Chain => "temperature=0.8 top_k=40 top_p=0.9 min_p=0.05 repetition=1.1 order=llama.cpp",
            Self::Append => "a text, spaces included; its tokens follow the selected position",
            Self::Export => "the ending says the format; a ! behind the name replaces a file that is there",
        }
    }
}

/// The line and what is wrong with it.
#[derive(Debug, Clone)]
pub struct LineEntry {
    purpose: Purpose,
    input: Input,
    problem: Option<String>,
}

impl LineEntry {
    pub(super) fn new(purpose: Purpose, text: String) -> Self {
        Self { purpose, input: Input::new(text), problem: None }
    }

    /// What it is for.
    pub const fn purpose(&self) -> Purpose {
        self.purpose
    }

    /// The line.
    pub const fn input(&self) -> &Input {
        &self.input
    }

    /// What is wrong with it.
    pub fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    pub(super) fn refuse(&mut self, problem: String) {
        self.problem = Some(problem);
    }

    pub(super) fn key(&mut self, key: Key) {
        if let Some(request) = editing_request(key) {
            self.input.handle(request);
            self.problem = None;
        }
    }

    /// Puts another text in its place.
    pub(super) fn set(&mut self, text: String) {
        self.input = Input::new(text);
        self.problem = None;
    }

    pub(super) fn paste(&mut self, text: &str) {
        for c in text.chars() {
            self.input.handle(InputRequest::InsertChar(c));
        }
    }
}
