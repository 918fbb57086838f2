//! What a key can mean.

use std::borrow::Cow;

use super::view::ViewName;

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
    /// To a place.
    To(usize),
    /// So many on; back or up if negative.
    By(isize),
}

/// How many steps a page has.
const PAGE: usize = 10;

impl Move {
    /// Where a move from `at` leads in a list of `len`.
    pub fn apply(self, at: usize, len: usize) -> usize {
        let last = len.saturating_sub(1);
        match self {
            Self::Back => at.saturating_sub(1),
            Self::On => at.saturating_add(1),
            Self::PageBack => at.saturating_sub(PAGE),
            Self::PageOn => at.saturating_add(PAGE),
            Self::First => 0,
            Self::Last => last,
            Self::To(place) => place,
            Self::By(steps) => at.saturating_add_signed(steps),
        }
        .min(last)
    }

    /// The same move so many times.
    #[must_use]
    pub fn times(self, count: usize) -> Self {
        let count = isize::try_from(count).unwrap_or(isize::MAX);
        let page = isize::try_from(PAGE).unwrap_or(1);
        match self {
            Self::Back => Self::By(-count),
            Self::On => Self::By(count),
            Self::PageBack => Self::By(count.saturating_mul(-page)),
            Self::PageOn => Self::By(count.saturating_mul(page)),
            Self::First | Self::Last | Self::To(_) | Self::By(_) => self,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Back => "back",
            Self::On => "on",
            Self::PageBack => "page-back",
            Self::PageOn => "page-on",
            Self::First => "first",
            Self::Last => "last",
            Self::To(_) => "to",
            Self::By(_) => "by",
        }
    }
}

/// What the user asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Leave the program.
    Quit,
    /// Give the terminal back to the shell until the program is brought to the front again.
    Suspend,
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
    /// Show a view.
    ShowView(ViewName),
    /// Make a panel beside the focused one.
    SplitBeside,
    /// Make a panel below the focused one.
    SplitBelow,
    /// Focus another panel.
    Panel(Move),
    /// Show the focused panel alone, or all panels.
    Maximise,
    /// Keep what the focused panel shows, or let it follow again.
    Pin,
    /// Close the focused panel.
    ClosePanel,
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
    /// Show what the selected token looks at, or what looks at it.
    ToggleSide,
    /// Leave the first token out, or show it again.
    ToggleSink,
    /// Show the run with interventions, that without, or what sets them apart.
    NextRun,
    /// Move the view's cursor from column to column.
    Column(Move),
    /// Patch at the next kind of place.
    NextSite,
    /// Measure by the next metric.
    NextMetric,
    /// Patch the other way round.
    NextDirection,
    /// Show all rows, or only those that are wrong or right.
    NextFilter,
    /// Type a text whose tokens are followed through the layers.
    Follow,
    /// Type how many items are asked.
    EditLimit,
    /// Show only what has some words in its name.
    Filter,
    /// Type the other prompt.
    EditOther,
    /// Type the name of another model.
    OtherModel,
    /// Begin the view's own work again.
    Begin,
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
    /// Rank by something else, count something else, or show another page.
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
    /// Move to the node before.
    Parent,
    /// Move to the first node after.
    Child,
    /// Move among the nodes that follow the same one.
    Sibling(Move),
    /// Mark a node, or take its mark away.
    Mark,
    /// Compare the chosen node with the marked one.
    CompareMarked,
    /// Name a node.
    Rename,
    /// Hide a node and all that follows.
    Prune,
    /// Save the session in a file.
    SaveSession,
    /// Save the figures of every lens in a folder.
    SaveFigures,
    /// Show the whole vocabulary on its way through the chain, or the most probable tokens.
    ToggleChain,
    /// Say how tokens are sampled.
    EditChain,
    /// Type a text whose tokens are appended.
    TypeTokens,
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
    /// Show everything that can be done.
    Palette,
    /// Search the prompt and the view.
    Search,
    /// Go to the next of what was searched for.
    SearchNext,
    /// Go to what was found before.
    SearchPrevious,
    /// Leave the mouse to the terminal, or take it back.
    ToggleMouse,
    /// Write what the view shows into a file, or copy it.
    Export,
    /// The next ending of a file's name.
    NextEnding,
    /// The ending before.
    PreviousEnding,
    /// Copy to the clipboard.
    Copy,
}

