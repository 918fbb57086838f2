//! MEASURES A MODEL on a suite of items, and writes down what it measured so that a run can be killed and resumed.
//!
//! The way of an item: [`suite`] → [`scorer`] makes [`request`]s → [`scheduler`] has the model answer them → the scorer
//! reads the answers → [`record`] writes a line → [`summary`] counts → [`report`] makes figures. [`run::run`] does all
//! but the last. This layer prints nothing and reads no clock and no environment.

mod aggregate;
mod build;
pub mod builtin;
pub mod choice;
pub mod compare;
mod context;
mod control;
mod dataset;
mod definition;
mod direction;
mod fewshot;
pub mod filter;
#[cfg(test)]
pub(crate) mod fixture;
pub mod gate;
mod grade;
mod harness;
pub mod item;
mod mersenne;
pub mod metric;
pub mod metric_list;
mod node;
pub mod pair_event;
pub mod pair_record;
pub mod pair_run;
mod pattern;
pub mod prepare;
pub mod problem;
mod python;
pub mod report;
pub mod request;
pub mod scheduler;
pub mod scorer;
pub mod stats;
pub mod suite;
mod suite_toml;
pub mod summary;
pub mod task;
mod template;
mod yaml;

pub use self::builtin::{BUILTIN, load};
pub use self::pair_event::{EvalEvent, EvalSink};
pub use self::pair_record::Header;
pub use self::pair_run::{Error, ModelInfo, RunOptions, run};
pub use self::prepare::{PrepareOptions, outline, prepare};
pub use self::suite::Suite;
pub use self::summary::RunSummary;
