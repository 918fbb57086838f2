//! Which run a map shows, where interventions make two of one.

/// A run of the model, or what sets two apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Run {
    /// With the interventions.
    #[default]
    Now,
    /// Without them.
    Base,
    /// The one less the other.
    Change,
}

impl Run {
    /// The next one to look at.
    pub(super) const fn next(self) -> Self {
        match self {
            Self::Now => Self::Base,
            Self::Base => Self::Change,
            Self::Change => Self::Now,
        }
    }

    /// What it is called.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Now => "now",
            Self::Base => "base",
            Self::Change => "now - base",
        }
    }
}
