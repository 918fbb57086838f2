//! The one loop: a frame, then whatever happened, then a frame. It waits for messages and for nothing else.

use std::time::Duration;

use crossbeam_channel::{Receiver, never, select};

use super::app::{Msg, State};
use super::effect::Effect;
use super::input::{InputEvent, InputThread};
use super::terminal::Screen;
use super::theme::{Environment, Theme};
use super::{TuiError, TuiOptions, screen};
use crate::engine::Engine;
use crate::engine::worker::{Report, Worker};
use crate::model::CancelToken;

/// How often a busy screen is drawn anew.
const TICK: Duration = Duration::from_millis(100);
/// How long a digit may be the start of a count.
const PAUSE: Duration = Duration::from_millis(400);
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
pub fn run(options: TuiOptions, end: &CancelToken) -> Result<(), TuiError> {
    let theme = Theme::new(&environment());
    let engine = Engine::remembering(options.heads.clone());
    let (mut state, first) = State::new(options, theme);
    let mut screen = Screen::enter()?;
    screen.draw(|frame| screen::render(&state, frame.area(), frame.buffer_mut()))?;
    let thread = |name| move |source| TuiError::Thread { name, source };
    let (worker, reports) = Worker::spawn(engine).map_err(thread("model-worker"))?;
    let (_input, inputs) = InputThread::spawn().map_err(thread("input"))?;
    let mut runtime = Runtime { worker, inputs, reports, end: end.clone() };
    runtime.perform(&mut state, first);
    runtime.run(&mut state, &mut screen)?;
    runtime.worker.shut_down(PATIENCE);
    Ok(())
}

/// The environment, read here and nowhere else.
fn environment() -> Environment {
    let read = |name| std::env::var(name).ok();
    Environment {
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
    end: CancelToken,
}

/// Whether the loop goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    On,
    Quit,
}

impl Runtime {
    fn run(&mut self, state: &mut State, screen: &mut Screen) -> Result<(), TuiError> {
        loop {
            screen.draw(|frame| screen::render(state, frame.area(), frame.buffer_mut()))?;
            let first = self.wait(state);
            let waiting = self.drain();
            for msg in std::iter::once(first).chain(waiting) {
                let effects = state.update(msg);
                if self.perform(state, effects) == Flow::Quit {
                    return Ok(());
                }
            }
        }
    }

    /// The next message; while jobs are under way it is a tick at the latest.
    fn wait(&self, state: &State) -> Msg {
        let tick = if state.is_busy() { crossbeam_channel::after(TICK) } else { never() };
        let idle = if state.awaits_idleness() { crossbeam_channel::after(IDLE) } else { never() };
        let pause = if state.is_counting() { crossbeam_channel::after(PAUSE) } else { never() };
        loop {
            select! {
                recv(self.inputs) -> input => return Msg::Input(input.unwrap_or(InputEvent::Closed)),
                recv(self.reports) -> report => return report.map_or(Msg::Input(InputEvent::Closed), Msg::Report),
                recv(tick) -> _ => return Msg::Tick,
                recv(pause) -> _ => return Msg::Pause,
                recv(idle) -> _ => return Msg::Idle,
                // not the input thread's business: reading from a terminal that is gone never comes back
                default(ATTENTION) => if self.end.is_cancelled() { return Msg::Input(InputEvent::Closed) },
            }
        }
    }

    /// Everything that has arrived by now.
    fn drain(&self) -> Vec<Msg> {
        let inputs = self.inputs.try_iter().map(Msg::Input);
        inputs.chain(self.reports.try_iter().map(Msg::Report)).collect()
    }

    fn perform(&mut self, state: &mut State, effects: Vec<Effect>) -> Flow {
        for effect in effects {
            match effect {
                Effect::Submit { slot, request } => {
                    let id = self.worker.submit(slot, request);
                    // learning an id asks for nothing
                    let _ = state.update(Msg::Started(slot, id));
                }
                Effect::Cancel(slot) => self.worker.cancel(slot),
                Effect::Quit => return Flow::Quit,
            }
        }
        Flow::On
    }
}
