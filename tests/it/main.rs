//! The integration tests, in one binary.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a failed assumption of a test is a failed test"
)]

mod broken;
mod cli;
mod eval;
mod hub;
mod layering;
mod loading;
mod numerics;
mod registry;
mod slide;
mod support;
mod tui;
mod verify;
