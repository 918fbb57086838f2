//! THE TERMINAL UI: every panel follows one selected position of one prompt.
//!
//! [`run`] owns the terminal and the worker. Everything else is a function: [`State::update`] takes a [`Msg`] and
//! answers with [`Effect`]s as data, [`screen::render`] draws a state into a buffer. This layer never touches a
//! tensor, a tokenizer or a file, and never waits for the model.

pub mod action;
pub mod app;
pub mod clash;
mod clipboard;
mod colour;
mod editor;
pub mod effect;
mod error;
mod event_loop;
pub mod glyph;
pub mod input;
pub mod interventions;
mod jobs;
pub mod key_name;
pub mod keymap;
pub mod layout;
mod line_entry;
mod log;
pub mod mouse;
mod named;
pub mod overlay;
pub mod palette;
mod panel;
mod panels;
mod saving;
pub mod screen;
pub mod search;
pub mod session;
mod settings;
pub mod split;
mod terminal;
mod text;
pub mod theme;
pub mod tree;
pub mod view;
mod widget;
mod writer;

use std::path::PathBuf;

pub use self::app::{Msg, State};
pub use self::editor::Editor;
pub use self::effect::Effect;
pub use self::error::TuiError;
pub use self::event_loop::run;
pub use self::line_entry::{LineEntry, Purpose};
pub use self::log::Log;
pub use self::saving::SessionOptions;
pub use self::settings::Settings;
use crate::engine::HeadStore;
use crate::model::LoadOptions;
use crate::model::source::ModelSource;
use crate::text::BosPolicy;

/// What the terminal UI starts with.
#[derive(Debug, Clone, Default)]
pub struct TuiOptions {
    /// The model.
    pub source: ModelSource,
    /// What of loading is open to choice.
    pub options: LoadOptions,
    /// The first prompt; without one, the embedded models start with an example.
    pub prompt: Option<String>,
    /// Whether a BOS is put before the prompt.
    pub bos: BosPolicy,
    /// Where measurements of heads are remembered.
    pub heads: Option<HeadStore>,
    /// Where sessions come from and go to.
    pub session: SessionOptions,
    /// The hub's cache, where a typed name of a model is looked up.
    pub cache: Option<PathBuf>,
    /// The keys.
    pub keymap: keymap::Keymap,
    /// Numbers that the views begin with.
    pub settings: Settings,
    /// Colours and characters that are asked for.
    pub look: theme::Wanted,
    /// Whose the mouse is.
    pub mouse: mouse::MouseUse,
    /// What the palette also offers.
    pub offers: Vec<Offer>,
}

/// Something that is run outside of the terminal UI, or shown by a view of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// What it is, in a word: `lens`, `suite`.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// What it does, in a sentence without a period.
    pub about: String,
    /// How it is run in a shell, with `{prompt}` and `{model}` to fill in.
    pub command: String,
}
