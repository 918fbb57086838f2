//! The differentiable path: it computes what the fused one does, and its gradients are those of finite differences.

use candle_core::{Device, Tensor, Var};
use lmscope::hook::{HookPoint, Site};
use lmscope::model::decoder::{Decoder, Kernels};
use lmscope::model::load::load_directory;
use lmscope::model::source::ModelSource;
use lmscope::model::{CausalLm, NoTap, Result, Tap, ids_tensor};

use crate::support::{golden_models, load, max_abs_diff, values};

const IDS: [u32; 7] = [3, 14, 15, 92, 65, 35, 89];
/// The token whose logit is differentiated.
const TARGET: usize = 42;

/// Puts a tensor in the place of the embeddings.
struct Embeddings(Tensor);

impl Tap for Embeddings {
    fn wants(&self, at: HookPoint) -> bool {
        at == HookPoint::model(Site::Embed)
    }

    fn visit(&mut self, _: HookPoint, _: Tensor) -> Result<Tensor> {
        Ok(self.0.clone())
    }
}

/// Remembers the embeddings.
struct Remember(Option<Tensor>);

impl Tap for Remember {
    fn wants(&self, at: HookPoint) -> bool {
        at == HookPoint::model(Site::Embed)
    }

    fn visit(&mut self, _: HookPoint, x: Tensor) -> Result<Tensor> {
        self.0 = Some(x.clone());
        Ok(x)
    }
}

fn target(lm: &Decoder, embeddings: &Tensor) -> Tensor {
    let ids = ids_tensor(&IDS).unwrap();
    let hidden = lm.forward(&ids, &mut lm.new_cache(), &mut Embeddings(embeddings.clone())).unwrap();
    lm.logits(&hidden).unwrap().get(0).unwrap().get(IDS.len() - 1).unwrap().get(TARGET).unwrap()
}

fn for_every_directory(check: impl Fn(&Decoder, &Decoder, &str)) {
    for dir in golden_models() {
        if dir.join("model.gguf").exists() {
            continue;
        }
        let differentiable =
            load_directory(&ModelSource::Directory(dir.clone()), Kernels::Differentiable).unwrap().decoder;
        check(&load(&dir).decoder, &differentiable, &dir.display().to_string());
    }
}

#[test]
fn both_paths_compute_the_same_logits() {
    for_every_directory(|fused, differentiable, name| {
        let logits = |lm: &Decoder| {
            let hidden = lm.forward(&ids_tensor(&IDS).unwrap(), &mut lm.new_cache(), &mut NoTap).unwrap();
            lm.logits(&hidden).unwrap()
        };
        assert!(max_abs_diff(&logits(fused), &logits(differentiable)) < 1e-5, "{name}");
    });
}

#[test]
fn gradients_are_those_of_central_differences() {
    for_every_directory(|_, lm, name| {
        let mut remember = Remember(None);
        lm.forward(&ids_tensor(&IDS).unwrap(), &mut lm.new_cache(), &mut remember).unwrap();
        let embeddings = Var::from_tensor(&remember.0.unwrap()).unwrap();
        let grads = target(lm, embeddings.as_tensor()).backward().unwrap();
        let gradient = values(grads.get(embeddings.as_tensor()).unwrap());

        let norm = gradient.iter().map(|g| g * g).sum::<f32>().sqrt();
        let along: Vec<f32> = gradient.iter().map(|g| g / norm).collect();
        let along = Tensor::from_vec(along, embeddings.shape(), &Device::Cpu).unwrap();
        // a step in which rounding and curvature both stay small beside the slope
        let step = 2e-3;
        let at = |step: f64| {
            let moved = (embeddings.as_tensor() + (&along * step).unwrap()).unwrap();
            f64::from(target(lm, &moved).to_scalar::<f32>().unwrap())
        };
        let slope = (at(step) - at(-step)) / (2.0 * step);
        let found = f64::from(norm);
        assert!((slope - found).abs() < 1e-2 * found, "{name}: central difference {slope}, gradient {found}");
    });
}
