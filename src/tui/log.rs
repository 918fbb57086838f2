//! What the program did and when, as lines: jobs, effects, errors.

use std::io::Write;
use std::time::Instant;

use super::app::Msg;
use super::effect::Effect;
use crate::engine::JobEvent;

/// Where the lines go, if anybody wants them.
pub struct Log {
    to: Option<Box<dyn Write + Send>>,
    start: Instant,
}

/// Characters of a line at most.
const CHARACTERS: usize = 300;

impl Log {
    /// A log whose lines go here.
    pub fn to(writer: Box<dyn Write + Send>) -> Self {
        Self { to: Some(writer), start: Instant::now() }
    }

    /// A log that nobody reads.
    pub fn none() -> Self {
        Self { to: None, start: Instant::now() }
    }

    /// Writes what came from the worker, and what was asked of the program from outside.
    pub(super) fn message(&mut self, msg: &Msg) {
        match msg {
            Msg::Report(report) => {
                let job = report.job.0;
                match &report.event {
                    JobEvent::Event(_) => {}
                    JobEvent::Finished(_) => self.say(&format!("job {job} finished")),
                    JobEvent::Failed(error) => self.say(&format!("job {job} failed: {error}")),
                    JobEvent::Panicked(message) => self.say(&format!("job {job} panicked: {message}")),
                }
            }
            Msg::Started(slot, job) => self.say(&format!("job {} started in slot {}", job.0, slot.0)),
            Msg::Written(Ok(what)) => self.say(what),
            Msg::Written(Err(error)) => self.say(&format!("not written: {error}")),
            Msg::Exported(Ok(written)) => self.say(&format!("{} bytes in {}", written.n_bytes, written.file.display())),
            Msg::Exported(Err(error)) => self.say(&format!("not exported: {error}")),
            Msg::Encoded(Ok(text)) => self.say(&format!("{} bytes to be copied", text.len())),
            Msg::Encoded(Err(error)) => self.say(&format!("not to be copied: {error}")),
            Msg::Input(super::input::InputEvent::Closed) => self.say("ended from outside"),
            Msg::Copied(Ok(n)) => self.say(&format!("copied {n} bytes")),
            Msg::Copied(Err(error)) => self.say(&format!("not copied: {error}")),
            Msg::Input(_) | Msg::Pointed(_) | Msg::Tick | Msg::Idle | Msg::Stop => {}
        }
    }

    /// Writes what is to be done.
    pub(super) fn effect(&mut self, effect: &Effect) {
        match effect {
            Effect::Submit { request, .. } => self.say(&format!("asked: {request:?}")),
            Effect::Cancel(slot) => self.say(&format!("cancelled slot {}", slot.0)),
            Effect::SaveSession { file, .. } => self.say(&format!("session to {}", file.display())),
            Effect::SaveFigures { folder, .. } => self.say(&format!("figures to {}", folder.display())),
            Effect::Export { file, .. } => self.say(&format!("export to {}", file.display())),
            Effect::Encode { ending, .. } => self.say(&format!("copy as {ending}")),
            Effect::Mouse(_) => self.say("the mouse changes hands"),
            Effect::Copy(text) => self.say(&format!("{} bytes to the clipboard", text.len())),
            Effect::Suspend => self.say("suspended"),
            Effect::Quit => self.say("quit"),
        }
    }

    fn say(&mut self, what: &str) {
        let Some(to) = &mut self.to else { return };
        let line: String = what.chars().take(CHARACTERS).flat_map(char::escape_debug).collect();
        // a log that cannot be written is no reason to stop
        let _ = writeln!(to, "{:10.3} s  {line}", self.start.elapsed().as_secs_f64());
    }
}
