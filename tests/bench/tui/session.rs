//! The real binary in a pty, whose output is noted with the time when it came.

use std::io::{Read as _, Write};
use std::num::NonZero;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

use crate::SIZE;

/// Why something was not seen.
#[derive(Debug, thiserror::Error)]
pub(super) enum SessionError {
    /// It takes too long.
    #[error("waited {} s for {what}, saw:\n{screen}", limit.as_secs())]
    Late { what: &'static str, limit: Duration, screen: String },
    /// It will not be seen any more.
    #[error("the program ended before {what}, saw:\n{screen}")]
    Ended { what: &'static str, screen: String },
}

/// Bytes of the program, and when they came.
type Chunk = (Instant, Vec<u8>);

/// The program with a prompt on its screen.
pub(super) struct Session {
    child: Box<dyn Child + Send + Sync>,
    _master: Box<dyn MasterPty + Send>,
    keys: Box<dyn Write + Send>,
    output: Receiver<Chunk>,
    screen: vt100::Parser,
}

impl Session {
    /// Starts it with a model and a prompt.
    pub(super) fn start(folder: &Path, text: &str) -> Self {
        let size = PtySize { rows: SIZE.1, cols: SIZE.0, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).unwrap();
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_lmscope"));
        command.args(["tui", "--no-config", "--model", folder.to_str().unwrap(), text]);
        command.env("TERM", "xterm-256color");
        command.env("XDG_CACHE_HOME", folder);
        command.env("XDG_STATE_HOME", folder);
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let mut reader = pair.master.try_clone_reader().unwrap();
        let (sender, output) = channel();
        let read = move || {
            let mut bytes = [0; 4096];
            while let Ok(n @ 1..) = reader.read(&mut bytes) {
                if sender.send((Instant::now(), bytes[..n].to_vec())).is_err() {
                    return;
                }
            }
        };
        std::thread::Builder::new().name("pty".into()).spawn(read).unwrap();
        let keys = pair.master.take_writer().unwrap();
        let size = |n| NonZero::new(n).unwrap();
        Self { child, _master: pair.master, keys, output, screen: vt100::Parser::new(size(SIZE.1), size(SIZE.0), 0) }
    }

    /// Whether a text is on the screen.
    pub(super) fn shows(&self, what: &str) -> bool {
        self.screen.screen().contents().contains(what)
    }

    /// When the bytes came after which this held.
    pub(super) fn wait(
        &mut self,
        what: &'static str,
        limit: Duration,
        holds: impl Fn(&Self) -> bool,
    ) -> Result<Instant, SessionError> {
        let deadline = Instant::now() + limit;
        let mut came = Instant::now();
        while !holds(self) {
            let chunk = self.output.recv_timeout(deadline.saturating_duration_since(Instant::now()));
            let (at, bytes) = chunk.map_err(|reason| self.unseen(what, limit, reason))?;
            self.screen.process(&bytes);
            came = at;
        }
        Ok(came)
    }

    fn unseen(&self, what: &'static str, limit: Duration, reason: RecvTimeoutError) -> SessionError {
        let screen = self.screen.screen().contents();
        match reason {
            RecvTimeoutError::Timeout => SessionError::Late { what, limit, screen },
            RecvTimeoutError::Disconnected => SessionError::Ended { what, screen },
        }
    }

    /// Takes what has come by now.
    pub(super) fn catch_up(&mut self) {
        while let Ok((_, bytes)) = self.output.try_recv() {
            self.screen.process(&bytes);
        }
    }

    /// Sends what a terminal sends for some keys.
    pub(super) fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // it may have ended by itself
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
