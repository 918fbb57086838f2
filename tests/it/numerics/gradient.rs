//! The differentiable twin of a loaded decoder: it computes what the decoder does, and its gradients at hooks are those
//! of finite differences.

use std::path::PathBuf;

use candle_core::{Device, Tensor};
use lmscope::hook::{HookPoint, Site};
use lmscope::model::checkpoint::Arithmetic;
use lmscope::model::decoder::{Decoder, Differentiable};
use lmscope::model::sample::log_softmax;
use lmscope::model::{Activation, CausalLm, Error, NoTap, Result, Tap, ids_tensor};
use lmscope::trace::{Gradients, Metric, Quantity, TracePlan};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::support::{gguf, load, max_abs_diff, project, tiny_models, values};

const IDS: [u32; 7] = [3, 14, 15, 92, 65, 35, 89];
/// What is differentiated: why token 42, rather than 17, after the last position?
const METRIC: Metric = Metric { position: IDS.len() - 1, quantity: Quantity::Difference(42, 17) };

/// The tiny models whose activations are compared, with their names.
fn for_every_model(check: impl Fn(&Decoder, &str)) {
    for dir in tiny_models() {
        check(&load(&dir).decoder, &dir.file_name().unwrap().to_string_lossy());
    }
}

fn gguf_files() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(project("fixtures/gguf")).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|extension| extension == "gguf")).collect();
    files.sort();
    files
}

fn logits(lm: &Decoder) -> Tensor {
    let hidden = lm.forward(&ids_tensor(&IDS).unwrap(), &mut lm.new_cache(), &mut NoTap).unwrap();
    lm.logits(&hidden).unwrap()
}

fn check_twin(lm: &Decoder, name: &str) {
    let twin = lm.differentiable().unwrap();
    let found = max_abs_diff(&logits(lm), &logits(twin.decoder()));
    assert!(found < 1e-5, "{name}: {found}");
}

#[test]
fn both_paths_compute_the_same_logits() {
    for_every_model(check_twin);
}

#[test]
fn both_paths_compute_the_same_logits_of_gguf_files() {
    let files = gguf_files();
    assert!(files.len() >= 80);
    for file in files {
        check_twin(&gguf(&file, Arithmetic::Exact).decoder, &file.display().to_string());
    }
}

#[test]
fn there_are_no_gradients_through_quantised_weights() {
    let fast = gguf(&project("fixtures/models/tiny-llama-gguf/model.gguf"), Arithmetic::Fast);
    let error = fast.decoder.differentiable().err().unwrap();
    assert!(matches!(error, Error::NoGradient));
    assert!(error.hint().unwrap().contains("--fast"));
}

#[test]
fn weights_that_are_dequantised_on_demand_have_the_same_gradients() {
    let path = project("fixtures/models/tiny-llama-gguf/model.gguf");
    let of = |arithmetic| {
        let lm = gguf(&path, arithmetic).decoder;
        let points = TracePlan::new(compared(&lm));
        gradients(&lm.differentiable().unwrap(), &points)
    };
    let (exact, on_demand) = (of(Arithmetic::Exact), of(Arithmetic::OnDemand));
    for at in compared(&gguf(&path, Arithmetic::Exact).decoder) {
        let (exact, on_demand) = (exact.gradient(at).unwrap(), on_demand.gradient(at).unwrap());
        assert!(f64::from(max_abs_diff(exact, on_demand)) < 1e-5 * norm(&values(exact)), "{at}");
    }
}

/// Rows of a batch that are moved along one direction by different steps.
struct Moved {
    at: HookPoint,
    /// `[1, ..]`.
    along: Tensor,
    steps: Vec<f32>,
}

impl Tap for Moved {
    fn wants(&self, at: HookPoint) -> bool {
        at == self.at
    }

    fn visit(&mut self, _: HookPoint, x: Tensor) -> Result<Tensor> {
        let mut shape = vec![1; x.rank()];
        shape[0] = self.steps.len();
        let steps = Tensor::from_vec(self.steps.clone(), shape, &Device::Cpu)?;
        Ok((x + self.along.broadcast_mul(&steps)?)?)
    }
}

fn norm(x: &[f32]) -> f64 {
    x.iter().map(|x| f64::from(x * x)).sum::<f64>().sqrt()
}

/// The slope of the metric along a direction by central differences at four steps, extrapolated to none (Ridders 1982):
/// of the extrapolations, the one that changes least from the one before it.
fn slope(lm: &Decoder, at: HookPoint, along: &Tensor, first: f64) -> f64 {
    const LEVELS: usize = 7;
    let widths: Vec<f64> = (0..LEVELS).map(|level| first / f64::from(1u32 << level)).collect();
    #[expect(clippy::cast_possible_truncation, reason = "activations are f32")]
    let steps: Vec<f32> = widths.iter().flat_map(|&step| [step as f32, -step as f32]).collect();
    let ids = ids_tensor(&IDS).unwrap().repeat((steps.len(), 1)).unwrap();
    let mut tap = Moved { at, along: along.clone(), steps };
    let hidden = lm.forward(&ids, &mut lm.new_cache(), &mut tap).unwrap();
    let found = METRIC.of(lm, &hidden).unwrap().to_vec1::<f32>().unwrap();
    let pairs = found.chunks(2).zip(&widths);
    let mut row: Vec<f64> =
        pairs.map(|(pair, step)| (f64::from(pair[0]) - f64::from(pair[1])) / (2.0 * step)).collect();
    let mut best = (f64::INFINITY, row[0]);
    for order in 1..LEVELS {
        let gain = 4f64.powi(i32::try_from(order).unwrap());
        let next: Vec<f64> = row.windows(2).map(|pair| (gain * pair[1] - pair[0]) / (gain - 1.0)).collect();
        for (extrapolated, pair) in next.iter().zip(row.windows(2)) {
            let change = (extrapolated - pair[1]).abs().max((extrapolated - pair[0]).abs());
            if change < best.0 {
                best = (change, *extrapolated);
            }
        }
        row = next;
    }
    best.1
}

