//! Direct logit attribution adds up, at every level, on every architecture.

use lmscope::hook::{HookPoint, Site};
use lmscope::lens::dla::{Attribution, Component, DirectLogitAttribution, Share, attribute};
use lmscope::lens::{Ask, Lens as _, Question, Versus};
use lmscope::model::NoTap;
use lmscope::trace::Trace;

use crate::support::{load, project, tiny_models};

const IDS: [u32; 7] = [3, 14, 15, 9, 2, 6, 5];
/// Sums in f64 of products in f32, relative to the largest summand.
const TOLERANCE: f64 = 1e-5;

fn close(found: f64, expected: f64, scale: f64, what: &str) {
    assert!((found - expected).abs() <= TOLERANCE * scale.max(1.0), "{what}: {found} instead of {expected}");
}

fn sum(shares: impl Iterator<Item = Share>) -> f64 {
    shares.map(Share::difference).sum()
}

/// The largest share of any component: what rounding is in proportion to.
fn largest(found: &Attribution) -> f64 {
    let shares = found.components.iter().map(|(_, share)| *share).chain([found.logits]);
    shares.map(|share| share.to_a.abs().max(share.to_b.abs())).fold(0.0, f64::max)
}

fn check(name: &str, found: &Attribution, trace: &Trace, n_layers: usize) {
    let scale = largest(found);
    let remainder = found.remainder();
    close(remainder.to_a, 0.0, scale, &format!("{name}: remainder of A"));
    close(remainder.to_b, 0.0, scale, &format!("{name}: remainder of B"));
    // and, as it is put to users, relative to the difference of logits itself
    assert!(remainder.difference().abs() <= 1e-4 * found.logits.difference().abs().max(1e-2 * scale), "{name}");
    for layer in 0..n_layers {
        let heads = found.heads.iter().filter(|(head, _)| head.layer == layer);
        let attention = sum(heads.map(|(_, share)| *share)) + found.attn_biases[layer].difference();
        let whole = found.share_of(Component::Attention(layer)).difference();
        close(attention, whole, scale, &format!("{name}: heads of layer {layer}"));
        if let Some(biases) = found.mlp_biases[layer] {
            let neurons = found.neurons.iter().filter(|neuron| neuron.layer == layer);
            let mlp = sum(neurons.map(|neuron| neuron.share)) + biases.difference();
            let whole = found.share_of(Component::Mlp(layer)).difference();
            close(mlp, whole, scale, &format!("{name}: neurons of layer {layer}"));
        }
    }
    for &(head, share) in &found.heads {
        let sources = found.sources(trace, head).unwrap();
        assert_eq!(sources.len(), found.target.position + 1);
        close(sum(sources.iter().map(|source| source.share)), share.difference(), scale, &format!("{name}: {head}"));
    }
}

#[test]
fn shares_add_up_at_every_level_on_every_architecture() {
    for dir in tiny_models() {
        let name = dir.display().to_string();
        let model = load(&dir);
        let plan = DirectLogitAttribution.needs(&model.config, &Question::default());
        let trace = Trace::record(&model.decoder, &IDS, &plan, &mut NoTap).unwrap();
        for (position, versus) in [(6, Versus::BestOther), (3, Versus::Nothing)] {
            let logits = trace.logits_at(position).unwrap();
            let target = Ask { versus, ..Ask::default() }.resolve(position, &logits).unwrap();
            let found = attribute(&trace, &model.decoder, target).unwrap();
            check(&name, &found, &trace, model.config.n_layers);
            // what is attributed is the model's own logit, before the soft-cap
            let cap = |logit: f64| model.config.logits.softcap.map_or(logit, |cap| cap * (logit / cap).tanh());
            close(cap(found.logits.to_a), f64::from(logits[target.token as usize]), 1.0, &name);
        }
    }
}

#[test]
fn a_head_taken_out_of_the_last_block_costs_its_share_while_the_scale_is_frozen() {
    // the last block of a parallel architecture: a head there reaches the logits only directly
    let model = load(&project("fixtures/models/tiny-gpt-neox"));
    let plan = DirectLogitAttribution.needs(&model.config, &Question::default());
    let trace = Trace::record(&model.decoder, &IDS, &plan, &mut NoTap).unwrap();
    let target = Ask::default().resolve(6, &trace.logits_at(6).unwrap()).unwrap();
    let found = attribute(&trace, &model.decoder, target).unwrap();
    let last = model.config.n_layers - 1;
    let scale_at = HookPoint::model(Site::LnFinalScale);
    for (head, share) in found.heads.iter().filter(|(head, _)| head.layer == last) {
        let mut tap = WithoutHead { layer: last, head: head.head, scale: trace.get(scale_at).unwrap().clone() };
        let ablated = Trace::record(&model.decoder, &IDS, &plan, &mut tap).unwrap();
        let fall = target.logit(&trace.logits_at(6).unwrap()) - target.logit(&ablated.logits_at(6).unwrap());
        assert!((fall - share.difference()).abs() < 1e-4, "{head}: {fall} {share:?}");
    }
}

/// Takes a head out and holds the final norm's scale at what it was.
struct WithoutHead {
    layer: usize,
    head: usize,
    scale: candle_core::Tensor,
}

impl lmscope::model::Tap for WithoutHead {
    fn wants(&self, at: HookPoint) -> bool {
        at == HookPoint::block(self.layer, Site::Z) || at == HookPoint::model(Site::LnFinalScale)
    }

    fn visit(&mut self, at: HookPoint, x: candle_core::Tensor) -> lmscope::model::Result<candle_core::Tensor> {
        if at.layer().is_none() {
            return Ok(self.scale.unsqueeze(0)?);
        }
        let n = x.dim(2)?;
        let mask: Vec<f32> = (0..n).map(|head| if head == self.head { 0.0 } else { 1.0 }).collect();
        Ok(x.broadcast_mul(&candle_core::Tensor::from_vec(mask, (1, 1, n, 1), x.device())?)?)
    }
}
