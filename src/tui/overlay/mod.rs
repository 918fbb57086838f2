//! What lies over a view until it is closed.

mod error;
mod help;
mod interventions;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;
use ratatui::widgets::{Block, Clear, Paragraph, Widget as _};

pub use self::error::ErrorOverlay;
pub use self::help::HelpOverlay;
pub use self::interventions::InterventionsOverlay;
use super::action::{Action, Move};
use super::input::Key;
use super::keymap::Context;
use super::layout::{cells, centred};
use super::session::Session;
use super::view::Scene;

/// Something over a view.
pub trait Overlay {
    /// Where its keys are.
    fn context(&self) -> Context;
    /// Acts on a key; it may change what every view shares.
    fn update(&mut self, action: Action, session: &mut Session);
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
    let height = cells(lines.len()).saturating_add(2).min(area.height);
    let place = centred(area, area.width.min(84), height);
    let hidden = lines.len().saturating_sub(usize::from(height.saturating_sub(2)));
    let block = Block::bordered().title(Line::styled(format!(" {} ", title.0), title.1)).border_style(title.1);
    Clear.render(place, buffer);
    Paragraph::new(lines).block(block).scroll((cells(scroll.min(hidden)), 0)).render(place, buffer);
}
