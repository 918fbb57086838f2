//! Which key does what: one table, from which the footer, the help overlay and docs/keys.md are made.

use std::borrow::Cow;
use std::fmt::Write as _;

use crossterm::event::KeyCode;

use super::action::{Action, Move};
use super::input::Key;
pub use super::key_name::key_name;
use super::view::ViewName;

/// Where a key counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Context {
    /// While the prompt is edited; everything else types.
    Editing,
    /// While an error is shown.
    Error,
    /// While the help is shown.
    Help,
    /// In the step view.
    Step,
    /// In the tree view.
    Tree,
    /// In the attention view.
    Attention,
    /// In the lens view.
    Lens,
    /// In the why view.
    Why,
    /// In the patch view.
    Patch,
    /// In the compare view.
    Compare,
    /// In the evals view.
    Evals,
    /// In the model view.
    Model,
    /// While a text is typed into a view; everything else types.
    Typing,
    /// While a file is named that the view is exported to; everything else types.
    Exporting,
    /// While the interventions are shown; what is no key of theirs types.
    Interventions,
    /// While something is chosen from a list; what is no key of it types.
    Picker,
    /// In every view.
    Global,
}

impl Context {
    /// Every context, as the help lists them.
    pub const ALL: [Self; 17] = [
        Self::Step,
        Self::Tree,
        Self::Attention,
        Self::Lens,
        Self::Why,
        Self::Patch,
        Self::Compare,
        Self::Evals,
        Self::Model,
        Self::Global,
        Self::Picker,
        Self::Interventions,
        Self::Editing,
        Self::Typing,
        Self::Exporting,
        Self::Help,
        Self::Error,
    ];

    /// Its heading.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Editing => "While editing the prompt",
            Self::Typing => "While typing into a view",
            Self::Exporting => "While naming the file of an export",
            Self::Error => "While an error or a notice is shown",
            Self::Help => "In this help",
            Self::Step => "Step",
            Self::Tree => "Tree",
            Self::Attention => "Attention",
            Self::Lens => "Lens",
            Self::Why => "Why",
            Self::Patch => "Patch",
            Self::Compare => "Compare",
            Self::Evals => "Evals",
            Self::Model => "Model",
            Self::Interventions => "In the list of interventions",
            Self::Picker => "In the palette and in the search",
            Self::Global => "In every view",
        }
    }

    /// Its name as configuration writes it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Editing => "editing",
            Self::Typing => "typing",
            Self::Exporting => "exporting",
            Self::Error => "message",
            Self::Help => "help",
            Self::Step => "step",
            Self::Tree => "tree",
            Self::Attention => "attention",
            Self::Lens => "lens",
            Self::Why => "why",
            Self::Patch => "patch",
            Self::Compare => "compare",
            Self::Evals => "evals",
            Self::Model => "model",
            Self::Interventions => "interventions",
            Self::Picker => "palette",
            Self::Global => "everywhere",
        }
    }

    /// Whether one types there: then a character is no key.
    pub const fn types(self) -> bool {
        matches!(self, Self::Editing | Self::Typing | Self::Exporting | Self::Interventions | Self::Picker)
    }

    /// The context that is asked where this one has no binding.
    pub const fn fallback(self) -> Option<Self> {
        match self {
            Self::Step
            | Self::Tree
            | Self::Attention
            | Self::Lens
            | Self::Why
            | Self::Patch
            | Self::Compare
            | Self::Evals
            | Self::Model => Some(Self::Global),
            Self::Interventions
            | Self::Picker
            | Self::Editing
            | Self::Typing
            | Self::Exporting
            | Self::Error
            | Self::Help
            | Self::Global => None,
        }
    }
}

/// One row of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// Where it counts.
    pub context: Context,
    /// Keys; the first is the one shown in the footer. What has none is in the palette.
    pub keys: Cow<'static, [Key]>,
    /// What they do.
    pub action: Action,
    /// A word for the footer, or nothing; neighbours with the same word share it.
    pub short: &'static str,
    /// What they do, in a sentence without a period.
    pub about: &'static str,
}

