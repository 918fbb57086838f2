//! What an update asks the outside world to do, as data.

use crate::engine::Request;
use crate::engine::worker::Slot;

/// Loads the model.
pub const LOAD: Slot = Slot(0);
/// Tokenises the prompt being typed.
pub const TOKENISE: Slot = Slot(1);
/// Computes what the visible view shows.
pub const INSPECT: Slot = Slot(2);
/// Appends tokens.
pub const GENERATE: Slot = Slot(3);
/// Tries the laws of every decoder on the model, when nothing else is to be done.
pub const VERIFY: Slot = Slot(4);

/// Finds out what the heads do, when nothing else is to be done.
pub const HEADS: Slot = Slot(5);

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
    /// Leave the program.
    Quit,
}
