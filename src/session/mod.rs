//! An exploration as a file: what was tried, asked and changed, so that it can be gone on with or done again.
//!
//! It is TOML, written whole. It knows no model: whether the file fits the model at hand is told by the fingerprint.

mod error;
mod exported;
mod figures;
mod read;
mod write;

use std::path::Path;

pub use self::error::SessionError;
pub use self::exported::{Encoded, IfThere, WrittenFile, encode, write_file};
pub use self::figures::{FileFormat, write_figures};
use crate::hook::Head;
use crate::model::Dtype;
use crate::model::checkpoint::Arithmetic;
use crate::model::sample::Sampling;
pub use crate::reading::Problem;
use crate::text::BosPolicy;

/// The number of the format that is written and read.
pub const FORMAT: i64 = 1;

/// How the files of sessions end.
pub const EXTENSION: &str = "lmscope";

/// Which model, and how it computes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelRef {
    /// As it was named on the command line.
    pub source: String,
    /// SHA-256 over configuration and tensor headers, shortened.
    pub fingerprint: String,
    /// What is done with quantised weights.
    pub arithmetic: Arithmetic,
    /// What weights and activations are computed in.
    pub dtype: Dtype,
}

/// A node of the tree.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SavedNode {
    /// The node that it follows, which comes before it; none for the start of a prompt.
    pub parent: Option<usize>,
    /// Its tokens.
    pub ids: Vec<u32>,
    /// As people see them.
    pub text: Vec<String>,
    /// Natural logs of their probabilities, where they are known.
    pub logprobs: Vec<Option<f64>>,
    /// What the user calls it.
    pub label: Option<String>,
    /// Whether it is hidden.
    pub is_pruned: bool,
    /// Of the start of a prompt: tokens at the front that are not part of the text.
    pub n_added: usize,
    /// Of the start of a prompt: the BOS decision, in words.
    pub bos: String,
}

/// A token that is asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedToken {
    /// Its id.
    pub id: u32,
    /// As people see it.
    pub text: String,
}

/// An intervention.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedIntervention {
    /// As typed.
    pub spec: String,
    /// Whether it is done.
    pub is_on: bool,
}

/// Panels that a screen has at most.
pub const MOST_PANELS: usize = 4;

/// Where a panel is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SavedPlace {
    /// It is the one that the others were split off.
    First,
    /// To the right of a panel that comes before it.
    Beside(usize),
    /// Under a panel that comes before it.
    Below(usize),
}

/// One of several panels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedPanel {
    /// The view that it shows.
    pub view: String,
    /// The head that its attention view shows.
    pub head: Head,
    /// Where it is.
    pub place: SavedPlace,
}

/// An exploration.
#[derive(Debug, Clone, PartialEq)]
pub struct Saved {
    /// The model.
    pub model: ModelRef,
    /// Whether a BOS is put before texts.
    pub bos: BosPolicy,
    /// The visible view; of several panels, that of the focused one.
    pub view: String,
    /// The node at the end of the present tokens.
    pub at: usize,
    /// The selected position.
    pub position: usize,
    /// Token A, if one was chosen.
    pub token: Option<SavedToken>,
    /// Token B, if one was chosen.
    pub versus: Option<SavedToken>,
    /// The head that the attention view shows.
    pub head: Head,
    /// How tokens are sampled, and the next seed.
    pub sampling: Sampling,
    /// What is changed in the model.
    pub interventions: Vec<SavedIntervention>,
    /// Everything that was tried, parents first.
    pub nodes: Vec<SavedNode>,
    /// The panels, if there are several, each after those that it stands next to.
    pub panels: Vec<SavedPanel>,
    /// The number of the panel that takes keys.
    pub focus: usize,
}

impl Saved {
    /// Reads a text.
    ///
    /// # Errors
    /// Everything that is wrong with it, with lines.
    pub fn parse(text: &str) -> Result<Self, SessionError> {
        read::parse(text).map_err(|problems| SessionError::Problems { problems })
    }

    /// Reads a file.
    ///
    /// # Errors
    /// A file that cannot be read, or everything that is wrong with it.
    pub fn load(file: &Path) -> Result<Self, SessionError> {
        let text =
            std::fs::read_to_string(file).map_err(|source| SessionError::Read { file: file.to_owned(), source })?;
        Self::parse(&text).map_err(|error| error.of(file))
    }

    /// As a text.
    ///
    /// # Errors
    /// A number that TOML has no room for.
    pub fn text(&self) -> Result<String, SessionError> {
        write::text(self)
    }

    /// Writes a file, whole or not at all.
    ///
    /// # Errors
    /// What the file system refuses.
    pub fn save(&self, file: &Path) -> Result<(), SessionError> {
        let text = self.text()?;
        let written = crate::disk::write_whole(file, text.as_bytes());
        written.map_err(|source| SessionError::Write { file: file.to_owned(), source })
    }

    /// Writes a file, and the folder it is in if that is not there.
    ///
    /// # Errors
    /// What the file system refuses.
    pub fn save_in_new_folder(&self, file: &Path) -> Result<(), SessionError> {
        let folder = crate::disk::folder(file);
        let made = std::fs::create_dir_all(folder);
        made.map_err(|source| SessionError::Write { file: folder.to_owned(), source })?;
        self.save(file)
    }

    /// Whether it belongs to the model of this fingerprint.
    ///
    /// # Errors
    /// [`SessionError::OtherModel`] if it does not.
    pub fn check_model(&self, fingerprint: &str) -> Result<(), SessionError> {
        if self.model.fingerprint == fingerprint {
            return Ok(());
        }
        let (expected, model) = (self.model.fingerprint.clone(), self.model.source.clone());
        Err(SessionError::OtherModel { found: fingerprint.to_owned(), expected, model })
    }

    /// The tokens up to the end of a node.
    pub fn ids(&self, node: usize) -> Vec<u32> {
        let path = std::iter::successors(Some(node), |&at| self.nodes.get(at)?.parent);
        let mut parts: Vec<&[u32]> = path.filter_map(|at| self.nodes.get(at)).map(|node| node.ids.as_slice()).collect();
        parts.reverse();
        parts.concat()
    }

    /// The interventions that are on.
    pub fn active(&self) -> Vec<String> {
        self.interventions.iter().filter(|entry| entry.is_on).map(|entry| entry.spec.clone()).collect()
    }
}

#[cfg(test)]
mod tests;
