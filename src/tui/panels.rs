//! The panels on the screen: at most four, one of them focused, all of them shown or one alone.
//!
//! A panel is called by its place in the order in which it came; what is written about it counts in reading order.

use std::mem::discriminant;
use std::sync::Arc;

use ratatui::layout::Rect;

use super::action::{Action, Move};
use super::layout::wrapped;
use super::panel::Panel;
use super::session::Session;
use super::settings::Settings;
use super::split::{Places, Seat, Split, Way};
use super::view::{Reply, ViewName};
use crate::engine::worker::Slot;
use crate::engine::{Inspection, Panel as Needed};
use crate::session::{MOST_PANELS, SavedPanel, SavedPlace};

/// The smallest panel that a view can be drawn in: columns, rows, the title among them.
pub(super) const SMALLEST: (u16, u16) = (39, 7);

/// How much is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// Every panel.
    All,
    /// The focused panel alone.
    Maximised,
}

/// What is seen of the panels in an area.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    /// There is one.
    Only,
    /// All of them.
    All,
    /// The focused one, because that was asked for.
    Maximised,
    /// The focused one, because there is no room for all.
    NoRoom,
}

/// Why a panel is not split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum SplitError {
    /// There are as many as there can be.
    #[error("not split: {MOST_PANELS} panels are the most")]
    Most,
    /// A panel would be too small for any view.
    #[error("no room to split: {}x{}, a view needs {}x{}", found.0, found.1, SMALLEST.0, SMALLEST.1)]
    NoRoom {
        /// Columns and rows.
        found: (u16, u16),
    },
}

/// Panels, how they share the screen, and which of them takes keys.
pub(super) struct Panels {
    all: Vec<Panel>,
    split: Split,
    focus: usize,
    extent: Extent,
    settings: Settings,
}

/// The first place that is smaller than any view needs.
fn too_small(places: &Places) -> Option<(u16, u16)> {
    let sizes = places.panels.iter().map(|(_, rect)| (rect.width, rect.height));
    sizes.filter(|(width, height)| *width < SMALLEST.0 || *height < SMALLEST.1).min()
}

impl Panels {
    /// One panel.
    pub(super) fn new(settings: Settings) -> Self {
        let all = vec![Panel::new(Seat(0), &settings)];
        Self { all, split: Split::Panel(Seat(0)), focus: 0, extent: Extent::All, settings }
    }

    pub(super) const fn len(&self) -> usize {
        self.all.len()
    }

    /// The panel that takes keys.
    pub(super) fn focused(&self) -> &Panel {
        &self.all[self.focus]
    }

    pub(super) fn focused_mut(&mut self) -> &mut Panel {
        &mut self.all[self.focus]
    }

    /// The panel that takes keys, as it is called.
    pub(super) const fn focus(&self) -> usize {
        self.focus
    }

    pub(super) const fn extent(&self) -> Extent {
        self.extent
    }

    pub(super) const fn set_extent(&mut self, extent: Extent) {
        self.extent = extent;
    }

    pub(super) fn get(&self, at: usize) -> &Panel {
        &self.all[at]
    }

    pub(super) fn get_mut(&mut self, at: usize) -> &mut Panel {
        &mut self.all[at]
    }

    fn at(&self, seat: Seat) -> Option<usize> {
        self.all.iter().position(|panel| panel.seat() == seat)
    }

    /// The panels in reading order.
    fn order(&self) -> Vec<usize> {
        self.split.seats().into_iter().filter_map(|seat| self.at(seat)).collect()
    }

    /// The panel whose view has its own job in this slot, and the place of the view.
    pub(super) fn owner(&self, slot: Slot) -> Option<(usize, usize)> {
        self.all.iter().enumerate().find_map(|(at, panel)| Some((at, panel.owner(slot)?)))
    }

    /// What is seen in an area.
    pub(super) fn seen(&self, area: Rect) -> Seen {
        match () {
            () if self.all.len() == 1 => Seen::Only,
            () if self.extent == Extent::Maximised => Seen::Maximised,
            () if too_small(&self.split.places(area)).is_some() => Seen::NoRoom,
            () => Seen::All,
        }
    }

    /// The panels that are seen in an area; as if it were large enough, while nobody knows it.
    pub(super) fn visible(&self, area: Option<Rect>) -> Vec<usize> {
        let are_all = area.map_or(self.extent == Extent::All, |area| self.seen(area) == Seen::All);
        if are_all { self.order() } else { vec![self.focus] }
    }

    /// Where the panels that are seen in an area are, and the lines between them.
    pub(super) fn places(&self, area: Rect) -> (Vec<(usize, Rect)>, Vec<Rect>) {
        if self.seen(area) != Seen::All {
            return (vec![(self.focus, area)], Vec::new());
        }
        let Places { panels, lines } = self.split.places(area);
        (panels.into_iter().filter_map(|(seat, rect)| Some((self.at(seat)?, rect))).collect(), lines)
    }

    /// The number of a panel in reading order, from 0.
    pub(super) fn number(&self, at: usize) -> usize {
        self.order().iter().position(|other| *other == at).unwrap_or(0)
    }

    /// Focuses the next panel or the one before, round and round, or the one with a number.
    pub(super) fn go(&mut self, to: Move) {
        let order = self.order();
        let number = match to {
            Move::Back => wrapped(self.number(self.focus), -1, order.len()),
            Move::On => wrapped(self.number(self.focus), 1, order.len()),
            other => other.apply(self.number(self.focus), order.len()),
        };
        self.focus = order.get(number).copied().unwrap_or(self.focus);
    }

