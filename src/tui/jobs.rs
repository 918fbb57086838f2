//! Which jobs are under way. Events of a job that was replaced are dropped here, by its id.

use crate::engine::Progress;
use crate::engine::worker::{JobId, Slot};

/// The jobs under way, at most one a slot.
#[derive(Debug, Clone, Default)]
pub(super) struct Jobs {
    running: Vec<(Slot, Option<JobId>)>,
    progress: Option<Progress>,
    /// Tenths of a second since the program started, and since the job began that reports progress.
    ticks: usize,
    since: Option<usize>,
}

/// How often the loop ticks while jobs are under way.
const TICKS_A_SECOND: usize = 10;

fn duration(seconds: usize) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds.div_ceil(60)),
        _ => format!("{} h", seconds.div_ceil(3600)),
    }
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
        self.since = None;
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
        if self.since.is_none() {
            self.since = Some(self.ticks);
        }
    }

    /// How far the job is, in words.
    pub(super) fn progress(&self) -> String {
        let left = self.left().map_or_else(String::new, |seconds| format!(", {} left", duration(seconds)));
        self.progress.map_or_else(String::new, |p| format!(" {}/{} {}{left}", p.done, p.total, p.unit))
    }

    /// Seconds that the job will take at the pace so far, once it took more than one.
    fn left(&self) -> Option<usize> {
        let (progress, ticks) = (self.progress?, self.ticks.checked_sub(self.since?)?);
        let rest = progress.total.saturating_sub(progress.done);
        let is_known = ticks >= TICKS_A_SECOND && progress.done > 0 && rest > 0;
        is_known.then(|| (ticks * rest / progress.done).div_ceil(TICKS_A_SECOND))
    }

    pub(super) const fn tick(&mut self) {
        self.ticks = self.ticks.wrapping_add(1);
    }

    /// A glyph that turns while the program works.
    pub(super) const fn spinner(&self) -> char {
        SPINNER[self.ticks % SPINNER.len()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_left_is_told_after_a_second() {
        let mut jobs = Jobs::default();
        jobs.ask(Slot(1));
        jobs.report(Progress { done: 1, total: 4, unit: "laws" });
        (0..9).for_each(|_| jobs.tick());
        assert_eq!(jobs.progress(), " 1/4 laws");
        (0..11).for_each(|_| jobs.tick());
        assert_eq!(jobs.progress(), " 1/4 laws, 6 s left");
        jobs.report(Progress { done: 4, total: 4, unit: "laws" });
        assert_eq!(jobs.progress(), " 4/4 laws");
        jobs.end(Slot(1));
        assert_eq!(jobs.progress(), "");
        assert_eq!([59, 61, 7300].map(duration), ["59 s", "2 min", "3 h"]);
    }
}
