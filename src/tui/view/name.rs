//! The names of views: by these they are shown, and not by where they happen to stand.

use crate::engine::worker::Slot;
use crate::tui::split::Seat;

/// A view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ViewName {
    /// The next token.
    Step,
    /// Every continuation that was tried.
    Tree,
    /// Attention patterns.
    Attention,
    /// The logit lens.
    Lens,
    /// Direct logit attribution.
    Why,
    /// Activation patching.
    Patch,
    /// Two runs.
    Compare,
    /// Suites, item by item.
    Evals,
    /// The model itself.
    Model,
}

/// The slots of the views' own jobs begin here.
const FIRST_SLOT: u16 = 64;
/// More than there are views.
const SLOTS_A_PANEL: u16 = 16;

impl ViewName {
    /// Its title in the header.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Step => "Step",
            Self::Tree => "Tree",
            Self::Attention => "Attention",
            Self::Lens => "Lens",
            Self::Why => "Why",
            Self::Patch => "Patch",
            Self::Compare => "Compare",
            Self::Evals => "Evals",
            Self::Model => "Model",
        }
    }

    /// The digit that shows it; it stays the same when views are added.
    pub const fn digit(self) -> char {
        match self {
            Self::Step => '1',
            Self::Tree => '2',
            Self::Attention => '3',
            Self::Lens => '4',
            Self::Why => '5',
            Self::Patch => '6',
            Self::Compare => '7',
            Self::Evals => '8',
            Self::Model => '9',
        }
    }

    /// Its name as configuration writes it.
    pub fn word(self) -> String {
        self.title().to_lowercase().replace(' ', "-")
    }

    /// The slot of a job of its own, in the first panel.
    pub const fn slot(self) -> Slot {
        self.slot_in(Seat(0))
    }

    /// The slot of a job of its own in a panel: two panels do not take each other's place.
    pub const fn slot_in(self, seat: Seat) -> Slot {
        Slot(FIRST_SLOT + seat.0 * SLOTS_A_PANEL + self as u16)
    }
}
