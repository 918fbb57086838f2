//! How long a frame of the terminal UI takes, and how long a key waits for its frame while the model works.
//!
//! `cargo bench --bench tui` measures everything, `cargo bench --bench tui -- idle patching` these [`PARTS`]. A random
//! model of 30 layers x 9 heads is written to a temporary folder and shown at 200x60. Printed are the median, the 99th
//! percentile and the worst of each. A part that takes too long says so, and ends with what it has.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::panic,
    reason = "a benchmark is run by hand and talks to its reader"
)]

mod frames;
mod latency;
mod model;
mod session;

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use lmscope::allocator::{Allocator, keep_freed};

use self::session::SessionError;

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

/// Columns and rows.
const SIZE: (u16, u16) = (200, 60);
const N_TOKENS: usize = 512;
/// Tokens of a long prompt.
const N_LONG: usize = 2000;

/// Something that is measured.
struct Part {
    /// What asks for it on the command line.
    name: &'static str,
    about: &'static str,
    /// Measures it on the model in a folder.
    run: fn(&Path) -> Result<(), SessionError>,
}

/// Everything that is measured, in this order.
static PARTS: &[Part] = &[
    Part { name: "views", about: "frames of every view: update, draw, what a terminal is sent", run: frames::views },
    Part { name: "panels", about: "frames of four panels: Step, Attention, Why and Lens", run: frames::panels },
    Part { name: "attention", about: "frames of the attention view with a long prompt", run: frames::attention },
    Part { name: "idle", about: "key to frame through a pty, nothing runs", run: latency::idle },
    Part { name: "forward", about: "key to frame through a pty while a forward pass runs", run: latency::forward },
    Part { name: "patching", about: "key to frame through a pty while a patching grid fills", run: latency::patching },
];

/// Some durations.
#[derive(Default)]
struct Times(Vec<Duration>);

impl Times {
    fn line(&mut self, name: &str) -> String {
        self.0.sort_unstable();
        let Some(last) = self.0.len().checked_sub(1) else { return format!("{name:28} nothing was measured") };
        let at = |percent: usize| self.0[last * percent / 100].as_secs_f64() * 1e3;
        format!("{name:28} p50 {:7.2} ms   p99 {:7.2} ms   max {:7.2} ms   n {}", at(50), at(99), at(100), self.0.len())
    }
}

/// The parts that are asked for; all of them if none is.
fn chosen() -> Result<Vec<&'static Part>, String> {
    // cargo adds `--bench`
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let find = |word: &String| {
        let names: Vec<_> = PARTS.iter().map(|part| part.name).collect();
        let found = PARTS.iter().find(|part| part.name == word);
        found.ok_or_else(|| format!("`{word}` is no part; parts: {}", names.join(", ")))
    };
    if words.is_empty() { Ok(PARTS.iter().collect()) } else { words.iter().map(find).collect() }
}

fn main() -> ExitCode {
    keep_freed();
    let parts = match chosen() {
        Ok(parts) => parts,
        Err(problem) => {
            eprintln!("error: {problem}");
            return ExitCode::from(2);
        }
    };
    let folder = tempfile::tempdir().unwrap();
    model::write(folder.path());
    let mut code = ExitCode::SUCCESS;
    for part in parts {
        println!("{}: {}", part.name, part.about);
        if let Err(error) = (part.run)(folder.path()) {
            eprintln!("error: {}: {error}", part.name);
            code = ExitCode::FAILURE;
        }
    }
    code
}