    /// Makes a panel that shows what the focused one shows, and focuses it.
    ///
    /// # Errors
    /// There are enough, or there is no room in the area.
    pub(super) fn split(&mut self, way: Way, area: Option<Rect>) -> Result<(), SplitError> {
        if self.all.len() >= MOST_PANELS {
            return Err(SplitError::Most);
        }
        let mut split = self.split.clone();
        let new = self.free_seat();
        split.split(self.focused().seat(), way, new);
        if let Some(found) = area.and_then(|area| too_small(&split.places(area))) {
            return Err(SplitError::NoRoom { found });
        }
        let mut panel = Panel::new(new, &self.settings);
        panel.show(self.focused().current());
        panel.show_head(self.focused().head());
        self.split = split;
        self.all.push(panel);
        (self.focus, self.extent) = (self.all.len() - 1, Extent::All);
        Ok(())
    }

    /// The first seat that nobody has.
    fn free_seat(&self) -> Seat {
        let taken = |seat: &Seat| self.all.iter().any(|panel| panel.seat() == *seat);
        (0..u16::MAX).map(Seat).find(|seat| !taken(seat)).unwrap_or(Seat(0))
    }

    /// Closes the focused panel, unless it is the only one; the one before it is focused.
    pub(super) fn close(&mut self) {
        let order = self.order();
        let before = wrapped(self.number(self.focus), -1, order.len());
        let seat = self.focused().seat();
        let Some(split) = self.split.clone().without(seat) else { return };
        let next = order.get(before).map(|&at| self.all[at].seat());
        self.all.retain(|panel| panel.seat() != seat);
        (self.split, self.extent) = (split, Extent::All);
        self.focus = next.and_then(|seat| self.at(seat)).unwrap_or(0);
    }

    /// What must be computed for panels, in as few forward passes as can tell one head from another.
    pub(super) fn needs(&self, of: &[usize], session: &Session) -> Vec<Vec<Needed>> {
        let mut passes: Vec<Vec<Needed>> = Vec::new();
        for need in of.iter().flat_map(|at| self.all[*at].needs(session)) {
            if passes.iter().any(|pass| pass.contains(&need)) {
                continue;
            }
            // one pass answers one head, and follows one list of tokens
            let is_free = |pass: &&mut Vec<Needed>| pass.iter().all(|other| discriminant(other) != discriminant(&need));
            match passes.iter_mut().find(is_free) {
                Some(pass) => pass.push(need),
                None => passes.push(vec![need]),
            }
        }
        passes
    }

    /// Tells panels that the position moved; answers whether any of them needs something now.
    pub(super) fn position(&mut self, of: &[usize], to: Move, session: &Session) -> bool {
        let mut needs = false;
        for at in of {
            let panel = &mut self.all[*at];
            // all that a view can want is to be asked what it needs; a pinned panel wants nothing
            needs |= panel.update(Action::Position(to), session) == Some(Reply::Refresh);
        }
        needs
    }

    /// Lets what all panels wait for go before what one panel fills.
    pub(super) fn give_way(&mut self, of: &[usize]) {
        for at in of {
            self.all[*at].give_way();
        }
    }

    /// Takes what was computed.
    pub(super) fn receive(&mut self, inspection: &Arc<Inspection>) {
        self.all.iter_mut().for_each(|panel| panel.receive(inspection));
    }

    /// Whether a panel that follows shows this view.
    pub(super) fn shows(&self, of: &[usize], name: ViewName) -> bool {
        of.iter().map(|at| &self.all[*at]).any(|panel| panel.pinned().is_none() && panel.view().name() == name)
    }

    /// The panels as a file holds them, and which one is focused; nothing if there is one.
    pub(super) fn saved(&self) -> (Vec<SavedPanel>, usize) {
        if self.all.len() == 1 {
            return (Vec::new(), 0);
        }
        let steps = self.split.steps();
        let place = |seat: Seat| steps.iter().position(|(other, _)| *other == seat).unwrap_or(0);
        let saved = |(seat, from): &(Seat, Option<(Way, Seat)>)| {
            let panel = &self.all[self.at(*seat)?];
            let place = match from {
                None => SavedPlace::First,
                Some((Way::Beside, other)) => SavedPlace::Beside(place(*other)),
                Some((Way::Below, other)) => SavedPlace::Below(place(*other)),
            };
            Some(SavedPanel { view: panel.view().name().word(), head: panel.head(), place })
        };
        (steps.iter().filter_map(saved).collect(), place(self.focused().seat()))
    }

    /// Panels as they were saved; those that there are if none were.
    pub(super) fn resume(&mut self, saved: &[SavedPanel], focus: usize) {
        let mut made = Self::new(self.settings);
        for (number, saved) in saved.iter().enumerate().take(MOST_PANELS) {
            let from = match saved.place {
                SavedPlace::First => None,
                SavedPlace::Beside(at) => Some((Way::Beside, at)),
                SavedPlace::Below(at) => Some((Way::Below, at)),
            };
            if let Some((way, at)) = from.filter(|(_, at)| number > 0 && *at < number) {
                made.focus = at;
                // there are not too many, and room is made where there is none when they are drawn
                let _ = made.split(way, None);
            }
            if let Some(panel) = made.all.get_mut(number) {
                panel.show_named(|name| name.word() == saved.view);
                panel.show_head(saved.head);
            }
        }
        if !saved.is_empty() {
            made.focus = focus.min(made.all.len() - 1);
            *self = made;
        }
    }
}
