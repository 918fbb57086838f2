//! MEASURES A MODEL on a suite of items, and writes down what it measured so that a run can be killed and resumed.
//!
//! The way of an item: [`prepare()`] makes a [`task::Task`] of a suite → [`run`] asks its requests of a [`backend`], most often
//! the [`scheduler`] in front of a model → the task's grader reads the answers → [`record`] writes a line → [`results`]
//! count. This layer prints nothing and reads no clock and no environment.

pub mod against;
mod aggregate;
mod arithmetic;
pub mod backend;
mod build;
pub mod builtin;
pub mod cache;
mod card;
pub mod choice;
mod context;
pub mod curves;
mod database;
mod dataset;
mod definition;
pub mod divergence;
pub mod event;
mod fewshot;
pub mod filter;
#[cfg(test)]
pub(crate) mod fixture;
mod frame;
pub mod gate;
mod grade;
pub mod group;
mod harness;
mod hash;
pub mod history;
pub mod interop;
mod length;
pub mod merge;
mod mersenne;
pub mod metric;
pub mod metric_list;
mod node;
mod pattern;
mod place;
pub mod prepare;
pub mod problem;
mod python;
pub mod recheck;
pub mod record;
pub mod repository;
pub mod request;
pub mod results;
pub mod run;
pub mod scheduler;
pub mod scorer;
pub mod stats;
mod suite_toml;
pub mod tables;
pub mod task;
mod template;
mod yaml;

pub use self::builtin::BUILTIN;
pub use self::prepare::{Outline, PrepareOptions, outline, prepare, prepare_all};
