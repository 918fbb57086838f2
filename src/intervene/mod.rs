//! WHAT IS CHANGED: interventions on a forward pass, written as text and done by taps.
//!
//! A [`Spec`] is one intervention as typed: `zero:L5H3`. [`Interventions::prepare`] checks specs against a model and a
//! prompt, records what they take from other runs, and turns them into edits of hooks. [`Intervened`] is the model with
//! these edits: whatever runs a model runs an intervened one. Nothing here measures or draws conclusions.

mod blind;
mod edge;
mod edit;
mod error;
mod ground;
mod intervened;
pub mod kind;
mod place;
mod range;
mod spec;
pub mod vector;

pub use self::edit::{Along, Edit, Op, Span, change};
pub use self::error::{Error, ParseError, Problem};
pub use self::ground::{Ground, Needs, OtherRun, Runs};
pub use self::intervened::{EditTap, Intervened, Interventions};
pub use self::kind::{INTERVENTIONS, Kind};
pub use self::place::{Part, Place};
pub use self::range::{Index, Range};
use self::spec::factor;
pub use self::spec::{Intervention, Spec};
