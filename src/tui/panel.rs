//! A panel: views of its own, one of which is shown. It follows the session, or it is pinned to what the session was.
//!
//! A panel that is pinned keeps a copy of the session and all that its view has; it asks for nothing and is told nothing.
//! It is not [`crate::engine::Panel`], which is what one forward pass computes for a view.

use std::sync::Arc;

use super::action::Action;
use super::input::Key;
use super::session::Session;
use super::settings::Settings;
use super::split::Seat;
use super::text::{cut, one_line};
use super::view::{News, Reply, VIEWS, View, ViewName};
use crate::engine::worker::Slot;
use crate::engine::{Inspection, Panel as Needed, Request, Verified};
use crate::hook::Head;
use crate::lens::atlas::Atlas;

/// What a pinned panel is drawn with.
#[derive(Debug, Clone)]
pub(super) struct Pinned {
    /// The tokens, the question and the interventions as they were.
    pub(super) session: Session,
    /// What heads did, if it was known.
    pub(super) atlas: Option<Arc<Atlas>>,
    /// What became of the laws, if they were tried.
    pub(super) verified: Option<Verified>,
    /// What it is of: interventions and the beginning of the prompt, as every frame tells it.
    pub(super) of: String,
}

/// More columns than a title has.
const LONGEST_TITLE: usize = 400;

impl Pinned {
    /// The session as it is, before anything is known of the model.
    pub(super) fn new(session: Session) -> Self {
        let active = session.interventions().active();
        let done = if active.is_empty() { String::new() } else { format!(", do {}", active.join(" ")) };
        let of = cut(&one_line(&format!("pinned{done}: {}", session.text())), LONGEST_TITLE);
        Self { session, atlas: None, verified: None, of }
    }
}

/// Views, of which one is shown.
pub(super) struct Panel {
    seat: Seat,
    views: Vec<Box<dyn View>>,
    current: usize,
    pinned: Option<Box<Pinned>>,
}

impl Panel {
    /// The first view, without data.
    pub(super) fn new(seat: Seat, settings: &Settings) -> Self {
        let mut views: Vec<Box<dyn View>> = VIEWS.iter().map(|make| make()).collect();
        for view in &mut views {
            view.begin_with(settings);
        }
        Self { seat, views, current: 0, pinned: None }
    }

    pub(super) const fn seat(&self) -> Seat {
        self.seat
    }

    /// The view that is shown.
    pub(super) fn view(&self) -> &dyn View {
        self.views[self.current].as_ref()
    }

    /// The place of the view that is shown.
    pub(super) const fn current(&self) -> usize {
        self.current
    }

    /// All views, as the header lists them.
    pub(super) fn views(&self) -> impl Iterator<Item = &dyn View> {
        self.views.iter().map(AsRef::as_ref)
    }

    /// Shows the view at a place, if there is one.
    pub(super) fn show(&mut self, at: usize) {
        if at < self.views.len() {
            self.current = at;
        }
    }

    /// Shows a view.
    pub(super) fn show_named(&mut self, is_it: impl Fn(ViewName) -> bool) {
        if let Some(at) = self.views.iter().position(|view| is_it(view.name())) {
            self.current = at;
        }
    }

    /// The slot of the shown view's own job.
    pub(super) fn slot(&self) -> Slot {
        self.view().name().slot_in(self.seat)
    }

    /// The place of the view whose own job is in this slot.
    pub(super) fn owner(&self, slot: Slot) -> Option<usize> {
        self.views.iter().position(|view| view.name().slot_in(self.seat) == slot)
    }

    /// What it is pinned to.
    pub(super) fn pinned(&self) -> Option<&Pinned> {
        self.pinned.as_deref()
    }

    /// The session that it shows.
    pub(super) fn session<'a>(&'a self, present: &'a Session) -> &'a Session {
        self.pinned.as_ref().map_or(present, |pinned| &pinned.session)
    }

    /// Keeps what it shows.
    pub(super) fn pin(&mut self, pinned: Pinned) {
        self.pinned = Some(Box::new(pinned));
    }

    /// Follows the session again.
    pub(super) fn unpin(&mut self) {
        self.pinned = None;
    }

    /// Acts on a key; nothing if that would change what a pinned panel shows.
    pub(super) fn update(&mut self, action: Action, present: &Session) -> Option<Reply> {
        let view = &mut self.views[self.current];
        let Some(pinned) = &self.pinned else { return Some(view.update(action, present)) };
        // what a view lacks after this is not asked for
        view.keeps(action, &pinned.session).then(|| view.update(action, &pinned.session)).map(|_| Reply::Done)
    }

    /// Takes a key that types.
    pub(super) fn key(&mut self, key: Key, session: &Session) -> Reply {
        self.typed(|view| view.key(key, session))
    }

    /// Takes a pasted text.
    pub(super) fn paste(&mut self, text: &str, session: &Session) -> Reply {
        self.typed(|view| view.paste(text, session))
    }

    fn typed(&mut self, type_into: impl FnOnce(&mut dyn View) -> Reply) -> Reply {
        let view = self.views[self.current].as_mut();
        if view.is_typing() { type_into(view) } else { Reply::Done }
    }

    /// What a forward pass must compute for it.
    pub(super) fn needs(&self, session: &Session) -> Vec<Needed> {
        if self.pinned.is_some() { Vec::new() } else { self.view().needs(session) }
    }

    /// The shown view's own job, if it is to be begun.
    pub(super) fn job(&mut self, session: &Session) -> Option<(Slot, Request)> {
        if self.pinned.is_some() {
            return None;
        }
        let slot = self.slot();
        self.views[self.current].job(session).map(|request| (slot, request))
    }

    /// Lets other work go before the shown view's own job, if that can go on where it was.
    pub(super) fn give_way(&mut self) {
        self.views[self.current].give_way();
    }

    /// Takes what was computed.
    pub(super) fn receive(&mut self, inspection: &Arc<Inspection>) {
        if self.pinned.is_none() {
            self.views.iter_mut().for_each(|view| view.receive(inspection));
        }
    }

    /// Takes what becomes of the own job of the view at a place.
    pub(super) fn hear(&mut self, at: usize, news: News<'_>, session: &Session) -> Reply {
        match self.views.get_mut(at) {
            Some(view) if self.pinned.is_none() => view.hear(news, session),
            Some(_) | None => Reply::Done,
        }
    }

    /// The head that it shows large.
    pub(super) fn head(&self) -> Head {
        self.views.iter().find_map(|view| view.head()).unwrap_or(Head { layer: 0, head: 0 })
    }

    /// Shows another head large.
    pub(super) fn show_head(&mut self, head: Head) {
        self.views.iter_mut().for_each(|view| view.show_head(head));
    }
}
