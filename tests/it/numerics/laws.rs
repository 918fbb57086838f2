//! Laws that hold for every decoder, checked on every tiny model.

use candle_core::Tensor;
use lmscope::hook::{HookPoint, Site};
use lmscope::model::{CancelToken, CausalLm, Error, NoTap, NormPlacement, Residual, Result, Tap, ids_tensor};
use lmscope::trace::{Trace, TracePlan};

use crate::support::noise::normal;
use crate::support::{load, max_abs_diff, tiny_models, values};

const IDS: [u32; 9] = [3, 14, 15, 92, 65, 35, 14, 15, 89];

fn for_every_model(check: impl Fn(&lmscope::model::decoder::Decoder, &str)) {
    for dir in tiny_models() {
        check(&load(&dir).decoder, &dir.display().to_string());
    }
}

fn logits(lm: &dyn CausalLm, tap: &mut dyn Tap) -> Tensor {
    let hidden = lm.forward(&ids_tensor(&IDS).unwrap(), &mut lm.new_cache(), tap).unwrap();
    lm.logits(&hidden).unwrap().squeeze(0).unwrap()
}

fn everything(lm: &dyn CausalLm) -> Trace {
    Trace::record(lm, &IDS, &TracePlan::new(lm.config().hook_points()), &mut NoTap).unwrap()
}

#[test]
fn recording_everything_changes_no_bit() {
    for_every_model(|lm, name| assert_eq!(values(&logits(lm, &mut NoTap)), values(&everything(lm).logits), "{name}"));
}

#[test]
fn a_cached_run_equals_an_uncached_one() {
    for_every_model(|lm, name| {
        if lm.config().rotation_depends_on_length(IDS.len()) {
            return;
        }
        let whole = logits(lm, &mut NoTap);
        let mut cache = lm.new_cache();
        let mut rows = Vec::new();
        for part in [&IDS[..4], &IDS[4..5], &IDS[5..]] {
            let hidden = lm.forward(&ids_tensor(part).unwrap(), &mut cache, &mut NoTap).unwrap();
            rows.push(lm.logits(&hidden).unwrap().squeeze(0).unwrap());
        }
        assert_eq!(cache.len(), IDS.len());
        assert!(max_abs_diff(&whole, &Tensor::cat(&rows, 0).unwrap()) < 1e-4, "{name}");
        cache.truncate(4).unwrap();
        let hidden = lm.forward(&ids_tensor(&IDS[4..]).unwrap(), &mut cache, &mut NoTap).unwrap();
        let again = lm.logits(&hidden).unwrap().squeeze(0).unwrap();
        assert!(max_abs_diff(&whole.narrow(0, 4, 5).unwrap(), &again) < 1e-4, "{name} after truncation");
    });
}

#[test]
fn pattern_rows_sum_to_one_and_look_only_back() {
    for_every_model(|lm, name| {
        let trace = everything(lm);
        for layer in 0..lm.config().n_layers {
            let pattern = trace.get(HookPoint::block(layer, Site::Pattern)).unwrap().to_vec3::<f32>().unwrap();
            for (query, row) in pattern.iter().flat_map(|head| head.iter().enumerate()) {
                assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-6, "{name}");
                assert!(row[query + 1..].iter().all(|&weight| weight == 0.0), "{name}");
            }
        }
    });
}

#[test]
fn the_residual_stream_is_the_sum_of_what_was_written() {
    for_every_model(|lm, name| {
        let trace = everything(lm);
        let cfg = lm.config();
        if matches!(cfg.placement, NormPlacement::Residual | NormPlacement::Carried) {
            return;
        }
        let mut sum = trace.get(HookPoint::model(Site::Embed)).unwrap().clone();
        if cfg.has(Site::PosEmbed) {
            sum = (sum + trace.get(HookPoint::model(Site::PosEmbed)).unwrap()).unwrap();
        }
        for layer in 0..cfg.n_layers {
            for site in [Site::AttnOut, Site::MlpOut] {
                sum = (sum + trace.get(HookPoint::block(layer, site)).unwrap()).unwrap();
            }
        }
        let last = trace.get(HookPoint::block(cfg.n_layers - 1, Site::ResidPost)).unwrap();
        assert!(max_abs_diff(&sum, last) < 1e-4, "{name}");
        assert_eq!(cfg.has(Site::ResidMid), cfg.residual == Residual::Serial);
    });
}

