//! Which jobs are under way. Events of a job that was replaced are dropped here, by its id.

use crate::engine::Progress;
use crate::engine::worker::{JobId, Slot};

/// The jobs under way, at most one a slot.
#[derive(Debug, Clone, Default)]
pub(super) struct Jobs {
    running: Vec<(Slot, Option<JobId>)>,
    progress: Option<Progress>,
    ticks: usize,
}

const SPINNER: [char; 8] = ['⠋', '⠙', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇'];

impl Jobs {
    /// A job was asked for; its id follows.
    pub(super) fn ask(&mut self, slot: Slot) {
        self.end(slot);
        self.running.push((slot, None));
    }

    /// The id of the job that was asked for last.
    pub(super) fn start(&mut self, slot: Slot, id: JobId) {
        if let Some(job) = self.running.iter_mut().find(|(other, _)| *other == slot) {
            job.1 = Some(id);
        }
    }

    /// The slot of a job, unless it was replaced or cancelled.
    pub(super) fn slot(&self, id: JobId) -> Option<Slot> {
        self.running.iter().find(|(_, other)| *other == Some(id)).map(|(slot, _)| *slot)
    }

    /// The job of a slot is over.
    pub(super) fn end(&mut self, slot: Slot) {
        self.running.retain(|(other, _)| *other != slot);
        self.progress = None;
    }

    /// Whether a slot has a job.
    pub(super) fn has(&self, slot: Slot) -> bool {
        self.running.iter().any(|(other, _)| *other == slot)
    }

    /// Whether anything is under way.
    pub(super) const fn is_busy(&self) -> bool {
        !self.running.is_empty()
    }

    pub(super) const fn report(&mut self, progress: Progress) {
        self.progress = Some(progress);
    }

    /// How far the job is, in words.
    pub(super) fn progress(&self) -> String {
        self.progress.map_or_else(String::new, |p| format!(" {}/{} {}", p.done, p.total, p.unit))
    }

    pub(super) const fn tick(&mut self) {
        self.ticks = self.ticks.wrapping_add(1);
    }

    /// A glyph that turns while the program works.
    pub(super) const fn spinner(&self) -> char {
        SPINNER[self.ticks % SPINNER.len()]
    }
}
