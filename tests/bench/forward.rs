//! How fast a real model runs, beside candle-transformers' own models in the same rounds.
//!
//! `RAYON_NUM_THREADS=2 cargo bench --bench forward -- MODEL.gguf F32_DIRECTORY BF16_DIRECTORY`, all of one llama. Each round
//! runs every workload once, so that a busy machine slows all of them alike; what is printed is the median of each and
//! its ratio to the peer's. With a fourth argument, `serve`, it runs the workloads that it is told on standard input, for
//! `tests/bench/compare.py`, which runs them turn by turn with peers that are not written in Rust.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark is run by hand and talks to its reader")]

mod ids;

use std::path::{Path, PathBuf};
use std::time::Instant;

use candle_core::quantized::gguf_file::Content;
use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::llama::{Cache, Config, Llama, LlamaConfig};
use candle_transformers::models::quantized_llama::ModelWeights;
use lmscope::allocator::{Allocator, keep_freed};
use lmscope::engine::{Loaded, open};
use lmscope::figure::Provenance;
use lmscope::hook::Site;
use lmscope::lens::logit_lens::{self, LogitLens};
use lmscope::lens::{Context, Lens as _, Question};
use lmscope::model::checkpoint::Arithmetic;
use lmscope::model::source::ModelSource;
use lmscope::model::{CausalLm as _, Loading, NoTap, last_logits};
use lmscope::trace::{Trace, TracePlan};

use self::ids::ids;

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

const ROUNDS: usize = 3;
const PREFILL: usize = 512;
const PROMPT: usize = 16;
const DECODE: usize = 128;
const LENS: usize = 128;

/// One thing to time: it answers how many tokens it ran.
struct Workload<'a> {
    name: &'static str,
    /// The workload it is compared with.
    beside: Option<&'static str>,
    run: Box<dyn Fn() -> usize + 'a>,
}

fn ours<'a>(model: &'a Loaded, [prefill, decode]: [&'static str; 2], beside: [&'static str; 2]) -> [Workload<'a>; 2] {
    let lm = &model.decoder;
    let run_prefill = move || {
        last_logits(lm, &ids(PREFILL), &mut lm.new_cache(), &mut NoTap).unwrap();
        PREFILL
    };
    let run_decode = move || {
        let mut cache = lm.new_cache();
        last_logits(lm, &ids(PROMPT), &mut cache, &mut NoTap).unwrap();
        for &id in &ids(DECODE) {
            last_logits(lm, &[id], &mut cache, &mut NoTap).unwrap();
        }
        DECODE
    };
    [
        Workload { name: prefill, beside: Some(beside[0]), run: Box::new(run_prefill) },
        Workload { name: decode, beside: Some(beside[1]), run: Box::new(run_decode) },
    ]
}

fn capture<'a>(model: &'a Loaded, name: &'static str, plan: TracePlan) -> Workload<'a> {
    let run = move || {
        Trace::record(&model.decoder, &ids(PREFILL), &plan, &mut NoTap).unwrap();
        PREFILL
    };
    Workload { name, beside: None, run: Box::new(run) }
}

/// The logit lens of every layer and position of a short prompt, forward pass included.
fn lens(model: &Loaded) -> Workload<'_> {
    let run = move || {
        let question = Question { top: 5, ..Question::default() };
        let plan = LogitLens.needs(&model.info.config, &question);
        let trace = Trace::record(&model.decoder, &ids(LENS), &plan, &mut NoTap).unwrap();
        let provenance = Provenance::default();
        let (lm, tokenizer) = (&model.decoder, &model.tokenizer);
        let context = Context { lm, tokenizer, provenance: &provenance, question: &question };
        logit_lens::read(&trace, context, 5, &[]).unwrap();
        LENS
    };
    Workload { name: "f32 logit lens 128", beside: None, run: Box::new(run) }
}

