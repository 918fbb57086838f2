//! The real binary in a pty: waiting for what must be seen, never for a time.

use std::io::{Read as _, Write as _};
use std::num::NonZero;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) const fn size(n: u16) -> NonZero<u16> {
    NonZero::new(n).unwrap()
}

pub(super) struct Session {
    pub(super) child: Box<dyn Child + Send + Sync>,
    pub(super) master: Box<dyn MasterPty + Send>,
    keys: Box<dyn std::io::Write + Send>,
    pub(super) output: Receiver<Vec<u8>>,
    pub(super) screen: vt100::Parser,
    /// Everything that the terminal was sent.
    pub(super) sent: Vec<u8>,
    /// Where sessions are rescued.
    pub(super) states: tempfile::TempDir,
}

impl Session {
    fn start() -> Self {
        Self::start_with(&["tui"], tempfile::tempdir().unwrap())
    }

    pub(super) fn start_with(args: &[&str], states: tempfile::TempDir) -> Self {
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_lmscope"));
        command.args(args);
        Self::spawn(command, states)
    }

    /// A program on a terminal of 80x24.
    pub(super) fn spawn(mut command: CommandBuilder, states: tempfile::TempDir) -> Self {
        let pair =
            native_pty_system().openpty(PtySize { rows: 24, cols: 80, pixel_width: 0, pixel_height: 0 }).unwrap();
        command.env("XDG_STATE_HOME", states.path());
        command.env("XDG_CONFIG_HOME", states.path());
        // what a key writes is written there
        command.cwd(states.path());
        command.env("TERM", "xterm-256color");
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let mut reader = pair.master.try_clone_reader().unwrap();
        let (sender, output) = channel();
        std::thread::Builder::new()
            .name("pty".into())
            .spawn(move || {
                let mut bytes = [0; 4096];
                while let Ok(n @ 1..) = reader.read(&mut bytes) {
                    if sender.send(bytes[..n].to_vec()).is_err() {
                        return;
                    }
                }
            })
            .unwrap();
        let keys = pair.master.take_writer().unwrap();
        let screen = vt100::Parser::new(size(24), size(80), 0);
        Self { child, master: pair.master, keys, output, screen, sent: Vec::new(), states }
    }

    /// Shows what was sent.
    pub(super) fn take(&mut self, bytes: &[u8]) {
        self.sent.extend(bytes);
        self.screen.process(bytes);
    }

    pub(super) fn wait(&mut self, what: &str, holds: impl Fn(&vt100::Screen) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !holds(self.screen.screen()) {
            match self.output.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(bytes) => self.take(&bytes),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    panic!("waited for {what}, saw:\n{}", self.screen.screen().contents())
                }
            }
        }
    }

    pub(super) fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    pub(super) fn ends_restored(&mut self) {
        self.wait("the main screen", |screen| !screen.alternate_screen() && !screen.hide_cursor());
        assert!(self.child.wait().unwrap().success());
    }
}

#[test]
fn it_shows_a_distribution_follows_keys_and_quits() {
    let mut session = Session::start();
    session.wait("the first frame", |screen| screen.contents().contains("1 Step"));
    session.wait("the distribution", |screen| screen.contents().contains("entropy"));
    session.press("4");
    session.wait("the lens", |screen| screen.contents().contains("if the model stopped here"));
    session.press("q");
    session.ends_restored();
}

#[test]
fn it_follows_a_resize_and_ctrl_c_restores_the_terminal() {
    let mut session = Session::start();
    session.wait("the first frame", |screen| screen.contents().contains("1 Step"));
    session.master.resize(PtySize { rows: 8, cols: 30, pixel_width: 0, pixel_height: 0 }).unwrap();
    session.screen.screen_mut().set_size(size(8), size(30));
    session.wait("the size that is needed", |screen| screen.contents().contains("40x10"));
    session.press("\x03");
    session.ends_restored();
}

