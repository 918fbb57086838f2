//! COMPRESSES a text with a language model: a token that the model expects costs few bits, and the same model reads them
//! back.
//!
//! A [`Codec`] runs the model and gives every token the share of a [`range`] that the model gives it ([`Shares`]); it
//! sees of a text what its [`Windows`] say. A [`Packed`] file holds the bits with all that reading them takes, except for
//! the model itself. [`others`] are the compressors that know no language. This layer opens no files and prints nothing.

mod codec;
mod error;
pub mod others;
pub mod packed;
pub mod range;
mod shares;
#[cfg(test)]
mod tests;
mod windows;

pub use self::codec::{Codec, Coded, Room, Stored, Stream};
pub use self::error::Error;
pub use self::packed::Packed;
pub use self::shares::Shares;
pub use self::windows::{Span, Windows};
