//! Reference files: the goldens of the tiny models, which transformers computed, and files that do not fit.

use std::collections::HashMap;
use std::path::Path;

use candle_core::{DType, Device, Tensor};
use lmscope::hook::{HookPoint, Site};
use lmscope::model::checkpoint::Arithmetic;
use lmscope::model::{CancelToken, CausalLm as _, Dtype};
use lmscope::verify::{self, DEFAULT_TOLERANCE, Error, Problem, Reference, Subject, Verdict};

use crate::support::{golden_models, load, project, tensors};

type Tensors = HashMap<String, Tensor>;

/// A golden as a reference file holds it.
pub(crate) fn of_golden(dir: &Path) -> Tensors {
    let golden = tensors(&dir.join("golden.safetensors"));
    let n_layers = load(dir).config.n_layers;
    let mut reference: Tensors = HashMap::new();
    reference.insert("input_ids".into(), golden["tokens"].to_dtype(DType::I64).unwrap());
    reference.insert("logits".into(), golden["logits"].clone());
    for layer in 0..n_layers {
        let of = |site| golden[&HookPoint::block(layer, site).to_string()].clone();
        reference.insert(format!("attn.{layer}"), of(Site::Pattern));
        reference.insert(format!("hidden.{layer}"), of(Site::ResidPre));
    }
    reference
}

fn read(tensors: &Tensors, dir: &Path) -> Result<Reference, Error> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("reference.safetensors");
    candle_core::safetensors::save(tensors, &file).unwrap();
    Reference::read(&file, load(dir).decoder.config(), DEFAULT_TOLERANCE)
}

/// The verdicts on hidden, attn and logits.
fn verdicts(dir: &Path, tensors: &Tensors) -> Vec<(Verdict, Option<String>)> {
    let model = load(dir);
    let reference = read(tensors, dir).unwrap();
    let cancel = CancelToken::default();
    let arithmetic = Arithmetic::Exact;
    let (lm, dtype) = (&model.decoder, Dtype::F32);
    let subject = Subject { lm, decoder: None, ids: reference.ids(), arithmetic, dtype, cancel: &cancel };
    let report = verify::run(&subject, Some(&reference), &mut |_| ()).unwrap();
    let of_reference = report.checks.into_iter().filter(|check| check.name.starts_with("reference-"));
    of_reference.map(|check| (check.verdict, check.at)).collect()
}

#[test]
fn every_tiny_model_is_what_transformers_computed() {
    for dir in golden_models() {
        let found = verdicts(&dir, &of_golden(&dir));
        assert_eq!(found.len(), 3);
        assert!(found.iter().all(|(verdict, _)| *verdict == Verdict::Holds), "{}: {found:?}", dir.display());
    }
}

#[test]
fn a_tensor_that_differs_is_named_with_its_place() {
    let dir = project("fixtures/models/tiny-llama");
    let differs = |name: &str| {
        let mut reference = of_golden(&dir);
        let tensor = reference.get_mut(name).unwrap();
        *tensor = (&*tensor + 0.1).unwrap();
        verdicts(&dir, &reference)
    };
    for (index, name) in ["hidden.1", "attn.0", "logits"].into_iter().enumerate() {
        for (other, (verdict, at)) in differs(name).into_iter().enumerate() {
            let expected = if other == index { Verdict::Fails } else { Verdict::Holds };
            assert_eq!(verdict, expected, "{name}: {at:?}");
            assert!(other != index || at.clone().unwrap().starts_with(name), "{name}: {at:?}");
        }
    }
}

#[test]
fn what_is_not_in_the_file_is_not_applicable() {
    let dir = project("fixtures/models/tiny-gpt2");
    let mut reference = of_golden(&dir);
    reference.retain(|name, _| name == "input_ids" || name == "logits");
    let found: Vec<Verdict> = verdicts(&dir, &reference).into_iter().map(|(verdict, _)| verdict).collect();
    assert_eq!(found, [Verdict::NotApplicable, Verdict::NotApplicable, Verdict::Holds]);
}

/// The stream after the final norm follows from the golden's parts.
#[test]
fn the_last_hidden_state_is_the_normed_one() {
    let dir = project("fixtures/models/tiny-llama");
    let model = load(&dir);
    let mut reference = of_golden(&dir);
    let ids = reference["input_ids"].to_dtype(DType::U32).unwrap().unsqueeze(0).unwrap();
    let normed = model.decoder.forward(&ids, &mut model.decoder.new_cache(), &mut lmscope::model::NoTap).unwrap();
    reference.insert(format!("hidden.{}", model.config.n_layers), normed.squeeze(0).unwrap());
    assert_eq!(verdicts(&dir, &reference)[0].0, Verdict::Holds);
}

#[test]
fn everything_that_does_not_fit_is_reported_together() {
    let dir = project("fixtures/models/tiny-llama");
    let cfg = load(&dir).config;
    let mut reference = of_golden(&dir);
    let n_pos = reference["input_ids"].dim(0).unwrap();
    reference.insert("hidden.9".into(), Tensor::zeros(1, DType::F32, &Device::Cpu).unwrap());
    reference.insert("attn.0".into(), Tensor::zeros((1, 2, 3), DType::F32, &Device::Cpu).unwrap());
    reference.insert("hidden.1".into(), Tensor::zeros((n_pos, cfg.d_model), DType::U32, &Device::Cpu).unwrap());
    reference.remove("logits");
    let Err(Error::Tensors { mut problems, .. }) = read(&reference, &dir) else { panic!("it fits") };
    problems.sort_by_key(ToString::to_string);
    let expected = vec![cfg.n_heads, n_pos, n_pos];
    assert_eq!(
        problems,
        [
            Problem::Shape { tensor: "attn.0".into(), found: vec![1, 2, 3], expected },
            Problem::Type { tensor: "hidden.1".into(), found: "U32".into(), expected: "F32, F16, BF16 or F64" },
            Problem::Unknown { tensor: "hidden.9".into() },
            Problem::Missing { tensor: "logits" },
        ]
    );
}

#[test]
fn ids_that_the_model_cannot_run_are_refused() {
    let dir = project("fixtures/models/tiny-llama");
    let problem = |ids: Tensor| {
        let mut reference = of_golden(&dir);
        reference.insert("input_ids".into(), ids);
        let Err(Error::Tensors { problems, .. }) = read(&reference, &dir) else { panic!("it fits") };
        problems[0].clone()
    };
    let ids = |ids: &[i64]| Tensor::new(ids, &Device::Cpu).unwrap();
    assert!(matches!(problem(ids(&[1, -2])), Problem::Id { id: -2, position: 1, .. }));
    assert!(matches!(problem(ids(&[999_999])), Problem::Id { id: 999_999, .. }));
    assert!(matches!(problem(ids(&[1; 500])), Problem::Shape { .. }));
    assert!(matches!(problem(ids(&[1, 2]).unsqueeze(0).unwrap()), Problem::Shape { .. }));
    assert!(matches!(problem(Tensor::new(&[1u32], &Device::Cpu).unwrap()), Problem::Type { .. }));
}
