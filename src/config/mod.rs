//! THE USER'S CONFIGURATION: a file of keys, colours and defaults of the terminal UI, and all that is wrong with it.
//!
//! It is TOML. What it does not say is as it is without it. It knows no model, and no place where the file is kept.

mod error;
mod keys;
mod read;
#[cfg(test)]
mod tests;
mod write;

use std::path::Path;

pub use self::error::ConfigError;
use crate::reading::Problem;
use crate::tui::keymap::Keymap;
use crate::tui::palette::Palette;
use crate::tui::theme::{Depth, Ground};
use crate::tui::{Settings, mouse::MouseUse};

/// What a configuration says, and for the rest what comes without one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Config {
    /// What lies behind the text; what the environment says if nothing.
    pub ground: Option<Ground>,
    /// The colours that are used; what the environment says if nothing.
    pub depth: Option<Depth>,
    /// The scale of values, and colours.
    pub palette: Palette,
    /// Numbers that the views begin with.
    pub settings: Settings,
    /// Whose the mouse is.
    pub mouse: MouseUse,
    /// The keys.
    pub keymap: Keymap,
}

impl Config {
    /// Reads a text.
    ///
    /// # Errors
    /// Everything that is wrong with it, in the order of lines.
    pub fn parse(text: &str) -> Result<Self, Vec<Problem>> {
        read::parse(text)
    }

    /// Reads a file.
    ///
    /// # Errors
    /// A file that cannot be read, or everything that is wrong with it.
    pub fn load(file: &Path) -> Result<Self, ConfigError> {
        let file = file.to_owned();
        match std::fs::read_to_string(&file) {
            Ok(text) => Self::parse(&text).map_err(|problems| ConfigError::Problems { file, problems }),
            Err(source) => Err(ConfigError::Read { file, source }),
        }
    }

    /// All of it as a text that can be read again.
    pub fn text(&self) -> String {
        write::text(self)
    }
}
