//! What keys do.

use crossterm::event::{KeyCode, KeyModifiers};

use super::super::action::Action;
use super::super::editor::Editor;
use super::super::effect::{APPEND, ATTRIBUTION, Effect, FIGURES, GENERATE, HEADS, INSPECTIONS, TOKENISE, VERIFY};
use super::super::input::{InputEvent, Key};
use super::super::layout::wrapped;
use super::super::line_entry::{LineEntry, Purpose};
use super::super::mouse::MouseUse;
use super::super::overlay::{HelpOverlay, InterventionsOverlay, Wish};
use super::super::split::Way;
use super::super::view::{Reply, ViewName};
use super::{Heads, Laws, Model, State};
use crate::engine::Request;
use crate::model::sample::Sampling;

/// The largest count that is typed before a move.
const MOST_COUNTED: usize = 9999;

/// The digit of a count: typed with Alt, because a digit alone shows a view.
fn digit(key: Key) -> Option<usize> {
    let KeyCode::Char(c) = key.code else { return None };
    let is_alt = key.modifiers == KeyModifiers::ALT;
    c.to_digit(10).filter(|_| is_alt).and_then(|digit| usize::try_from(digit).ok())
}

impl State {
    pub(super) fn input(&mut self, input: &InputEvent) -> Vec<Effect> {
        match input {
            InputEvent::Key(key) => self.key(*key),
            InputEvent::Paste(text) => self.paste(text),
            // the event loop knows what lies under the pointer
            InputEvent::Mouse(_) => Vec::new(),
            InputEvent::Resize(width, height) => self.resized(*width, *height),
            InputEvent::Closed => vec![Effect::Quit],
        }
    }

    fn key(&mut self, key: Key) -> Vec<Effect> {
        self.notice = None;
        let count = self.count.take();
        if let Some(count) = self.counted(count, key) {
            return count;
        }
        if let Some(action) = self.keymap.action(self.context(), key) {
            return self.act(action);
        }
        if let Some(overlay) = self.overlays.last_mut() {
            overlay.key(key);
        }
        if !self.overlays.is_empty() {
            return Vec::new();
        }
        if let Some(line) = &mut self.line {
            line.key(key);
            return Vec::new();
        }
        let Some(editor) = &mut self.editor else {
            let reply = self.panels.focused_mut().key(key, &self.session);
            return self.do_as_told(reply);
        };
        if editor.key(key) { self.tokenise_draft() } else { Vec::new() }
    }

    /// What a digit of a count does, or a move right behind it; nothing if the key is neither.
    fn counted(&mut self, count: Option<usize>, key: Key) -> Option<Vec<Effect>> {
        if !self.overlays.is_empty() || self.editor.is_some() || self.line.is_some() || self.view().is_typing() {
            return None;
        }
        if let Some(digit) = digit(key) {
            let n = count.unwrap_or(0).saturating_mul(10).saturating_add(digit).min(MOST_COUNTED);
            self.count = Some(n);
            self.notice = Some(format!("{n} times: a move"));
            return Some(Vec::new());
        }
        let repeated = self.keymap.action(self.context(), key)?.times(count?)?;
        Some(self.act(repeated))
    }

    fn paste(&mut self, text: &str) -> Vec<Effect> {
        if let Some(overlay) = self.overlays.last_mut() {
            overlay.paste(text);
            return Vec::new();
        }
        if let Some(line) = &mut self.line {
            line.paste(text);
            return Vec::new();
        }
        let Some(editor) = &mut self.editor else {
            let reply = self.panels.focused_mut().paste(text, &self.session);
            return self.do_as_told(reply);
        };
        editor.paste(text);
        self.tokenise_draft()
    }

