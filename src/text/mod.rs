//! Text in, token ids out, and back: tokenizers, prompts and chat templates.
//!
//! This layer owns every decision that turns characters into ids, so that each is made once and can be shown:
//!
//! - [`Tokenizer`] reads a `tokenizer.json` or the vocabulary inside a GGUF file ([`GgufVocab`]) and can say, for any
//!   id, which bytes it stands for and how to print it without harming a terminal;
//! - [`Prompt`] is the only place where a beginning-of-sequence token is added, and it records the decision ([`Bos`]);
//! - [`ChatTemplate`] renders messages with the template that ships with a model.
//!
//! It knows nothing of models, files or screens: callers hand it bytes and strings.

mod alphabet;
mod chat;
mod error;
mod facts;
mod gguf_vocab;
mod guard;
mod pretokenizer;
mod prompt;
#[cfg(test)]
mod sample;
mod special;
mod tokenizer;
mod units;
mod valid_json;
mod visible;

pub use chat::{ChatTemplate, Ending, Message};
pub use error::Error;
pub use facts::{Marker, TokenizerFacts};
pub use gguf_vocab::GgufVocab;
pub(crate) use guard::fenced;
pub use prompt::{Bos, BosPolicy, NoBos, Prompt};
pub use special::{HfFiles, SpecialTokens};
pub use tokenizer::{TokenSpan, Tokenizer};
pub use units::Granularity;
pub use visible::{Spelling, spelled_bytes, spelled_name, visible_bytes, visible_name};
