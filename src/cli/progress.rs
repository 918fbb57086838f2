//! Progress on standard error: on a terminal only, and only of what takes longer than half a second.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// How long a command may be silent.
const PATIENCE: Duration = Duration::from_millis(500);

/// A bar that appears late, and goes when it is dropped.
pub(super) struct Progress {
    started: Instant,
    template: &'static str,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// A bar in indicatif's template language.
    pub(super) fn new(template: &'static str) -> Self {
        Self { started: Instant::now(), template, bar: None }
    }

    /// `done` of `total`, and what is being done.
    pub(super) fn tell(&mut self, done: u64, total: u64, what: &str) {
        if self.bar.is_none() && self.started.elapsed() >= PATIENCE && std::io::stderr().is_terminal() {
            let bar = ProgressBar::new(total);
            if let Ok(style) = ProgressStyle::with_template(self.template) {
                bar.set_style(style);
            }
            self.bar = Some(bar);
        }
        if let Some(bar) = &self.bar {
            bar.set_message(what.to_owned());
            bar.set_position(done);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
