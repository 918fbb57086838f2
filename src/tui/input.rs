//! From the terminal's events to ours, and the thread that waits for them.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};
use crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEventKind};
use tui_input::InputRequest;

use super::mouse::{Gesture, Pointing};

/// A key with its modifiers; shift is part of a character.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key {
    /// The key.
    pub code: KeyCode,
    /// Ctrl, Alt, and Shift unless the key is a character.
    pub modifiers: KeyModifiers,
}

impl Key {
    /// A key alone.
    pub const fn plain(code: KeyCode) -> Self {
        Self { code, modifiers: KeyModifiers::NONE }
    }

    /// A character.
    pub const fn char(c: char) -> Self {
        Self::plain(KeyCode::Char(c))
    }

    /// A character with Ctrl.
    pub const fn ctrl(c: char) -> Self {
        Self { code: KeyCode::Char(c), modifiers: KeyModifiers::CONTROL }
    }
}

/// What comes from the terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InputEvent {
    /// A key was pressed.
    Key(Key),
    /// The mouse was used.
    Mouse(Pointing),
    /// A text was pasted.
    Paste(String),
    /// The terminal has a new size: columns, rows.
    Resize(u16, u16),
    /// The terminal is gone.
    Closed,
}

/// Our event for a terminal's event; `None` for those that mean nothing to us.
pub fn translate(event: Event) -> Option<InputEvent> {
    match event {
        Event::Key(key) if key.kind != KeyEventKind::Release => Some(InputEvent::Key(normalise(key))),
        Event::Mouse(mouse) => gesture(mouse.kind)
            .map(|gesture| InputEvent::Mouse(Pointing { column: mouse.column, row: mouse.row, gesture })),
        Event::Paste(text) => Some(InputEvent::Paste(text)),
        Event::Resize(width, height) => Some(InputEvent::Resize(width, height)),
        Event::Key(_) | Event::FocusGained | Event::FocusLost => None,
    }
}

const fn gesture(kind: MouseEventKind) -> Option<Gesture> {
    match kind {
        MouseEventKind::Down(MouseButton::Left) | MouseEventKind::Drag(MouseButton::Left) => Some(Gesture::Press),
        MouseEventKind::ScrollUp => Some(Gesture::WheelUp),
        MouseEventKind::ScrollDown => Some(Gesture::WheelDown),
        _ => None,
    }
}

fn normalise(key: KeyEvent) -> Key {
    let ours = KeyModifiers::CONTROL | KeyModifiers::ALT | KeyModifiers::SHIFT;
    let mut modifiers = key.modifiers & ours;
    if matches!(key.code, KeyCode::Char(_) | KeyCode::BackTab) {
        modifiers -= KeyModifiers::SHIFT;
    }
    Key { code: key.code, modifiers }
}

/// What a key does to a line of text; `None` if it is not an editing key.
pub fn editing_request(key: Key) -> Option<InputRequest> {
    let is = |modifiers| key.modifiers == modifiers;
    match key.code {
        KeyCode::Char(c) if is(KeyModifiers::NONE) => Some(InputRequest::InsertChar(c)),
        KeyCode::Char(c) if is(KeyModifiers::CONTROL) => control_request(c),
        KeyCode::Backspace if is(KeyModifiers::NONE) => Some(InputRequest::DeletePrevChar),
        KeyCode::Backspace => Some(InputRequest::DeletePrevWord),
        KeyCode::Delete => Some(InputRequest::DeleteNextChar),
        KeyCode::Left if is(KeyModifiers::NONE) => Some(InputRequest::GoToPrevChar),
        KeyCode::Right if is(KeyModifiers::NONE) => Some(InputRequest::GoToNextChar),
        KeyCode::Left => Some(InputRequest::GoToPrevWord),
        KeyCode::Right => Some(InputRequest::GoToNextWord),
        KeyCode::Home => Some(InputRequest::GoToStart),
        KeyCode::End => Some(InputRequest::GoToEnd),
        _ => None,
    }
}

const fn control_request(c: char) -> Option<InputRequest> {
    match c {
        'a' => Some(InputRequest::GoToStart),
        'e' => Some(InputRequest::GoToEnd),
        'b' => Some(InputRequest::GoToPrevChar),
        'f' => Some(InputRequest::GoToNextChar),
        'h' => Some(InputRequest::DeletePrevChar),
        'w' => Some(InputRequest::DeletePrevWord),
        'u' => Some(InputRequest::DeleteFromStart),
        'k' => Some(InputRequest::DeleteTillEnd),
        'y' => Some(InputRequest::Yank),
        _ => None,
    }
}

/// A thread that reads the terminal until it is dropped.
pub(super) struct InputThread {
    stop: Arc<AtomicBool>,
}

/// How long the thread waits before it looks whether it should stop.
const PATIENCE: Duration = Duration::from_millis(50);

impl InputThread {
    /// Starts reading.
    pub(super) fn spawn() -> io::Result<(Self, Receiver<InputEvent>)> {
        let (sender, receiver) = crossbeam_channel::unbounded();
        let stop = Arc::new(AtomicBool::new(false));
        let theirs = Arc::clone(&stop);
        std::thread::Builder::new().name("input".into()).spawn(move || read(&theirs, &sender))?;
        Ok((Self { stop }, receiver))
    }
}

impl Drop for InputThread {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn read(stop: &AtomicBool, sender: &Sender<InputEvent>) {
    while !stop.load(Ordering::Relaxed) {
        let event = match event::poll(PATIENCE) {
            Ok(false) => continue,
            Ok(true) => event::read().map(translate),
            Err(error) => Err(error),
        };
        let Ok(event) = event else {
            // whoever listened has gone too if this fails
            let _ = sender.send(InputEvent::Closed);
            return;
        };
        if event.is_some_and(|event| sender.send(event).is_err()) {
            return;
        }
    }
}