#[test]
fn unembedding_the_last_residual_gives_the_logits() {
    for_every_model(|lm, name| {
        let trace = everything(lm);
        let last = trace.get(HookPoint::block(lm.config().n_layers - 1, Site::ResidPost)).unwrap();
        assert_eq!(values(&lm.unembed(last).unwrap()), values(&trace.logits), "{name}");
    });
}

#[test]
fn shapes_are_those_the_configuration_promises() {
    for_every_model(|lm, name| {
        let trace = everything(lm);
        assert_eq!(trace.activations.len(), lm.config().hook_points().len(), "{name}");
        for (at, tensor) in &trace.activations {
            assert_eq!(tensor.dims(), lm.config().hook_shape(at.site(), IDS.len()), "{name} {at}");
        }
    });
}

/// Replaces one hook by another tensor.
struct Replace(HookPoint, Tensor);

impl Tap for Replace {
    fn wants(&self, at: HookPoint) -> bool {
        at == self.0
    }

    fn visit(&mut self, _: HookPoint, _: Tensor) -> Result<Tensor> {
        Ok(self.1.unsqueeze(0)?)
    }
}

#[test]
fn patching_a_hook_with_its_own_activation_changes_nothing() {
    for_every_model(|lm, name| {
        let trace = everything(lm);
        for (at, tensor) in &trace.activations {
            let patched = logits(lm, &mut Replace(*at, tensor.clone()));
            assert!(max_abs_diff(&patched, &trace.logits) < 1e-4, "{name} {at}");
        }
    });
}

#[test]
fn every_hook_that_is_replaced_moves_the_logits() {
    for_every_model(|lm, name| {
        let trace = everything(lm);
        for (at, tensor) in &trace.activations {
            let noise = ((normal(1, tensor.dims()) * 0.3).unwrap() + 1.0).unwrap();
            let changed =
                if at.site() == Site::AttnScores { (tensor + noise).unwrap() } else { (tensor * noise).unwrap() };
            let patched = logits(lm, &mut Replace(*at, changed));
            assert!(max_abs_diff(&patched, &trace.logits) > 1e-5, "{name} {at}");
        }
    });
}

#[test]
fn replacing_the_first_residual_reproduces_the_other_prompt() {
    for_every_model(|lm, name| {
        let mut other = IDS;
        other[2] = 77;
        let plan = TracePlan::new(lm.config().hook_points());
        let target = Trace::record(lm, &other, &plan, &mut NoTap).unwrap();
        let at = HookPoint::block(0, Site::ResidPre);
        let patched = logits(lm, &mut Replace(at, target.get(at).unwrap().clone()));
        assert!(max_abs_diff(&patched, &target.logits) < 1e-4, "{name}");
    });
}

#[test]
fn cancelling_stops_the_pass_and_too_long_a_sequence_is_refused() {
    for_every_model(|lm, name| {
        let mut token = CancelToken::default();
        token.cancel();
        let result = lm.forward(&ids_tensor(&IDS).unwrap(), &mut lm.new_cache(), &mut token);
        assert!(matches!(result, Err(Error::Cancelled)), "{name}");
        let long = vec![1; lm.config().n_ctx + 1];
        let result = lm.forward(&ids_tensor(&long).unwrap(), &mut lm.new_cache(), &mut NoTap);
        assert!(matches!(result, Err(Error::TooLong { .. })), "{name}");
    });
}
