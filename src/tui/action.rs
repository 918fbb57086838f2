//! What a key can mean.

/// A step along a list or an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Move {
    /// One back or up.
    Back,
    /// One on or down.
    On,
    /// A page back or up.
    PageBack,
    /// A page on or down.
    PageOn,
    /// To the start.
    First,
    /// To the end.
    Last,
}

/// How many steps a page has.
const PAGE: usize = 10;

impl Move {
    /// Where a move from `at` leads in a list of `len`.
    pub fn apply(self, at: usize, len: usize) -> usize {
        let last = len.saturating_sub(1);
        match self {
            Self::Back => at.saturating_sub(1),
            Self::On => at + 1,
            Self::PageBack => at.saturating_sub(PAGE),
            Self::PageOn => at + PAGE,
            Self::First => 0,
            Self::Last => last,
        }
        .min(last)
    }
}

/// What the user asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Leave the program.
    Quit,
    /// Show the keys.
    Help,
    /// Close the overlay on top.
    Close,
    /// Stop the running job.
    Cancel,
    /// Show the next view.
    NextView,
    /// Show the view before.
    PreviousView,
    /// Show a view by its place.
    ShowView(usize),
    /// Draw for a light or a dark terminal.
    ToggleGround,
    /// Colour the prompt by surprisal, by entropy, or not.
    NextTint,
    /// Move the selected position.
    Position(Move),
    /// Move the view's own cursor.
    Cursor(Move),
    /// Move to another head.
    Head(Move),
    /// Show one head large, or all of them small.
    ToggleGrid,
    /// Edit the prompt.
    Edit,
    /// Take the edited prompt.
    Accept,
    /// Drop the edited prompt.
    Leave,
    /// Ask about the chosen candidate; again, about the most probable one.
    ChooseToken,
    /// Compare with the chosen candidate; again, with the best other one.
    ChooseRival,
    /// Show what the selected part is made of.
    Open,
    /// Show what the part shown belongs to.
    Out,
    /// Rank by components, heads, neurons, or source tokens.
    NextRanking,
    /// Take the selected part out of the model.
    TakeOut,
    /// Show the interventions.
    Interventions,
    /// Switch one intervention on or off.
    Toggle,
    /// Switch all interventions off, or on again.
    ToggleAll,
    /// Delete an intervention.
    Delete,
    /// Append the chosen candidate.
    AppendChosen,
    /// Append the most probable token.
    TakeTop,
    /// Append a sampled token.
    Sample,
    /// Append several tokens.
    Generate,
    /// Take the last change back.
    Undo,
    /// Repeat what was taken back.
    Redo,
}