const fn bind(
    context: Context,
    keys: &'static [Key],
    action: Action,
    short: &'static str,
    about: &'static str,
) -> Binding {
    Binding { context, keys: Cow::Borrowed(keys), action, short, about }
}

const UP: &[Key] = &[Key::plain(KeyCode::Up), Key::char('k')];
const DOWN: &[Key] = &[Key::plain(KeyCode::Down), Key::char('j')];
const LEFT: &[Key] = &[Key::plain(KeyCode::Left), Key::char('h')];
const RIGHT: &[Key] = &[Key::plain(KeyCode::Right), Key::char('l')];
const PAGE_UP: &[Key] = &[Key::plain(KeyCode::PageUp), Key::ctrl('b')];
const PAGE_DOWN: &[Key] = &[Key::plain(KeyCode::PageDown), Key::ctrl('f')];

/// All bindings. Within a context the footer follows this order.
pub static KEYMAP: &[Binding] = &[
    bind(Context::Step, UP, Action::Cursor(Move::Back), "choose", "choose the candidate above"),
    bind(Context::Step, DOWN, Action::Cursor(Move::On), "choose", "choose the candidate below"),
    bind(Context::Step, PAGE_UP, Action::Cursor(Move::PageBack), "", "ten candidates up"),
    bind(Context::Step, PAGE_DOWN, Action::Cursor(Move::PageOn), "", "ten candidates down"),
    bind(
        Context::Step,
        &[Key::plain(KeyCode::Enter)],
        Action::AppendChosen,
        "append",
        "append the chosen candidate after the selected position",
    ),
    bind(Context::Step, &[Key::char('a')], Action::ChooseToken, "ask", "ask about the chosen candidate: token A"),
    bind(Context::Step, &[Key::char('b')], Action::ChooseRival, "ask", "compare A with the chosen candidate: token B"),
    bind(Context::Step, &[Key::char(' '), Key::char('t')], Action::TakeTop, "top", "append the most probable token"),
    bind(Context::Step, &[Key::char('s')], Action::Sample, "sample", "append a token sampled by the chain"),
    bind(
        Context::Step,
        &[Key::char('v')],
        Action::ToggleChain,
        "",
        "the whole vocabulary on its way through the chain, or the most probable tokens",
    ),
    bind(Context::Step, &[Key::char('E')], Action::EditChain, "chain", "say how tokens are sampled: the chain"),
    bind(Context::Step, &[Key::char('+')], Action::TypeTokens, "type", "type a text; its tokens are appended"),
    bind(Context::Step, &[Key::char('g')], Action::Generate, "generate", "append up to 20 most probable tokens"),
    bind(Context::Tree, UP, Action::Cursor(Move::Back), "choose", "the node above"),
    bind(Context::Tree, DOWN, Action::Cursor(Move::On), "choose", "the node below"),
    bind(Context::Tree, PAGE_UP, Action::Cursor(Move::PageBack), "", "ten nodes up"),
    bind(Context::Tree, PAGE_DOWN, Action::Cursor(Move::PageOn), "", "ten nodes down"),
    bind(Context::Tree, &[Key::plain(KeyCode::Enter)], Action::Open, "go", "go to the chosen node"),
    bind(Context::Tree, &[Key::char('[')], Action::Sibling(Move::Back), "sibling", "the continuation tried before"),
    bind(Context::Tree, &[Key::char(']')], Action::Sibling(Move::On), "sibling", "the continuation tried next"),
    bind(Context::Tree, &[Key::char('p')], Action::Parent, "", "the node that the chosen one follows"),
    bind(Context::Tree, &[Key::char('f')], Action::Child, "", "the first node that follows the chosen one"),
    bind(Context::Tree, &[Key::char('m')], Action::Mark, "mark", "mark the chosen node, or take its mark away"),
    bind(
        Context::Tree,
        &[Key::char('v')],
        Action::CompareMarked,
        "compare",
        "where in the layers the marked node and the chosen one part; again, back to the tree",
    ),
    bind(Context::Tree, &[Key::plain(KeyCode::Backspace)], Action::Out, "", "from a comparison back to the tree"),
    bind(Context::Tree, &[Key::char('r')], Action::Rename, "rename", "give the chosen node a name"),
    bind(Context::Tree, &[Key::char('x')], Action::Prune, "prune", "hide the chosen node and all that follows"),
    bind(Context::Attention, UP, Action::Cursor(Move::Back), "layer", "the layer above"),
    bind(Context::Attention, DOWN, Action::Cursor(Move::On), "layer", "the layer below"),
    bind(Context::Attention, &[Key::char('[')], Action::Head(Move::Back), "head", "the head before"),
    bind(Context::Attention, &[Key::char(']')], Action::Head(Move::On), "head", "the next head"),
    bind(
        Context::Attention,
        &[Key::plain(KeyCode::Enter), Key::char('o')],
        Action::ToggleGrid,
        "all heads",
        "show one head large, or all heads small",
    ),
    bind(
        Context::Attention,
        &[Key::char('t')],
        Action::ToggleSide,
        "from/to",
        "what the selected token looks at, or which later tokens look at it",
    ),
    bind(
        Context::Attention,
        &[Key::char('v')],
        Action::NextRanking,
        "values",
        "attention weights, or weight times value: the norm of what the head writes",
    ),
    bind(Context::Attention, &[Key::char('s')], Action::ToggleSink, "sink", "leave the first token out, or show it"),
    bind(
        Context::Attention,
        &[Key::char('b')],
        Action::NextRun,
        "",
        "with interventions: the map of now, of the model as it is, or of the difference",
    ),
    bind(Context::Attention, &[Key::char('x')], Action::TakeOut, "take out", "add an intervention: this head zeroed"),
    bind(Context::Lens, UP, Action::Cursor(Move::Back), "layer", "the row above"),
    bind(Context::Lens, DOWN, Action::Cursor(Move::On), "layer", "the row below"),
    bind(
        Context::Lens,
        &[Key::char('v')],
        Action::NextRanking,
        "lines",
        "every position as a grid, or lines through the layers at the selected position",
    ),
    bind(
        Context::Lens,
        &[Key::plain(KeyCode::Enter)],
        Action::Open,
        "follow",
        "follow the chosen cell's token through the layers, or no longer",
    ),
    bind(Context::Lens, &[Key::char('+')], Action::Follow, "follow", "type a text; its tokens are followed"),
    bind(Context::Lens, &[Key::plain(KeyCode::Backspace)], Action::Out, "", "no longer follow the last token"),
    bind(
        Context::Lens,
        &[Key::char('b')],
        Action::NextRun,
        "",
        "with interventions: the grid of now, or of the model as it is",
    ),
    bind(Context::Lens, PAGE_UP, Action::Cursor(Move::PageBack), "", "ten rows up"),
    bind(Context::Lens, PAGE_DOWN, Action::Cursor(Move::PageOn), "", "ten rows down"),
    bind(Context::Why, UP, Action::Cursor(Move::Back), "choose", "the part above"),
    bind(Context::Why, DOWN, Action::Cursor(Move::On), "choose", "the part below"),
    bind(Context::Why, PAGE_UP, Action::Cursor(Move::PageBack), "", "ten parts up"),
    bind(Context::Why, PAGE_DOWN, Action::Cursor(Move::PageOn), "", "ten parts down"),
    bind(Context::Why, &[Key::char('x')], Action::TakeOut, "take out", "add an intervention: the chosen part zeroed"),
    bind(
        Context::Why,
        &[Key::plain(KeyCode::Enter)],
        Action::Open,
        "open",
        "what the chosen part is made of: heads, neurons, source tokens",
    ),
    bind(Context::Why, &[Key::plain(KeyCode::Backspace)], Action::Out, "", "back to what it belongs to"),
    bind(
        Context::Why,
        &[Key::char('v')],
        Action::NextRanking,
        "rank",
        "rank by component, head, neuron, source token, or score the prompt's tokens by each of three methods",
    ),
    bind(Context::Why, &[Key::char('r')], Action::Begin, "", "score tokens again once that was stopped"),
    bind(Context::Patch, UP, Action::Cursor(Move::Back), "cell", "the row above"),
    bind(Context::Patch, DOWN, Action::Cursor(Move::On), "cell", "the row below"),
    bind(Context::Patch, LEFT, Action::Column(Move::Back), "cell", "the column before"),
    bind(Context::Patch, RIGHT, Action::Column(Move::On), "cell", "the next column"),
    bind(Context::Patch, PAGE_UP, Action::Cursor(Move::PageBack), "", "ten rows up"),
    bind(Context::Patch, PAGE_DOWN, Action::Cursor(Move::PageOn), "", "ten rows down"),
    bind(
        Context::Patch,
        &[Key::char('c')],
        Action::EditOther,
        "corrupted",
        "type the corrupted prompt: as many tokens as the prompt",
    ),
    bind(
        Context::Patch,
        &[Key::plain(KeyCode::Enter)],
        Action::Open,
        "heads",
        "the heads of the chosen cell's layer, position by position",
    ),
    bind(Context::Patch, &[Key::plain(KeyCode::Backspace)], Action::Out, "", "back to all layers"),
    bind(
        Context::Patch,
        &[Key::char('s')],
        Action::NextSite,
        "site",
        "patch another kind of place: residual stream, attention, MLP, heads, keys, values, patterns",
    ),
    bind(
        Context::Patch,
        &[Key::char('n')],
        Action::NextDirection,
        "noise",
        "denoise: clean into corrupted; noise: corrupted into clean",
    ),
    bind(
        Context::Patch,
        &[Key::char('m')],
        Action::NextMetric,
        "metric",
        "measure the logit difference, its recovery, log-probability, or KL",
    ),
    bind(
        Context::Patch,
        &[Key::char('x')],
        Action::TakeOut,
        "put in",
        "add an intervention: the corrupted prompt's activation of the chosen cell, in the prompt",
    ),
    bind(Context::Patch, &[Key::char('r')], Action::Begin, "", "go on filling the grid once it was stopped"),
    bind(Context::Patch, &[Key::char('<')], Action::Position(Move::Back), "", "ask about the position before"),
    bind(Context::Patch, &[Key::char('>')], Action::Position(Move::On), "", "ask about the next position"),
    bind(Context::Compare, UP, Action::Cursor(Move::Back), "choose", "the row above"),
    bind(Context::Compare, DOWN, Action::Cursor(Move::On), "choose", "the row below"),
    bind(Context::Compare, PAGE_UP, Action::Cursor(Move::PageBack), "", "ten rows up"),
    bind(Context::Compare, PAGE_DOWN, Action::Cursor(Move::PageOn), "", "ten rows down"),
    bind(Context::Compare, &[Key::char('c')], Action::EditOther, "prompt B", "type another prompt to compare with"),
    bind(
        Context::Compare,
        &[Key::char('o')],
        Action::OtherModel,
        "model B",
        "name another model to compare with, on the same text",
    ),
    bind(
        Context::Compare,
        &[Key::char('v')],
        Action::NextRanking,
        "page",
        "tokens at a position, all positions, layers, or components",
    ),
    bind(Context::Compare, &[Key::char('r')], Action::Begin, "", "compare again after Esc"),
    bind(Context::Evals, UP, Action::Cursor(Move::Back), "choose", "the row above"),
    bind(Context::Evals, DOWN, Action::Cursor(Move::On), "choose", "the row below"),
    bind(Context::Evals, PAGE_UP, Action::Cursor(Move::PageBack), "", "ten rows up"),
    bind(Context::Evals, PAGE_DOWN, Action::Cursor(Move::PageOn), "", "ten rows down"),
    bind(
        Context::Evals,
        &[Key::plain(KeyCode::Enter)],
        Action::Open,
        "open",
        "run the chosen suite; look at the chosen item in Step, where its answer is decided",
    ),
    bind(
        Context::Evals,
        &[Key::char('v')],
        Action::NextFilter,
        "filter",
        "all items, only wrong ones, only right ones",
    ),
    bind(Context::Evals, &[Key::char('o')], Action::NextRanking, "page", "suites, items, or every metric"),
    bind(Context::Evals, &[Key::char('#')], Action::EditLimit, "items", "type how many items are asked"),
    bind(Context::Evals, &[Key::char('r')], Action::Begin, "run", "run the suite again from its first item"),
    bind(Context::Evals, &[Key::plain(KeyCode::Backspace)], Action::Out, "", "back to the suites"),
    bind(Context::Model, UP, Action::Cursor(Move::Back), "choose", "the line above"),
    bind(Context::Model, DOWN, Action::Cursor(Move::On), "choose", "the line below"),
    bind(Context::Model, PAGE_UP, Action::Cursor(Move::PageBack), "", "ten lines up"),
    bind(Context::Model, PAGE_DOWN, Action::Cursor(Move::PageOn), "", "ten lines down"),
    bind(Context::Model, &[Key::char('v')], Action::NextRanking, "page", "facts, laws, or tensors"),
    bind(
        Context::Model,
        &[Key::plain(KeyCode::Enter)],
        Action::Open,
        "numbers",
        "read the chosen tensor: moments, quantiles, histogram",
    ),
    bind(
        Context::Model,
        &[Key::char('/')],
        Action::Filter,
        "filter",
        "list only tensors with these words in their names",
    ),
    bind(Context::Global, &[Key::char('d')], Action::Interventions, "do", "interventions: type, toggle, delete"),
    bind(Context::Global, &[Key::char('D')], Action::ToggleAll, "", "all interventions off, or on again"),
    bind(
        Context::Global,
        &[Key::plain(KeyCode::Left), Key::char('h')],
        Action::Position(Move::Back),
        "position",
        "select the token before",
    ),
    bind(
        Context::Global,
        &[Key::plain(KeyCode::Right), Key::char('l')],
        Action::Position(Move::On),
        "position",
        "select the next token",
    ),
    bind(
        Context::Global,
        &[Key::plain(KeyCode::Home), Key::char('0')],
        Action::Position(Move::First),
        "",
        "select the first token",
    ),
    bind(
        Context::Global,
        &[Key::plain(KeyCode::End), Key::char('$')],
        Action::Position(Move::Last),
        "",
        "select the last token",
    ),
    bind(Context::Global, &[Key::char('i')], Action::Edit, "edit", "edit the prompt; its tokens follow while you type"),
    bind(Context::Global, &[Key::char('/')], Action::Search, "search", "search the tokens of the prompt and the view"),
    bind(Context::Global, &[Key::char('n')], Action::SearchNext, "", "go to the next of what was searched for"),
    bind(Context::Global, &[Key::char('N')], Action::SearchPrevious, "", "go to the one before"),
    bind(Context::Global, &[Key::plain(KeyCode::Tab)], Action::NextView, "view", "show the next view"),
    bind(Context::Global, &[Key::plain(KeyCode::BackTab)], Action::PreviousView, "", "show the view before"),
    bind(Context::Global, &[Key::char('u')], Action::Undo, "undo", "take the last change of the tokens back"),
    bind(Context::Global, &[Key::char('U'), Key::ctrl('r')], Action::Redo, "", "repeat what was taken back"),
    bind(
        Context::Global,
        &[Key::char('e')],
        Action::Export,
        "export",
        "write what the view shows into a file: JSON, CSV, Markdown, SVG, PNG, …; or copy it",
    ),
    bind(Context::Global, &[Key::ctrl('s'), Key::char('w')], Action::SaveSession, "", "save the session in a file"),
    bind(Context::Global, &[Key::char('W')], Action::SaveFigures, "", "save the figures of every lens in a folder"),
    bind(Context::Global, &[Key::char('1')], Action::ShowView(ViewName::Step), "", "show the step view"),
    bind(Context::Global, &[Key::char('2')], Action::ShowView(ViewName::Tree), "", "show the tree view"),
    bind(Context::Global, &[Key::char('3')], Action::ShowView(ViewName::Attention), "", "show the attention view"),
    bind(Context::Global, &[Key::char('4')], Action::ShowView(ViewName::Lens), "", "show the lens view"),
    bind(Context::Global, &[Key::char('5')], Action::ShowView(ViewName::Why), "", "show the why view"),
    bind(Context::Global, &[Key::char('6')], Action::ShowView(ViewName::Patch), "", "show the patch view"),
    bind(Context::Global, &[Key::char('7')], Action::ShowView(ViewName::Compare), "", "show the compare view"),
    bind(Context::Global, &[Key::char('8')], Action::ShowView(ViewName::Evals), "", "show the evals view"),
    bind(Context::Global, &[Key::char('9')], Action::ShowView(ViewName::Model), "", "show the model view"),
    bind(Context::Global, &[Key::char('|')], Action::SplitBeside, "", "make a panel beside this one"),
    bind(Context::Global, &[Key::char('-')], Action::SplitBelow, "", "make a panel below this one"),
    bind(Context::Global, &[Key::char(',')], Action::Panel(Move::Back), "", "focus the panel before"),
    bind(Context::Global, &[Key::char('.')], Action::Panel(Move::On), "", "focus the next panel"),
    bind(Context::Global, &[Key::char('z')], Action::Maximise, "", "show the focused panel alone, or all panels"),
    bind(
        Context::Global,
        &[Key::char('P')],
        Action::Pin,
        "",
        "pin the focused panel to what it shows, to compare with; again, it follows",
    ),
    bind(Context::Global, &[Key::char('X')], Action::ClosePanel, "", "close the focused panel"),
    bind(
        Context::Global,
        &[Key::char('c')],
        Action::NextTint,
        "",
        "colour the prompt by surprisal, probability, entropy, attribution, or not",
    ),
    bind(Context::Global, &[Key::plain(KeyCode::Esc)], Action::Cancel, "", "stop the running job"),
    bind(Context::Global, &[Key::char('L')], Action::ToggleGround, "", "colours for a light or a dark terminal"),
    bind(
        Context::Global,
        &[Key::char('m')],
        Action::ToggleMouse,
        "",
        "leave the mouse to the terminal, which selects text, or take it back",
    ),
    bind(
        Context::Global,
        &[Key::char(':')],
        Action::Palette,
        "all",
        "find a command, a view, a lens or a suite by its name",
    ),
    bind(Context::Global, &[Key::char('?'), Key::plain(KeyCode::F(1))], Action::Help, "help", "show the keys"),
    bind(Context::Global, &[Key::ctrl('z')], Action::Suspend, "", "back to the shell; fg goes on"),
    bind(Context::Global, &[Key::char('q'), Key::ctrl('c')], Action::Quit, "quit", "quit"),
    bind(Context::Editing, &[Key::plain(KeyCode::Enter)], Action::Accept, "take it", "take the edited prompt"),
    bind(Context::Editing, &[Key::plain(KeyCode::Esc)], Action::Leave, "leave", "leave the prompt as it was"),
    bind(Context::Editing, &[Key::ctrl('c')], Action::Quit, "quit", "quit"),
    bind(Context::Typing, &[Key::plain(KeyCode::Enter)], Action::Accept, "take it", "take the typed text"),
    bind(Context::Typing, &[Key::plain(KeyCode::Esc)], Action::Leave, "leave", "leave the text as it was"),
    bind(Context::Typing, &[Key::ctrl('c')], Action::Quit, "quit", "quit"),
    bind(Context::Exporting, &[Key::plain(KeyCode::Enter)], Action::Accept, "write", "write the file"),
    bind(
        Context::Exporting,
        &[Key::plain(KeyCode::Tab)],
        Action::NextEnding,
        "format",
        "the next ending, which says how it is written",
    ),
    bind(Context::Exporting, &[Key::plain(KeyCode::BackTab)], Action::PreviousEnding, "", "the ending before"),
    bind(
        Context::Exporting,
        &[Key::ctrl('y')],
        Action::Copy,
        "copy",
        "copy it to the clipboard as text; as Markdown where the ending says no text",
    ),
    bind(Context::Exporting, &[Key::plain(KeyCode::Esc)], Action::Leave, "leave", "write nothing"),
    bind(Context::Exporting, &[Key::ctrl('c')], Action::Quit, "quit", "quit"),
    bind(
        Context::Interventions,
        &[Key::plain(KeyCode::Enter)],
        Action::Accept,
        "add",
        "add what is typed; on an empty line, switch the chosen one",
    ),
    bind(Context::Interventions, &[Key::plain(KeyCode::Tab)], Action::Toggle, "on/off", "switch the chosen one"),
    bind(
        Context::Interventions,
        &[Key::plain(KeyCode::Delete), Key::ctrl('x')],
        Action::Delete,
        "delete",
        "delete the chosen one",
    ),
    bind(
        Context::Interventions,
        &[Key::plain(KeyCode::Up)],
        Action::Cursor(Move::Back),
        "choose",
        "the intervention above",
    ),
    bind(
        Context::Interventions,
        &[Key::plain(KeyCode::Down)],
        Action::Cursor(Move::On),
        "choose",
        "the intervention below",
    ),
    bind(Context::Interventions, &[Key::plain(KeyCode::Esc)], Action::Close, "close", "close the list"),
    bind(Context::Interventions, &[Key::ctrl('c')], Action::Quit, "", "quit"),
    bind(Context::Picker, &[Key::plain(KeyCode::Enter)], Action::Accept, "take it", "take the chosen one"),
    bind(
        Context::Picker,
        &[Key::plain(KeyCode::Up), Key::ctrl('p')],
        Action::Cursor(Move::Back),
        "choose",
        "the one above",
    ),
    bind(
        Context::Picker,
        &[Key::plain(KeyCode::Down), Key::ctrl('n')],
        Action::Cursor(Move::On),
        "choose",
        "the one below",
    ),
    bind(Context::Picker, &[Key::plain(KeyCode::PageUp)], Action::Cursor(Move::PageBack), "", "ten up"),
    bind(Context::Picker, &[Key::plain(KeyCode::PageDown)], Action::Cursor(Move::PageOn), "", "ten down"),
    bind(Context::Picker, &[Key::plain(KeyCode::Esc)], Action::Close, "close", "close the list"),
    bind(Context::Picker, &[Key::ctrl('c')], Action::Quit, "", "quit"),
    bind(Context::Help, UP, Action::Cursor(Move::Back), "scroll", "scroll up"),
    bind(Context::Help, DOWN, Action::Cursor(Move::On), "scroll", "scroll down"),
    bind(Context::Help, PAGE_UP, Action::Cursor(Move::PageBack), "", "scroll ten lines up"),
    bind(Context::Help, PAGE_DOWN, Action::Cursor(Move::PageOn), "", "scroll ten lines down"),
    bind(
        Context::Help,
        &[Key::plain(KeyCode::Esc), Key::char('?'), Key::char('q'), Key::plain(KeyCode::Enter)],
        Action::Close,
        "close",
        "close the help",
    ),
    bind(Context::Help, &[Key::ctrl('c')], Action::Quit, "", "quit"),
    bind(Context::Error, UP, Action::Cursor(Move::Back), "", "scroll up"),
    bind(Context::Error, DOWN, Action::Cursor(Move::On), "", "scroll down"),
    bind(
        Context::Error,
        &[Key::plain(KeyCode::Esc), Key::plain(KeyCode::Enter), Key::char(' ')],
        Action::Close,
        "close",
        "close it",
    ),
    bind(Context::Error, &[Key::char('y')], Action::Copy, "copy", "copy its text to the clipboard"),
    bind(Context::Error, &[Key::char('q'), Key::ctrl('c')], Action::Quit, "quit", "quit"),
];