    pub(super) fn act(&mut self, action: Action) -> Vec<Effect> {
        if action == Action::Quit {
            return vec![Effect::Quit];
        }
        if action == Action::Suspend {
            return vec![Effect::Suspend];
        }
        if !self.overlays.is_empty() {
            return self.overlay_action(action);
        }
        match action {
            Action::Help => self.help(),
            Action::Palette => self.palette(),
            Action::Search => self.open_search(),
            Action::SearchNext => self.search_on(1),
            Action::SearchPrevious => self.search_on(-1),
            Action::ToggleMouse => self.toggle_mouse(),
            Action::Interventions => {
                self.overlays.push(Box::<InterventionsOverlay>::default());
                Vec::new()
            }
            Action::NextTint => {
                self.session.next_tint();
                self.attribute().into_iter().collect()
            }
            Action::ToggleAll => {
                self.session.interventions_mut().toggle_all();
                self.inspect()
            }
            Action::SaveSession => self.ask_for(Purpose::Session),
            Action::SaveFigures => self.ask_for(Purpose::Figures),
            Action::Export => self.ask_for_file(),
            Action::NextEnding => self.step_ending(1),
            Action::PreviousEnding => self.step_ending(-1),
            Action::Copy => self.copy(),
            Action::EditChain => self.ask_for(Purpose::Chain),
            Action::TypeTokens => self.ask_for(Purpose::Append),
            Action::Cancel => self.stop(),
            Action::NextView => self.show_after(1),
            Action::PreviousView => self.show_after(-1),
            Action::ShowView(name) => self.show_named(name),
            Action::SplitBeside => self.split(Way::Beside),
            Action::SplitBelow => self.split(Way::Below),
            Action::Panel(to) => self.focus(to),
            Action::Maximise => self.maximise(),
            Action::Pin => self.pin(),
            Action::ClosePanel => self.close_panel(),
            Action::ToggleGround => {
                self.theme = self.theme.toggled();
                Vec::new()
            }
            Action::Accept | Action::Leave if self.line.is_some() => self.typed(action),
            Action::Accept | Action::Leave if self.editor.is_none() => self.view_action(action),
            Action::Edit | Action::Accept | Action::Leave => self.edit(action),
            Action::Sample | Action::Generate | Action::Undo | Action::Redo => self.change(action),
            _ => self.view_action(action),
        }
    }

    fn overlay_action(&mut self, action: Action) -> Vec<Effect> {
        let before = self.session.interventions().active();
        let wish = self.overlays.last_mut().map(|overlay| overlay.update(action, &mut self.session));
        if action == Action::Close {
            self.overlays.pop();
        }
        let effects = wish.map_or_else(Vec::new, |wish| self.grant(wish));
        if self.session.interventions().active() == before { effects } else { self.inspect() }
    }

    /// Does what an overlay wants.
    fn grant(&mut self, wish: Wish) -> Vec<Effect> {
        if let Wish::Act { .. } | Wish::Tell(_) | Wish::Search(_) = wish {
            self.overlays.pop();
        }
        match wish {
            Wish::Nothing => Vec::new(),
            Wish::Act { context, action } => self.act_in(context, action),
            Wish::Tell(offer) => self.tell_offer(&offer),
            Wish::Search(search) => self.search(search),
            Wish::Copy(text) => vec![Effect::Copy(text)],
        }
    }

    /// What the mouse asks for, one after the other.
    pub(super) fn pointed(&mut self, actions: Vec<Action>) -> Vec<Effect> {
        self.notice = None;
        self.count = None;
        let in_panel = actions.iter().any(|action| matches!(action, Action::Panel(_)));
        let mut effects = Vec::new();
        for action in actions {
            // a token of a pinned panel may be one of another prompt
            let is_past = matches!(action, Action::Position(_)) && self.panels.focused().pinned().is_some();
            effects.extend(if in_panel && is_past { self.is_pinned() } else { self.act(action) });
        }
        effects
    }

    fn toggle_mouse(&mut self) -> Vec<Effect> {
        let way = self.way(Action::ToggleMouse);
        let (mouse, message) = match self.mouse {
            MouseUse::Ours => {
                (MouseUse::Terminal, format!("the terminal has the mouse: select text with it; {way} takes it back"))
            }
            MouseUse::Terminal => {
                (MouseUse::Ours, format!("the mouse selects tokens, rows and tabs; {way} gives it back"))
            }
        };
        self.mouse = mouse;
        self.notice = Some(message);
        vec![Effect::Mouse(mouse)]
    }

