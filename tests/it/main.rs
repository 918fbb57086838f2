//! The integration tests, in one binary.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a failed assumption of a test is a failed test"
)]

mod attribution;
mod broken;
mod cli;
mod compress;
mod docs;
mod eval;
mod export;
mod hub;
mod intervene;
mod layering;
mod lens;
mod loading;
mod numerics;
mod panels;
mod patching;
mod paths;
mod registry;
mod report;
mod slide;
mod support;
mod tui;
mod verify;
mod why;
