//! How far the forward pass is from what the machine can do: its fused multiplications and its memory, measured beside it.
//!
//! `RAYON_NUM_THREADS=2 cargo bench --bench roofline -- MODEL...`, each a GGUF file or a directory. A prefill is held
//! against the multiplications of f32 that as many threads do at most, a step of decoding against the time in which
//! they read the weights once.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark is run by hand and talks to its reader")]
#![expect(clippy::inline_always, reason = "the loops must become part of a function that is compiled for wide vectors")]

mod ids;

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::Instant;

use lmscope::allocator::{Allocator, keep_freed};
use lmscope::engine::{Loaded, open};
use lmscope::model::checkpoint::Arithmetic;
use lmscope::model::source::ModelSource;
use lmscope::model::{CausalLm as _, DecoderConfig, Loading, NoTap, Unembed, last_logits};
use pulp::{Arch, Simd, WithSimd};

use self::ids::ids;

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

const ROUNDS: usize = 5;
const PREFILL: usize = 512;
const PROMPT: usize = 16;
const DECODE: usize = 128;
/// Sums that do not wait for each other: a fused multiplication takes four or five steps, and two begin at each.
const SUMS: usize = 12;
const STEPS: usize = 20_000_000;
/// Bytes that one thread reads, more than any cache holds.
const READ_BYTES: usize = 512 << 20;

/// Fused multiplications, nothing else; answers how many floating point operations they are.
struct Multiply;

impl WithSimd for Multiply {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f64 {
        let mut sums = [simd.splat_f32s(1.0); SUMS];
        let (by, plus) = (simd.splat_f32s(black_box(0.999)), simd.splat_f32s(black_box(1e-3)));
        for _ in 0..STEPS {
            for sum in &mut sums {
                *sum = simd.mul_add_f32s(*sum, by, plus);
            }
        }
        black_box(sums.map(|sum| simd.reduce_sum_f32s(sum)));
        let lanes = size_of::<S::f32s>() / size_of::<f32>();
        (2 * STEPS * SUMS * lanes) as f64
    }
}

/// Adds up all numbers.
struct Read<'a>(&'a [f32]);

impl WithSimd for Read<'_> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f64 {
        let (lines, _) = S::as_simd_f32s(self.0);
        let mut sums = [simd.splat_f32s(0.0); 8];
        for lines in lines.as_chunks::<8>().0 {
            for (sum, &line) in sums.iter_mut().zip(lines) {
                *sum = simd.add_f32s(*sum, line);
            }
        }
        black_box(sums.map(|sum| simd.reduce_sum_f32s(sum)));
        size_of_val(self.0) as f64
    }
}

/// The most of what `work` answers in a second, on so many threads, of some rounds.
fn most(n_threads: usize, work: impl Fn() -> f64 + Sync) -> f64 {
    let round = || {
        let start = Instant::now();
        let done: f64 = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..n_threads).map(|_| scope.spawn(&work)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        done / start.elapsed().as_secs_f64()
    };
    (0..ROUNDS).map(|_| round()).fold(0.0, f64::max)
}

/// Operations of a prefill: two for every weight of a matrix and every token, four for every number of a query or value and
/// every position that it sees; logits of one position.
fn operations(cfg: &DecoderConfig) -> f64 {
    let rows = cfg.d_vocab * cfg.d_model;
    let tables = if cfg.unembed == Unembed::Tied { rows } else { 2 * rows };
    let n = PREFILL as f64;
    let attention = 4.0 * (cfg.n_layers * cfg.n_heads * cfg.d_head) as f64 * n * (n + 1.0) / 2.0;
    2.0 * n * (cfg.n_params() - tables) as f64 + attention + 2.0 * rows as f64
}

/// Bytes of the files that hold weights: as many are read for a token.
fn bytes(path: &Path) -> f64 {
    if path.is_file() {
        return path.metadata().unwrap().len() as f64;
    }
    let files = path.read_dir().unwrap().map(|entry| entry.unwrap().path());
    let weights = files.filter(|file| file.extension().is_some_and(|extension| extension == "safetensors"));
    weights.map(|file| file.metadata().unwrap().len() as f64).sum()
}

/// The least seconds of a prefill and of a decoded token.
fn least_seconds(model: &Loaded) -> [f64; 2] {
    let lm = &model.decoder;
    let round = || {
        let start = Instant::now();
        last_logits(lm, &ids(PREFILL), &mut lm.new_cache(), &mut NoTap).unwrap();
        let prefill = start.elapsed().as_secs_f64();
        let mut cache = lm.new_cache();
        last_logits(lm, &ids(PROMPT), &mut cache, &mut NoTap).unwrap();
        let start = Instant::now();
        for &id in &ids(DECODE) {
            last_logits(lm, &[id], &mut cache, &mut NoTap).unwrap();
        }
        [prefill, start.elapsed().as_secs_f64() / DECODE as f64]
    };
    round();
    (0..ROUNDS).map(|_| round()).fold([f64::INFINITY; 2], |least, now| [least[0].min(now[0]), least[1].min(now[1])])
}

fn main() {
    keep_freed();
    let Some(n_threads) = std::env::var("RAYON_NUM_THREADS").ok().and_then(|n| n.parse().ok()) else {
        println!("usage: RAYON_NUM_THREADS=2 cargo bench --bench roofline -- MODEL...");
        return;
    };
    let numbers = vec![1f32; READ_BYTES / size_of::<f32>()];
    let peak = || most(n_threads, || Arch::new().dispatch(Multiply));
    let memory = || most(n_threads, || Arch::new().dispatch(Read(&numbers)));
    let [before, reads_before] = [peak(), memory()];
    let mut lines = Vec::new();
    for path in std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).map(PathBuf::from) {
        let is_file = path.is_file();
        let source = if is_file { ModelSource::Gguf(path.clone()) } else { ModelSource::Directory(path.clone()) };
        for arithmetic in [Arithmetic::Exact, Arithmetic::Fast].into_iter().take(if is_file { 2 } else { 1 }) {
            let model = open(&source, &Loading::unwatched(arithmetic)).unwrap();
            let [prefill, token] = least_seconds(&model);
            lines.push((model.info.precision.brief(), operations(&model.info.config) / prefill, bytes(&path) / token));
        }
    }
    // the machine may be another minutes later
    let (peak, memory) = (before.max(peak()), reads_before.max(memory()));
    println!(
        "{n_threads} threads: {:.0} GFLOP/s of fused multiplications in f32, {:.1} GB/s read",
        peak / 1e9,
        memory / 1e9
    );
    for (what, operations, bytes) in lines {
        println!(
            "{what:24} prefill {PREFILL}: {:5.0} GFLOP/s, {:3.0} % of the peak; decode: {:5.1} GB/s of weights, {:3.0} % of what is read",
            operations / 1e9,
            100.0 * operations / peak,
            bytes / 1e9,
            100.0 * bytes / memory
        );
    }
}