/// The keys that count: the table, as it is or with other keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keymap {
    bindings: Vec<Binding>,
}

impl Default for Keymap {
    fn default() -> Self {
        Self { bindings: KEYMAP.to_vec() }
    }
}

impl Keymap {
    /// What a key does in a context.
    pub fn action(&self, context: Context, key: Key) -> Option<Action> {
        let own = self.rows(context).find(|binding| binding.keys.contains(&key));
        own.map(|binding| binding.action).or_else(|| self.action(context.fallback()?, key))
    }

    /// The first key that does an action in a context, as people see it; nothing if there is none.
    pub fn key(&self, context: Context, action: Action) -> Option<String> {
        let places = std::iter::successors(Some(context), |context| context.fallback());
        let keys = places.flat_map(|place| self.rows(place)).filter(|row| row.action == action);
        let mut keys = keys.flat_map(|row| row.keys.iter().copied());
        // a view may hide a key from everywhere
        keys.find(|key| self.action(context, *key) == Some(action)).map(key_name)
    }

    /// How an action is done in a context, for a text that says so: by its key, else by its name in the palette.
    pub fn way(&self, context: Context, action: Action) -> String {
        let palette = || self.key(context, Action::Palette).map_or_else(String::new, |key| format!("{key} "));
        self.key(context, action).unwrap_or_else(|| format!("{}{}", palette(), action.name()))
    }

