//! MEASURES A MODEL on a suite of items, and writes down what it measured so that a run can be killed and resumed.
//!
//! The way of an item: [`suite`] → [`scorer`] makes [`request`]s → [`scheduler`] has the model answer them → the scorer
//! reads the answers → [`record`] writes a line → [`summary`] counts → [`report`] makes figures. [`run::run`] does all
//! but the last. This layer prints nothing and reads no clock and no environment.

mod aggregate;
pub mod builtin;
pub mod choice;
pub mod compare;
mod control;
mod direction;
#[cfg(test)]
pub(crate) mod fixture;
pub mod gate;
pub mod item;
pub mod metric;
pub mod pair_event;
pub mod pair_record;
pub mod pair_run;
pub mod prepare;
pub mod report;
pub mod request;
pub mod scheduler;
pub mod scorer;
pub mod stats;
pub mod suite;
pub mod summary;
pub mod task;

pub use self::builtin::{BUILTIN, load};
pub use self::pair_event::{EvalEvent, EvalSink};
pub use self::pair_record::Header;
pub use self::pair_run::{Error, ModelInfo, RunOptions, run};
pub use self::prepare::{PrepareOptions, prepare};
pub use self::suite::Suite;
pub use self::summary::RunSummary;
