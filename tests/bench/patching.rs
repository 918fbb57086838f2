//! A layer x position patching grid of the residual stream, beside one full run a cell.
//!
//! `cargo bench --bench patching -- MODEL`, a directory or a GGUF file, on a prompt of twelve tokens. Both ways run in the
//! same rounds, so that a busy machine slows both alike; printed are the medians, the time to the first cell and the
//! largest difference between the two grids.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark is run by hand and talks to its reader")]

use std::path::PathBuf;
use std::time::Instant;

use candle_core::Tensor;
use lmscope::allocator::{Allocator, keep_freed};
use lmscope::engine::open;
use lmscope::hook::{HookPoint, Site};
use lmscope::hub::{Cache, Settings};
use lmscope::lens::Ask;
use lmscope::model::checkpoint::Arithmetic;
use lmscope::model::decoder::Decoder;
use lmscope::model::source::ModelSource;
use lmscope::model::{CancelToken, CausalLm as _, Loading, NoTap, Result, Tap, last_logits};
use lmscope::probe::patching::{Cell, CellAt, Direction, Grid, Measure, Metric, PatchSite, Request};
use lmscope::text::{BosPolicy, Prompt};
use lmscope::trace::{Trace, TracePlan};

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

const ROUNDS: usize = 3;
const N_POS: usize = 12;
const CLEAN: &str = "When Mary and John went to the store, John gave a drink to";
const CORRUPTED: &str = "When Mary and John went to the store, Mary gave a drink to";

/// Replaces the residual stream before a layer at one position.
struct Replace<'a> {
    cell: CellAt,
    source: &'a Trace,
}

impl Tap for Replace<'_> {
    fn wants(&self, at: HookPoint) -> bool {
        at == HookPoint::block(self.cell.layer, Site::ResidPre)
    }

    fn visit(&mut self, at: HookPoint, x: Tensor) -> Result<Tensor> {
        let position = self.cell.position.unwrap();
        let new = self.source.activations[&at].narrow(0, position, 1)?.unsqueeze(0)?;
        let parts = [x.narrow(1, 0, position)?, new, x.narrow(1, position + 1, x.dim(1)? - position - 1)?];
        Ok(Tensor::cat(&parts, 1)?)
    }
}

/// The logit difference of every cell, by a full run each.
fn naive(lm: &Decoder, grid: &Grid<'_>, source: &Trace, base: &[u32]) -> Vec<f64> {
    let one = |cell| {
        let logits = last_logits(lm, base, &mut lm.new_cache(), &mut Replace { cell, source }).unwrap();
        grid.target().logit(&logits)
    };
    grid.cells().into_iter().map(one).collect()
}

/// The last tokens of a text, after its first.
fn shortened(prompt: &Prompt) -> Prompt {
    let mut ids = prompt.ids.clone();
    if ids.len() > N_POS {
        ids.drain(1..=ids.len() - N_POS);
    }
    Prompt { ids, ..prompt.clone() }
}

fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn main() {
    keep_freed();
    // `cargo bench` adds a flag of its own
    let paths: Vec<PathBuf> =
        std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).map(PathBuf::from).collect();
    let [path] = &paths[..] else {
        println!("usage: cargo bench --bench patching -- MODEL");
        return;
    };
    let cache = Cache::new(Settings::read(&|name| std::env::var_os(name)).cache);
    let source = ModelSource::from_arg(path.to_str().unwrap(), &cache).unwrap();
    let loaded = open(&source, &Loading::unwatched(Arithmetic::Exact)).unwrap();
    let lm = &loaded.decoder;
    let prompt = |text| shortened(&Prompt::new(&loaded.tokenizer, text, BosPolicy::Model).unwrap());
    let (clean, corrupted) = (prompt(CLEAN), prompt(CORRUPTED));
    let (site, direction, metric) = (PatchSite::ResidPre, Direction::Denoise, Metric::LogitDiff);
    let request = Request { site, measure: Measure { direction, metric, ask: Ask::default() } };
    let cancel = CancelToken::default();
    let (mut naive_times, mut our_times, mut first_times) = (Vec::new(), Vec::new(), Vec::new());
    let (mut expected, mut found): (Vec<f64>, Vec<Cell>) = (Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        let start = Instant::now();
        let grid = Grid::new(lm, &loaded.tokenizer, [&clean, &corrupted], request, &cancel).unwrap();
        let mut first = None;
        let mut tell = |_| first = first.or_else(|| Some(start.elapsed().as_secs_f64()));
        found = grid.fill(&cancel, &mut tell).unwrap();
        let ours = start.elapsed().as_secs_f64();
        let start = Instant::now();
        let plan = TracePlan::sites(lm.config(), &[Site::ResidPre]);
        let source = Trace::record(lm, &clean.ids, &plan, &mut NoTap).unwrap();
        expected = naive(lm, &grid, &source, &corrupted.ids);
        // the first round warms up
        if round > 0 {
            our_times.push(ours);
            first_times.push(first.unwrap());
            naive_times.push(start.elapsed().as_secs_f64());
        }
    }
    let apart = found.iter().zip(&expected).map(|(cell, expected)| (cell.value - expected).abs()).fold(0.0, f64::max);
    let (ours, naive) = (median(&mut our_times), median(&mut naive_times));
    println!(
        "{}: {} tokens, {} layers, {} cells",
        loaded.info.name,
        clean.ids.len(),
        lm.config().n_layers,
        found.len()
    );
    println!("one full run a cell      {naive:8.3} s");
    println!("resumed, batched         {ours:8.3} s  {:.2} of the time", ours / naive);
    println!("first cell after         {:8.3} s", median(&mut first_times));
    println!("largest difference       {apart:8.1e} logits");
}