/// A model of candle-transformers: tokens and the position of the first in, logits out.
fn theirs<'a, M: Fn() -> S + Copy + 'a, S: FnMut(&Tensor, usize)>(
    session: M,
    [prefill, decode]: [&'static str; 2],
) -> [Workload<'a>; 2] {
    let tensor = |ids: &[u32]| Tensor::new(ids, &Device::Cpu).unwrap().unsqueeze(0).unwrap();
    let run_prefill = move || {
        session()(&tensor(&ids(PREFILL)), 0);
        PREFILL
    };
    let run_decode = move || {
        let mut forward = session();
        forward(&tensor(&ids(PROMPT)), 0);
        for (at, &id) in ids(DECODE).iter().enumerate() {
            forward(&tensor(&[id]), PROMPT + at);
        }
        DECODE
    };
    [
        Workload { name: prefill, beside: None, run: Box::new(run_prefill) },
        Workload { name: decode, beside: None, run: Box::new(run_decode) },
    ]
}

fn quantised(gguf: &Path) -> ModelWeights {
    let mut file = std::fs::File::open(gguf).unwrap();
    let content = Content::read(&mut file).unwrap();
    ModelWeights::from_gguf(content, &mut file, &Device::Cpu).unwrap()
}

fn dense(directory: &Path) -> (Llama, Config) {
    let json = std::fs::read_to_string(directory.join("config.json")).unwrap();
    let mut json: serde_json::Value = serde_json::from_str(&json).unwrap();
    // it reads what transformers 4 wrote
    json["rope_theta"] = json["rope_parameters"]["rope_theta"].clone();
    let config = serde_json::from_value::<LlamaConfig>(json).unwrap().into_config(false);
    let bytes = std::fs::read(directory.join("model.safetensors")).unwrap();
    let weights = VarBuilder::from_buffered_safetensors(bytes, DType::F32, &Device::Cpu).unwrap();
    (Llama::load(weights, &config).unwrap(), config)
}

fn seconds(work: &dyn Fn() -> usize) -> (f64, usize) {
    let start = Instant::now();
    let tokens = work();
    (start.elapsed().as_secs_f64(), tokens)
}

fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn report(workloads: &[Workload<'_>]) {
    let mut times: Vec<Vec<f64>> = vec![Vec::new(); workloads.len()];
    let mut tokens = vec![0; workloads.len()];
    for round in 0..=ROUNDS {
        for (at, workload) in workloads.iter().enumerate() {
            let (seconds, n) = seconds(&*workload.run);
            tokens[at] = n;
            // the first round warms up
            times[at].extend((round > 0).then_some(seconds));
        }
    }
    let rates: Vec<f64> = times.iter_mut().zip(&tokens).map(|(times, &n)| n as f64 / median(times)).collect();
    for (at, workload) in workloads.iter().enumerate() {
        let peer = workload.beside.and_then(|name| workloads.iter().position(|other| other.name == name));
        let ratio = peer
            .map_or_else(String::new, |peer| format!("  {:.2} x {}", rates[at] / rates[peer], workloads[peer].name));
        println!("{:40} {:8.0} tokens/s{ratio}", workload.name, rates[at]);
    }
}

/// Runs what each line of standard input names, and answers with the seconds it took and how many tokens it ran.
fn serve(workloads: &[Workload<'_>]) {
    for workload in workloads {
        println!("{}", workload.name);
    }
    println!("ready");
    for line in std::io::stdin().lines() {
        let line = line.unwrap();
        let workload = workloads.iter().find(|workload| workload.name == line).unwrap();
        let (seconds, tokens) = seconds(&*workload.run);
        println!("{seconds} {tokens}");
    }
}

fn main() {
    keep_freed();
    // as the binary does for itself: candle looks the number of cores up at every product otherwise
    if std::env::var_os("RAYON_NUM_THREADS").is_none() {
        println!("RAYON_NUM_THREADS is not set: set it to the number of cores, as the lmscope binary does for itself");
        return;
    }
    // `cargo bench` adds a flag of its own
    let paths: Vec<PathBuf> =
        std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).map(PathBuf::from).collect();
    let [gguf, directory, halves, served @ ..] = &paths[..] else {
        println!(
            "usage: RAYON_NUM_THREADS=2 cargo bench --bench forward -- MODEL.gguf F32_DIRECTORY BF16_DIRECTORY [serve]"
        );
        return;
    };
    let load = |source: &ModelSource, arithmetic: Arithmetic| {
        let start = Instant::now();
        let loaded = open(source, &Loading::unwatched(arithmetic)).unwrap();
        if served.is_empty() {
            let what = format!("load {} {}", loaded.info.name, loaded.info.precision.brief());
            println!("{what:40} {:8.0} ms", start.elapsed().as_secs_f64() * 1e3);
        }
        loaded
    };
    let exact = load(&ModelSource::Gguf(gguf.clone()), Arithmetic::Exact);
    let fast = load(&ModelSource::Gguf(gguf.clone()), Arithmetic::Fast);
    let f32 = load(&ModelSource::Directory(directory.clone()), Arithmetic::Exact);
    let bf16 = load(&ModelSource::Directory(halves.clone()), Arithmetic::Exact);
    let bf16_fast = load(&ModelSource::Directory(halves.clone()), Arithmetic::Fast);
    let weights = quantised(gguf);
    let (llama, config) = dense(directory);

    let quantised_peer = ["candle-transformers Q prefill 512", "candle-transformers Q decode 128"];
    let dense_peer = ["candle-transformers f32 prefill 512", "candle-transformers f32 decode 128"];
    let session = || {
        let mut model = weights.clone();
        move |ids: &Tensor, at: usize| drop(model.forward(ids, at).unwrap())
    };
    let dense_session = || {
        let mut cache = Cache::new(true, DType::F32, &config, &Device::Cpu).unwrap();
        let llama = &llama;
        move |ids: &Tensor, at: usize| drop(llama.forward(ids, at, &mut cache).unwrap())
    };
    let cfg = &f32.info.config;
    let streams = TracePlan::sites(cfg, &[Site::Pattern, Site::ResidPre, Site::ResidPost]);
    let mut workloads = Vec::new();
    workloads.extend(theirs(session, quantised_peer));
    workloads.extend(theirs(dense_session, dense_peer));
    workloads.extend(ours(&exact, ["gguf exact prefill 512", "gguf exact decode 128"], quantised_peer));
    workloads.extend(ours(&fast, ["gguf fast prefill 512", "gguf fast decode 128"], quantised_peer));
    workloads.extend(ours(&f32, ["f32 prefill 512", "f32 decode 128"], dense_peer));
    workloads.extend(ours(&bf16, ["bf16 exact prefill 512", "bf16 exact decode 128"], dense_peer));
    workloads.extend(ours(&bf16_fast, ["bf16 fast prefill 512", "bf16 fast decode 128"], dense_peer));
    workloads.push(lens(&f32));
    workloads.push(capture(&f32, "f32 512, patterns and streams kept", streams));
    workloads.push(capture(&f32, "f32 512, every hook but result kept", every_hook_but_result(cfg)));
    if served.is_empty() { report(&workloads) } else { serve(&workloads) }
}

/// `hook_result` is recomputed on demand by the peers too.
fn every_hook_but_result(cfg: &lmscope::model::DecoderConfig) -> TracePlan {
    TracePlan::new(cfg.hook_points().into_iter().filter(|at| at.site() != Site::Result))
}
