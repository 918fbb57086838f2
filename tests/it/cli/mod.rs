//! The real binary: what it prints, and what it ends with.

mod bad_input;
mod compress;
mod config;
mod determinism;
mod help;
mod info;
mod output;
pub(crate) mod runner;
mod verify;