/// Waits for the end of the process; its exit code.
pub(super) fn exit_code(child: &mut Box<dyn Child + Send + Sync>) -> u32 {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait().unwrap() {
            return status.exit_code();
        }
        std::thread::park_timeout(Duration::from_millis(10));
    }
    child.kill().unwrap();
    panic!("it goes on although nobody can see it");
}

#[test]
fn a_request_to_end_restores_the_terminal() {
    // a window that is closed sends HUP
    for signal in ["-TERM", "-HUP"] {
        let mut session = Session::start();
        session.wait("the end of all work", |screen| screen.contents().contains("✓"));
        let id = session.child.process_id().unwrap().to_string();
        assert!(std::process::Command::new("kill").args([signal, &id]).status().unwrap().success());
        session.wait("the main screen", |screen| !screen.alternate_screen() && !screen.hide_cursor());
        assert_eq!(exit_code(&mut session.child), 130, "{signal}");
    }
}

#[test]
fn what_was_explored_is_rescued_and_offered() {
    let mut session = Session::start();
    session.wait("the distribution", |screen| screen.contents().contains("entropy"));
    session.press("2rhope\r");
    session.wait("the name", |screen| screen.contents().contains("hope"));
    let id = session.child.process_id().unwrap().to_string();
    assert!(std::process::Command::new("kill").args(["-HUP", &id]).status().unwrap().success());
    assert_eq!(exit_code(&mut session.child), 130);
    let mut session = Session::start_with(&["tui"], session.states);
    session.wait("the offer", |screen| screen.contents().contains("lmscope --recover"));
    session.press("q");
    session.ends_restored();
    let mut session = Session::start_with(&["--recover"], session.states);
    session.wait("the session", |screen| screen.contents().contains("hope"));
    session.press("q");
    session.ends_restored();
    let left = std::fs::read_dir(session.states.path().join("lmscope")).unwrap().count();
    assert_eq!(left, 0, "it was gone on with and left");
}

/// The state of a process, as `ps` writes it: T is stopped.
fn process_state(id: &str) -> String {
    let output = std::process::Command::new("ps").args(["-o", "stat=", "-p", id]).output().unwrap();
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn wait_until_stopped(id: &str) {
    let deadline = Instant::now() + PATIENCE;
    while !process_state(id).starts_with('T') {
        assert!(Instant::now() < deadline, "it goes on: {}", process_state(id));
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

#[test]
fn it_is_suspended_and_goes_on_where_it_was() {
    let mut session = Session::start();
    let id = session.child.process_id().unwrap().to_string();
    let signal = |name: &str| assert!(std::process::Command::new("kill").args([name, &id]).status().unwrap().success());
    session.wait("the distribution", |screen| screen.contents().contains("entropy"));
    let ask: [&dyn Fn(&mut Session); 2] = [&|session| session.press("\x1a"), &|_| signal("-TSTP")];
    for ask in ask {
        ask(&mut session);
        session.wait("the main screen", |screen| !screen.alternate_screen() && !screen.hide_cursor());
        wait_until_stopped(&id);
        signal("-CONT");
        session.wait("all of the screen again", |screen| {
            screen.alternate_screen() && screen.contents().contains("entropy") && screen.contents().contains("1 Step")
        });
    }
    session.press("4");
    session.wait("the lens", |screen| screen.contents().contains("if the model stopped here"));
    session.press("q");
    session.ends_restored();
}

#[test]
fn what_it_does_is_logged_with_times() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("log");
    let mut session = Session::start_with(&["tui", "--log", file.to_str().unwrap()], tempfile::tempdir().unwrap());
    session.wait("the distribution", |screen| screen.contents().contains("entropy"));
    session.press("q");
    session.ends_restored();
    let log = std::fs::read_to_string(&file).unwrap();
    for what in [" s  asked: Load", "asked: Tokenise", "job 1 finished", "quit"] {
        assert!(log.contains(what), "{what}:\n{log}");
    }
}
