//! lmscope: a microscope for causal language models.

pub mod allocator;
pub mod cli;
pub mod compress;
pub mod config;
pub mod disk;
pub mod engine;
pub mod eval;
pub mod export;
pub mod figure;
pub mod hook;
pub mod hub;
pub mod intervene;
pub mod lens;
pub mod model;
#[cfg(test)]
#[path = "../tests/it/support/noise.rs"]
mod noise;
pub mod probe;
pub mod reading;
pub mod report;
pub mod session;
pub mod text;
pub mod trace;
pub mod tui;
pub mod verify;