    /// Takes what was typed, or drops it.
    fn typed(&mut self, action: Action) -> Vec<Effect> {
        let Some(line) = self.line.take().filter(|_| action == Action::Accept) else { return Vec::new() };
        self.take_line(line)
    }

    fn help(&mut self) -> Vec<Effect> {
        self.overlays.push(Box::new(HelpOverlay::new(self.context())));
        Vec::new()
    }

    fn show(&mut self, at: usize) -> Vec<Effect> {
        if self.panels.focused().pinned().is_some() {
            return self.is_pinned();
        }
        // the worker does one thing at a time: what is not looked at does not keep it from what is
        let is_shown = at == self.current();
        let stopped = if is_shown { None } else { self.stop_own_job(self.panels.focus()) };
        self.panels.focused_mut().show(at);
        stopped.into_iter().chain(self.inspect()).collect()
    }

    /// Shows the view so many further, round and round.
    fn show_after(&mut self, steps: isize) -> Vec<Effect> {
        self.show(wrapped(self.current(), steps, self.names().count()))
    }

    pub(super) fn show_named(&mut self, name: ViewName) -> Vec<Effect> {
        let at = self.names().position(|other| other == name);
        at.map_or_else(Vec::new, |at| self.show(at))
    }

    /// Stops what can be stopped; the tokens generated so far stay.
    fn stop(&mut self) -> Vec<Effect> {
        let own: Vec<Effect> = (0..self.panels.len()).filter_map(|at| self.stop_own_job(at)).collect();
        let generated = self.cancel(GENERATE);
        let inspections = INSPECTIONS.map(|slot| self.cancel(slot));
        let others = [VERIFY, HEADS, FIGURES, APPEND, ATTRIBUTION].map(|slot| self.cancel(slot));
        if others[0].is_some() {
            self.learn(Laws::GivenUp);
        }
        if others[1].is_some() {
            self.learn_heads(Heads::GivenUp);
        }
        let others = inspections.into_iter().chain(others).flatten();
        let stopped: Vec<Effect> = generated.into_iter().chain(own).chain(others).collect();
        let is_generated = stopped.contains(&Effect::Cancel(GENERATE));
        let inspect = if is_generated { self.inspect() } else { Vec::new() };
        stopped.into_iter().chain(inspect).collect()
    }

    fn edit(&mut self, action: Action) -> Vec<Effect> {
        match action {
            Action::Edit => {
                self.editor = Some(Editor::new(self.session.text(), self.session.tokens().clone()));
                Vec::new()
            }
            Action::Accept => self.accept(),
            _ => {
                self.editor = None;
                self.cancel(TOKENISE).into_iter().collect()
            }
        }
    }

    fn accept(&mut self) -> Vec<Effect> {
        if self.editor.as_ref().is_none_or(|editor| editor.problem().is_some()) {
            return Vec::new();
        }
        let Some(editor) = self.editor.take() else { return Vec::new() };
        self.session.await_text(editor.input().value().to_owned());
        self.tokenise_awaited()
    }

    /// Asks for the tokens of the prompt that is awaited.
    pub(super) fn tokenise_awaited(&mut self) -> Vec<Effect> {
        let Some(text) = self.session.awaited().map(str::to_owned) else { return Vec::new() };
        if !matches!(self.model, Model::Loaded(_)) {
            return Vec::new();
        }
        let generated = self.cancel(GENERATE);
        let bos = self.session.bos();
        generated.into_iter().chain([self.submit(TOKENISE, Request::Tokenise { text, bos })]).collect()
    }

    fn tokenise_draft(&mut self) -> Vec<Effect> {
        let Some(editor) = self.editor.as_ref().filter(|_| matches!(self.model, Model::Loaded(_))) else {
            return Vec::new();
        };
        let text = editor.input().value().to_owned();
        let bos = self.session.bos();
        vec![self.submit(TOKENISE, Request::Tokenise { text, bos })]
    }

