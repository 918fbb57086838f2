//! Path patching against two full runs a sender.

use std::collections::BTreeMap;

use candle_core::Tensor;
use lmscope::hook::{HookPoint, Site};
use lmscope::lens::{Ask, Versus};
use lmscope::model::decoder::Decoder;
use lmscope::model::{CancelToken, CausalLm, NoTap, Result, Tap, last_logits};
use lmscope::probe::patching::{Direction, Measure, Metric};
use lmscope::probe::path::{Paths, Receivers, Request, Sender, Through};
use lmscope::trace::{Trace, TracePlan};

use crate::support::{golden_models, load, project, values};

const CLEAN: [u32; 6] = [3, 14, 15, 92, 65, 35];
const CORRUPTED: [u32; 6] = [3, 26, 15, 92, 31, 35];

/// Calls a function at every hook, with the numbers of its tensor.
struct Each<F>(F);

impl<F: FnMut(HookPoint, &mut Vec<f32>, &[usize])> Tap for Each<F> {
    fn wants(&self, at: HookPoint) -> bool {
        at.site() != Site::Result
    }

    fn visit(&mut self, at: HookPoint, x: Tensor) -> Result<Tensor> {
        let (mut numbers, dims) = (values(&x), x.dims().to_vec());
        (self.0)(at, &mut numbers, &dims[1..]);
        Ok(Tensor::from_vec(numbers, dims, x.device())?)
    }
}

/// Copies one head of `[pos, head, d_head]`.
fn copy_head(to: &mut [f32], from: &[f32], dims: &[usize], head: usize) {
    let (n_heads, width) = (dims[1], dims[2]);
    for position in 0..dims[0] {
        let at = (position * n_heads + head) * width;
        to[at..at + width].copy_from_slice(&from[at..at + width]);
    }
}

/// The logits after both runs of one sender.
fn naive(lm: &Decoder, base: &Trace, source: &Trace, sender: Sender, request: &Request) -> Vec<f32> {
    let activation = |run: &Trace, at| values(run.get(at).unwrap());
    let mut received = BTreeMap::new();
    let freeze = |at: HookPoint, x: &mut Vec<f32>, dims: &[usize]| {
        received.insert(at, x.clone());
        let is_sender = at.layer() == Some(sender.layer);
        match (at.site(), sender.head) {
            (Site::Z, head) => {
                *x = activation(base, at);
                if let Some(head) = head.filter(|_| is_sender) {
                    copy_head(x, &activation(source, at), dims, head);
                }
            }
            (Site::MlpOut, None) if is_sender => *x = activation(source, at),
            (Site::MlpOut, _) if request.through == Through::Direct => *x = activation(base, at),
            _ => {}
        }
    };
    let sent = last_logits(lm, &base.ids, &mut lm.new_cache(), &mut Each(freeze)).unwrap();
    let Receivers::Parts(parts) = &request.receivers else { return sent };
    let put = |at: HookPoint, x: &mut Vec<f32>, dims: &[usize]| {
        for part in parts.iter().filter(|part| at.layer() == Some(part.layer)) {
            match (part.to_string().rsplit_once('.').unwrap().1, at.site()) {
                ("mlp", Site::MlpOut) => x.clone_from(&received[&at]),
                ("q", Site::Q) | ("k", Site::K) | ("v", Site::V) => {
                    let name = part.to_string();
                    let head = name.split(['H', '.']).nth(1).unwrap().parse().unwrap();
                    copy_head(x, &received[&at], dims, head);
                }
                _ => {}
            }
        }
    };
    last_logits(lm, &base.ids, &mut lm.new_cache(), &mut Each(put)).unwrap()
}

#[test]
fn every_sender_does_what_two_full_runs_do() {
    let more = ["bloom-plain", "mistral-sliding", "olmo2-plain", "gptj-rotary-4", "qwen3_moe-every-layer"];
    let more = more.map(|name| project("fixtures/architectures").join(name));
    for dir in golden_models().into_iter().chain(more) {
        let lm = load(&dir).decoder;
        let plan = TracePlan::new(lm.config().hook_points());
        let clean = Trace::record(&lm, &CLEAN, &plan, &mut NoTap).unwrap();
        let corrupted = Trace::record(&lm, &CORRUPTED, &plan, &mut NoTap).unwrap();
        let last = [clean.logits_at(5).unwrap(), corrupted.logits_at(5).unwrap()];
        let by_change = |a: &u32, b: &u32| {
            let change = |id: u32| last[0][id as usize] - last[1][id as usize];
            change(*a).total_cmp(&change(*b))
        };
        let ids = 0..u32::try_from(last[0].len()).unwrap();
        let (token, rival) = (ids.clone().max_by(by_change).unwrap(), ids.min_by(by_change).unwrap());
        let ask = Ask { position: None, token: Some(token), versus: Versus::Token(rival) };
        let mut moved = 0.0f64;
        for (receivers, through, direction) in [
            ("logits", Through::Direct, Direction::Denoise),
            ("logits", Through::Mlps, Direction::Noise),
            ("L1H1.q", Through::Mlps, Direction::Denoise),
            ("L1H0.k,L1H1.v", Through::Direct, Direction::Denoise),
            ("L1H0.v,L1.mlp,L0.mlp", Through::Mlps, Direction::Noise),
        ] {
            let measure = Measure { direction, metric: Metric::LogitDiff, ask };
            let request = Request { receivers: receivers.parse().unwrap(), through, measure };
            let prompts = [CLEAN.as_slice(), &CORRUPTED];
            let paths = Paths::of_ids(&lm, prompts, request.clone(), &CancelToken::default()).unwrap();
            let (base, source) = match direction {
                Direction::Denoise => (&corrupted, &clean),
                Direction::Noise => (&clean, &corrupted),
            };
            let difference = |logits: &[f32]| f64::from(logits[token as usize]) - f64::from(logits[rival as usize]);
            for effect in paths.run(&CancelToken::default(), &mut |_, _| {}).unwrap() {
                let expected = difference(&naive(&lm, base, source, effect.sender, &request));
                let apart = (effect.value - expected).abs();
                assert!(apart < 1e-4, "{} {receivers} {through:?} {:?}: {apart}", dir.display(), effect.sender);
                moved = moved.max((expected - difference(&base.logits_at(5).unwrap())).abs());
            }
        }
        assert!(moved > 1e-3, "{}", dir.display());
    }
}

#[test]
fn receivers_that_do_not_exist_are_refused() {
    let lm = load(&project("fixtures/models/tiny-llama")).decoder;
    let measure = Measure { direction: Direction::Denoise, metric: Metric::Recovery, ask: Ask::default() };
    for (text, expected) in [("L2H0.q", "there are 2 layers"), ("L1H2.k", "and 2 heads"), ("L1H4.q", "and 4 heads")] {
        let request = Request { receivers: text.parse().unwrap(), through: Through::Direct, measure };
        let error = Paths::of_ids(&lm, [&CLEAN, &CORRUPTED], request, &CancelToken::default()).map(|_| ()).unwrap_err();
        assert!(error.to_string().contains(expected), "{text}: {error}");
    }
}
