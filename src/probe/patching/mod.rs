//! Activation patching between a clean and a corrupted prompt: which activations carry the difference?
//!
//! A [`Grid`] has a cell for every place that can be patched. A cell is not a run of its own: it takes part in a sweep
//! that starts at the earliest position it can change and joins it at its layer, so nothing is computed that must come
//! out as in the base run (`sweep.rs`). Cells come best guess first, and the work can be cancelled between sweeps.

mod align;
mod cell;
mod error;
mod estimate;
mod figures;
mod grid;
mod metric;
pub(in crate::probe) mod pair;
mod sweep;

pub use self::cell::{Cell, CellAt, Origin, PatchSite};
pub use self::error::PatchError;
pub use self::grid::{Filled, Grid, Request};
pub use self::metric::{Direction, Metric, MetricOf};
pub use self::pair::Measure;
