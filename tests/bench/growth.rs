//! How time and memory grow with tokens, layers and the sequences of a batch, as a table and a picture.
//!
//! `RAYON_NUM_THREADS=2 cargo bench --bench growth -- HF_DIRECTORY [PICTURE.svg]`. Every point is measured in a process of its
//! own, which loads the model, runs the work once for its memory (the peak above what was resident before it) and twice
//! more for its time. Linux only, since the peak is reset through `/proc`.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark is run by hand and talks to its reader")]

mod ids;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use lmscope::allocator::{Allocator, keep_freed};
use lmscope::engine::{Loaded, open};
use lmscope::hook::{HookPoint, Site};
use lmscope::model::checkpoint::Arithmetic;
use lmscope::model::source::ModelSource;
use lmscope::model::{Branch, CancelToken, CausalLm as _, Loading, NoTap, Stretch, last_logits};
use lmscope::trace::{Trace, TracePlan};
use plotters::coord::Shift;
use plotters::prelude::*;

use self::ids::ids;

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

/// Tokens where something else grows.
const TOKENS: usize = 512;
/// Tokens of a sequence of a batch.
const SEQUENCE: usize = 128;
/// Tokens that are decoded one after the other.
const DECODE: usize = 16;
const MIB: f64 = (1 << 20) as f64;

/// What grows, and the sizes that are measured.
const KINDS: &[(&str, &[usize])] = &[
    ("prefill", &[32, 64, 128, 256, 512, 1024, 2048, 4096]),
    ("decode", &[32, 64, 128, 256, 512, 1024, 2048, 4096]),
    ("trace", &[32, 64, 128, 256, 512, 1024]),
    ("layers", &[5, 10, 15, 20, 25, 30]),
    ("batch", &[1, 2, 4, 8, 16, 32]),
];

/// One measured point: seconds (of a token where one at a time is decoded) and the bytes that it took.
#[derive(Clone, Copy)]
struct Point {
    n: usize,
    seconds: f64,
    mib: f64,
    planned_mib: f64,
}

/// Patterns and streams, the most common trace.
fn trace_plan(model: &Loaded) -> TracePlan {
    TracePlan::sites(&model.info.config, &[Site::Pattern, Site::ResidPre, Site::ResidPost])
}

/// Bytes that the work is known to keep: keys and values, or what is traced of a sequence.
fn planned(model: &Loaded, kind: &str, n: usize) -> u64 {
    let cfg = &model.info.config;
    let cached = |tokens: usize, layers: usize| (8 * tokens * layers * cfg.n_kv_heads * cfg.d_head) as u64;
    match kind {
        "trace" => trace_plan(model).bytes(cfg, n) + cached(n, cfg.n_layers),
        "layers" => cached(TOKENS, n),
        "batch" => cached(n * SEQUENCE, cfg.n_layers),
        _ => cached(n, cfg.n_layers),
    }
}

/// Does the work, and answers what of its time counts.
fn work(model: &Loaded, kind: &str, n: usize) -> f64 {
    let (lm, start) = (&model.decoder, Instant::now());
    let mut cache = lm.new_cache();
    match kind {
        "prefill" => drop(last_logits(lm, &ids(n), &mut cache, &mut NoTap).unwrap()),
        "decode" => {
            last_logits(lm, &ids(n - DECODE), &mut cache, &mut NoTap).unwrap();
            let start = Instant::now();
            for &id in &ids(DECODE) {
                last_logits(lm, &[id], &mut cache, &mut NoTap).unwrap();
            }
            return start.elapsed().as_secs_f64() / DECODE as f64;
        }
        "trace" => drop(Trace::record(lm, &ids(n), &trace_plan(model), &mut NoTap).unwrap()),
        "layers" => {
            let first = TracePlan::new([HookPoint::model(Site::Embed)]);
            let trace = Trace::record(lm, &ids(1), &first, &mut NoTap).unwrap();
            let row = trace.get(HookPoint::model(Site::Embed)).unwrap();
            let resid = row.unsqueeze(0).unwrap().repeat((1, TOKENS, 1)).unwrap();
            let start = Instant::now();
            lm.blocks(0..n, resid, &mut cache, &mut NoTap).unwrap();
            return start.elapsed().as_secs_f64();
        }
        _ => {
            let sequences: Vec<Vec<u32>> = (0..n).map(|at| ids(SEQUENCE + at).split_off(at)).collect();
            let root = Arc::new(Branch::root(lm));
            let mut branches: Vec<Branch> = sequences.iter().map(|_| Branch::after(&root)).collect();
            let mut stretches: Vec<Stretch<'_>> =
                branches.iter_mut().zip(&sequences).map(|(branch, ids)| Stretch { ids, branch }).collect();
            lm.forward_all(&mut stretches, &CancelToken::default()).unwrap();
        }
    }
    start.elapsed().as_secs_f64()
}

/// A number of `/proc/self/status` in MiB.
fn status(field: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(field)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
}

/// Measures one point and prints it for the process that asked.
fn point(directory: &Path, kind: &str, n: usize) {
    let model = open(&ModelSource::Directory(directory.to_path_buf()), &Loading::unwatched(Arithmetic::Exact)).unwrap();
    // threads and tables that are made once
    last_logits(&model.decoder, &ids(8), &mut model.decoder.new_cache(), &mut NoTap).unwrap();
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    let before = status("VmRSS");
    work(&model, kind, n);
    let mib = status("VmHWM") - before;
    let seconds = work(&model, kind, n).min(work(&model, kind, n));
    println!("{seconds} {mib} {}", planned(&model, kind, n) as f64 / MIB);
}