impl Action {
    /// Its name, which stays as it is from version to version: configuration and palette use it.
    pub fn name(self) -> Cow<'static, str> {
        match self {
            Self::ShowView(view) => format!("show-{}", view.word()).into(),
            Self::Position(to) => format!("position-{}", to.name()).into(),
            Self::Cursor(to) => format!("cursor-{}", to.name()).into(),
            Self::Sibling(to) => format!("sibling-{}", to.name()).into(),
            Self::Head(to) => format!("head-{}", to.name()).into(),
            Self::Column(to) => format!("column-{}", to.name()).into(),
            Self::Panel(to) => format!("panel-{}", to.name()).into(),
            other => other.word().into(),
        }
    }

    /// The name of an action that is always the same.
    const fn word(self) -> &'static str {
        match self {
            Self::Quit => "quit",
            Self::Suspend => "suspend",
            Self::Help => "help",
            Self::Close => "close",
            Self::Cancel => "cancel",
            Self::NextView => "next-view",
            Self::PreviousView => "previous-view",
            Self::ShowView(_) => "show",
            Self::SplitBeside => "split-beside",
            Self::SplitBelow => "split-below",
            Self::Panel(_) => "panel",
            Self::Maximise => "maximise",
            Self::Pin => "pin",
            Self::ClosePanel => "close-panel",
            Self::ToggleGround => "toggle-ground",
            Self::NextTint => "next-tint",
            Self::Position(_) => "position",
            Self::Cursor(_) => "cursor",
            Self::Head(_) => "head",
            Self::ToggleGrid => "toggle-grid",
            Self::ToggleSide => "toggle-side",
            Self::ToggleSink => "toggle-sink",
            Self::NextRun => "next-run",
            Self::Column(_) => "column",
            Self::NextSite => "next-site",
            Self::NextMetric => "next-metric",
            Self::NextDirection => "next-direction",
            Self::NextFilter => "next-filter",
            Self::Follow => "follow",
            Self::EditLimit => "edit-limit",
            Self::Filter => "filter",
            Self::EditOther => "edit-other",
            Self::OtherModel => "other-model",
            Self::Begin => "begin",
            Self::Edit => "edit",
            Self::Accept => "accept",
            Self::Leave => "leave",
            Self::ChooseToken => "choose-token",
            Self::ChooseRival => "choose-rival",
            Self::Open => "open",
            Self::Out => "out",
            Self::NextRanking => "next-ranking",
            Self::TakeOut => "take-out",
            Self::Interventions => "interventions",
            Self::Toggle => "toggle",
            Self::ToggleAll => "toggle-all",
            Self::Delete => "delete",
            Self::Parent => "parent",
            Self::Child => "child",
            Self::Sibling(_) => "sibling",
            Self::Mark => "mark",
            Self::CompareMarked => "compare-marked",
            Self::Rename => "rename",
            Self::Prune => "prune",
            Self::SaveSession => "save-session",
            Self::SaveFigures => "save-figures",
            Self::ToggleChain => "toggle-chain",
            Self::EditChain => "edit-chain",
            Self::TypeTokens => "type-tokens",
            Self::AppendChosen => "append-chosen",
            Self::TakeTop => "take-top",
            Self::Sample => "sample",
            Self::Generate => "generate",
            Self::Undo => "undo",
            Self::Redo => "redo",
            Self::Palette => "palette",
            Self::Search => "search",
            Self::SearchNext => "search-next",
            Self::SearchPrevious => "search-previous",
            Self::ToggleMouse => "toggle-mouse",
            Self::Export => "export",
            Self::NextEnding => "next-ending",
            Self::PreviousEnding => "previous-ending",
            Self::Copy => "copy",
        }
    }

    /// The same action so many times, if a count means anything to it.
    pub fn times(self, count: usize) -> Option<Self> {
        match self {
            Self::Position(to) => Some(Self::Position(to.times(count))),
            Self::Cursor(to) => Some(Self::Cursor(to.times(count))),
            Self::Head(to) => Some(Self::Head(to.times(count))),
            Self::Sibling(to) => Some(Self::Sibling(to.times(count))),
            Self::Column(to) => Some(Self::Column(to.times(count))),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moves_stay_in_the_list() {
        let cases = [
            (Move::Back, 0, 0),
            (Move::On, 4, 4),
            (Move::PageOn, 1, 4),
            (Move::To(9), 0, 4),
            (Move::To(2), 0, 2),
            (Move::On.times(3), 1, 4),
            (Move::Back.times(3), 4, 1),
            (Move::PageBack.times(usize::MAX), 4, 0),
            (Move::PageOn.times(usize::MAX), 4, 4),
        ];
        for (to, from, expected) in cases {
            assert_eq!(to.apply(from, 5), expected, "{to:?} from {from}");
            assert_eq!(to.apply(from, 0), 0, "{to:?} in nothing");
        }
    }
}
