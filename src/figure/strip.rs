//! A text in its tokens, each with a value and what there is to say of it.

use serde::Serialize;

use super::Scale;

/// A named number that is told of a token, such as what the model held for likelier.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Note {
    /// Its name.
    pub name: String,
    /// The number.
    pub value: f64,
}

/// One token.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Piece {
    /// The token as people see it.
    pub text: String,
    /// Its value; the first token of a text may have none.
    pub value: Option<f64>,
    /// What is told of it besides.
    pub notes: Vec<Note>,
}

/// Tokens in their order.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Strip {
    /// The tokens.
    pub pieces: Vec<Piece>,
    /// The meaning of their values.
    pub scale: Scale,
    /// The unit of their values.
    pub unit: String,
    /// The unit of the notes.
    pub note_unit: String,
}
