//! Frames without a terminal: a key, what it changes, the drawing, and the bytes that a terminal would get.

use std::path::Path;
use std::time::Instant;

use crossbeam_channel::Receiver;
use crossterm::event::KeyCode;
use lmscope::engine::Engine;
use lmscope::engine::worker::{Report, Worker};
use lmscope::model::source::ModelSource;
use lmscope::tui::input::{InputEvent, Key};
use lmscope::tui::theme::{Environment, Theme};
use lmscope::tui::view::VIEWS;
use lmscope::tui::{Effect, Msg, State, TuiOptions, screen};
use ratatui::backend::CrosstermBackend;
use ratatui::layout::Rect;
use ratatui::{Terminal, TerminalOptions, Viewport};

use crate::{SIZE, Times};

const FRAMES: usize = 400;
const FRAMES_A_POSITION: usize = 200;

/// A screen with a worker, and no terminal.
struct Ui {
    state: State,
    worker: Worker,
    reports: Receiver<Report>,
    terminal: Terminal<CrosstermBackend<std::io::Sink>>,
}

impl Ui {
    fn new(folder: &Path, text: &str) -> Self {
        let (worker, reports) = Worker::spawn(Engine::default()).unwrap();
        let source = ModelSource::Directory(folder.to_path_buf());
        let options = TuiOptions { source, prompt: Some(text.into()), ..TuiOptions::default() };
        let environment = Environment { colorterm: Some("truecolor".into()), ..Environment::default() };
        let (state, first) = State::new(options, Theme::new(&environment));
        let viewport = Viewport::Fixed(Rect::new(0, 0, SIZE.0, SIZE.1));
        let terminal =
            Terminal::with_options(CrosstermBackend::new(std::io::sink()), TerminalOptions { viewport }).unwrap();
        let mut ui = Self { state, worker, reports, terminal };
        ui.perform(first);
        ui
    }

    fn perform(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Submit { slot, request } => {
                    let id = self.worker.submit(slot, request);
                    self.state.update(Msg::Started(slot, id));
                }
                Effect::Cancel(slot) => self.worker.cancel(slot),
                _ => panic!("no key of the benchmark does more than ask the model"),
            }
        }
    }

    /// Until nothing is under way.
    fn settle(&mut self) {
        while self.state.is_busy() {
            let report = self.reports.recv().unwrap();
            let effects = self.state.update(Msg::Report(report));
            self.perform(effects);
        }
    }

    fn press(&mut self, key: Key) {
        let effects = self.state.update(Msg::Input(InputEvent::Key(key)));
        self.perform(effects);
    }

    fn draw(&mut self) {
        let draw = |frame: &mut ratatui::Frame<'_>| drop(screen::render(&self.state, frame.area(), frame.buffer_mut()));
        self.terminal.draw(draw).unwrap();
    }
}

/// Prints a line a view: its cursor moves, then the position does.
pub(super) fn measure(folder: &Path, text: &str) {
    let mut ui = Ui::new(folder, text);
    ui.settle();
    for make in VIEWS {
        let mut times = Times::default();
        for frame in 0..FRAMES {
            // now and then a new position, which asks for a new forward pass
            let key = [KeyCode::Down, KeyCode::Down, KeyCode::Up][frame % 3];
            let key = if frame % FRAMES_A_POSITION == 0 { KeyCode::Left } else { key };
            let start = Instant::now();
            ui.press(Key::plain(key));
            ui.draw();
            times.0.push(start.elapsed());
            ui.settle();
            let start = Instant::now();
            ui.draw();
            times.0.push(start.elapsed());
        }
        println!("{}", times.line(make().name().title()));
        ui.press(Key::plain(KeyCode::Tab));
        ui.settle();
    }
}

/// Prints a line for what the selected token looks at and one for what looks at it, by weight and by what is written, with
/// and without the first token: the position moves, and no forward pass is asked for.
pub(super) fn measure_attention(folder: &Path, text: &str) {
    let mut ui = Ui::new(folder, text);
    ui.settle();
    ui.press(Key::char('3'));
    ui.settle();
    for side in ["from", "to"] {
        let mut times = Times::default();
        for frame in 0..FRAMES {
            let key = match frame % 20 {
                5 | 15 => Key::char('v'),
                10 => Key::char('s'),
                _ => Key::plain(KeyCode::Left),
            };
            let start = Instant::now();
            ui.press(key);
            ui.draw();
            times.0.push(start.elapsed());
            assert!(!ui.state.is_busy(), "what is drawn is there already");
        }
        println!("{}", times.line(side));
        ui.press(Key::plain(KeyCode::End));
        ui.press(Key::char('t'));
    }
}
