//! What the panels do together: they are split, focused, pinned and closed, and ask the model in one voice.

use std::sync::Arc;

use ratatui::layout::Rect;

use super::super::action::{Action, Move};
use super::super::effect::{Effect, INSPECTIONS};
use super::super::layout::areas;
use super::super::mouse::Hits;
use super::super::panel::{Panel, Pinned};
use super::super::panels::{Extent, Panels, SplitError};
use super::super::session::Session;
use super::super::split::Way;
use super::super::view::{News, Scene, ViewName};
use super::super::widget::token_strip;
use super::{Heads, Laws, Model, State};
use crate::engine::Request;
use crate::engine::worker::Slot;

impl State {
    pub(in crate::tui) const fn panels(&self) -> &Panels {
        &self.panels
    }

    /// Rows that the prompt wants on a screen so wide.
    pub(in crate::tui) fn prompt_rows(&self, width: u16) -> u16 {
        let is_typed = self.editor.is_some() || self.line.is_some();
        if is_typed { 2 } else { token_strip::rows(&self.session.tokens().visible, width) }
    }

    /// What the panels share of the screen, once its size is known.
    fn body(&self) -> Option<Rect> {
        self.size.map(|area| areas(area, self.prompt_rows(area.width)).body)
    }

    /// The panels that are seen.
    pub(super) fn visible(&self) -> Vec<usize> {
        // where the prompt ends does not matter to one panel
        let body = if self.panels.len() == 1 { None } else { self.body() };
        self.panels.visible(body)
    }

    /// The session that the focused panel shows.
    pub(super) fn shown_session(&self) -> &Session {
        self.panels.focused().session(&self.session)
    }

    /// What a panel is drawn with.
    pub(in crate::tui) fn scene_of<'a>(&'a self, panel: &'a Panel, note: &'a str, hits: &'a Hits) -> Scene<'a> {
        let present = self.scene(note, hits);
        panel.pinned().map_or(present, |pinned| Scene {
            session: &pinned.session,
            atlas: pinned.atlas.as_deref(),
            verified: pinned.verified.as_ref(),
            ..present
        })
    }

    /// The screen has another size: panels may be seen that were not.
    pub(super) fn resized(&mut self, width: u16, height: u16) -> Vec<Effect> {
        let before = self.visible();
        self.size = Some(Rect::new(0, 0, width, height));
        if self.visible() == before { Vec::new() } else { self.inspect() }
    }

    pub(super) fn split(&mut self, way: Way) -> Vec<Effect> {
        match self.panels.split(way, self.body()) {
            Ok(()) => {
                self.notice = (self.panels.len() == 2).then(|| self.about_panels());
                self.inspect()
            }
            Err(error) => {
                let close = self.way(Action::ClosePanel);
                let remedy = match error {
                    SplitError::Most => format!("{close} closes one"),
                    SplitError::NoRoom { .. } if self.panels.len() == 1 => "enlarge the window".into(),
                    SplitError::NoRoom { .. } => format!("enlarge the window, or {close} closes one"),
                };
                self.say(format!("{error}; {remedy}"))
            }
        }
    }

    /// What can be done once there are two panels.
    fn about_panels(&self) -> String {
        let key = |action| self.way(action);
        let (back, on) = (key(Action::Panel(Move::Back)), key(Action::Panel(Move::On)));
        let (alone, pin, close) = (key(Action::Maximise), key(Action::Pin), key(Action::ClosePanel));
        format!("{back} {on} focus the other panel, {alone} shows one alone, {pin} pins it, {close} closes it")
    }

    pub(super) fn focus(&mut self, to: Move) -> Vec<Effect> {
        let before = self.visible();
        self.panels.go(to);
        if self.visible() == before { Vec::new() } else { self.turned_from(&before) }
    }

    pub(super) fn maximise(&mut self) -> Vec<Effect> {
        if self.panels.len() == 1 {
            let split = self.way(Action::SplitBeside);
            return self.say(format!("there is one panel; {split} makes another one beside it"));
        }
        let before = self.visible();
        self.panels.set_extent(match self.panels.extent() {
            Extent::All => Extent::Maximised,
            Extent::Maximised => Extent::All,
        });
        self.turned_from(&before)
    }

