//! The one loop: a frame, then whatever happened, then a frame. It waits for messages and for nothing else.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, never, select, tick};

use super::app::{Msg, State};
use super::effect::Effect;
use super::input::{InputEvent, InputThread};
use super::log::Log;
use super::mouse::Hits;
use super::terminal::{Screen, stop_flag};
use super::theme::{Environment, Theme};
use super::writer::{Task, Writer};
use super::{TuiError, TuiOptions, clipboard, screen};
use crate::engine::Engine;
use crate::engine::worker::{Report, Worker};
use crate::model::CancelToken;
use crate::session::{FileFormat, write_figures};

/// How often a busy screen is drawn anew.
const TICK: Duration = Duration::from_millis(100);
/// How often the loop looks whether the process is asked to end.
const ATTENTION: Duration = Duration::from_millis(50);
/// How long nothing must happen before what nobody asked for is done.
const IDLE: Duration = Duration::from_secs(1);
/// How long quitting waits for the worker.
const PATIENCE: Duration = Duration::from_secs(1);

/// Runs the terminal UI until the user quits, or `end` is set because the process is asked to.
///
/// # Errors
/// [`TuiError::NotATerminal`] if there is nothing to draw on, and the system's reasons.
pub fn run(options: TuiOptions, end: &CancelToken, log: Log) -> Result<(), TuiError> {
    let theme = Theme::new(&environment()).wanting(options.look);
    let engine = Engine::remembering(options.heads.clone()).finding_in(options.cache.clone());
    let engine = engine.spelling(theme.glyphs.spelling());
    let rescue_file = options.session.rescue.clone();
    let mouse = options.mouse;
    let (mut state, mut first) = State::new(options, theme);
    let mut screen = Screen::enter()?;
    screen.mouse(mouse)?;
    let (width, height) = screen.draw(|frame| {
        screen::render(&state, frame.area(), frame.buffer_mut());
        (frame.area().width, frame.area().height)
    })?;
    // from now on it is told when it changes
    first.extend(state.update(Msg::Input(InputEvent::Resize(width, height))));
    let thread = |name| move |source| TuiError::Thread { name, source };
    let (worker, reports) = Worker::spawn(engine).map_err(thread("model-worker"))?;
    let (_input, inputs) = InputThread::spawn().map_err(thread("input"))?;
    let (writer, written) = Writer::spawn().map_err(thread("writer"))?;
    let stop = stop_flag()?;
    let mut runtime =
        Runtime { worker, inputs, reports, written, ticks: tick(TICK), end: end.clone(), stop, log, screen, writer };
    runtime.perform(&mut state, first)?;
    // a panic must not take what was explored with it
    let ended = catch_unwind(AssertUnwindSafe(|| runtime.run(&mut state)));
    if !matches!(ended, Ok(Ok(Ending::User))) {
        rescue(&state, rescue_file.as_deref());
    }
    match ended {
        Ok(ended) => ended.map(|_| ())?,
        Err(panic) => resume_unwind(panic),
    }
    runtime.worker.shut_down(PATIENCE);
    Ok(())
}

/// Writes the session where the next start looks for it.
fn rescue(state: &State, file: Option<&Path>) {
    if let Some((file, saved)) = file.zip(state.saved()) {
        // nobody is left to tell
        let _ = saved.save_in_new_folder(file);
    }
}

/// How the loop ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// The user asked for it.
    User,
    /// The terminal is gone, or the process is asked to end.
    Outside,
}

/// The environment, read here and nowhere else.
fn environment() -> Environment {
    let read = |name| std::env::var(name).ok();
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().filter_map(read).find(|value| !value.is_empty());
    Environment {
        locale,
        no_color: read("NO_COLOR"),
        colorterm: read("COLORTERM"),
        term: read("TERM"),
        colorfgbg: read("COLORFGBG"),
    }
}

/// What effects act on and messages come from.
struct Runtime {
    worker: Worker,
    inputs: Receiver<InputEvent>,
    reports: Receiver<Report>,
    /// What became of exports.
    written: Receiver<Msg>,
    ticks: Receiver<Instant>,
    end: CancelToken,
    /// Whether another process asks this one to stop.
    stop: Arc<AtomicBool>,
    log: Log,
    screen: Screen,
    /// The last to go: the terminal is restored while it writes on.
    writer: Writer,
}

/// Whether the loop goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    On,
    Quit,
}

