//! The real binary: what it prints, and what it ends with.

mod bad_input;
mod config;
mod determinism;
mod help;
mod info;
mod output;
pub(crate) mod runner;
mod verify;
