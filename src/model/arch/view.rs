//! Where a parameter lies in a checkpoint, and how it is cut out.

/// A tensor of a checkpoint, and how our parameter is cut out of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The checkpoint's name for it; [`View::Heads`] puts a number for `{}`.
    pub tensor: String,
    /// What to do with it.
    pub view: View,
}

/// How a parameter is cut out of a checkpoint's tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// The tensor itself.
    Whole,
    /// A vector as a matrix of one row.
    Row,
    /// The tensor transposed (GPT-2 stores `[in, out]`).
    Transposed,
    /// As many rows as the parameter has, from `first`, of `of`.
    Rows {
        /// The first row.
        first: usize,
        /// All rows of the tensor.
        of: usize,
    },
    /// The same, of the transposed tensor.
    TransposedRows {
        /// The first row.
        first: usize,
        /// All rows of the transposed tensor.
        of: usize,
    },
    /// Queries, keys or values of a tensor that holds, for each key/value head, its query heads, the key and the value.
    Grouped(Qkv),
    /// Rows that llama.cpp has interleaved within each head for its rotation, put back.
    Uninterleaved,
    /// The tensor plus one.
    PlusOne,
    /// One tensor for each head, stacked.
    Heads,
    /// One expert of `[expert, rows, columns]`.
    Expert {
        /// Which.
        expert: u16,
    },
    /// One half of the rows of one expert of `[expert, 2 * rows, columns]`.
    ExpertHalf {
        /// Which.
        expert: u16,
        /// 0 for the first half.
        half: usize,
    },
}

/// A part of a fused projection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Qkv {
    /// Queries.
    Q,
    /// Keys.
    K,
    /// Values.
    V,
}

impl Source {
    /// A tensor used as it is.
    pub const fn whole(tensor: String) -> Self {
        Self { tensor, view: View::Whole }
    }

    /// The same tensor, cut out otherwise.
    #[must_use]
    pub fn viewed(self, view: View) -> Self {
        Self { view, ..self }
    }
}
