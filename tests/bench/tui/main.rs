//! How long a frame of the terminal UI takes, and how long a key waits for its frame while the model works.
//!
//! `cargo bench --bench tui`: a random model of 30 layers x 9 heads is written to a temporary folder and shown with a
//! prompt of 512 tokens at 200x60, and in the attention view with 2,000. Printed are the median, the 99th percentile and the worst of each.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::panic,
    reason = "a benchmark is run by hand and talks to its reader"
)]

mod frames;
mod latency;
mod model;

use std::time::Duration;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Columns and rows.
const SIZE: (u16, u16) = (200, 60);
const N_TOKENS: usize = 512;
/// Tokens of a long prompt, which only the attention view is drawn with.
const N_LONG: usize = 2000;

/// Some durations.
#[derive(Default)]
struct Times(Vec<Duration>);

impl Times {
    fn line(&mut self, name: &str) -> String {
        self.0.sort_unstable();
        let last = self.0.len() - 1;
        let at = |percent: usize| self.0[last * percent / 100].as_secs_f64() * 1e3;
        format!("{name:28} p50 {:7.2} ms   p99 {:7.2} ms   max {:7.2} ms   n {}", at(50), at(99), at(100), self.0.len())
    }
}

fn main() {
    let folder = tempfile::tempdir().unwrap();
    model::write(folder.path());
    let text = model::prompt(folder.path(), N_TOKENS);
    println!("frames: {}x{}, {N_TOKENS} tokens, update and draw and what is sent to the terminal", SIZE.0, SIZE.1);
    frames::measure(folder.path(), &text);
    let long = model::prompt(folder.path(), N_LONG);
    println!("frames of the attention view: {}x{}, {N_LONG} tokens", SIZE.0, SIZE.1);
    frames::measure_attention(folder.path(), &long);
    println!("key to frame, through a pty, while the model works");
    latency::measure(folder.path(), &text);
}
