//! Every key of the table is pressed in the real binary, in every place where it counts.
//!
//! The embedded model is driven; `LMSCOPE_DRIVE_MODEL=PATH` drives another one as well.

use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use crossterm::event::{KeyCode, KeyModifiers};
use lmscope::tui::action::Action;
use lmscope::tui::input::Key;
use lmscope::tui::keymap::{Context, KEYMAP, key_name};
use lmscope::tui::view::VIEWS;
use portable_pty::PtySize;

use super::pty::{Session, size};

/// Nothing is drawn for so long once a key was dealt with.
const QUIET: Duration = Duration::from_millis(30);
/// A spinner draws on; then this is long enough.
const LONGEST: Duration = Duration::from_millis(250);

/// What a terminal sends for a key.
pub(super) fn bytes(key: Key) -> String {
    let plain = match key.code {
        KeyCode::Char(c) if key.modifiers == KeyModifiers::CONTROL => char::from(c as u8 & 0x1f).to_string(),
        KeyCode::Char(c) => c.to_string(),
        KeyCode::Enter => "\r".into(),
        KeyCode::Esc => "\x1b".into(),
        KeyCode::Tab => "\t".into(),
        KeyCode::BackTab => "\x1b[Z".into(),
        KeyCode::Backspace => "\x7f".into(),
        KeyCode::Delete => "\x1b[3~".into(),
        KeyCode::PageUp => "\x1b[5~".into(),
        KeyCode::PageDown => "\x1b[6~".into(),
        KeyCode::Up => "\x1b[A".into(),
        KeyCode::Down => "\x1b[B".into(),
        KeyCode::Right => "\x1b[C".into(),
        KeyCode::Left => "\x1b[D".into(),
        KeyCode::Home => "\x1b[H".into(),
        KeyCode::End => "\x1b[F".into(),
        KeyCode::F(1) => "\x1bOP".into(),
        other => panic!("no bytes are known for {other}"),
    };
    if key.modifiers == KeyModifiers::ALT { format!("\x1b{plain}") } else { plain }
}

/// The keys that lead into a context, from any view.
fn way_in(context: Context) -> String {
    let view = VIEWS.iter().map(|make| make()).find(|view| view.context() == context);
    match (view, context) {
        (Some(view), _) => view.name().digit().to_string(),
        (None, Context::Global) => "1".into(),
        (None, Context::Editing) => "1i".into(),
        (None, Context::Typing) => "6c".into(),
        (None, Context::Exporting) => "1e".into(),
        (None, Context::Interventions) => "1d".into(),
        (None, Context::Picker) => "1:".into(),
        (None, Context::Help) => "1?".into(),
        // a file that cannot be written
        (None, Context::Error) => "1w\x15/0/0\r".into(),
        (None, other) => panic!("no way into {other:?} is known"),
    }
}

impl Session {
    /// Until what a key did is drawn.
    pub(super) fn settle(&mut self) {
        let start = Instant::now();
        while start.elapsed() < LONGEST {
            match self.output.recv_timeout(QUIET) {
                Ok(bytes) => self.take(&bytes),
                Err(RecvTimeoutError::Timeout) => return,
                Err(RecvTimeoutError::Disconnected) => panic!("it ended:\n{}", self.screen.screen().contents()),
            }
        }
    }

    /// Presses one key at a time: an escape and what follows must not be taken for one key.
    pub(super) fn keys(&mut self, keys: &str) {
        for c in keys.chars() {
            self.press(&c.to_string());
            self.settle();
        }
    }

    fn is_sound(&mut self, after: &str) {
        let seen = self.screen.screen().contents();
        assert!(self.child.try_wait().unwrap().is_none(), "it ended after {after}:\n{seen}");
        assert!(!seen.contains("panicked"), "after {after}:\n{seen}");
        assert!(!seen.trim().is_empty(), "nothing is seen after {after}");
    }

    pub(super) fn resize(&mut self, columns: u16, rows: u16) {
        self.master.resize(PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 }).unwrap();
        self.screen.screen_mut().set_size(size(rows), size(columns));
        self.settle();
    }
}

fn start(model: &[&str]) -> Session {
    let args: Vec<&str> = ["tui"].into_iter().chain(model.iter().copied()).collect();
    let mut session = Session::start_with(&args, tempfile::tempdir().unwrap());
    session.wait("the distribution", |screen| screen.contents().contains("entropy"));
    session
}

/// The bindings that leave the program, or stop it until it is brought back, have tests of their own.
const fn is_tried(action: Action) -> bool {
    !matches!(action, Action::Quit | Action::Suspend)
}

fn drive(model: &[&str]) {
    let mut session = start(model);
    session.resize(120, 40);
    for context in Context::ALL {
        for binding in KEYMAP.iter().filter(|row| row.context == context && is_tried(row.action)) {
            for key in binding.keys.iter() {
                session.keys(&way_in(context));
                session.press(&bytes(*key));
                session.settle();
                session.is_sound(&format!("{} in {context:?}", key_name(*key)));
                session.keys("\x1b\x1b\x1b");
            }
        }
    }
    session.keys("1");
    session.wait("the step view", |screen| screen.contents().contains("entropy"));
    session.press("q");
    session.ends_restored();
}

#[test]
fn every_key_can_be_pressed_everywhere() {
    drive(&[]);
    if let Ok(model) = std::env::var("LMSCOPE_DRIVE_MODEL") {
        drive(&["-m", &model, "The capital of France is"]);
    }
}

#[test]
fn every_view_can_be_resized_while_it_works() {
    let mut session = start(&[]);
    for make in VIEWS {
        let view = make().name();
        session.resize(200, 60);
        // another position asks every view for another forward pass
        session.keys(&format!("{}h", view.digit()));
        for (columns, rows) in [(80, 24), (40, 10), (20, 5), (200, 60)] {
            session.resize(columns, rows);
            session.is_sound(&format!("{columns}x{rows} in {}", view.title()));
        }
        session.wait("the title of the view", |screen| screen.contents().contains(view.title()));
    }
    session.press("q");
    session.ends_restored();
}

#[test]
fn every_key_that_quits_does_so_where_it_counts() {
    for binding in KEYMAP.iter().filter(|row| row.action == Action::Quit) {
        for key in binding.keys.iter() {
            let mut session = start(&[]);
            session.keys(&way_in(binding.context));
            session.press(&bytes(*key));
            session.ends_restored();
        }
    }
}
