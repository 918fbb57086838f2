//! Runs the binary with little memory and little time.

use std::io::Read as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::project;

/// What a run may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Address space, in KiB, where the shell can limit it.
    pub(super) memory: Option<u64>,
    pub(super) time: Duration,
}

/// A run that ended, or was ended: then it has no status.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) status: Option<i32>,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

impl Limits {
    /// What a good model takes, and 256 MiB more.
    pub(super) fn beyond_a_good_model() -> Self {
        const STEP: u64 = 64 << 10;
        const MORE: u64 = 256 << 10;
        let model = project("fixtures/models/tiny-llama");
        let args = ["predict", "x", "-m", model.to_str().unwrap(), "-k", "1"];
        let time = Duration::from_secs(10);
        let suffices = |memory: u64| finished(&args, Self { memory: Some(memory), time }).status == Some(0);
        // near the limit a run succeeds or fails as its threads happen to start
        let need =
            (1..=64).map(|n| n * STEP).find(|&memory| (0..3).all(|_| suffices(memory) && suffices(memory + STEP)));
        Self { memory: Some(need.unwrap() + MORE), time }
    }
}

/// Runs `lmscope` with these arguments, and ends it when its time is over.
pub(super) fn finished(args: &[&str], limits: Limits) -> Finished {
    const LIMITED: &str = "if [ -n \"$1\" ]; then ulimit -v \"$1\" 2>/dev/null; fi; shift; exec \"$@\"";
    let memory = limits.memory.map(|memory| memory.to_string()).unwrap_or_default();
    let mut child = Command::new("sh")
        .args(["-c", LIMITED, "sh", &memory, env!("CARGO_BIN_EXE_lmscope")])
        .args(args)
        .env("RUST_BACKTRACE", "0")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let end = Instant::now() + limits.time;
    let status = loop {
        match child.try_wait().unwrap() {
            Some(status) => break status.code(),
            None if Instant::now() > end => {
                child.kill().unwrap();
                child.wait().unwrap();
                break None;
            }
            None => std::thread::sleep(Duration::from_millis(2)),
        }
    };
    // what a good or a clear answer prints fits into a pipe; a run that prints more stands still until its time is over
    let (mut stdout, mut stderr) = (String::new(), String::new());
    child.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    Finished { status, stdout, stderr }
}