fn measured(directory: &Path, kind: &str, n: usize) -> Point {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let answer = command.arg(directory).arg("point").arg(kind).arg(n.to_string()).output().unwrap();
    let numbers: Vec<f64> =
        String::from_utf8(answer.stdout).unwrap().split_whitespace().map(|number| number.parse().unwrap()).collect();
    Point { n, seconds: numbers[0], mib: numbers[1], planned_mib: numbers[2] }
}

type Series<'a> = (&'a str, Vec<(f64, f64)>);
type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Lines over logarithmic axes.
fn chart(area: &Area<'_>, [title, x, y]: [&str; 3], key: SeriesLabelPosition, series: &[Series<'_>]) {
    let all = || series.iter().flat_map(|(_, points)| points.iter().copied());
    let range = |of: fn((f64, f64)) -> f64| {
        let (low, high) = all().map(of).fold((f64::MAX, f64::MIN), |(low, high), at| (low.min(at), high.max(at)));
        (low / 1.3..high * 1.6).log_scale()
    };
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(60)
        .build_cartesian_2d(range(|point| point.0), range(|point| point.1))
        .unwrap();
    let short = |value: &f64| format!("{}", (value * 1000.0).round() / 1000.0);
    let mut mesh = chart.configure_mesh();
    mesh.x_desc(x).y_desc(y).x_labels(5).y_labels(5).x_label_formatter(&short).y_label_formatter(&short);
    mesh.light_line_style(TRANSPARENT).draw().unwrap();
    for (at, (name, points)) in series.iter().enumerate() {
        let colour = Palette99::pick(at).to_rgba();
        let line = PathElement::new(points.clone(), colour.stroke_width(2));
        let mark = move |(x, y)| PathElement::new([(x, y), (x + 16, y)], colour.stroke_width(2));
        chart.draw_series([line]).unwrap().label(*name).legend(mark);
        chart.draw_series(points.iter().map(|&point| Circle::new(point, 3, colour.filled()))).unwrap();
    }
    chart.configure_series_labels().position(key).background_style(WHITE.mix(0.8)).draw().unwrap();
}

fn picture(file: &Path, of: impl Fn(&str) -> Vec<Point>) {
    let root = SVGBackend::new(file, (1100, 760)).into_drawing_area();
    root.fill(&WHITE).unwrap();
    let areas = root.split_evenly((2, 2));
    let line = |kind: &str, value: fn(&Point) -> f64| -> Vec<(f64, f64)> {
        of(kind).iter().map(|point| (point.n as f64, value(point))).collect()
    };
    let seconds = |kind| line(kind, |point| point.seconds);
    // less than a MiB is lost in what the allocator keeps
    let mib = |kind| line(kind, |point| point.mib.max(1.0));
    let planned = |kind| line(kind, |point| point.planned_mib);
    let tokens = [
        ("prefill", seconds("prefill")),
        ("prefill, patterns and streams kept", seconds("trace")),
        ("one token after so many", seconds("decode")),
    ];
    chart(&areas[0], ["Time and tokens", "tokens", "seconds"], SeriesLabelPosition::UpperLeft, &tokens);
    let memory = [
        ("prefill", mib("prefill")),
        ("keys and values of it", planned("prefill")),
        ("patterns and streams kept", mib("trace")),
        ("the same as planned", planned("trace")),
    ];
    chart(
        &areas[1],
        ["Memory and tokens", "tokens", "MiB above the weights"],
        SeriesLabelPosition::LowerRight,
        &memory,
    );
    let others = [("layers, of 512 tokens", seconds("layers")), ("sequences of 128 tokens together", seconds("batch"))];
    chart(
        &areas[2],
        ["Time, layers and batch", "layers or sequences", "seconds"],
        SeriesLabelPosition::UpperLeft,
        &others,
    );
    let others = [("layers, of 512 tokens", mib("layers")), ("sequences of 128 tokens together", mib("batch"))];
    chart(
        &areas[3],
        ["Memory, layers and batch", "layers or sequences", "MiB above the weights"],
        SeriesLabelPosition::UpperLeft,
        &others,
    );
    root.present().unwrap();
}

fn main() {
    keep_freed();
    let arguments: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match &arguments[..] {
        [directory, "point", kind, n] => point(Path::new(directory), kind, n.parse().unwrap()),
        [directory, file @ ..] => {
            let mut points = Vec::new();
            println!("{:10} {:>6} {:>12} {:>10} {:>10}", "", "n", "seconds", "MiB", "planned");
            for &(kind, sizes) in KINDS {
                for &n in sizes {
                    let point = measured(Path::new(directory), kind, n);
                    println!("{kind:10} {n:6} {:12.5} {:10.1} {:10.1}", point.seconds, point.mib, point.planned_mib);
                    points.push((kind, point));
                }
            }
            let of = |kind: &str| points.iter().filter(|(of, _)| *of == kind).map(|(_, point)| *point).collect();
            if let Some(file) = file.first() {
                picture(&PathBuf::from(file), of);
            }
        }
        [] => println!("usage: RAYON_NUM_THREADS=2 cargo bench --bench growth -- HF_DIRECTORY [PICTURE.svg]"),
    }
}
