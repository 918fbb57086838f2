//! The differentiable path: it computes what the fused one does, and its gradients are those of finite differences.

use candle_core::{Device, Tensor, Var};
use lmscope::hook::{HookPoint, Site};
use lmscope::model::decoder::{Decoder, Kernels};
use lmscope::model::load::load_directory;
use lmscope::model::source::ModelSource;
use lmscope::model::{Activation, CausalLm, Loading, NoTap, Result, Tap, ids_tensor};

use crate::support::{load, max_abs_diff, tiny_models, values};

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
    for dir in tiny_models() {
        if dir.join("model.gguf").exists() {
            continue;
        }
        let differentiable =
            load_directory(&ModelSource::Directory(dir.clone()), &Loading::unwatched(Kernels::Differentiable))
                .unwrap()
                .decoder;
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
        let at = |step: f64| {
            let moved = (embeddings.as_tensor() + (&along * step).unwrap()).unwrap();
            f64::from(target(lm, &moved).to_scalar::<f32>().unwrap())
        };
        let central = |step: f64| (at(step) - at(-step)) / (2.0 * step);
        // Richardson's extrapolation: the error of the curvature cancels
        let slope = (4.0 * central(3e-4) - central(6e-4)) / 3.0;
        let found = f64::from(norm);
        // the step may cross kinks, where a difference is the mean of two slopes
        let cfg = lm.config();
        let has_kinks =
            matches!(cfg.mlp.activation(), Activation::Relu | Activation::Relu2) || cfg.attention.clip.is_some();
        let tolerance = if has_kinks { 1e-2 } else { 3e-3 };
        assert!((slope - found).abs() < tolerance * found, "{name}: central difference {slope}, gradient {found}");
    });
}
