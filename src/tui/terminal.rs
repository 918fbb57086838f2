//! The terminal in raw mode on its alternate screen, and back again whatever happens.

use std::io::{self, IsTerminal as _, Stdout};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crossterm::cursor::Show;
use crossterm::event::{DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture};
use crossterm::execute;
use crossterm::style::{Print, force_color_output};
use crossterm::terminal::{
    Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;

use super::TuiError;
use super::mouse::MouseUse;
use super::named::Named;

/// Columns stay where they are written: a terminal that orders lines by direction, as ECMA-48 has it, leaves that to us.
const KEEP_ORDER: &str = if cfg!(unix) { "\x1b[8l" } else { "" };
/// The terminal orders lines again.
const ORDER: &str = if cfg!(unix) { "\x1b[8h" } else { "" };

/// A terminal that is restored when this is dropped, or when any thread but the worker panics.
pub(super) struct Screen {
    terminal: Terminal<CrosstermBackend<Named<Stdout>>>,
}

impl Screen {
    /// Takes the terminal over.
    pub(super) fn enter() -> Result<Self, TuiError> {
        require_terminal()?;
        restore_on_panic();
        enable_raw_mode()?;
        // which colours are written is decided by the theme, which knows of NO_COLOR and of what was asked for instead
        force_color_output(true);
        let entered = execute!(io::stdout(), EnterAlternateScreen, EnableBracketedPaste, Print(KEEP_ORDER));
        let terminal = entered.and_then(|()| terminal());
        match terminal {
            Ok(terminal) => Ok(Self { terminal }),
            Err(error) => {
                restore();
                Err(error.into())
            }
        }
    }

    /// Gives the terminal back, stops the process, and takes the terminal over again once it goes on.
    #[cfg(unix)]
    pub(super) fn suspend(&mut self) -> Result<(), TuiError> {
        restore();
        // not the stop that we catch ourselves
        signal_hook::low_level::raise(signal_hook::consts::SIGSTOP)?;
        enable_raw_mode()?;
        execute!(io::stdout(), EnterAlternateScreen, EnableBracketedPaste, Print(KEEP_ORDER), Clear(ClearType::All))?;
        // a new one draws every cell; clearing the old one would ask the terminal, which the input thread listens to
        self.terminal = terminal()?;
        Ok(())
    }

    /// There is no shell to go back to.
    #[cfg(not(unix))]
    #[expect(clippy::unused_self, reason = "as on Unix")]
    pub(super) fn suspend(&mut self) -> Result<(), TuiError> {
        Ok(())
    }

    /// Draws one frame; answers what the drawing answers.
    pub(super) fn draw<T: Default>(&mut self, draw: impl FnOnce(&mut ratatui::Frame<'_>) -> T) -> io::Result<T> {
        let mut answer = T::default();
        self.terminal.draw(|frame| answer = draw(frame))?;
        Ok(answer)
    }

    /// Columns and rows.
    pub(super) fn size(&self) -> io::Result<(u16, u16)> {
        self.terminal.size().map(|size| (size.width, size.height))
    }

    /// Takes the mouse, or leaves it to the terminal.
    pub(super) fn mouse(&mut self, whose: MouseUse) -> io::Result<()> {
        match whose {
            MouseUse::Ours => execute!(self.terminal.backend_mut(), EnableMouseCapture),
            MouseUse::Terminal => execute!(self.terminal.backend_mut(), DisableMouseCapture),
        }
    }
}

fn terminal() -> io::Result<Terminal<CrosstermBackend<Named<Stdout>>>> {
    Terminal::new(CrosstermBackend::new(Named::new(io::stdout())))
}

impl Drop for Screen {
    fn drop(&mut self) {
        restore();
    }
}

/// A flag that is set when the process is asked to stop by another.
#[cfg(unix)]
pub(super) fn stop_flag() -> io::Result<Arc<AtomicBool>> {
    let flag = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(signal_hook::consts::SIGTSTP, Arc::clone(&flag))?;
    Ok(flag)
}

/// Nobody asks.
#[cfg(not(unix))]
pub(super) fn stop_flag() -> io::Result<Arc<AtomicBool>> {
    Ok(Arc::default())
}

fn require_terminal() -> Result<(), TuiError> {
    match (io::stdin().is_terminal(), io::stdout().is_terminal()) {
        (true, true) => Ok(()),
        (false, _) => Err(TuiError::NotATerminal { stream: "input" }),
        (true, false) => Err(TuiError::NotATerminal { stream: "output" }),
    }
}

fn restore() {
    // nobody is left to tell if the terminal is gone
    let _ = disable_raw_mode();
    let _ =
        execute!(io::stdout(), DisableMouseCapture, DisableBracketedPaste, Print(ORDER), LeaveAlternateScreen, Show);
}

/// A panic of the worker is reported on the screen; any other one ends the program, which must leave a usable terminal.
fn restore_on_panic() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if std::thread::current().name() == Some("model-worker") {
            return;
        }
        restore();
        before(info);
    }));
}