impl Runtime {
    fn run(&mut self, state: &mut State) -> Result<Ending, TuiError> {
        loop {
            let hits = self.screen.draw(|frame| screen::render(state, frame.area(), frame.buffer_mut()))?;
            let first = self.wait(state);
            let waiting = self.drain();
            for msg in std::iter::once(first).chain(waiting) {
                let is_ended = matches!(msg, Msg::Input(InputEvent::Closed));
                self.log.message(&msg);
                let effects = state.update(aimed(msg, &hits));
                if self.perform(state, effects)? == Flow::Quit {
                    return Ok(if is_ended { Ending::Outside } else { Ending::User });
                }
            }
        }
    }

    /// The next message; while jobs are under way it is a tick at the latest.
    fn wait(&self, state: &State) -> Msg {
        let none = never();
        let ticks = if state.is_busy() { &self.ticks } else { &none };
        let idle = if state.awaits_idleness() { crossbeam_channel::after(IDLE) } else { never() };
        loop {
            select! {
                recv(self.inputs) -> input => return Msg::Input(input.unwrap_or(InputEvent::Closed)),
                recv(self.reports) -> report => return report.map_or(Msg::Input(InputEvent::Closed), Msg::Report),
                recv(self.written) -> written => {
                    if let Ok(written) = written {
                        return written;
                    }
                }
                recv(ticks) -> _ => return Msg::Tick,
                recv(idle) -> _ => return Msg::Idle,
                // not the input thread's business: reading from a terminal that is gone never comes back
                default(ATTENTION) => {
                    if self.end.is_cancelled() {
                        return Msg::Input(InputEvent::Closed);
                    }
                    if self.stop.swap(false, Ordering::Relaxed) {
                        return Msg::Stop;
                    }
                }
            }
        }
    }

    /// Everything that has arrived by now.
    fn drain(&self) -> Vec<Msg> {
        let inputs = self.inputs.try_iter().map(Msg::Input);
        inputs.chain(self.reports.try_iter().map(Msg::Report)).collect()
    }

    fn perform(&mut self, state: &mut State, effects: Vec<Effect>) -> Result<Flow, TuiError> {
        for effect in effects {
            self.log.effect(&effect);
            match effect {
                Effect::Submit { slot, request } => {
                    let id = self.worker.submit(slot, request);
                    self.learn(Msg::Started(slot, id), state);
                }
                Effect::Cancel(slot) => self.worker.cancel(slot),
                Effect::SaveSession { file, saved } => {
                    let written = saved.save(&file).map(|()| format!("saved {}", file.display()));
                    self.learn(Msg::Written(written), state);
                }
                Effect::SaveFigures { folder, figures } => {
                    let written = write_figures(&folder, FileFormat::Json, &figures);
                    let said = |files: Vec<PathBuf>| format!("{} files in {}", files.len(), folder.display());
                    self.learn(Msg::Written(written.map(said)), state);
                }
                Effect::Export { file, ending, if_there, figures } => {
                    self.write(Task::File { file, ending, if_there, figures }, state);
                }
                Effect::Encode { ending, figures } => self.write(Task::Text { ending, figures }, state),
                Effect::Suspend => {
                    self.screen.suspend()?;
                    self.screen.mouse(state.mouse())?;
                    // a window may have changed while nobody listened
                    let (width, height) = self.screen.size()?;
                    let asked = state.update(Msg::Input(InputEvent::Resize(width, height)));
                    if self.perform(state, asked)? == Flow::Quit {
                        return Ok(Flow::Quit);
                    }
                }
                Effect::Mouse(whose) => self.screen.mouse(whose)?,
                Effect::Copy(text) => {
                    self.learn(Msg::Copied(clipboard::copy(&text)), state);
                }
                Effect::Quit => return Ok(Flow::Quit),
            }
        }
        Ok(Flow::On)
    }

    fn write(&mut self, task: Task, state: &mut State) {
        if let Some(refused) = self.writer.give(task) {
            self.learn(refused, state);
        }
    }

    /// Tells the state what was done, which asks for nothing.
    fn learn(&mut self, msg: Msg, state: &mut State) {
        self.log.message(&msg);
        let _ = state.update(msg);
    }
}

/// What the mouse was used on, as of the last frame.
fn aimed(msg: Msg, hits: &Hits) -> Msg {
    match msg {
        Msg::Input(InputEvent::Mouse(pointing)) => Msg::Pointed(hits.actions(pointing)),
        other => other,
    }
}
