//! The real binary in a pty: from the key to the frame that shows what it did.

use std::io::{Read as _, Write};
use std::num::NonZero;
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

use crate::{SIZE, Times};

const PRESSES: usize = 200;
const PATIENCE: Duration = Duration::from_secs(120);

struct Session {
    child: Box<dyn Child + Send + Sync>,
    _master: Box<dyn MasterPty + Send>,
    keys: Box<dyn Write + Send>,
    output: Receiver<Vec<u8>>,
    screen: vt100::Parser,
}

impl Session {
    fn start(folder: &Path, text: &str) -> Self {
        let size = PtySize { rows: SIZE.1, cols: SIZE.0, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).unwrap();
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_lmscope"));
        command.args(["tui", "--model", folder.to_str().unwrap(), text]);
        command.env("TERM", "xterm-256color");
        command.env("XDG_CACHE_HOME", folder);
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let mut reader = pair.master.try_clone_reader().unwrap();
        let (sender, output) = channel();
        let read = move || {
            let mut bytes = [0; 4096];
            while let Ok(n @ 1..) = reader.read(&mut bytes) {
                if sender.send(bytes[..n].to_vec()).is_err() {
                    return;
                }
            }
        };
        std::thread::Builder::new().name("pty".into()).spawn(read).unwrap();
        let keys = pair.master.take_writer().unwrap();
        let size = |n| NonZero::new(n).unwrap();
        Self { child, _master: pair.master, keys, output, screen: vt100::Parser::new(size(SIZE.1), size(SIZE.0), 0) }
    }

    fn shows(&self, what: &str) -> bool {
        self.screen.screen().contents().contains(what)
    }

    /// How long until this holds.
    fn wait(&mut self, what: &str, holds: impl Fn(&Self) -> bool) -> Duration {
        let start = Instant::now();
        while !holds(self) {
            let Ok(bytes) = self.output.recv_timeout(PATIENCE) else {
                panic!("waited for {what}, saw:\n{}", self.screen.screen().contents())
            };
            self.screen.process(&bytes);
        }
        start.elapsed()
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    /// Opens and closes the help, which asks the model for nothing; `work` keeps it busy.
    fn toggle(&mut self, times: &mut Times, work: &str) {
        if !self.is_busy() {
            self.press(work);
            self.wait("work", Self::is_busy);
        }
        let is_open = |session: &Self| session.shows("Esc close");
        self.press("?");
        times.0.push(self.wait("the help", is_open));
        self.press("\x1b");
        times.0.push(self.wait("the help's end", |session| !is_open(session)));
    }

    fn is_busy(&self) -> bool {
        self.shows("computing") || self.shows("patching")
    }
}

/// Prints a line for a forward pass, and one for a patching grid.
pub(super) fn measure(folder: &Path, text: &str) {
    let mut session = Session::start(folder, text);
    session.wait("the distribution", |session| session.shows("entropy") && !session.is_busy());
    let mut times = Times::default();
    while !session.shows("if the model stopped here") {
        session.press("\t");
        session.wait("the next view", |session| !session.is_busy());
    }
    for _ in 0..PRESSES / 2 {
        // another position, another forward pass
        session.toggle(&mut times, "h");
    }
    println!("{}", times.line("a forward pass runs"));
    session.press("\x03");
    let _ = session.child.wait();
}
