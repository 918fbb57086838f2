//! What can go wrong while a model runs.

/// A forward pass that did not finish.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The sequence does not fit into the context.
    #[error("the sequence has {found} tokens, the model's context holds {n_ctx}")]
    TooLong {
        /// Tokens given.
        found: usize,
        /// Longest sequence.
        n_ctx: usize,
    },
    /// The work was cancelled.
    #[error("cancelled")]
    Cancelled,
    /// Products with quantised weights have no backward pass, and those in half precision no gradients worth having.
    #[error("there are gradients only in f32 arithmetic")]
    NoGradient,
    /// A tensor operation failed.
    #[error("a tensor operation failed")]
    Tensor(#[from] candle_core::Error),
}

impl Error {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::TooLong { found, n_ctx } => Some(format!("shorten the prompt by at least {} tokens", found - n_ctx)),
            Self::NoGradient => {
                Some("leave out --fast and --dtype: then weights of any kind are computed with in f32".into())
            }
            Self::Cancelled | Self::Tensor(_) => None,
        }
    }
}

/// The result of running a model.
pub type Result<T, E = Error> = std::result::Result<T, E>;
