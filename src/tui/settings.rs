//! Numbers that the views begin with.

/// What a configuration may say besides keys and colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Most probable tokens that are listed at each position.
    pub candidates: usize,
    /// Tokens that one key appends at most.
    pub generated: usize,
    /// Items of a suite that are asked unless another number is typed.
    pub items: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { candidates: 50, generated: 20, items: 20 }
    }
}