    /// Gives an action other keys in a context; nothing happens where there is no such action.
    pub fn rebind(&mut self, context: Context, action: Action, keys: Vec<Key>) {
        let mut rows = self.bindings.iter_mut().filter(|row| row.context == context && row.action == action);
        if let Some(row) = rows.next() {
            row.keys = Cow::Owned(keys);
        }
    }

    /// The bindings of one context.
    pub fn rows(&self, context: Context) -> impl Iterator<Item = &Binding> {
        self.bindings.iter().filter(move |binding| binding.context == context)
    }
}

/// The bindings of one context, as they are without a configuration.
pub fn rows(context: Context) -> impl Iterator<Item = &'static Binding> {
    KEYMAP.iter().filter(move |binding| binding.context == context)
}

/// All keys of a binding.
pub fn key_names(binding: &Binding) -> String {
    binding.keys.iter().map(|&key| key_name(key)).collect::<Vec<_>>().join(", ")
}

/// docs/keys.md.
pub fn markdown() -> String {
    let mut out = String::from(
        "# Keys\n\nGenerated from `src/tui/keymap.rs`; a test compares them. Names are for the palette\n\
         and for the configuration; a count typed with Alt before a move repeats it: `Alt-1 Alt-2 j` is twelve down.\n",
    );
    for context in Context::ALL {
        // writing to a string cannot fail
        let _ = write!(out, "\n## {}\n\n| keys | name | what they do |\n| --- | --- | --- |\n", context.title());
        for binding in rows(context) {
            let keys: Vec<String> = binding.keys.iter().map(|&key| format!("`{}`", key_name(key))).collect();
            let _ = writeln!(out, "| {} | `{}` | {} |", keys.join(", "), binding.action.name(), binding.about);
        }
    }
    out
}
