//! What lies over a view until it is closed.

mod error;
mod help;
mod interventions;
mod notice;
mod palette;
mod picker;
mod search;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;
use ratatui::widgets::{Block, Clear, Paragraph, Widget as _};

pub use self::error::ErrorOverlay;
pub use self::help::HelpOverlay;
pub use self::interventions::InterventionsOverlay;
pub use self::notice::NoticeOverlay;
pub use self::palette::{Entry, PaletteOverlay};
use self::picker::{Picker, Row};
pub use self::search::SearchOverlay;
use super::Offer;
use super::action::{Action, Move};
use super::input::Key;
use super::keymap::Context;
use super::layout::{cells, centred, part};
use super::search::Search;
use super::session::Session;
use super::view::Scene;

/// What an overlay wants after an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// Nothing.
    Nothing,
    /// It is closed, and this is done where it means something.
    Act {
        /// Where.
        context: Context,
        /// What.
        action: Action,
    },
    /// It is closed, and how this is run is told.
    Tell(Offer),
    /// It is closed, and what was searched for is gone to.
    Search(Search),
    /// This goes to the clipboard.
    Copy(String),
}

/// Something over a view.
pub trait Overlay {
    /// Where its keys are.
    fn context(&self) -> Context;
    /// Acts on a key; it may change what every view shares.
    fn update(&mut self, action: Action, session: &mut Session) -> Wish;
    /// Takes a key that has no action: an overlay with a line to type in types it.
    fn key(&mut self, _: Key) {}
    /// Takes a pasted text.
    fn paste(&mut self, _: &str) {}
    /// Draws itself over the screen.
    fn render(&self, scene: &Scene<'_>, area: Rect, buffer: &mut Buffer);
}

/// The first line shown after a move.
fn scroll(at: usize, action: Action) -> usize {
    let Action::Cursor(to) = action else { return at };
    if to == Move::Last { at } else { to.apply(at, usize::MAX) }
}

/// Draws lines in a box; answers nothing, for a box too small shows what it can.
fn boxed(title: (&str, Style), lines: Vec<Line<'_>>, scroll: usize, area: Rect, buffer: &mut Buffer) {
    let inner = frame(title, lines.len(), area, buffer);
    let hidden = lines.len().saturating_sub(usize::from(inner.height));
    Paragraph::new(lines).scroll((cells(scroll.min(hidden)), 0)).render(inner, buffer);
}

/// Draws an empty box with room for so many lines, if there is; answers the room.
fn frame((title, style): (&str, Style), n_lines: usize, area: Rect, buffer: &mut Buffer) -> Rect {
    let height = cells(n_lines).saturating_add(2).min(area.height);
    let place = centred(area, area.width.min(84), height);
    let block = Block::bordered().title(Line::styled(format!(" {title} "), style)).border_style(style);
    let inner = block.inner(place);
    Clear.render(place, buffer);
    block.render(place, buffer);
    inner
}

/// Rows of a box with a line to type in and a list.
const PICKED: usize = 20;

/// Draws a line to type in and the rows it chooses from, or what is said if there are none.
fn picked(
    title: &str,
    (picker, mark): (&Picker, &'static str),
    (rows, nothing): (&[Row], Line<'static>),
    scene: &Scene<'_>,
    (area, buffer): (Rect, &mut Buffer),
) {
    let inner = frame((title, scene.theme.title()), PICKED, area, buffer);
    let list = part(inner, 0, 2, inner.width, inner.height.saturating_sub(2));
    let mut lines = vec![picker.typed(mark, scene.theme), Line::default()];
    lines.extend(picker.rows(rows, scene.theme, (list, scene.hits)));
    if rows.is_empty() && !picker.text().is_empty() {
        lines.push(nothing);
    }
    Paragraph::new(lines).render(inner, buffer);
}
