//! Prefill and decode of GGUF files, exact and fast, for `tests/bench/beside_llama.py`, which runs them turn by turn with
//! llama.cpp's `llama-bench` on the same files.
//!
//! `RAYON_NUM_THREADS=2 cargo bench --bench gguf -- FILE.gguf exact|fast`: each line of standard input, `prefill` or
//! `decode`, is answered with tokens per second.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark is run by hand and talks to its reader")]

mod ids;

use std::path::PathBuf;
use std::time::Instant;

use lmscope::allocator::{Allocator, keep_freed};
use lmscope::engine::{Loaded, open};
use lmscope::model::checkpoint::Arithmetic;
use lmscope::model::source::ModelSource;
use lmscope::model::{CausalLm as _, Loading, NoTap, last_logits};

use self::ids::ids;

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

const PREFILL: usize = 512;
const PROMPT: usize = 16;
const DECODE: usize = 128;

/// Seconds of a forward pass of [`PREFILL`] tokens, or of [`DECODE`] one after the other.
fn seconds(model: &Loaded, what: &str) -> f64 {
    let (lm, mut cache) = (&model.decoder, model.decoder.new_cache());
    if what == "prefill" {
        let start = Instant::now();
        last_logits(lm, &ids(PREFILL), &mut cache, &mut NoTap).unwrap();
        return start.elapsed().as_secs_f64();
    }
    last_logits(lm, &ids(PROMPT), &mut cache, &mut NoTap).unwrap();
    let start = Instant::now();
    for &id in &ids(DECODE) {
        last_logits(lm, &[id], &mut cache, &mut NoTap).unwrap();
    }
    start.elapsed().as_secs_f64()
}

fn main() {
    keep_freed();
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let [file, arithmetic] = &arguments[..] else {
        println!("usage: RAYON_NUM_THREADS=2 cargo bench --bench gguf -- FILE.gguf exact|fast");
        return;
    };
    let arithmetic = if arithmetic == "fast" { Arithmetic::Fast } else { Arithmetic::Exact };
    let model = open(&ModelSource::Gguf(PathBuf::from(file)), &Loading::unwatched(arithmetic)).unwrap();
    println!("ready");
    for line in std::io::stdin().lines() {
        let line = line.unwrap();
        let tokens = if line == "prefill" { PREFILL } else { DECODE };
        println!("{}", tokens as f64 / seconds(&model, &line));
    }
}