/// The gradient's direction and a random one, added: the first makes the slope large, the second would show a part of
/// the gradient that is missing.
fn direction(gradient: &Tensor, rng: &mut ChaCha8Rng) -> Tensor {
    let gradient_values = values(gradient);
    let random: Vec<f32> = gradient_values.iter().map(|_| rng.random_range(-1f32..1.0)).collect();
    let (g, r) = (norm(&gradient_values), norm(&random));
    #[expect(clippy::cast_possible_truncation, reason = "activations are f32")]
    let along: Vec<f32> =
        gradient_values.iter().zip(&random).map(|(a, b)| (f64::from(*a) / g + f64::from(*b) / r) as f32).collect();
    Tensor::from_vec(along, gradient.shape(), &Device::Cpu).unwrap()
}

fn gradients(twin: &Differentiable, plan: &TracePlan) -> Gradients {
    Gradients::record(twin, &ids_tensor(&IDS).unwrap(), METRIC, plan, &mut NoTap).unwrap()
}

/// First steps to try, as shares of the activation's norm. A step across an edge gives the mean of two slopes, and a
/// small one drowns in rounding; which of them is neither differs from hook to hook in models that have edges.
fn first_steps(lm: &Decoder) -> &'static [f64] {
    let cfg = lm.config();
    let has_edges =
        matches!(cfg.mlp.activation(), Activation::Relu | Activation::Relu2) || cfg.attention.clip.is_some();
    if has_edges { &[3e-3, 1e-3, 5e-4, 2e-4] } else { &[0.02] }
}

/// Hooks whose gradients are compared with differences.
fn compared(lm: &Decoder) -> Vec<HookPoint> {
    let layer = lm.config().n_layers / 2;
    let sites = [Site::ResidPre, Site::Z, Site::Pattern, Site::K, Site::MlpPost];
    let in_block = sites.map(|site| HookPoint::block(layer, site));
    let points = [HookPoint::model(Site::Embed)].into_iter().chain(in_block);
    points.filter(|&at| lm.config().has_at(at)).collect()
}

#[test]
fn gradients_are_those_of_central_differences() {
    for_every_model(|lm, name| {
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        let twin = lm.differentiable().unwrap();
        let points = compared(lm);
        let found = gradients(&twin, &TracePlan::new(points.clone()));
        for at in points {
            let gradient = found.gradient(at).unwrap();
            let along = direction(gradient, &mut rng);
            let pairs = values(gradient).into_iter().zip(values(&along));
            let expected: f64 = pairs.map(|(g, d)| f64::from(g) * f64::from(d)).sum();
            let size = norm(&values(found.activation(at).unwrap()));
            let error = |share: &f64| (slope(twin.decoder(), at, &along, share * size) - expected).abs();
            let least = first_steps(lm).iter().map(error).fold(f64::INFINITY, f64::min);
            let relative = least / norm(&values(gradient));
            assert!(relative < 1e-3, "{name} {at}: {relative}");
        }
    });
}

#[test]
fn every_hook_that_the_metric_depends_on_has_a_gradient() {
    for_every_model(|lm, name| {
        let points = lm.config().hook_points();
        let found = gradients(&lm.differentiable().unwrap(), &TracePlan::new(points.clone()));
        for at in points {
            let found = norm(&values(found.gradient(at).unwrap()));
            assert!(found.is_finite() && found > 0.0, "{name} {at}: {found}");
        }
    });
}

#[test]
fn every_quantity_has_its_gradient() {
    let lm = load(&project("fixtures/architectures/gemma2-softcap")).decoder;
    let twin = lm.differentiable().unwrap();
    let at = HookPoint::block(0, Site::ResidPost);
    let (ids, position) = (ids_tensor(&IDS).unwrap(), IDS.len() - 1);
    let gradient = |quantity| {
        let metric = Metric { position, quantity };
        let found = Gradients::record(&twin, &ids, metric, &TracePlan::new([at]), &mut NoTap).unwrap();
        (found.values[0], values(found.gradient(at).unwrap()))
    };
    let row = values(&logits(twin.decoder()).get(0).unwrap().get(position).unwrap());
    let logprobs = log_softmax(&row);
    let (a, b, difference) =
        (gradient(Quantity::Logit(42)), gradient(Quantity::Logit(17)), gradient(Quantity::Difference(42, 17)));
    assert!((a.0 - f64::from(row[42])).abs() < 1e-6 && (b.0 - f64::from(row[17])).abs() < 1e-6);
    let logprob = gradient(Quantity::Logprob(42));
    assert!((logprob.0 - logprobs[42]).abs() < 1e-5);
    // log p_A = logit_A - log Σ exp(logit): its gradient is that of the logit less the mean of all, weighted by p
    let mut expected = a.1.clone();
    for (token, logprob) in (0..).zip(&logprobs) {
        #[expect(clippy::cast_possible_truncation, reason = "activations are f32")]
        let p = logprob.exp() as f32;
        expected.iter_mut().zip(gradient(Quantity::Logit(token)).1).for_each(|(sum, g)| *sum -= p * g);
    }
    let far = |x: &[f32], y: &[f32]| norm(&x.iter().zip(y).map(|(x, y)| x - y).collect::<Vec<_>>()) / norm(y);
    assert!(far(&logprob.1, &expected) < 1e-4);
    let subtracted: Vec<f32> = a.1.iter().zip(&b.1).map(|(a, b)| a - b).collect();
    assert!(far(&difference.1, &subtracted) < 1e-5);
}
