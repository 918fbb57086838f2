//! What an update asks the outside world to do, as data.

use std::path::PathBuf;
use std::sync::Arc;

use super::mouse::MouseUse;
use crate::engine::Request;
use crate::engine::worker::Slot;
use crate::figure::Figure;
use crate::session::{IfThere, Saved};

/// Loads the model.
pub const LOAD: Slot = Slot(0);
/// Tokenises the prompt being typed.
pub const TOKENISE: Slot = Slot(1);
/// Computes what the visible panels show.
pub const INSPECT: Slot = Slot(2);
/// Computes it in several forward passes, where panels show different heads or follow different tokens.
pub const INSPECTIONS: [Slot; 4] = [INSPECT, Slot(23), Slot(24), Slot(25)];
/// Appends tokens.
pub const GENERATE: Slot = Slot(3);
/// Tries the laws of every decoder on the model, when nothing else is to be done.
pub const VERIFY: Slot = Slot(4);

/// Finds out what the heads do, when nothing else is to be done.
pub const HEADS: Slot = Slot(5);

/// Computes the figures that are to be saved.
pub const FIGURES: Slot = Slot(20);
/// Attributes the answer to the tokens of the prompt.
pub const ATTRIBUTION: Slot = Slot(22);
/// Tokenises a text that is to be appended.
pub const APPEND: Slot = Slot(21);

/// One thing to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Give the worker a job; the job before it in the slot is cancelled.
    Submit {
        /// The slot.
        slot: Slot,
        /// The job.
        request: Request,
    },
    /// Cancel a slot's job.
    Cancel(Slot),
    /// Write the session.
    SaveSession {
        /// The file.
        file: PathBuf,
        /// The session.
        saved: Box<Saved>,
    },
    /// Write figures.
    SaveFigures {
        /// The folder.
        folder: PathBuf,
        /// The figures of each lens, under its name.
        figures: Arc<Vec<(String, Vec<Figure>)>>,
    },
    /// Write what a view shows.
    Export {
        /// The file.
        file: PathBuf,
        /// The ending that says how it is written.
        ending: &'static str,
        /// What becomes of a file that is there already.
        if_there: IfThere,
        /// What is shown.
        figures: Arc<Vec<Figure>>,
    },
    /// Put what a view shows into words, to be copied.
    Encode {
        /// The ending of files of this format.
        ending: &'static str,
        /// What is shown.
        figures: Arc<Vec<Figure>>,
    },
    /// Give the terminal back until the program is brought to the front again.
    Suspend,
    /// Give the mouse to the terminal, or take it.
    Mouse(MouseUse),
    /// Put a text into the clipboard.
    Copy(String),
    /// Leave the program.
    Quit,
}
