//! WHERE: the vocabulary of places in a decoder. It holds no tensors and knows no model.
//!
//! A [`HookPoint`] speaks `TransformerLens`: `blocks.3.attn.hook_pattern`. A [`SitePattern`] is what a user types to
//! name many of them at once.

mod head;
mod pattern;
mod point;
mod site;

pub use head::{Head, HeadError};
pub use pattern::SitePattern;
pub use point::{Error, HookPoint};
pub use site::{Axis, Scope, Site};