    fn change(&mut self, action: Action) -> Vec<Effect> {
        let stopped = self.cancel(GENERATE);
        let effects = match action {
            Action::Sample => {
                let sampling = self.session.next_sampling();
                self.generate(1, sampling)
            }
            Action::Generate => self.generate(self.settings.generated, Sampling::default()),
            Action::Undo if self.session.undo() => self.inspect(),
            Action::Redo if self.session.redo() => self.inspect(),
            _ => Vec::new(),
        };
        stopped.into_iter().chain(effects).collect()
    }

    fn generate(&mut self, n_tokens: usize, sampling: Sampling) -> Vec<Effect> {
        let ids = self.session.ids_to_position().to_vec();
        if ids.is_empty() {
            return Vec::new();
        }
        self.session.branch();
        let interventions = self.session.interventions().active();
        vec![self.submit(GENERATE, Request::Generate { ids, n_tokens, sampling, interventions })]
    }

    fn view_action(&mut self, action: Action) -> Vec<Effect> {
        if let Action::Position(to) = action {
            return self.select(to);
        }
        match self.panels.focused_mut().update(action, &self.session) {
            Some(reply) => self.do_as_told(reply),
            None => self.is_pinned(),
        }
    }

    /// Does what a view wants.
    pub(super) fn do_as_told(&mut self, reply: Reply) -> Vec<Effect> {
        match reply {
            Reply::Done => Vec::new(),
            Reply::Refresh => self.inspect(),
            Reply::Intervene(spec) => {
                // a part of the model is always an intervention
                let _ = self.session.interventions_mut().add(&spec);
                self.inspect()
            }
            Reply::Say(text) => {
                self.notice = Some(text);
                Vec::new()
            }
            Reply::Ask(candidate) => {
                self.session.choose_token(&candidate);
                self.inspect()
            }
            Reply::Compare(candidate) => {
                self.session.choose_rival(&candidate);
                self.inspect()
            }
            Reply::Go(node) => {
                let stopped = self.cancel(GENERATE);
                self.session.go_to(node);
                stopped.into_iter().chain(self.inspect()).collect()
            }
            Reply::Rename(node) => {
                let name = self.session.tree().node(node).label.clone().unwrap_or_default();
                self.line = Some(LineEntry::new(Purpose::Label(node), name));
                Vec::new()
            }
            Reply::Prune(node) => {
                let stopped = self.cancel(GENERATE);
                self.session.prune(node);
                stopped.into_iter().chain(self.inspect()).collect()
            }
            Reply::Look(look) => {
                let stopped = self.cancel(GENERATE);
                self.session.look(*look);
                stopped.into_iter().chain(self.show_beside(ViewName::Step)).collect()
            }
            Reply::Append { id, visible } => {
                let stopped = self.cancel(GENERATE);
                self.session.branch();
                self.session.append(id, visible);
                stopped.into_iter().chain(self.inspect()).collect()
            }
        }
    }

    /// Asks for what the visible panels lack: forward passes, and jobs of their views' own.
    pub(super) fn inspect(&mut self) -> Vec<Effect> {
        if !matches!(self.model, Model::Loaded(_)) {
            return Vec::new();
        }
        let visible = self.visible();
        let mut effects = self.inspect_panels(&visible);
        if effects.iter().any(|effect| matches!(effect, Effect::Submit { .. })) {
            self.panels.give_way(&visible);
        }
        let own = self.own_jobs(&visible);
        effects.extend(own.into_iter().map(|(slot, request)| self.submit(slot, request)));
        effects.extend(self.attribute());
        effects
    }

    /// Asks for the attribution that the prompt is to be coloured by.
    fn attribute(&mut self) -> Option<Effect> {
        if !matches!(self.model, Model::Loaded(_)) || !self.session.wants_attribution() {
            return None;
        }
        let (ids, ask) = (self.session.tokens().ids.clone(), self.session.ask());
        Some(self.submit(ATTRIBUTION, Request::Attribution { ids, ask }))
    }
}
