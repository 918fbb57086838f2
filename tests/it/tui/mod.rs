//! The terminal UI without a terminal, and the real binary in a pty.

mod data;
mod keys;
mod pty;
mod snapshot;
mod update;
