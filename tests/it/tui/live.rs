//! The screen with the engine behind it, one job after the other, without threads.

use std::collections::VecDeque;

use lmscope::engine::{Engine, Event, JobEvent};
use lmscope::model::CancelToken;
use lmscope::tui::Effect;
use lmscope::tui::input::Key;

use super::data::{Ui, submits};

/// A screen whose jobs are done at once.
pub(super) struct Live {
    pub(super) ui: Ui,
    engine: Engine,
}

impl Live {
    /// The embedded model and the example prompt.
    pub(super) fn new() -> Self {
        Self::with_options(lmscope::tui::TuiOptions::default())
    }

    pub(super) fn with_options(options: lmscope::tui::TuiOptions) -> Self {
        Self::with_engine(options, Engine::default())
    }

    pub(super) fn with_engine(options: lmscope::tui::TuiOptions, engine: Engine) -> Self {
        let (ui, first) = Ui::with_options(options);
        let mut live = Self { ui, engine };
        live.settle(&first);
        live
    }

    pub(super) fn key(&mut self, key: Key) {
        let effects = self.ui.key(key);
        self.settle(&effects);
    }

    pub(super) fn chars(&mut self, keys: &str) {
        keys.chars().for_each(|c| self.key(Key::char(c)));
    }

    /// Nothing happens for a while.
    pub(super) fn idle(&mut self) {
        let effects = self.ui.idle();
        self.settle(&effects);
    }

    fn settle(&mut self, effects: &[Effect]) {
        let mut waiting = VecDeque::from(self.numbered(effects));
        while let Some((job, request)) = waiting.pop_front() {
            let mut events: Vec<Event> = Vec::new();
            let outcome = self.engine.run(request, &CancelToken::default(), &mut |event| events.push(event));
            for event in events {
                self.ui.answer_to(job, JobEvent::Event(event));
            }
            let next = self.ui.answer_to(job, outcome.map_or_else(JobEvent::Failed, JobEvent::Finished));
            waiting.extend(self.numbered(&next));
        }
    }

    /// The jobs just asked for, with their ids.
    fn numbered(&self, effects: &[Effect]) -> Vec<(u64, lmscope::engine::Request)> {
        let asked = submits(effects);
        let first = self.ui.last_job() + 1 - asked.len() as u64;
        (first..).zip(asked).map(|(job, (_, request))| (job, request.clone())).collect()
    }
}
