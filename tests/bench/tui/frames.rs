//! Frames without a terminal: a key, what it changes, the drawing, and the bytes that a terminal would get.

use std::path::Path;
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;
use crossterm::event::KeyCode;
use lmscope::engine::Engine;
use lmscope::engine::worker::{Report, Worker};
use lmscope::model::source::ModelSource;
use lmscope::tui::input::{InputEvent, Key};
use lmscope::tui::theme::{Environment, Theme};
use lmscope::tui::view::{VIEWS, ViewName};
use lmscope::tui::{Effect, Msg, State, TuiOptions, screen};
use ratatui::backend::CrosstermBackend;
use ratatui::layout::Rect;
use ratatui::{Terminal, TerminalOptions, Viewport};

use crate::session::SessionError;
use crate::{N_LONG, N_TOKENS, SIZE, Times, model};

const FRAMES: usize = 400;
const FRAMES_A_POSITION: usize = 200;
/// How long a view is measured at most: where each move of the cursor asks for a forward pass, the frames are few.
const LIMIT: Duration = Duration::from_secs(30);
/// Tokens of the prompt where filling a view runs the model once a cell or once a node.
const N_SHORT: usize = 40;
/// Continuations in the tree, more than there are rows.
const N_NODES: usize = 80;

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

    fn give(&mut self, input: InputEvent) {
        let effects = self.state.update(Msg::Input(input));
        self.perform(effects);
    }

    fn press(&mut self, key: Key) {
        self.give(InputEvent::Key(key));
    }

    fn type_in(&mut self, text: &str) {
        self.give(InputEvent::Paste(text.into()));
        self.press(Key::plain(KeyCode::Enter));
        self.settle();
    }

    fn draw(&mut self) {
        let draw = |frame: &mut ratatui::Frame<'_>| drop(screen::render(&self.state, frame.area(), frame.buffer_mut()));
        self.terminal.draw(draw).unwrap();
    }
}

/// What a view needs besides a prompt before it shows something.
fn fill(ui: &mut Ui, name: ViewName, folder: &Path) {
    match name {
        ViewName::Patch | ViewName::Compare => {
            let corrupted = model::corrupted(folder, &ui.state.session().text());
            ui.press(Key::char('c'));
            ui.press(Key::ctrl('u'));
            ui.type_in(&corrupted);
        }
        ViewName::Evals => ui.press(Key::plain(KeyCode::Enter)),
        ViewName::Tree => grow(ui),
        ViewName::Step | ViewName::Attention | ViewName::Lens | ViewName::Why | ViewName::Model => {}
    }
    ui.settle();
}

/// Tries one continuation after the other.
fn grow(ui: &mut Ui) {
    ui.press(Key::char('1'));
    for at in 0..N_NODES {
        ui.press(Key::char('+'));
        ui.type_in(&format!("the cat {at}"));
        ui.press(Key::char('u'));
        ui.settle();
    }
    ui.press(Key::char('2'));
}

/// Prints a line a view: its cursor moves, then the position does.
pub(super) fn views(folder: &Path) -> Result<(), SessionError> {
    let mut long = Ui::new(folder, &model::prompt(folder, N_TOKENS));
    let mut short = Ui::new(folder, &model::prompt(folder, N_SHORT));
    for name in VIEWS.iter().map(|make| make().name()) {
        let (ui, n_tokens) = match name {
            ViewName::Tree | ViewName::Patch | ViewName::Evals => (&mut short, N_SHORT),
            _ => (&mut long, N_TOKENS),
        };
        let mut times = measure(ui, folder, name);
        println!("{}", times.line(&format!("{}, {n_tokens} tokens", name.title())));
    }
    Ok(())
}

fn measure(ui: &mut Ui, folder: &Path, name: ViewName) -> Times {
    ui.settle();
    ui.press(Key::char(name.digit()));
    ui.settle();
    fill(ui, name, folder);
    assert!(!ui.state.figures().is_empty(), "{} has nothing to show", name.title());
    moved(ui)
}

/// Prints a line for four panels that follow one position, and one with one of them pinned.
pub(super) fn panels(folder: &Path) -> Result<(), SessionError> {
    let mut ui = Ui::new(folder, &model::prompt(folder, N_TOKENS));
    ui.give(InputEvent::Resize(SIZE.0, SIZE.1));
    ui.settle();
    // Step and Attention, Why and Lens, which has the keys
    for key in "|5-4,,-3..".chars() {
        ui.press(Key::char(key));
        ui.settle();
    }
    println!("{}", moved(&mut ui).line("four that follow"));
    ui.press(Key::char(','));
    ui.press(Key::char('P'));
    ui.press(Key::char('.'));
    println!("{}", moved(&mut ui).line("three, and Why pinned"));
    Ok(())
}

/// The cursor moves, then the position does.
fn moved(ui: &mut Ui) -> Times {
    let (mut times, begun) = (Times::default(), Instant::now());
    for frame in (0..FRAMES).take_while(|_| begun.elapsed() < LIMIT) {
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
    times
}

/// Prints a line for what the selected token looks at and one for what looks at it, by weight and by what is written, with
/// and without the first token: the position moves, and no forward pass is asked for.
pub(super) fn attention(folder: &Path) -> Result<(), SessionError> {
    let mut ui = Ui::new(folder, &model::prompt(folder, N_LONG));
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
    Ok(())
}
