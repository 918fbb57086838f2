//! The terminal UI without a terminal, and the real binary in a pty.

mod data;
mod keys;
mod pty;
mod sessions;
mod snapshot;
mod step;
mod update;
