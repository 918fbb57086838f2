//! What the mouse can point at: regions that are reported while a frame is drawn, each with what a click there does.
//!
//! Whoever draws a thing reports where it is, so that no place is computed twice. A click means actions and nothing
//! else: whatever the mouse can do, keys can.

use std::cell::RefCell;

use ratatui::layout::{Position, Rect};

use super::action::{Action, Move};

/// What was done with the mouse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gesture {
    /// The left button went down, or was moved while it was down.
    Press,
    /// The wheel was turned up.
    WheelUp,
    /// The wheel was turned down.
    WheelDown,
}

/// A gesture and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pointing {
    /// From the left.
    pub column: u16,
    /// From the top.
    pub row: u16,
    /// What was done.
    pub gesture: Gesture,
}

/// Whether the mouse is ours, or the terminal's, which selects text with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MouseUse {
    /// Clicks act.
    #[default]
    Ours,
    /// The terminal selects text.
    Terminal,
}

#[derive(Debug, Clone)]
struct Region {
    area: Rect,
    press: Vec<Action>,
}

/// The regions of one frame.
#[derive(Debug, Default)]
pub struct Hits {
    regions: RefCell<Vec<Region>>,
}

impl Hits {
    /// A click on this area does these, after what areas around it do.
    pub fn on(&self, area: Rect, press: &[Action]) {
        if !area.is_empty() {
            self.regions.borrow_mut().push(Region { area, press: press.to_vec() });
        }
    }

    /// Everything reported so far is covered: it can no longer be pointed at.
    pub fn cover(&self) {
        self.regions.borrow_mut().clear();
    }

    /// What a gesture asks for.
    pub fn actions(&self, pointing: Pointing) -> Vec<Action> {
        let at = Position { x: pointing.column, y: pointing.row };
        let regions = self.regions.borrow();
        let under = regions.iter().filter(|region| region.area.contains(at)).flat_map(|region| region.press.clone());
        // the wheel turns in the panel that it is over
        let panel = |action: &Action| matches!(action, Action::Panel(_));
        match pointing.gesture {
            Gesture::WheelUp => under.filter(panel).chain([Action::Cursor(Move::Back)]).collect(),
            Gesture::WheelDown => under.filter(panel).chain([Action::Cursor(Move::On)]).collect(),
            Gesture::Press => under.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::view::ViewName;

    #[test]
    fn what_lies_inside_acts_after_what_lies_around_it() {
        let hits = Hits::default();
        hits.on(Rect::new(0, 0, 10, 10), &[Action::ShowView(ViewName::Lens)]);
        hits.on(Rect::new(2, 2, 3, 1), &[Action::Cursor(Move::To(7))]);
        let at = |column, row, gesture| hits.actions(Pointing { column, row, gesture });
        assert_eq!(at(3, 2, Gesture::Press), [Action::ShowView(ViewName::Lens), Action::Cursor(Move::To(7))]);
        assert_eq!(at(5, 2, Gesture::Press), [Action::ShowView(ViewName::Lens)]);
        assert_eq!(at(3, 2, Gesture::WheelUp), [Action::Cursor(Move::Back)]);
        assert!(at(10, 2, Gesture::Press).is_empty());
        hits.cover();
        assert!(at(3, 2, Gesture::Press).is_empty());
    }
}
