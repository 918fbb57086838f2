//! What was explored outlives a panic of the program, and the terminal is restored.
//!
//! The binary has nothing that makes it panic. The test starts itself once more, in a terminal, and runs the terminal UI
//! there with a log that panics when the mouse is given away: a panic on the thread of the screen, between two effects.

use std::io::Write;
use std::path::{Path, PathBuf};

use lmscope::model::CancelToken;
use lmscope::tui::{self, Log, SessionOptions, TuiOptions};
use portable_pty::CommandBuilder;

use super::pty::{Session, exit_code};

/// Where the child rescues the session; only a child has it.
const FILE: &str = "LMSCOPE_TEST_RESCUE_FILE";
const NAME: &str = "tui::rescue::what_was_explored_outlives_a_panic";
/// What libtest ends with after a failed test.
const FAILED: u32 = 101;

/// Refuses to write one line.
struct Fragile;

impl Write for Fragile {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        assert!(!text.contains("the mouse changes hands"), "the log fell apart");
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn run_until_it_panics(file: PathBuf) {
    let session = SessionOptions { model: "slide".into(), rescue: Some(file), ..SessionOptions::default() };
    let options = TuiOptions { session, ..TuiOptions::default() };
    tui::run(options, &CancelToken::default(), Log::to(Box::new(Fragile))).unwrap();
}

/// This test in a terminal of its own.
fn child(states: tempfile::TempDir, file: &Path) -> Session {
    let mut command = CommandBuilder::new(std::env::current_exe().unwrap());
    command.args(["--exact", NAME, "--nocapture", "--test-threads=1"]);
    command.env(FILE, file);
    Session::spawn(command, states)
}

#[test]
fn what_was_explored_outlives_a_panic() {
    if let Some(file) = std::env::var_os(FILE) {
        run_until_it_panics(file.into());
        return;
    }
    let states = tempfile::tempdir().unwrap();
    let file = states.path().join("lmscope").join("slide.lmscope");
    let mut session = child(states, &file);
    session.wait("the distribution", |screen| screen.contents().contains("entropy"));
    session.press("2rhope\r");
    session.wait("the name", |screen| screen.contents().contains("hope"));
    assert!(!file.exists());
    session.press("1m");
    session.wait("the main screen with the reason", |screen| {
        !screen.alternate_screen() && !screen.hide_cursor() && screen.contents().contains("the log fell apart")
    });
    assert_eq!(exit_code(&mut session.child), FAILED);
    assert!(file.exists(), "{}", file.display());

    let mut session = Session::start_with(&["tui"], session.states);
    session.wait("the offer", |screen| screen.contents().contains("lmscope --recover"));
    session.press("q");
    session.ends_restored();
    let mut session = Session::start_with(&["--recover"], session.states);
    session.wait("the distribution", |screen| screen.contents().contains("entropy"));
    session.press("2");
    session.wait("the name", |screen| screen.contents().contains("hope"));
    session.press("q");
    session.ends_restored();
}
