//! FILES THAT PEOPLE WRITE: TOML with the line of every value, every mistake told at once, and what may have been meant.
//!
//! It knows how things are written, and nothing of what they mean.

mod nearest;
mod problem;
mod tables;

pub use self::nearest::nearest;
pub use self::problem::{Problem, list};
pub use self::tables::{At, Reader, Value, boolean, count, float, id, integer, list_of, parse, string, strings};