    pub(super) fn close_panel(&mut self) -> Vec<Effect> {
        if self.panels.len() == 1 {
            return self.say("not closed: it is the only panel".into());
        }
        let stopped = self.stop_own_job(self.panels.focus());
        self.panels.close();
        stopped.into_iter().chain(self.inspect()).collect()
    }

    /// Pins the focused panel, or lets it follow; what is not there yet cannot be kept.
    pub(super) fn pin(&mut self) -> Vec<Effect> {
        let panel = self.panels.focused();
        if panel.pinned().is_some() {
            self.panels.focused_mut().unpin();
            return self.inspect();
        }
        let is_complete = panel.needs(&self.session).is_empty() && !self.jobs.has(panel.slot());
        if !is_complete || self.session.tokens().ids.is_empty() {
            return self.say("not pinned: what it shows is not all there yet".into());
        }
        let pinned = self.as_it_is();
        self.panels.focused_mut().pin(pinned);
        // what is still under way may have been for this panel alone
        self.inspect()
    }

    fn as_it_is(&self) -> Pinned {
        let pinned = Pinned::new(self.session.clone());
        let Model::Loaded(open) = &self.model else { return pinned };
        let atlas = if let Heads::Measured(atlas) = &open.heads { Some(Arc::clone(atlas)) } else { None };
        let verified = if let Laws::Tried(verified) = &open.laws { Some(verified.clone()) } else { None };
        Pinned { atlas, verified, ..pinned }
    }

    /// Says that a pinned panel does not change.
    pub(super) fn is_pinned(&mut self) -> Vec<Effect> {
        let pin = self.way(Action::Pin);
        self.say(format!("this panel is pinned: {pin} lets it follow again"))
    }

    fn say(&mut self, text: String) -> Vec<Effect> {
        self.notice = Some(text);
        Vec::new()
    }

    /// Selects a position for every panel.
    pub(super) fn select(&mut self, to: Move) -> Vec<Effect> {
        self.session.select(to);
        let visible = self.visible();
        if self.panels.position(&visible, to, &self.session) { self.inspect() } else { Vec::new() }
    }

    /// Shows a view in the focused panel, unless another panel shows it already.
    pub(super) fn show_beside(&mut self, name: ViewName) -> Vec<Effect> {
        let is_shown = self.panels.shows(&self.visible(), name);
        if is_shown { self.inspect() } else { self.show_named(name) }
    }

    /// Stops what is no longer seen, and asks for what is.
    fn turned_from(&mut self, before: &[usize]) -> Vec<Effect> {
        let visible = self.visible();
        let hidden = before.iter().filter(|at| !visible.contains(at));
        let stopped: Vec<Effect> = hidden.filter_map(|at| self.stop_own_job(*at)).collect();
        stopped.into_iter().chain(self.inspect()).collect()
    }

    /// Stops the own job of a panel's view; what it has shown so far stays.
    pub(super) fn stop_own_job(&mut self, at: usize) -> Option<Effect> {
        let panel = self.panels.get(at);
        let (slot, view) = (panel.slot(), panel.current());
        let stopped = self.cancel(slot);
        if stopped.is_some() {
            // a view that is stopped asks for nothing
            let _ = self.panels.get_mut(at).hear(view, News::Stopped, &self.session);
        }
        stopped
    }

    /// The jobs that the views of panels want for themselves.
    pub(super) fn own_jobs(&mut self, of: &[usize]) -> Vec<(Slot, Request)> {
        of.iter().filter_map(|at| self.panels.get_mut(*at).job(&self.session)).collect()
    }

    /// Asks for what panels lack.
    pub(super) fn inspect_panels(&mut self, of: &[usize]) -> Vec<Effect> {
        let ids = self.session.tokens().ids.clone();
        if ids.is_empty() {
            return Vec::new();
        }
        let (ask, interventions) = (self.session.ask(), self.session.interventions().active());
        let mut passes = self.panels.needs(of, &self.session).into_iter();
        let ask_or_stop = |slot| match passes.next() {
            Some(panels) => {
                let (ids, interventions) = (ids.clone(), interventions.clone());
                Some(self.submit(slot, Request::Inspect { ids, ask, interventions, panels }))
            }
            None => self.cancel(slot),
        };
        INSPECTIONS.into_iter().filter_map(ask_or_stop).collect()
    }
}
