//! What the worker's reports do.

use super::super::effect::{APPEND, Effect, GENERATE, HEADS, LOAD, TOKENISE, VERIFY};
use super::super::overlay::{ErrorOverlay, InterventionsOverlay};
use super::super::view::News;
use super::{Heads, Laws, Model, Open, State};
use crate::engine::worker::{Report, Slot};
use crate::engine::{EngineError, Event, JobEvent, Outcome, Tokens};

impl State {
    pub(super) fn report(&mut self, report: Report) -> Vec<Effect> {
        // a job that was replaced or cancelled has no slot any more
        let Some(slot) = self.jobs.slot(report.job) else { return Vec::new() };
        if let Some(owner) = self.panels.owner(slot) {
            return self.tell(slot, owner, report.event);
        }
        match report.event {
            JobEvent::Event(event) => {
                self.event(event);
                Vec::new()
            }
            JobEvent::Finished(Outcome::Tokens(tokens)) if slot == APPEND => {
                self.jobs.end(slot);
                self.append_all(tokens)
            }
            JobEvent::Finished(outcome) => {
                self.jobs.end(slot);
                self.outcome(outcome)
            }
            JobEvent::Failed(error) => {
                self.jobs.end(slot);
                self.failure(slot, &error)
            }
            JobEvent::Panicked(message) => {
                self.jobs.end(slot);
                self.give_up(slot);
                self.overlays.push(Box::new(ErrorOverlay::panicked(&message)));
                Vec::new()
            }
        }
    }

    /// Tells a view of a panel what became of its own job.
    fn tell(&mut self, slot: Slot, (panel, view): (usize, usize), event: JobEvent) -> Vec<Effect> {
        if !matches!(event, JobEvent::Event(_)) {
            self.jobs.end(slot);
        }
        let news = match &event {
            JobEvent::Event(event) => {
                if let Event::Progress(progress) = event {
                    self.jobs.report(*progress);
                }
                News::Event(event)
            }
            JobEvent::Finished(outcome) => News::Finished(outcome),
            JobEvent::Failed(EngineError::Cancelled) => News::Stopped,
            JobEvent::Failed(error) => News::Failed(error),
            JobEvent::Panicked(message) => {
                self.overlays.push(Box::new(ErrorOverlay::panicked(message)));
                News::Stopped
            }
        };
        let reply = self.panels.get_mut(panel).hear(view, news, &self.session);
        self.do_as_told(reply)
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::Progress(progress) => self.jobs.report(progress),
            Event::Token { id, visible } => self.session.append(id, visible),
            // a view's own job sends these to its view
            Event::PatchBegun(_) | Event::Cells { .. } | Event::Scored { .. } => {}
        }
    }

    fn outcome(&mut self, outcome: Outcome) -> Vec<Effect> {
        match outcome {
            Outcome::Loaded(info) => {
                self.model =
                    Model::Loaded(Box::new(Open { info: *info, laws: Laws::Untried, heads: Heads::Unmeasured }));
                match self.take_up() {
                    Some(effects) => effects,
                    None => self.tokenise_awaited(),
                }
            }
            Outcome::Tokens(tokens) => self.tokens(tokens),
            Outcome::Inspected(inspection) => {
                self.session.learn(&inspection);
                self.panels.receive(&inspection);
                Vec::new()
            }
            Outcome::Verified(verified) => {
                self.learn(Laws::Tried(verified));
                Vec::new()
            }
            Outcome::Heads(atlas) => {
                self.learn_heads(Heads::Measured(atlas));
                Vec::new()
            }
            Outcome::Attribution(scores) => {
                self.session.learn_attribution(scores);
                Vec::new()
            }
            Outcome::Figures(figures) => self.save_figures(figures),
            // a view's own job
            Outcome::Branches(_) | Outcome::Chain(_) | Outcome::Inputs(_) => Vec::new(),
            Outcome::Generated { .. } => self.inspect(),
            // a view's own job answers its view
            Outcome::Suites(_) | Outcome::Evaluated(_) => Vec::new(),
            Outcome::Patched(_) | Outcome::Described(_) | Outcome::Surveyed(_) | Outcome::Compared(_) => Vec::new(),
        }
    }

    fn tokens(&mut self, tokens: Tokens) -> Vec<Effect> {
        if let Some(editor) = &mut self.editor {
            editor.arrive(tokens);
            return Vec::new();
        }
        if self.session.arrive(tokens) { self.inspect() } else { Vec::new() }
    }

    fn failure(&mut self, slot: Slot, error: &EngineError) -> Vec<Effect> {
        if slot == TOKENISE
            && let Some(editor) = &mut self.editor
        {
            editor.fail(error.to_string());
            return Vec::new();
        }
        self.give_up(slot);
        if let EngineError::Intervene(error) = error
            && self.session.interventions_mut().refuse(error)
        {
            return self.refused();
        }
        if !matches!(error, EngineError::Cancelled) {
            self.overlays.push(Box::new(ErrorOverlay::new(error)));
        }
        if slot == GENERATE { self.inspect() } else { Vec::new() }
    }

    /// Shows the list with what was refused, and goes on without it.
    fn refused(&mut self) -> Vec<Effect> {
        if self.overlays.is_empty() {
            self.overlays.push(Box::<InterventionsOverlay>::default());
        }
        self.inspect()
    }

    /// Remembers what is known about the heads.
    pub(super) fn learn_heads(&mut self, heads: Heads) {
        if let Model::Loaded(open) = &mut self.model {
            open.heads = heads;
        }
    }

    /// Remembers what is known about the laws.
    pub(super) fn learn(&mut self, laws: Laws) {
        if let Model::Loaded(open) = &mut self.model {
            open.laws = laws;
        }
    }

    fn give_up(&mut self, slot: Slot) {
        if slot == VERIFY {
            self.learn(Laws::GivenUp);
        }
        if slot == HEADS {
            self.learn_heads(Heads::GivenUp);
        }
        if slot == TOKENISE {
            self.session.stop_waiting();
        }
        if slot == LOAD
            && let Model::Loading(name) = &self.model
        {
            self.model = Model::Failed(name.clone());
        }
    }
}
